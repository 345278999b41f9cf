//! A full export and later ones become one current set: what stands of each resource, and nothing deleted.
//!
//! The rules stand in `snapshot::held`. A resource without an id cannot be told from another of the same
//! content: as many of it are kept as the argument has that holds most.

use crate::cancel::Cancel;
use crate::job::{JobError, Progress};
use crate::snapshot::entry::{Entry, Key};
use crate::snapshot::held::Held;
use crate::snapshot::marks::Marks;
use crate::snapshot::session::{Judge, Session, judge};
use crate::snapshot::tally::Tally;
use crate::snapshot::task::{Outcome, Task};

/// Merges the arguments. What is written is complete under its final names when this returns `Ok`; after an error
/// nothing of it is left.
pub fn run(task: &Task, progress: &Progress, cancel: &Cancel) -> Result<Outcome, JobError> {
    let mut session = Session::begin(task, progress, cancel)?;
    let runs = session.scan()?;
    let mut merging = Merging {
        replaces: task.arguments.iter().map(|argument| argument.replaces).collect(),
        marks: Marks::new(session.lines),
        tally: Tally::default(),
        held: Held::default(),
        nameless: Nameless::default(),
    };
    session.runs_on_disk = judge(runs, &mut merging)?;
    session.rewrite(session.inputs_of(None), &merging.marks)?;
    session.finish(merging.tally, false, Vec::new())
}

struct Merging {
    replaces: Vec<bool>,
    marks: Marks,
    tally: Tally,
    held: Held,
    nameless: Nameless,
}

/// One content without an id: how often arguments hold it.
#[derive(Default)]
struct Nameless {
    argument: u16,
    here: u64,
    most: u64,
}

impl Judge for Merging {
    fn entry(&mut self, entry: &Entry<'_>) {
        if entry.key.has_id {
            let replaces = |argument: u16| self.replaces.get(usize::from(argument)) == Some(&true);
            self.held.take(entry, replaces, &mut self.tally);
            return;
        }
        self.tally.numbers.nameless += 1;
        let Nameless { argument, here, most } = &mut self.nameless;
        if entry.argument != *argument {
            *argument = entry.argument;
            *most = (*most).max(*here);
            *here = 0;
        }
        *here += 1;
        if *here > *most {
            self.marks.set(entry.line);
        }
    }

    fn end(&mut self, _: Key<'_>) -> Result<(), JobError> {
        let replaces = |argument: u16| self.replaces.get(usize::from(argument)) == Some(&true);
        if let Some(stands) = self.held.end(replaces, &mut self.tally) {
            self.marks.set(stands.line);
        }
        self.nameless = Nameless::default();
        Ok(())
    }
}
