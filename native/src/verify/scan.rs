//! Reads every line of every file, by all threads, and notes what is wrong with it and which ids it speaks of.
//!
//! A file that cannot be read to its end stops a reading; what comes behind it is read anew. So each reading numbers the
//! files that it begins, and what was noted under the numbers of files that are read again does not count.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fhirehose_core::deletion::{self, Reading};
use fhirehose_core::error::BadLine;
use fhirehose_core::record::{Line, Record as Resource, RecordReader};
use fhirehose_core::scan::json::Json;
use fhirehose_core::search::kind::date::Nanos;
use fhirehose_core::search::kind::reference::target_of;
use fhirehose_core::search::table::Registry;
use fhirehose_core::sink::FileKind;

use super::found::{Fault, Tally};
use super::key::{Ids, Record, What, Where};
use super::links::{Links, Written};
use crate::cancel::Cancel;
use crate::inputs::InputPlace;
use crate::job::{JobError, Progress};
use crate::snapshot::sorted::{Runs, Sorter};
use crate::source::Block;
use crate::source::lanes::{Hand, Lanes};

/// What is looked at, and how.
pub(super) struct Scan<'s> {
    pub(super) places: &'s [InputPlace],
    /// For each of them what its lines should be.
    pub(super) roles: &'s [Role],
    pub(super) registry: &'s Registry,
    /// The type that output is organized by.
    pub(super) organized_by: Option<usize>,
    /// The instant of the snapshot.
    pub(super) taken: Option<Nanos>,
    pub(super) references: bool,
    pub(super) ids: Ids,
    pub(super) threads: usize,
    pub(super) max_line: usize,
    pub(super) chunk: usize,
    /// Bytes to sort in, for each thread.
    pub(super) budget: usize,
    pub(super) cancel: &'s Cancel,
}

/// What the lines of a file should be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Role {
    pub(super) kind: FileKind,
    /// All of this type; `None`: of any.
    pub(super) type_index: Option<usize>,
}

/// What was seen of a file.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Lines that are not blank.
    pub(super) lines: u64,
    /// Resources, without headers.
    pub(super) resources: u64,
    /// Bytes of the lines, with newlines.
    pub(super) bytes: u64,
    pub(super) deletions: u64,
    pub(super) types: BTreeMap<usize, u64>,
    pub(super) faults: BTreeMap<Fault, Tally<(Where, u32)>>,
    /// Where blocks of output that is organized begin.
    pub(super) headers: Vec<Where>,
    /// The first resource that is no header.
    first: Option<Where>,
    /// How many lines each block has; at the end, how many there are before it.
    blocks: Vec<(u32, u64)>,
}

/// What came of reading.
#[derive(Default)]
pub(super) struct Scanned {
    /// For each file.
    pub(super) files: Vec<Seen>,
    /// Files that could not be read to their end, and why.
    pub(super) damaged: Vec<(usize, String)>,
    /// What each number of a reading stands for; `None`: what was noted under it does not count.
    pub(super) numbers: Vec<Option<usize>>,
    pub(super) written: Written,
}

impl Scanned {
    fn file(&self, place: Where) -> Option<usize> {
        self.numbers.get(place.reading as usize).copied().flatten()
    }

    /// Whether what was noted there counts.
    pub(super) fn is_counted(&self, place: Where) -> bool {
        self.file(place).is_some()
    }

    /// The file and the line in it, from 1; `None`: it does not count.
    pub(super) fn line(&self, place: Where) -> Option<(usize, u64)> {
        let file = self.file(place)?;
        let blocks = &self.files.get(file)?.blocks;
        let index = blocks.binary_search_by_key(&place.block, |(block, _)| *block).ok()?;
        Some((file, blocks[index].1 + u64::from(place.line) + 1))
    }

    /// Which block of organized output a place lies in: the file, and the number of headers before it.
    pub(super) fn block(&self, place: Where) -> Option<(usize, usize)> {
        let file = self.file(place)?;
        let headers = &self.files.get(file)?.headers;
        Some((file, headers.partition_point(|header| *header < place)))
    }
}

/// One reading of files that follow each other.
struct Pass<'s> {
    scan: &'s Scan<'s>,
    /// The first file.
    start: usize,
    /// The number of the first file.
    number: u32,
    lanes: Lanes<'s>,
    progress: &'s Progress,
    ended: Mutex<Ended>,
    outcome: Mutex<Outcome>,
}

struct Ended {
    inputs: Vec<bool>,
    front: usize,
}

#[derive(Default)]
struct Outcome {
    seen: HashMap<usize, Seen>,
    written: Written,
    failed: Option<(usize, JobError)>,
}

/// Reads all files.
pub(super) fn scan(scan: &Scan<'_>, runs: &Runs<Record>, progress: &Progress) -> Result<Scanned, JobError> {
    let mut all = Scanned::default();
    all.files.resize_with(scan.places.len(), Seen::default);
    let mut start = 0;
    while start < scan.places.len() {
        let places = &scan.places[start..];
        let pass = Pass {
            scan,
            start,
            number: u32::try_from(all.numbers.len()).unwrap_or(u32::MAX),
            lanes: Lanes::new(places, scan.max_line, scan.chunk, scan.threads, progress),
            progress,
            ended: Mutex::new(Ended {
                inputs: vec![false; places.len()],
                front: 0,
            }),
            outcome: Mutex::default(),
        };
        std::thread::scope(|scope| {
            // Where the system gives no more threads, those that there are do the work.
            let mut others =
                (1..scan.threads).map(|_| std::thread::Builder::new().spawn_scoped(scope, || pass.work(runs)));
            while let Some(Ok(_)) = others.next() {}
            pass.work(runs);
        });
        if scan.cancel.is_stopped() {
            return Err(JobError::Interrupted);
        }
        let outcome = pass.outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
        start = all.take(start, places.len(), outcome)?;
    }
    for file in &mut all.files {
        file.headers.sort_unstable();
        file.blocks.sort_unstable();
        let mut before = 0;
        for (_, lines) in &mut file.blocks {
            before += std::mem::replace(lines, before);
        }
    }
    Ok(all)
}

impl Scanned {
    /// Takes what counts of a reading that began with this file, and gives the file that the next one begins with.
    fn take(&mut self, start: usize, files: usize, outcome: Outcome) -> Result<usize, JobError> {
        let next = match outcome.failed {
            None => start + files,
            Some((failed, error @ (JobError::Input(_) | JobError::Document { .. }))) => {
                self.damaged.push((failed, error.to_string()));
                failed + 1
            }
            Some((_, error)) => return Err(error),
        };
        let begun = outcome.seen.keys().max().map_or(start, |last| last + 1);
        self.numbers
            .extend((start..begun.max(next)).map(|file| (file < next).then_some(file)));
        for (file, seen) in outcome.seen.into_iter().filter(|(file, _)| *file < next) {
            self.files[file] = seen;
        }
        // Of a file that is read again this counts twice; it is a number for people.
        self.written.add(outcome.written);
        Ok(next)
    }
}

impl Pass<'_> {
    fn work(&self, runs: &Runs<Record>) {
        let guard = CloseOnPanic(self);
        let mut hand = Hand::default();
        let mut block = Block::default();
        let mut worker = Worker {
            scan: self.scan,
            reader: RecordReader::default(),
            sorter: runs.sorter(self.scan.budget),
            links: self.scan.references.then(Links::new),
        };
        let mut seen: HashMap<usize, Seen> = HashMap::new();
        loop {
            match self.lanes.next(&mut block, &mut hand) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.fail(self.start + block.input, error);
                    // Files before it are read to their end.
                    continue;
                }
            }
            let file = self.start + block.input;
            let number = self.number.saturating_add(block.input as u32);
            let taken = worker.take(&block, file, number, seen.entry(file).or_default());
            match taken {
                Ok(lines) => {
                    self.progress
                        .lines
                        .fetch_add(lines, std::sync::atomic::Ordering::Relaxed);
                }
                Err(error) => {
                    self.fail(file, error);
                    self.lanes.close();
                }
            }
            if self.scan.cancel.is_stopped() {
                self.lanes.close();
            }
            if block.last {
                self.end(block.input);
            }
        }
        let result = worker.finish();
        let mut outcome = lock(&self.outcome);
        for (file, part) in seen {
            outcome.seen.entry(file).or_default().merge(part);
        }
        match result {
            Ok(written) => outcome.written.add(written),
            Err(error) => outcome.failed = Some((usize::MAX, error)),
        }
        drop(outcome);
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

    fn fail(&self, file: usize, error: JobError) {
        let mut outcome = lock(&self.outcome);
        if outcome.failed.as_ref().is_none_or(|(first, _)| file < *first) {
            outcome.failed = Some((file, error));
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one thread works with.
struct Worker<'s> {
    scan: &'s Scan<'s>,
    reader: RecordReader,
    sorter: Sorter<'s, Record>,
    links: Option<Links>,
}

impl Worker<'_> {
    /// Reads the lines of a block. Gives how many.
    fn take(&mut self, block: &Block, file: usize, number: u32, seen: &mut Seen) -> Result<u64, JobError> {
        let lines = block.lines();
        let role = self.scan.roles[file];
        let mut place = Where {
            reading: number,
            block: u32::try_from(block.sequence).unwrap_or(u32::MAX),
            line: 0,
        };
        let mut start = 0;
        while start < lines.len() {
            let (line, end) = self.reader.read(self.scan.registry, lines, start);
            match line {
                _ if end - start > self.scan.max_line => seen.fault(Fault::Bad(BadLine::TooLong), place, 0),
                Line::Blank => seen.fault(Fault::Blank, place, 0),
                Line::Bad(fault) => {
                    let column = u32::try_from(fault.at.max(start) - start + 1).unwrap_or(0);
                    seen.fault(Fault::Bad(fault.kind), place, column);
                }
                Line::Record(resource) => self.resource(&resource, role, place, seen)?,
            }
            seen.lines += u64::from(!matches!(line, Line::Blank));
            place.line += 1;
            start = end + 1;
        }
        if block.too_long {
            seen.fault(Fault::Bad(BadLine::TooLong), place, 0);
            seen.lines += 1;
            place.line += 1;
        }
        seen.bytes += lines.len() as u64;
        seen.blocks.push((place.block, u64::from(place.line)));
        Ok(u64::from(place.line))
    }

    fn resource(&mut self, resource: &Resource<'_>, role: Role, place: Where, seen: &mut Seen) -> Result<(), JobError> {
        let Resource { type_index, json, .. } = *resource;
        match role.kind {
            FileKind::Deleted => return self.deletions(resource, place, seen),
            FileKind::Error => {
                if role.type_index.is_some_and(|expected| expected != type_index) {
                    seen.fault(Fault::Type, place, 0);
                }
                seen.count(type_index);
                return Ok(());
            }
            FileKind::Output => {}
        }
        if let Some(organized_by) = self.scan.organized_by
            && self.scan.registry.types()[type_index] == "Parameters"
            && let Some(reference) = header(json)
        {
            return self.header(&reference, organized_by, place, seen);
        }
        seen.count(type_index);
        seen.first = Some(seen.first.map_or(place, |first| first.min(place)));
        if role.type_index.is_some_and(|expected| expected != type_index) {
            seen.fault(Fault::Type, place, 0);
        }
        if let (Some(updated), Some(taken)) = (resource.updated, self.scan.taken)
            && updated > taken
        {
            seen.fault(Fault::Newer, place, 0);
        }
        let own = type_index as u16;
        match resource.id {
            Some(id) => self.put(self.scan.ids.of_text(own, id), What::Resource, own, place)?,
            None => seen.fault(Fault::NoId, place, 0),
        }
        if let Some(links) = &mut self.links {
            let sorter = &mut self.sorter;
            let mut put = |record: &Record| sorter.put(|out| record.push(out));
            links.take(self.scan.registry, &self.scan.ids, json, own, place, &mut put)?;
        }
        Ok(())
    }

    fn deletions(&mut self, resource: &Resource<'_>, place: Where, seen: &mut Seen) -> Result<(), JobError> {
        let Reading::Deletions(deletions) = deletion::read(resource.json, None) else {
            seen.fault(Fault::Bad(BadLine::Deletions), place, 0);
            return Ok(());
        };
        seen.count(resource.type_index);
        for deletion in deletions {
            seen.deletions += 1;
            let Some(type_index) = self.scan.registry.type_index(&deletion.type_name) else {
                seen.fault(Fault::Bad(BadLine::UnknownType), place, 0);
                continue;
            };
            let own = type_index as u16;
            self.put(
                self.scan.ids.of(own, deletion.id.as_bytes()),
                What::Deletion,
                own,
                place,
            )?;
        }
        Ok(())
    }

    fn header(&mut self, reference: &str, organized_by: usize, place: Where, seen: &mut Seen) -> Result<(), JobError> {
        seen.headers.push(place);
        let target = target_of(reference, None);
        let target = target.filter(|(name, _)| self.scan.registry.type_index(name) == Some(organized_by));
        let Some((_, id)) = target else {
            seen.fault(Fault::Header, place, 0);
            return Ok(());
        };
        let own = organized_by as u16;
        self.put(self.scan.ids.of(own, id.as_bytes()), What::Header, own, place)
    }

    fn put(&mut self, hash: u128, what: What, type_index: u16, place: Where) -> Result<(), JobError> {
        let record = Record {
            hash,
            what,
            type_index,
            from: type_index,
            times: 1,
            place,
        };
        self.sorter.put(|out| record.push(out))
    }

    fn finish(mut self) -> Result<Written, JobError> {
        let mut written = Written::default();
        if let Some(links) = self.links.take() {
            written = links.written;
            for record in links.finish() {
                self.sorter.put(|out| record.push(out))?;
            }
        }
        self.sorter.end();
        Ok(written)
    }
}

/// What the header of a block refers to; `None`: this is no header.
fn header(json: &[u8]) -> Option<String> {
    let named = |item: &Json<'_>| {
        item.get("name")
            .and_then(Json::text)
            .is_some_and(|name| name.is("header"))
    };
    let item = Json::new(json).each_of("parameter").find(named)?;
    let reference = item
        .get("valueReference")
        .and_then(|value| value.get("reference")?.text());
    Some(reference.map(|text| text.decode().into_owned()).unwrap_or_default())
}

impl Seen {
    fn fault(&mut self, fault: Fault, place: Where, column: u32) {
        self.faults.entry(fault).or_default().add((place, column), 1);
    }

    fn count(&mut self, type_index: usize) {
        self.resources += 1;
        *self.types.entry(type_index).or_default() += 1;
    }

    fn merge(&mut self, other: Seen) {
        self.lines += other.lines;
        self.resources += other.resources;
        self.bytes += other.bytes;
        self.deletions += other.deletions;
        for (type_index, count) in other.types {
            *self.types.entry(type_index).or_default() += count;
        }
        for (fault, tally) in other.faults {
            self.faults.entry(fault).or_default().merge(tally);
        }
        self.headers.extend(other.headers);
        self.first = self.first.into_iter().chain(other.first).min();
        self.blocks.extend(other.blocks);
    }

    /// Resources stand before the first header.
    pub(super) fn begins_without_header(&self) -> bool {
        matches!((self.first, self.headers.first()), (Some(first), Some(header)) if first < *header)
    }
}
