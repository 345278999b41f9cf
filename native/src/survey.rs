//! What inputs hold: how many resources of which types, who the Patients are, and the Groups, by one look at every line.
//!
//! Every line is checked to its end as an export would check it; bad ones are counted and passed over. What is found of an
//! input does not depend on threads.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fhirehose_core::deletion::{self, Reading};
use fhirehose_core::record::{Line, Record, RecordReader};
use fhirehose_core::search::kind::date::Nanos;
use fhirehose_core::search::table::Registry;

use crate::inputs::InputPlace;
use crate::job::{JobError, Progress};
use crate::source::Block;
use crate::source::lanes::{Hand, Lanes};

/// Longest id that is taken down; FHIR allows 64 bytes.
const LONGEST_ID: usize = 255;

/// What is looked at, and how.
#[derive(Clone, Copy, Debug)]
pub struct Survey<'s> {
    /// Inputs in order.
    pub inputs: &'s [InputPlace],
    /// The types that there are.
    pub registry: &'s Registry,
    /// Threads that read; at least 1.
    pub threads: usize,
    /// Longest line in bytes.
    pub max_line: usize,
    /// Bytes read at once.
    pub chunk: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Surveyed {
    /// For each input, what it holds; `None`: it was not read to its end.
    pub inputs: Vec<Option<InputFacts>>,
    /// The first input that could not be read, by its number, and why. Those behind it may not have been read.
    pub failed: Option<(usize, JobError)>,
}

/// What an input holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputFacts {
    /// Its resources by type.
    pub types: BTreeMap<String, Count>,
    /// Ids of its Patients in the order of their lines, each with a newline behind it. One may be there twice.
    pub patients: Vec<u8>,
    /// Its Groups, each the bytes of the object, in the order of their lines.
    pub groups: Vec<Vec<u8>>,
    /// How many resources it says were deleted.
    pub deletions: u64,
    /// Lines that are no resource.
    pub bad: u64,
}

/// How much there is of a type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many resources.
    pub resources: u64,
    /// Bytes of their lines, with the newlines.
    pub bytes: u64,
    /// The latest `meta.lastUpdated`.
    pub newest: Option<Nanos>,
}

impl Count {
    /// Adds what another place has of the type.
    pub fn add(&mut self, other: &Count) {
        self.resources += other.resources;
        self.bytes += other.bytes;
        self.newest = self.newest.max(other.newest);
    }
}

/// What one thread saw of one input.
#[derive(Default)]
struct Partial {
    blocks: u64,
    /// How many blocks there are, where this thread had the last.
    of: Option<u64>,
    /// By the type's number.
    types: BTreeMap<usize, Count>,
    /// By the number of the block.
    patients: Vec<(u64, Vec<u8>)>,
    groups: Vec<(u64, Vec<Vec<u8>>)>,
    deletions: u64,
    bad: u64,
}

/// The inputs that have been read to their end, and the first that has not.
struct Ended {
    inputs: Vec<bool>,
    front: usize,
}

struct Pass<'s> {
    survey: Survey<'s>,
    lanes: Lanes<'s>,
    ended: Mutex<Ended>,
    found: Mutex<HashMap<usize, Partial>>,
    failed: Mutex<Option<(usize, JobError)>>,
}

/// Looks at all inputs. `tick` is called now and then, on this thread, for whoever shows the progress.
pub fn survey(survey: Survey<'_>, progress: &Progress, tick: &dyn Fn()) -> Surveyed {
    let threads = survey.threads.max(1);
    let pass = Pass {
        survey,
        lanes: Lanes::new(survey.inputs, survey.max_line, survey.chunk, threads, progress),
        ended: Mutex::new(Ended {
            inputs: vec![false; survey.inputs.len()],
            front: 0,
        }),
        found: Mutex::default(),
        failed: Mutex::default(),
    };
    std::thread::scope(|scope| {
        // Where the system gives no more threads, those that there are do the work.
        let mut others = (1..threads).map(|_| std::thread::Builder::new().spawn_scoped(scope, || pass.work(&|| ())));
        while let Some(Ok(_)) = others.next() {}
        pass.work(tick);
    });
    let failed = pass.failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut found = pass.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let inputs = (0..survey.inputs.len()).map(|input| found.remove(&input)?.whole(survey.registry));
    Surveyed {
        inputs: inputs.collect(),
        failed,
    }
}

impl Pass<'_> {
    fn work(&self, tick: &dyn Fn()) {
        let guard = CloseOnPanic(self);
        let mut hand = Hand::default();
        let mut block = Block::default();
        let mut reader = RecordReader::default();
        let mut seen: HashMap<usize, Partial> = HashMap::new();
        loop {
            match self.lanes.next(&mut block, &mut hand) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.fail(block.input, error);
                    // Inputs before it are read to their end.
                    continue;
                }
            }
            let partial = seen.entry(block.input).or_default();
            partial.take(&block, &self.survey, &mut reader);
            if block.last {
                self.end(block.input);
            }
            tick();
        }
        let mut found = lock(&self.found);
        for (input, partial) in seen {
            found.entry(input).or_default().merge(partial);
        }
        drop(found);
        std::mem::forget(guard);
    }

    fn end(&self, input: usize) {
        let mut ended = lock(&self.ended);
        ended.inputs[input] = true;
        let front = ended.front + ended.inputs[ended.front..].iter().take_while(|ended| **ended).count();
        if front != ended.front {
            ended.front = front;
            self.lanes.advance(front);
        }
    }

    fn fail(&self, input: usize, error: JobError) {
        let mut failed = lock(&self.failed);
        if failed.as_ref().is_none_or(|(first, _)| input < *first) {
            *failed = Some((input, error));
        }
    }
}

/// A thread that panics must not leave the others waiting.
struct CloseOnPanic<'p, 's>(&'p Pass<'s>);

impl Drop for CloseOnPanic<'_, '_> {
    fn drop(&mut self) {
        self.0.lanes.close();
    }
}

impl Partial {
    fn take(&mut self, block: &Block, survey: &Survey<'_>, reader: &mut RecordReader) {
        let lines = block.lines();
        let mut patients = Vec::new();
        let mut groups = Vec::new();
        let mut last = (usize::MAX, Count::default());
        let mut start = 0;
        while start < lines.len() {
            let (line, end) = reader.read(survey.registry, lines, start);
            match line {
                _ if end - start > survey.max_line => self.bad += 1,
                Line::Blank => {}
                Line::Bad(_) => self.bad += 1,
                Line::Record(record) if self.is_resource(survey.registry, &record) => {
                    if record.type_index != last.0 {
                        self.count(last);
                        last = (record.type_index, Count::default());
                    }
                    last.1.add(&Count {
                        resources: 1,
                        bytes: (end + 1 - start) as u64,
                        newest: record.updated,
                    });
                    match survey.registry.types()[record.type_index].as_str() {
                        "Patient" => push_id(&record, &mut patients),
                        "Group" => groups.push(record.json.to_vec()),
                        _ => {}
                    }
                }
                Line::Record(_) => {}
            }
            start = end + 1;
        }
        self.count(last);
        self.bad += u64::from(block.too_long);
        self.blocks += 1;
        if block.last {
            self.of = Some(block.sequence + 1);
        }
        if !patients.is_empty() {
            self.patients.push((block.sequence, patients));
        }
        if !groups.is_empty() {
            self.groups.push((block.sequence, groups));
        }
    }

    /// Deletions are counted apart: no export gives them out as Bundles.
    fn is_resource(&mut self, registry: &Registry, record: &Record<'_>) -> bool {
        if registry.types()[record.type_index] != "Bundle" {
            return true;
        }
        match deletion::read(record.json, None) {
            Reading::NotDeletions => return true,
            Reading::Deletions(deletions) => self.deletions += deletions.len() as u64,
            Reading::Malformed => self.bad += 1,
        }
        false
    }

    fn count(&mut self, (type_index, count): (usize, Count)) {
        if count.resources > 0 {
            self.types.entry(type_index).or_default().add(&count);
        }
    }

    fn merge(&mut self, other: Partial) {
        self.blocks += other.blocks;
        self.of = self.of.or(other.of);
        other.types.into_iter().for_each(|count| self.count(count));
        self.patients.extend(other.patients);
        self.groups.extend(other.groups);
        self.deletions += other.deletions;
        self.bad += other.bad;
    }

    /// The facts, if all blocks were seen.
    fn whole(mut self, registry: &Registry) -> Option<InputFacts> {
        if self.of != Some(self.blocks) {
            return None;
        }
        self.patients.sort_unstable_by_key(|(block, _)| *block);
        self.groups.sort_unstable_by_key(|(block, _)| *block);
        let named = |(index, count): (usize, Count)| Some((registry.types().get(index)?.clone(), count));
        Some(InputFacts {
            types: self.types.into_iter().filter_map(named).collect(),
            patients: self.patients.into_iter().flat_map(|(_, ids)| ids).collect(),
            groups: self.groups.into_iter().flat_map(|(_, groups)| groups).collect(),
            deletions: self.deletions,
            bad: self.bad,
        })
    }
}

fn push_id(record: &Record<'_>, ids: &mut Vec<u8>) {
    let Some(id) = record.id else { return };
    let decoded = id.is_escaped().then(|| id.decode().into_owned());
    let bytes = decoded.as_ref().map_or(id.raw(), String::as_bytes);
    // One with a newline in it is no id, and would look like two.
    if bytes.len() <= LONGEST_ID && !bytes.contains(&b'\n') {
        ids.extend_from_slice(bytes);
        ids.push(b'\n');
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
