//! Output organized by patients: a sink that puts kept lines together by whose they are (SPEC 2.13).
//!
//! Lines of types that can be in a patient's compartment are gathered in memory up to a budget. Then a few threads find
//! the patients of their share of them, sort it, and write it as a run into the hidden folder of the output: one group a
//! patient, by id. At the end the runs are merged into files of blocks. Runs are in the order of the input, so within a
//! group lines need no keys: the group of an earlier run comes first. What fits into the budget sees no disk.
//!
//! Lines that are in nobody's compartment go to files by type, as without this sink.

mod blocks;
mod gather;
mod group;
mod merge;
mod portion;
mod run;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use fhirehose_core::error::Error;
use fhirehose_core::ids::IdSet;
use fhirehose_core::membership::Membership;
use fhirehose_core::partition::{Limits, Series};
use fhirehose_core::report::{FileEntry, Organized, Report};
use fhirehose_core::sink::{FileKind, FileName, Sink, Stored};

use crate::cancel::Cancel;
use crate::compress::Queue;
use crate::folder::{FolderSink, OutputFile};
use crate::job::{Job, Organize};
use blocks::Blocks;
use gather::Gather;
use portion::{Portion, Source as Lines};
use run::Run;

/// Most threads that sort: each makes a run of its own, and many small runs are slow to merge.
const MOST_SORTERS: usize = 8;

/// Lines of Patient that are in no block, for want of an id: the blocks' files have the name of the type.
const WITHOUT_ID: &str = "PatientWithoutId";

/// Puts lines together by patients, over a folder.
pub(crate) struct Organizer {
    sink: FolderSink,
    membership: Membership,
    /// Only these patients have blocks; `None`: all.
    patients: Option<Arc<IdSet>>,
    limits: Limits,
    threads: usize,
    budget: Budget,
    gather: Gather,
    runs: Vec<Run>,
    /// Files of lines that could be in a compartment and are in none, by the type's number.
    rest: BTreeMap<usize, Series<OutputFile>>,
    closed: Vec<FileEntry>,
    /// Bytes kept, by the type's number, after `_elements`.
    bytes: Vec<u64>,
    told: Organized,
    cancel: Cancel,
}

/// What the memory is divided into.
#[derive(Clone, Copy, Debug)]
struct Budget {
    /// Lines and all that is kept about them.
    gather: usize,
    /// Runs that are merged at once.
    fan_in: usize,
    /// The buffer of a run that is read or written.
    buffer: usize,
    /// A sorter has at least so many bytes to sort, so that runs do not get too small.
    portion: usize,
}

impl Budget {
    fn new(memory: u64, has_elements: bool) -> Budget {
        let memory = usize::try_from(memory).unwrap_or(usize::MAX).max(1);
        let fan_in = (memory >> 18).clamp(2, 256);
        let buffer = (memory / (fan_in + 1)).clamp(4 << 10, 1 << 20);
        // Written anew, a line stands in memory twice.
        let copies = if has_elements { 2 } else { 1 };
        Budget {
            gather: memory.saturating_sub(MOST_SORTERS * buffer).max(memory / 2) / copies,
            fan_in,
            buffer,
            portion: (memory / 4).min(8 << 20),
        }
    }
}

/// An open file as the router sees it.
pub(crate) enum Routed {
    /// Lines of this type are gathered, whatever file the router thinks they are in.
    Gathered(usize),
    /// A file by type.
    Written(OutputFile),
}

impl Organizer {
    /// Lines that are written must come from plans with late elements for the types of `organize.membership`. `patients`:
    /// only these have blocks, the cohort; `None`: everybody whom a kept resource is about.
    pub(crate) fn new(
        organize: &Organize,
        patients: Option<Arc<IdSet>>,
        job: &Job,
        sink: FolderSink,
        cancel: &Cancel,
    ) -> Organizer {
        let membership = organize.membership.clone();
        let types = membership.registry().types().len();
        let has_elements = (0..types).any(|index| membership.elements(index).is_some());
        let budget = Budget::new(organize.memory, has_elements);
        Organizer {
            sink,
            membership,
            patients,
            limits: job.limits,
            threads: job.threads.max(1),
            gather: Gather::new(budget.gather),
            budget,
            runs: Vec::new(),
            rest: BTreeMap::new(),
            closed: Vec::new(),
            bytes: vec![0; types],
            told: Organized::default(),
            cancel: cancel.clone(),
        }
    }

    /// How the gathered lines are shared among sorters.
    fn shares(&self, gather: &Gather) -> Vec<Range<usize>> {
        let sorters = self.threads.min(MOST_SORTERS);
        gather.shares(sorters.min(1 + gather.used() / self.budget.portion.max(1)))
    }

    /// Sorts what is gathered and writes it as runs.
    fn spill(&mut self) -> Result<(), Error> {
        let gather = std::mem::take(&mut self.gather);
        let shares = self.shares(&gather);
        let mut outs = Vec::new();
        for _ in &shares {
            outs.push(Run::create(&mut self.sink)?);
        }
        let source = self.source(&gather);
        let buffer = self.budget.buffer;
        let tasks: Vec<_> = shares.into_iter().zip(outs).collect();
        let done = portion::in_parallel(self.threads, tasks, |(share, (run, file))| {
            let portion = Portion::new(&source, share);
            let run = run::write(portion.groups(), run, file, buffer)?;
            Ok((portion, run))
        });
        for sorted in done {
            let (portion, run) = sorted?;
            self.runs.push(run);
            self.told.runs += 1;
            self.take_rest(&portion)?;
        }
        self.gather = gather;
        self.gather.clear();
        Ok(())
    }

    fn source<'a>(&self, gather: &'a Gather) -> Lines<'a> {
        Lines {
            gather,
            membership: self.membership.clone(),
            patients: self.patients.clone(),
        }
    }

    /// Writes what is in no block, and counts.
    fn take_rest(&mut self, portion: &Portion<'_>) -> Result<(), Error> {
        for (type_index, line) in portion.rest() {
            let series = self.rest.entry(type_index).or_insert_with(|| {
                let name = &self.membership.registry().types()[type_index];
                Series::new(FileKind::Output, if name == "Patient" { WITHOUT_ID } else { name })
            });
            series.write(line, 1, self.limits, &mut self.sink, &mut self.closed)?;
        }
        for (total, bytes) in self.bytes.iter_mut().zip(portion.bytes()) {
            *total += bytes;
        }
        self.told.resources += portion.resources();
        self.told.repeats += portion.repeats();
        Ok(())
    }

    /// Writes the blocks and tells the report about them.
    pub(crate) fn finish(mut self, report: &mut Report, queue: &Queue) -> Result<FolderSink, Error> {
        let written = if self.runs.is_empty() {
            self.blocks_from_memory(queue)?
        } else {
            if !self.gather.is_empty() {
                self.spill()?;
            }
            self.gather = Gather::default();
            self.blocks_from_runs(queue)?
        };
        let Organizer {
            mut sink,
            mut closed,
            rest,
            mut told,
            bytes,
            membership,
            ..
        } = self;
        for mut series in rest.into_values() {
            series.close(&mut sink, &mut closed)?;
        }
        let registry = membership.registry();
        let is_gathered = |name: &str| {
            registry
                .type_index(name)
                .is_some_and(|index| membership.has_members(index))
        };
        // What the router thinks that it wrote of them.
        let is_real = |file: &FileEntry| file.name.kind != FileKind::Output || !is_gathered(&file.name.type_name);
        report.files.retain(is_real);
        report.files.extend(closed);
        told.blocks = written.blocks;
        told.split = written.split;
        report.files.extend(written.files);
        report.files.sort_by(|a, b| a.name.cmp(&b.name));
        for count in report.types.iter_mut().filter(|count| is_gathered(&count.type_name)) {
            let index = registry.type_index(&count.type_name);
            count.bytes = index.and_then(|index| bytes.get(index)).copied().unwrap_or(count.bytes);
        }
        report.organized = Some(told);
        Ok(sink)
    }

    fn blocks_from_memory(&mut self, queue: &Queue) -> Result<blocks::Written, Error> {
        let gather = std::mem::take(&mut self.gather);
        let source = self.source(&gather);
        let portions = portion::in_parallel(self.threads, self.shares(&gather), |share| {
            Ok(Portion::new(&source, share))
        });
        let portions = portions.into_iter().collect::<Result<Vec<_>, Error>>()?;
        for portion in &portions {
            self.take_rest(portion)?;
        }
        let groups = portions.iter().map(|portion| portion.groups().into()).collect();
        self.write_blocks(groups, queue)
    }

    fn blocks_from_runs(&mut self, queue: &Queue) -> Result<blocks::Written, Error> {
        let mut runs = std::mem::take(&mut self.runs);
        // Neighbours are merged with neighbours, so that runs stay in the order of the input.
        while runs.len() > self.budget.fan_in {
            let mut fewer = Vec::new();
            let mut rest = runs.into_iter();
            loop {
                let some: Vec<Run> = rest.by_ref().take(self.budget.fan_in).collect();
                if some.is_empty() {
                    break;
                }
                let (run, file) = Run::create(&mut self.sink)?;
                let mut writer = run::Writer::new(run, file, self.budget.buffer);
                merge::merge(self.open(some)?, &mut writer, &self.cancel)?;
                fewer.push(writer.finish()?);
            }
            runs = fewer;
        }
        let groups = self.open(runs)?;
        self.write_blocks(groups, queue)
    }

    fn open(&self, runs: Vec<Run>) -> Result<Vec<merge::Groups<'static>>, Error> {
        let open = |run: Run| Ok(run::Reader::open(run, self.budget.buffer)?.into());
        runs.into_iter().map(open).collect()
    }

    fn write_blocks(&mut self, groups: Vec<merge::Groups<'_>>, queue: &Queue) -> Result<blocks::Written, Error> {
        let limits = self.limits;
        let cancel = self.cancel.clone();
        // The pool has ended: its threads' help with compression is asked for anew.
        let helpers = self.sink.helpers(self.threads - 1);
        let sink = &mut self.sink;
        crate::compress::with_help(queue, helpers, || {
            let mut blocks = Blocks::new(sink, limits);
            merge::merge(groups, &mut blocks, &cancel)?;
            blocks.finish()
        })
    }
}

impl Sink for Organizer {
    type File = Routed;

    fn create(&mut self, name: &FileName) -> Result<Routed, Error> {
        let index = self.membership.registry().type_index(&name.type_name);
        match index.filter(|&index| self.membership.has_members(index)) {
            Some(index) if name.kind == FileKind::Output => Ok(Routed::Gathered(index)),
            _ => self.sink.create(name).map(Routed::Written),
        }
    }

    fn write(&mut self, file: &mut Routed, lines: &[u8]) -> Result<(), Error> {
        let type_index = match file {
            Routed::Gathered(type_index) => *type_index,
            Routed::Written(file) => return self.sink.write(file, lines),
        };
        let mut start = 0;
        for newline in memchr::memchr_iter(b'\n', lines) {
            self.gather.push(type_index, &lines[start..=newline]);
            start = newline + 1;
            if self.gather.is_full() {
                self.spill()?;
            }
        }
        Ok(())
    }

    fn close(&mut self, file: Routed) -> Result<Stored, Error> {
        match file {
            Routed::Gathered(_) => Ok(Stored::default()),
            Routed::Written(file) => self.sink.close(file),
        }
    }
}
