//! Many sorted sources of groups into one: patients by id, and of each patient what the sources hold, in their order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use fhirehose_core::error::Error;

use super::portion::Sorted;
use super::run::Reader;
use crate::cancel::Cancel;
use crate::folder::to_core;
use crate::output_error::OutputError;

/// What a source holds of one patient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// The patient's id.
    pub(super) id: Vec<u8>,
    /// The patient's own record; more than one line if the input has it more than once.
    pub(super) own: Part,
    /// What belongs to the patient.
    pub(super) others: Part,
}

/// Lines that stand together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

impl Head {
    /// There is no group left.
    pub(super) fn is_end(&self) -> bool {
        self.own.lines + self.others.lines == 0
    }

    pub(super) fn lines(&self) -> u64 {
        self.own.lines + self.others.lines
    }

    pub(super) fn bytes(&self) -> u64 {
        self.own.bytes + self.others.bytes
    }

    fn add(&mut self, other: &Head) {
        for (part, more) in [(&mut self.own, other.own), (&mut self.others, other.others)] {
            part.lines += more.lines;
            part.bytes += more.bytes;
        }
    }
}

/// A source of groups, sorted by id.
pub(super) enum Groups<'p> {
    Memory(Sorted<'p>),
    Run(Box<Reader>),
}

/// Where merged groups go.
pub(super) trait Target {
    /// The next lines are of this patient; the numbers are those of all of them.
    fn begin(&mut self, head: &Head) -> Result<(), Error>;

    /// Some of them, whole.
    fn lines(&mut self, lines: &[u8]) -> Result<(), Error>;
}

impl<'p> From<Sorted<'p>> for Groups<'p> {
    fn from(sorted: Sorted<'p>) -> Self {
        Groups::Memory(sorted)
    }
}

impl From<Reader> for Groups<'_> {
    fn from(reader: Reader) -> Self {
        Groups::Run(Box::new(reader))
    }
}

impl Groups<'_> {
    fn head(&self) -> &Head {
        match self {
            Groups::Memory(sorted) => sorted.head(),
            Groups::Run(reader) => reader.head(),
        }
    }

    fn hand_over(&mut self, part: Part, target: &mut impl Target) -> Result<(), Error> {
        let mut take = |lines: &[u8]| target.lines(lines);
        match self {
            Groups::Memory(sorted) => sorted.part(part, &mut take),
            Groups::Run(reader) => reader.part(part, &mut take),
        }
    }

    fn advance(&mut self) -> Result<(), Error> {
        match self {
            Groups::Memory(sorted) => {
                sorted.advance();
                Ok(())
            }
            Groups::Run(reader) => reader.advance(),
        }
    }
}

/// Merges. Sources are in input order, and so is what they hold of a patient.
pub(super) fn merge(mut sources: Vec<Groups<'_>>, target: &mut impl Target, cancel: &Cancel) -> Result<(), Error> {
    let mut heap = BinaryHeap::new();
    for (index, source) in sources.iter().enumerate() {
        push(&mut heap, source, index);
    }
    let mut same = Vec::new();
    while let Some(Reverse((id, first))) = heap.pop() {
        if cancel.is_stopped() {
            let interrupted = io::Error::from(io::ErrorKind::Interrupted);
            return Err(to_core(OutputError::new("write", "output", &interrupted)));
        }
        same.clear();
        same.push(first);
        while heap.peek().is_some_and(|Reverse((other, _))| *other == id) {
            same.extend(heap.pop().map(|Reverse((_, index))| index));
        }
        let mut whole = Head { id, ..Head::default() };
        same.iter().for_each(|&index| whole.add(sources[index].head()));
        target.begin(&whole)?;
        for &index in &same {
            let part = sources[index].head().own;
            sources[index].hand_over(part, target)?;
        }
        for &index in &same {
            let part = sources[index].head().others;
            sources[index].hand_over(part, target)?;
            sources[index].advance()?;
            push(&mut heap, &sources[index], index);
        }
    }
    Ok(())
}

fn push(heap: &mut BinaryHeap<Reverse<(Vec<u8>, usize)>>, source: &Groups<'_>, index: usize) {
    if !source.head().is_end() {
        heap.push(Reverse((source.head().id.clone(), index)));
    }
}
