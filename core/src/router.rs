//! The ordered half: batches in input order into files, and the report.

use crate::error::{BadLine, Error};
use crate::links::Links;
use crate::order;
use crate::outcome;
use crate::partition::{Limits, Series};
use crate::plan::Plan;
use crate::plan::associated::Stage;
use crate::position::Position;
use crate::report::{BadPlace, FileEntry, Report, TypeCount};
use crate::request::OnBad;
use crate::scan::json::Json;
use crate::sieve::{Batch, Run};
use crate::sink::{FileKind, Origin, Sink};

/// Types, by their numbers in a registry; there are fewer than 256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypeSet([u64; 4]);

impl TypeSet {
    /// Adds a type.
    pub fn insert(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    /// Whether the type is among them.
    pub fn contains(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }
}

/// Takes batches in input order and decides file names and roll-over.
#[derive(Debug)]
pub struct Router<F> {
    plan: Plan,
    limits: Limits,
    /// One series a type, by the type's number in the registry.
    series: Vec<Series<F>>,
    errors: Series<F>,
    deleted: Series<F>,
    counts: Vec<TypeCount>,
    bad: Vec<u64>,
    places: Vec<BadPlace>,
    closed: Vec<FileEntry>,
    input: String,
    /// For lines that have to be ended.
    ended: Vec<u8>,
    /// Lines of the current input before the next batch.
    line: u64,
    /// Bytes of its lines; `None`: some were passed over.
    offset: Option<u64>,
    /// The types that each input holds, in the order of the inputs.
    held: Vec<TypeSet>,
    /// Associated resources that have been written: each comes once, however often it stands in the input.
    taken: Links,
    report: Report,
}

impl<F> Router<F> {
    /// A router for one export.
    pub fn new(plan: Plan, limits: Limits) -> Self {
        let types = plan.registry().types();
        let series = types.iter().map(|name| Series::new(FileKind::Output, name)).collect();
        let counts = types
            .iter()
            .map(|name| TypeCount {
                type_name: name.clone(),
                ..TypeCount::default()
            })
            .collect();
        Router {
            limits,
            series,
            errors: Series::new(FileKind::Error, "OperationOutcome"),
            deleted: Series::new(FileKind::Deleted, "Bundle"),
            counts,
            bad: vec![0; BadLine::ALL.len()],
            places: Vec::new(),
            closed: Vec::new(),
            input: "input".to_owned(),
            ended: Vec::new(),
            line: 0,
            offset: Some(0),
            held: Vec::new(),
            taken: Links::default(),
            report: Report::default(),
            plan,
        }
    }

    /// The next batches are of this input; names in reports are this one's.
    pub fn begin_input(&mut self, name: &str) {
        self.input = name.to_owned();
        self.line = 0;
        self.offset = Some(0);
        if self.is_first() {
            self.report.inputs += 1;
            self.held.push(TypeSet::default());
        }
    }

    /// Goes on with another pass over inputs that have been read before. What they hold is not counted again.
    pub fn next_pass(&mut self, plan: Plan) {
        self.plan = plan;
    }

    /// The types that each input of the main pass holds, in the order of the inputs; of bad lines too, if their type
    /// could be read.
    pub fn held(&self) -> &[TypeSet] {
        &self.held
    }

    fn is_first(&self) -> bool {
        self.plan.stage().is_first()
    }

    /// Takes the batch of a block; of the block itself only what the batch points to has to be there. `too_long`: behind the block comes one line that is over the limit.
    pub fn take<S: Sink<File = F>>(
        &mut self,
        block: &[u8],
        batch: &Batch,
        too_long: bool,
        sink: &mut S,
    ) -> Result<(), Error> {
        for bad in &batch.bad {
            if !self.plan.tells(bad.type_index.map(|index| index as usize)) {
                continue;
            }
            let position = Position {
                line: self.line + bad.line + 1,
                column: bad.column,
            };
            self.bad_line(position, bad.kind, sink)?;
        }
        for run in &batch.runs {
            self.run(block, batch, run, sink)?;
        }
        self.line += batch.lines + u64::from(too_long);
        self.offset = self.offset.filter(|_| !too_long).map(|offset| offset + batch.length);
        if !self.is_first() {
            return Ok(());
        }
        self.count(batch);
        self.report.lines += u64::from(too_long);
        if too_long {
            self.bad_line(
                Position {
                    line: self.line,
                    column: 0,
                },
                BadLine::TooLong,
                sink,
            )?;
        }
        Ok(())
    }

    fn count(&mut self, batch: &Batch) {
        for (count, read) in self.counts.iter_mut().zip(&batch.read) {
            count.read += read;
        }
        self.report.lines += batch.lines;
        self.report.bytes_read += batch.bytes;
        if let Some(held) = self.held.last_mut() {
            let read = batch.read.iter().enumerate().filter(|(_, read)| **read > 0);
            read.for_each(|(index, _)| held.insert(index));
            let bad = batch.bad.iter().filter_map(|bad| bad.type_index);
            bad.for_each(|index| held.insert(index as usize));
        }
    }

    fn run<S: Sink<File = F>>(&mut self, block: &[u8], batch: &Batch, run: &Run, sink: &mut S) -> Result<(), Error> {
        let source = if run.made { &batch.made } else { block };
        let lines = &source[run.start as usize..run.end as usize];
        let index = run.type_index as usize;
        if self.plan.stage() == Stage::Associated {
            return self.once(lines, run, sink);
        }
        self.put(lines, run, index, self.origin(run), sink)
    }

    /// Where a run stands in its input, if it is written as it stands there.
    fn origin(&self, run: &Run) -> Option<Origin> {
        let input = usize::try_from(self.report.inputs).ok()?.checked_sub(1)?;
        let offset = self.offset? + u64::from(run.origin);
        (self.is_first() && !run.made && run.terminated).then_some(Origin { input, offset })
    }

    /// Writes of a run the resources that have not been written yet.
    fn once<S: Sink<File = F>>(&mut self, lines: &[u8], run: &Run, sink: &mut S) -> Result<(), Error> {
        let index = run.type_index as usize;
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            let id = Json::new(line.trim_ascii_start()).get("id").and_then(Json::text);
            if id.is_some_and(|id| self.taken.insert(index, id.decode().as_bytes())) {
                self.put(line, &Run { lines: 1, ..*run }, index, None, sink)?;
            }
        }
        Ok(())
    }

    fn put<S: Sink<File = F>>(
        &mut self,
        lines: &[u8],
        run: &Run,
        index: usize,
        origin: Option<Origin>,
        sink: &mut S,
    ) -> Result<(), Error> {
        let Router {
            series,
            limits,
            closed,
            counts,
            ended,
            ..
        } = self;
        let count = u64::from(run.lines);
        counts[index].kept += count;
        if run.terminated {
            counts[index].bytes += lines.len() as u64;
            series[index].write_from(lines, count, origin, *limits, sink, closed)
        } else {
            // The line ended in `\r\n`: what is written ends in `\n` alone.
            ended.clear();
            ended.extend_from_slice(lines);
            ended.push(b'\n');
            counts[index].bytes += ended.len() as u64;
            series[index].write(ended, count, *limits, sink, closed)
        }
    }

    fn bad_line<S: Sink<File = F>>(&mut self, position: Position, kind: BadLine, sink: &mut S) -> Result<(), Error> {
        let place = BadPlace {
            input: self.input.clone(),
            position,
            kind,
        };
        if self.plan.on_bad() == OnBad::Stop {
            return Err(Error::bad_line(format!("{}:{position}: {kind}", self.input)));
        }
        let known = BadLine::ALL.iter().position(|each| *each == kind);
        if let Some(count) = known.and_then(|index| self.bad.get_mut(index)) {
            *count += 1;
        }
        let line = outcome::bad_line(&place);
        let Router {
            errors,
            limits,
            closed,
            places,
            ..
        } = self;
        errors.write(line.as_bytes(), 1, *limits, sink, closed)?;
        if places.len() < Report::MOST_PLACES {
            places.push(place);
        }
        Ok(())
    }

    /// Writes deletions, one Bundle a line.
    pub fn deletions<S: Sink<File = F>>(&mut self, lines: &str, sink: &mut S) -> Result<(), Error> {
        let Router {
            deleted,
            limits,
            closed,
            ..
        } = self;
        deleted.write(lines.as_bytes(), lines.lines().count() as u64, *limits, sink, closed)
    }

    /// Writes an outcome that is not about a line.
    pub fn tell<S: Sink<File = F>>(&mut self, outcome: &str, sink: &mut S) -> Result<(), Error> {
        let Router {
            errors, limits, closed, ..
        } = self;
        errors.write(outcome.as_bytes(), 1, *limits, sink, closed)
    }

    /// How many resources have been kept so far.
    pub fn kept(&self) -> u64 {
        self.counts.iter().map(|count| count.kept).sum()
    }

    /// Counts of the types that were met so far.
    pub fn counts(&self) -> impl Iterator<Item = &TypeCount> {
        let met = |count: &&TypeCount| count.read > 0 || count.kept > 0;
        self.counts.iter().filter(met)
    }

    /// Completes every file and reports.
    pub fn finish<S: Sink<File = F>>(mut self, sink: &mut S) -> Result<Report, Error> {
        for series in self.series.iter_mut().chain([&mut self.errors, &mut self.deleted]) {
            series.close(sink, &mut self.closed)?;
        }
        order::sort_by(&mut self.closed, |a, b| a.name.cmp(&b.name));
        let met = |count: &TypeCount| count.read > 0 || count.kept > 0;
        let bad = BadLine::ALL
            .into_iter()
            .zip(self.bad)
            .filter(|(_, count)| *count > 0)
            .collect();
        Ok(Report {
            types: self.counts.into_iter().filter(met).collect(),
            bad,
            places: self.places,
            files: self.closed,
            ..self.report
        })
    }
}
