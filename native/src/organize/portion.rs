//! A share of the gathered lines, sorted: whose each is, and the groups of patients in the order of their ids.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::atomic::{self, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};

use fhirehose_core::error::Error;
use fhirehose_core::ids::IdSet;
use fhirehose_core::membership::{Membership, Patients};
use fhirehose_core::project;

use super::gather::Gather;
use super::group::{Head, Part};

/// Longest id; FHIR allows 64 bytes, and a set of ids as many as this.
const LONGEST: usize = u8::MAX as usize;
/// The segment of lines that were written anew.
const MADE: u32 = u32::MAX;

/// Gathered lines and what says whose they are.
pub(super) struct Source<'a> {
    pub(super) gather: &'a Gather,
    pub(super) membership: Membership,
    /// Only these have blocks.
    pub(super) patients: Option<Arc<IdSet>>,
}

/// A sorted share.
pub(super) struct Portion<'a> {
    gather: &'a Gather,
    first: usize,
    /// For each line where its written form is; empty: all of them as gathered.
    texts: Vec<Text>,
    made: Vec<u8>,
    ids: Vec<u8>,
    entries: Vec<Entry>,
    /// Lines in no block, by their number in the share.
    rest: Vec<u32>,
    bytes: Vec<u64>,
    resources: u64,
}

#[derive(Clone, Copy)]
struct Text {
    segment: u32,
    len: u32,
    start: usize,
}

/// One line in one block.
#[derive(Clone, Copy)]
struct Entry {
    /// The first bytes of the id: most comparisons are of these.
    prefix: u64,
    id: u32,
    /// Number of the line in the share.
    line: u32,
    id_len: u8,
    /// Not the patient's own record, which comes first.
    is_other: bool,
}

impl<'a> Portion<'a> {
    /// Finds whose the lines are, applies `_elements`, and sorts.
    pub(super) fn new(source: &Source<'a>, share: Range<usize>) -> Portion<'a> {
        let mut portion = Portion {
            gather: source.gather,
            first: share.start,
            texts: Vec::new(),
            made: Vec::new(),
            ids: Vec::new(),
            entries: Vec::with_capacity(share.len()),
            rest: Vec::new(),
            bytes: vec![0; source.membership.registry().types().len()],
            resources: 0,
        };
        let mut patients = Patients::default();
        for (number, index) in share.enumerate() {
            let line = source.gather.lines()[index];
            let type_index = line.type_index as usize;
            let text = source.gather.text(line);
            source.membership.find(type_index, text, &mut patients);
            let before = portion.entries.len();
            portion.enter(number as u32, &patients, source.patients.as_deref());
            if portion.entries.len() == before {
                portion.rest.push(number as u32);
            } else {
                portion.resources += 1;
            }
            portion.elements(source, number, type_index, text);
            portion.bytes[type_index] += portion.text(number as u32).len() as u64;
        }
        portion.sort();
        portion
    }

    /// A Patient stands in its own block only, if it has one; everything else in the blocks of all its patients.
    fn enter(&mut self, line: u32, patients: &Patients, listed: Option<&IdSet>) {
        let has_block = |id: &&[u8]| id.len() <= LONGEST && listed.is_none_or(|listed| listed.contains(id));
        if let Some(own) = patients.own().filter(has_block) {
            self.push(line, own, false);
        } else {
            for id in patients.referred().filter(has_block) {
                self.push(line, id, true);
            }
        }
    }

    fn push(&mut self, line: u32, id: &[u8], is_other: bool) {
        let mut prefix = [0; 8];
        let short = id.len().min(8);
        prefix[..short].copy_from_slice(&id[..short]);
        // Most often a line is of the same patient as the one before.
        let same = self.entries.last().filter(|last| self.id(last) == id);
        let place = match same {
            Some(last) => last.id,
            None => {
                self.ids.extend_from_slice(id);
                (self.ids.len() - id.len()) as u32
            }
        };
        self.entries.push(Entry {
            prefix: u64::from_be_bytes(prefix),
            id: place,
            line,
            id_len: id.len() as u8,
            is_other,
        });
    }

    fn elements(&mut self, source: &Source<'_>, number: usize, type_index: usize, text: &[u8]) {
        let Some(elements) = source.membership.elements(type_index) else {
            return;
        };
        let start = self.made.len();
        // The sieve has made sure that it can be done.
        if project::project(elements, text, &mut self.made) != Ok(true) {
            self.made.truncate(start);
            return;
        }
        self.made.push(b'\n');
        // Lines before that stay as they are need no text of their own.
        self.texts.resize(
            number + 1,
            Text {
                segment: 0,
                len: 0,
                start: 0,
            },
        );
        self.texts[number] = Text {
            segment: MADE,
            len: (self.made.len() - start) as u32,
            start,
        };
    }

    fn sort(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_unstable_by(|a, b| {
            let by_id = self.compare(a, b);
            by_id.then(a.is_other.cmp(&b.is_other)).then(a.line.cmp(&b.line))
        });
        // Subject and performer, say.
        entries.dedup_by(|b, a| a.line == b.line && self.compare(a, b) == Ordering::Equal);
        self.entries = entries;
    }

    fn compare(&self, a: &Entry, b: &Entry) -> Ordering {
        a.prefix.cmp(&b.prefix).then_with(|| match a.id == b.id {
            true => Ordering::Equal,
            false => self.id(a).cmp(self.id(b)),
        })
    }

    fn id(&self, entry: &Entry) -> &[u8] {
        let start = entry.id as usize;
        &self.ids[start..start + usize::from(entry.id_len)]
    }

    fn text(&self, number: u32) -> &[u8] {
        match self.texts.get(number as usize) {
            Some(text) if text.segment == MADE => &self.made[text.start..text.start + text.len as usize],
            _ => self.gather.text(self.gather.lines()[self.first + number as usize]),
        }
    }

    /// Lines in no block, in input order, with their types' numbers.
    pub(super) fn rest(&self) -> impl Iterator<Item = (usize, &[u8])> {
        self.rest.iter().map(|&number| {
            let line = self.gather.lines()[self.first + number as usize];
            (line.type_index as usize, self.text(number))
        })
    }

    /// Bytes of the lines as they are written, once each, by the types' numbers.
    pub(super) fn bytes(&self) -> &[u64] {
        &self.bytes
    }

    /// Lines in blocks, once each.
    pub(super) fn resources(&self) -> u64 {
        self.resources
    }

    /// How many times more they stand in blocks.
    pub(super) fn repeats(&self) -> u64 {
        self.entries.len() as u64 - self.resources
    }

    /// The groups, from the first.
    pub(super) fn groups(&self) -> Sorted<'_> {
        let mut groups = Sorted {
            portion: self,
            head: Head::default(),
            next: 0,
        };
        groups.advance();
        groups
    }
}

/// Goes over the groups of a portion.
pub(super) struct Sorted<'p> {
    portion: &'p Portion<'p>,
    head: Head,
    /// The first entry whose lines have not been handed over.
    next: usize,
}

impl Sorted<'_> {
    /// The group at hand; without lines at the end.
    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// Hands over the next part of the group at hand.
    pub(super) fn part(&mut self, part: Part, take: &mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let from = self.next;
        self.next += part.lines as usize;
        let mut entries = self.portion.entries[from..self.next].iter();
        entries.try_for_each(|entry| take(self.portion.text(entry.line)))
    }

    /// To the next group; both parts of this one have been handed over.
    pub(super) fn advance(&mut self) {
        let Head { id, own, others } = &mut self.head;
        id.clear();
        *own = Part::default();
        *others = Part::default();
        let rest = &self.portion.entries[self.next..];
        let Some(first) = rest.first() else { return };
        id.extend_from_slice(self.portion.id(first));
        for entry in rest {
            if self.portion.compare(first, entry) != Ordering::Equal {
                break;
            }
            let part = if entry.is_other { &mut *others } else { &mut *own };
            part.lines += 1;
            part.bytes += self.portion.text(entry.line).len() as u64;
        }
    }
}

/// Does the tasks with as many threads as there are, this one among them; what came of them is in their order.
pub(super) fn in_parallel<T: Send, R: Send>(
    threads: usize,
    tasks: Vec<T>,
    work: impl Fn(T) -> Result<R, Error> + Sync,
) -> Vec<Result<R, Error>> {
    let count = tasks.len();
    let tasks: Vec<Mutex<Option<T>>> = tasks.into_iter().map(|task| Mutex::new(Some(task))).collect();
    let done: Vec<Mutex<Option<Result<R, Error>>>> = (0..count).map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let run = || {
        loop {
            let index = next.fetch_add(1, atomic::Ordering::Relaxed);
            let Some(task) = tasks.get(index) else { return };
            let task = task.lock().unwrap_or_else(PoisonError::into_inner).take();
            let result = task.map(&work);
            *done[index].lock().unwrap_or_else(PoisonError::into_inner) = result;
        }
    };
    std::thread::scope(|scope| {
        // Where the system gives no more threads, those that there are do the work.
        let mut others = (1..threads.min(count)).map(|_| std::thread::Builder::new().spawn_scoped(scope, run));
        while let Some(Ok(_)) = others.next() {}
        run();
    });
    let results = done
        .into_iter()
        .map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
    results.flatten().collect()
}
