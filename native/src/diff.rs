//! Two exports become a delta: what is added or changed, as it stands in NEW, and deletions of what is gone.
//!
//! Merging OLD and the delta gives NEW. Where a version in NEW is older than the one in OLD, a merge by time would keep
//! the old one; the manifest of such a delta has the mark [`crate::snapshot::argument::REPLACES`], and `merge` then takes
//! the delta's versions whatever their times. (Deletion and resource both, the other way to say it, is against the Bulk
//! Data guide.) Deletions carry no time, so that they hold for every version.

use fhirehose_core::deletion;
use fhirehose_core::partition::{Limits, Series};
use fhirehose_core::report::FileEntry;
use fhirehose_core::search::table::Registry;
use fhirehose_core::sink::FileKind;

use crate::cancel::Cancel;
use crate::folder::{FolderSink, OutputFile};
use crate::job::{JobError, Progress};
use crate::pool;
use crate::snapshot::entry::{Entry, Key};
use crate::snapshot::held::{Held, Version};
use crate::snapshot::marks::Marks;
use crate::snapshot::session::{Judge, Session, judge};
use crate::snapshot::tally::{Changes, Finding, Tally};
use crate::snapshot::task::{Outcome, Task};

/// Number of NEW among the arguments.
const NEW: u16 = 1;

/// Compares the first argument with the second. What is written is complete under its final names when this returns
/// `Ok`; after an error nothing of it is left.
pub fn run(task: &Task, progress: &Progress, cancel: &Cancel) -> Result<Outcome, JobError> {
    let mut session = Session::begin(task, progress, cancel)?;
    let runs = session.scan()?;
    let mut diffing = Diffing {
        registry: &task.registry,
        marks: Marks::new(session.lines),
        tally: Tally::default(),
        changes: vec![Changes::default(); task.registry.types().len()],
        sides: Sides::default(),
        deleted: Deleted {
            sink: &mut session.sink,
            series: Series::new(FileKind::Deleted, "Bundle"),
            limits: task.limits,
            closed: Vec::new(),
            waiting: Vec::new(),
        },
    };
    let runs_on_disk = judge(runs, &mut diffing)?;
    let Diffing {
        marks,
        tally,
        changes,
        deleted,
        ..
    } = diffing;
    let deleted = deleted.end()?;
    session.runs_on_disk = runs_on_disk;
    session.rewrite(session.inputs_of(Some(NEW)), &marks)?;
    let replaces = tally.count(Finding::BackInTime) > 0;
    let outcome = session.finish(tally, replaces, deleted)?;
    let types = task.registry.types().iter().cloned().zip(changes);
    Ok(Outcome {
        changes: types.filter(|(_, changes)| *changes != Changes::default()).collect(),
        ..outcome
    })
}

struct Diffing<'d> {
    registry: &'d Registry,
    marks: Marks,
    tally: Tally,
    /// By the type's number.
    changes: Vec<Changes>,
    sides: Sides,
    deleted: Deleted<'d>,
}

/// What is known of the resource at hand.
#[derive(Default)]
struct Sides {
    old: Held,
    new: Held,
    /// Of one content without an id: where it stands in OLD first, how often, and the lines of NEW.
    nameless_old: Option<(u64, usize)>,
    nameless_new: Vec<u64>,
}

impl Judge for Diffing<'_> {
    fn entry(&mut self, entry: &Entry<'_>) {
        let Diffing { sides, tally, .. } = self;
        let is_new = entry.argument == NEW;
        if entry.key.has_id {
            let side = if is_new { &mut sides.new } else { &mut sides.old };
            side.take(entry, |_| false, tally);
            return;
        }
        tally.numbers.nameless += 1;
        if is_new {
            sides.nameless_new.push(entry.line);
        } else {
            sides.nameless_old.get_or_insert((entry.line, 0)).1 += 1;
        }
    }

    fn end(&mut self, key: Key<'_>) -> Result<(), JobError> {
        let mut sides = std::mem::take(&mut self.sides);
        if !key.has_id {
            self.nameless(key, &sides);
            return Ok(());
        }
        let old = sides.old.end(|_| false, &mut self.tally);
        let new = sides.new.end(|_| false, &mut self.tally);
        let mut changes = Changes::default();
        match (old, new) {
            (None, None) => {}
            (None, Some(new)) => {
                changes.added = 1;
                self.marks.set(new.line);
            }
            (Some(old), Some(new)) if old.content == new.content => changes.unchanged = 1,
            (Some(old), Some(new)) => {
                changes.changed = 1;
                self.marks.set(new.line);
                if matches!((old.time, new.time), (Some(old), Some(new)) if new < old) {
                    self.tally.found(Finding::BackInTime, new.line);
                }
            }
            (Some(old), None) => {
                changes.deleted = 1;
                self.delete(key, old)?;
            }
        }
        self.count(key, changes);
        Ok(())
    }
}

impl Diffing<'_> {
    fn count(&mut self, key: Key<'_>, more: Changes) {
        if let Some(changes) = self.changes.get_mut(usize::from(key.type_index)) {
            changes.added += more.added;
            changes.changed += more.changed;
            changes.deleted += more.deleted;
            changes.unchanged += more.unchanged;
        }
    }

    fn delete(&mut self, key: Key<'_>, old: Version) -> Result<(), JobError> {
        let id = std::str::from_utf8(key.id).ok().filter(|id| deletion::is_sayable(id));
        let type_name = self.registry.types().get(usize::from(key.type_index));
        match (type_name, id) {
            (Some(type_name), Some(id)) => self.deleted.add(type_name, id),
            _ => {
                self.tally.found(Finding::NotDeletable, old.line);
                Ok(())
            }
        }
    }

    /// A merge keeps as many as the argument has that holds most: all of NEW's are written if it has more.
    fn nameless(&mut self, key: Key<'_>, sides: &Sides) {
        let (line, old) = sides.nameless_old.unwrap_or_default();
        let new = sides.nameless_new.len();
        if new > old {
            sides.nameless_new.iter().for_each(|line| self.marks.set(*line));
        } else {
            (new..old).for_each(|_| self.tally.found(Finding::NamelessGone, line));
        }
        self.count(
            key,
            Changes {
                added: new.saturating_sub(old) as u64,
                deleted: old.saturating_sub(new) as u64,
                unchanged: new.min(old) as u64,
                changed: 0,
            },
        );
    }
}

/// The files of deletions.
struct Deleted<'d> {
    sink: &'d mut FolderSink,
    series: Series<OutputFile>,
    limits: Limits,
    closed: Vec<FileEntry>,
    /// What does not fill a line yet.
    waiting: Vec<(String, String)>,
}

impl Deleted<'_> {
    fn add(&mut self, type_name: &str, id: &str) -> Result<(), JobError> {
        self.waiting.push((type_name.to_owned(), id.to_owned()));
        if self.waiting.len() == deletion::MOST_ENTRIES {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), JobError> {
        let waiting = std::mem::take(&mut self.waiting);
        let lines = deletion::lines(waiting.iter().map(|(type_name, id)| (type_name.as_str(), id.as_str())));
        if lines.is_empty() {
            return Ok(());
        }
        let written = self
            .series
            .write(lines.as_bytes(), 1, self.limits, self.sink, &mut self.closed);
        written.map_err(pool::from_core)
    }

    fn end(mut self) -> Result<Vec<FileEntry>, JobError> {
        self.write()?;
        self.series
            .close(self.sink, &mut self.closed)
            .map_err(pool::from_core)?;
        Ok(self.closed)
    }
}
