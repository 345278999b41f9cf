//! Entries sorted within a budget of memory: each thread sorts what fits and writes it as a run; runs are merged.
//!
//! Sorting instead of partitions by hash: a partition that holds one id ten million times does not fit any budget, a run
//! always does, and what is known of one id streams by in order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cancel::Cancel;
use crate::job::JobError;
use crate::output_error::OutputError;
use crate::snapshot::entry::Entry;

/// Runs that are merged at once: their buffers and open files stay few.
const FAN_IN: usize = 64;
const BUFFER: usize = 64 << 10;
/// Least that a thread sorts at once.
const LEAST: usize = 16 << 10;
/// Places in a thread's memory have 32 bits.
const MOST: usize = 2 << 30;

/// How long an entry is, by its first bytes. Eight of these are what entries are sorted by first.
pub(crate) trait Measured {
    /// Bytes that tell the length.
    const HEAD: usize;

    /// The length of the entry that begins with these bytes.
    fn length(head: &[u8]) -> usize;
}

impl Measured for Entry<'_> {
    const HEAD: usize = Entry::HEAD;

    fn length(head: &[u8]) -> usize {
        Entry::length(head)
    }
}

/// All entries of a job, as sorted runs.
pub(crate) struct Runs<E> {
    folder: PathBuf,
    cancel: Cancel,
    made: Mutex<Made>,
    of: PhantomData<fn() -> E>,
}

#[derive(Default)]
struct Made {
    files: Vec<PathBuf>,
    in_memory: Vec<Sorted>,
    named: u64,
}

/// Entries in memory and their order.
#[derive(Default)]
struct Sorted {
    bytes: Vec<u8>,
    /// The hash that an entry begins with, and where it begins.
    order: Vec<(u64, u32)>,
}

/// Collects the entries of one thread.
pub(crate) struct Sorter<'r, E> {
    runs: &'r Runs<E>,
    held: Sorted,
    budget: usize,
}

impl<E: Measured> Runs<E> {
    /// Runs in this folder, which a failed job removes.
    pub(crate) fn new(folder: &Path, cancel: &Cancel) -> Runs<E> {
        Runs {
            folder: folder.to_owned(),
            cancel: cancel.clone(),
            made: Mutex::default(),
            of: PhantomData,
        }
    }

    /// A sorter that holds at most `budget` bytes.
    pub(crate) fn sorter(&self, budget: usize) -> Sorter<'_, E> {
        Sorter {
            runs: self,
            held: Sorted::default(),
            // Vectors double as they grow, and hold both halves while they do.
            budget: (budget / 3).clamp(LEAST, MOST),
        }
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new file for a run.
    fn create(&self) -> Result<(PathBuf, File), JobError> {
        let number = {
            let mut made = self.made();
            made.named += 1;
            made.named
        };
        let path = self.folder.join(format!("run.{number}"));
        // An abort removes what there is: nothing may be made while it does, or after.
        let _work = self.cancel.work();
        if self.cancel.is_stopped() {
            return Err(JobError::Interrupted);
        }
        let file = File::create(&path).map_err(OutputError::at("make", &path))?;
        Ok((path, file))
    }

    fn write(&self, sorted: &Sorted) -> Result<PathBuf, JobError> {
        let (path, file) = self.create()?;
        let failed = OutputError::at("write", &path);
        let mut out = BufWriter::with_capacity(BUFFER, file);
        let written = sorted.entries::<E>().try_for_each(|entry| out.write_all(entry));
        written.and_then(|()| out.flush()).map_err(failed)?;
        Ok(path)
    }

    /// Gives every entry to `each` in order, and removes the runs. Gives how many runs were on disk.
    pub(crate) fn drain(self, mut each: impl FnMut(&[u8]) -> Result<(), JobError>) -> Result<u64, JobError> {
        let (mut files, in_memory) = {
            let mut made = self.made();
            (std::mem::take(&mut made.files), std::mem::take(&mut made.in_memory))
        };
        let on_disk = files.len() as u64;
        while files.len() > FAN_IN {
            let rest = files.split_off(FAN_IN);
            let path = self.join(&files)?;
            files = rest;
            files.push(path);
        }
        let memory = in_memory.iter().map(|sorted| Source::Memory(sorted, 0));
        let mut sources: Vec<Source<'_>> = memory.collect();
        for path in &files {
            sources.push(Source::open(path)?);
        }
        merge::<E>(&mut sources, &self.cancel, &mut each)?;
        drop(sources);
        files.iter().try_for_each(|path| remove(path))?;
        Ok(on_disk)
    }

    /// Many runs into one.
    fn join(&self, files: &[PathBuf]) -> Result<PathBuf, JobError> {
        let (path, file) = self.create()?;
        let mut out = BufWriter::with_capacity(BUFFER, file);
        let mut sources = files
            .iter()
            .map(|file| Source::open(file))
            .collect::<Result<Vec<_>, _>>()?;
        merge::<E>(&mut sources, &self.cancel, &mut |entry| {
            out.write_all(entry)
                .map_err(|error| OutputError::at("write", &path)(error).into())
        })?;
        out.flush().map_err(OutputError::at("write", &path))?;
        drop(sources);
        files.iter().try_for_each(|path| remove(path))?;
        Ok(path)
    }
}

fn remove(path: &Path) -> Result<(), JobError> {
    Ok(fs::remove_file(path).map_err(OutputError::at("remove", path))?)
}

impl Sorter<'_, Entry<'static>> {
    /// Takes an entry.
    pub(crate) fn push(&mut self, entry: &Entry<'_>) -> Result<(), JobError> {
        self.put(|out| entry.push(out))
    }
}

impl<E: Measured> Sorter<'_, E> {
    /// Takes an entry that is written at the end of what it is given, and whose first eight bytes come back as a number.
    pub(crate) fn put(&mut self, write: impl FnOnce(&mut Vec<u8>) -> u64) -> Result<(), JobError> {
        let at = self.held.bytes.len();
        let hash = write(&mut self.held.bytes);
        self.held.order.push((hash, at as u32));
        if self.held.bytes.len() + self.held.order.len() * size_of::<(u64, u32)>() >= self.budget {
            self.held.sort::<E>();
            let path = self.runs.write(&self.held)?;
            self.runs.made().files.push(path);
            self.held.bytes.clear();
            self.held.order.clear();
        }
        Ok(())
    }

    /// Hands over what it still holds.
    pub(crate) fn end(mut self) {
        self.held.sort::<E>();
        if !self.held.order.is_empty() {
            self.runs.made().in_memory.push(self.held);
        }
    }
}

impl Sorted {
    fn entry<E: Measured>(&self, start: u32) -> &[u8] {
        let rest = &self.bytes[start as usize..];
        &rest[..E::length(rest).min(rest.len())]
    }

    fn entries<E: Measured>(&self) -> impl Iterator<Item = &[u8]> {
        self.order.iter().map(|(_, start)| self.entry::<E>(*start))
    }

    fn sort<E: Measured>(&mut self) {
        let mut order = std::mem::take(&mut self.order);
        order.sort_unstable_by(|one, other| {
            one.0
                .cmp(&other.0)
                .then_with(|| self.entry::<E>(one.1).cmp(self.entry::<E>(other.1)))
        });
        self.order = order;
    }
}

/// One sorted run while it is merged.
enum Source<'s> {
    Memory(&'s Sorted, usize),
    File(BufReader<File>, &'s Path),
}

impl<'s> Source<'s> {
    fn open(path: &'s Path) -> Result<Source<'s>, JobError> {
        let file = File::open(path).map_err(OutputError::at("read", path))?;
        Ok(Source::File(BufReader::with_capacity(BUFFER, file), path))
    }

    /// Puts the next entry into `entry`. `false`: there is none.
    fn next<E: Measured>(&mut self, entry: &mut Vec<u8>) -> Result<bool, JobError> {
        entry.clear();
        match self {
            Source::Memory(sorted, at) => {
                let Some((_, start)) = sorted.order.get(*at) else {
                    return Ok(false);
                };
                entry.extend_from_slice(sorted.entry::<E>(*start));
                *at += 1;
                Ok(true)
            }
            Source::File(file, path) => {
                read_entry::<E>(file, entry).map_err(|error| OutputError::at("read", path)(error).into())
            }
        }
    }
}

fn read_entry<E: Measured>(file: &mut BufReader<File>, entry: &mut Vec<u8>) -> io::Result<bool> {
    if file.fill_buf()?.is_empty() {
        return Ok(false);
    }
    entry.resize(E::HEAD, 0);
    file.read_exact(entry)?;
    entry.resize(E::length(entry), 0);
    file.read_exact(&mut entry[E::HEAD..])?;
    Ok(true)
}

/// Merges sorted runs. What is equal in every byte comes in the order of the sources.
fn merge<E: Measured>(
    sources: &mut [Source<'_>],
    cancel: &Cancel,
    each: &mut impl FnMut(&[u8]) -> Result<(), JobError>,
) -> Result<(), JobError> {
    let mut heap = BinaryHeap::with_capacity(sources.len());
    for (index, source) in sources.iter_mut().enumerate() {
        let mut entry = Vec::new();
        if source.next::<E>(&mut entry)? {
            heap.push(Reverse((entry, index)));
        }
    }
    let mut since_look = 0u32;
    while let Some(mut top) = heap.peek_mut() {
        since_look += 1;
        if since_look.is_multiple_of(4096) && cancel.is_stopped() {
            return Err(JobError::Interrupted);
        }
        let Reverse((entry, index)) = &mut *top;
        each(entry)?;
        if !sources[*index].next::<E>(entry)? {
            PeekMut::pop(top);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::entry::{Key, What};

    fn drained(budget: usize, sorters: usize) -> (Vec<Vec<u8>>, u64, usize) {
        let folder = tempfile::tempdir().expect("a folder");
        let runs = Runs::new(folder.path(), &Cancel::default());
        let mut all: Vec<Sorter<'_, Entry<'static>>> = (0..sorters).map(|_| runs.sorter(budget)).collect();
        for line in 0..20_000u64 {
            let id = format!("id-{}", line * 7919 % 5000);
            let entry = Entry {
                key: Key {
                    type_index: (line % 3) as u16,
                    has_id: true,
                    id: id.as_bytes(),
                },
                argument: (line % 2) as u16,
                line,
                what: What::Version,
                time: None,
                content: 0,
            };
            all[line as usize % sorters].push(&entry).expect("takes");
        }
        all.into_iter().for_each(Sorter::end);
        let mut found = Vec::new();
        let on_disk = runs.drain(|entry| {
            found.push(entry.to_vec());
            Ok(())
        });
        let left = fs::read_dir(folder.path()).expect("reads").count();
        (found, on_disk.expect("merges"), left)
    }

    #[test]
    fn one_order_for_any_budget_and_any_number_of_threads() {
        let (expected, on_disk, _) = drained(1 << 30, 1);
        assert_eq!((expected.len(), on_disk), (20_000, 0));
        assert!(expected.is_sorted());
        for (budget, sorters) in [(0, 1), (0, 3), (300_000, 2)] {
            let (found, on_disk, left) = drained(budget, sorters);
            assert!(found == expected, "{budget} bytes, {sorters} threads");
            assert!(on_disk > if budget == 0 { FAN_IN as u64 } else { 0 });
            assert_eq!(left, 0, "runs are removed");
        }
    }
}
