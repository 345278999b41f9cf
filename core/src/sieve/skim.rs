//! Passes over lines by a look at the raw bytes of a whole block: those without a literal that their type's filters need.
//!
//! Whether a line may be passed over is a matter of its bytes and the plan alone ([`Skim::drops`]). Whether a block is
//! looked at in this way is a matter of speed: where many lines hold a literal, every line is sieved as ever, and of those
//! that turn out bad the ones that would have been passed over are dropped. So the same comes of a block either way.

use std::ops::Range;

use super::{Batch, Scratch, leading_type, one};
use crate::plan::Plan;
use crate::plan::literals::Literals;
use crate::scan::simd::{self, LineEnd};

mod pace;

use pace::Pace;

/// Beginnings of lines that are remembered, and how long they are at most.
const MOST_HEADS: usize = 32;
const LONGEST_HEAD: usize = 128;

/// What a thread remembers of the lines that it passes over.
#[derive(Debug)]
pub(super) struct Skim {
    on: bool,
    pace: Pace,
    /// Whose types the rest is about.
    plan: Option<Plan>,
    /// For each type, whether its lines may be passed over.
    skips: Vec<bool>,
    /// How lines begin, up to the type's name, and whether lines of the type may be passed over.
    heads: Vec<Head>,
    /// The head of the line before.
    last: usize,
    ends: Vec<LineEnd>,
}

#[derive(Clone, Debug)]
struct Head {
    bytes: Vec<u8>,
    type_index: usize,
    skips: bool,
}

impl Skim {
    pub(super) fn new(on: bool) -> Self {
        Skim {
            on,
            pace: Pace::default(),
            plan: None,
            skips: Vec::new(),
            heads: Vec::new(),
            last: 0,
            ends: Vec::new(),
        }
    }

    fn knows(&self, plan: &Plan) -> bool {
        let known = self.plan.as_ref();
        known.is_some_and(|known| known.is_same(plan) && known.bundle() == plan.bundle())
    }

    /// The type of a line that may be passed over; `None`: it has to be sieved. Asks for everything but what
    /// [`LineEnd::is_odd`] says.
    #[inline]
    fn skipped(
        &mut self,
        plan: &Plan,
        block: &[u8],
        line: Range<usize>,
        last_type: &mut (Vec<u8>, usize),
    ) -> Option<usize> {
        let bytes = &block[line.clone()];
        // A line that was cut off must be told as bad, not dropped: what was cut off may have been what is looked for.
        let is_whole = bytes.last() == Some(&b'}') || bytes.trim_ascii_end().last() == Some(&b'}');
        if !is_whole || bytes.len() > plan.max_line() {
            return None;
        }
        let head = match self.heads.get(self.last) {
            Some(head) if bytes.starts_with(&head.bytes) => head,
            _ => self.head(plan, block, line, last_type)?,
        };
        head.skips.then_some(head.type_index)
    }

    #[inline(never)]
    fn head(
        &mut self,
        plan: &Plan,
        block: &[u8],
        line: Range<usize>,
        last_type: &mut (Vec<u8>, usize),
    ) -> Option<&Head> {
        let bytes = &block[line.clone()];
        if let Some(known) = self.heads.iter().position(|head| bytes.starts_with(&head.bytes)) {
            self.last = known;
            return self.heads.get(known);
        }
        let type_index = leading_type(plan.registry(), block, line.start, last_type)?;
        // The quotes of `"resourceType"` and those of the name.
        let end = memchr::memchr_iter(b'"', bytes).nth(3)? + 1;
        let head = Head {
            bytes: bytes.get(..end).filter(|head| head.len() <= LONGEST_HEAD)?.to_vec(),
            type_index,
            skips: self.skips.get(type_index) == Some(&true),
        };
        self.last = self.heads.len() % MOST_HEADS;
        self.heads.truncate(MOST_HEADS);
        match self.heads.get_mut(self.last) {
            Some(place) => *place = head,
            None => self.heads.push(head),
        }
        self.heads.get(self.last)
    }
}

impl Scratch {
    /// Switches the raw prefilter on or off: with it or without, the same comes of every block. For tests and benches.
    #[must_use]
    pub fn with_prefilter(mut self, on: bool) -> Self {
        self.skim = Skim::new(on);
        self
    }
}

/// Before a block: what is known under another plan is forgotten.
fn begin(plan: &Plan, literals: &Literals, scratch: &mut Scratch) {
    if scratch.skim.knows(plan) {
        return;
    }
    let skips = |type_index: usize| literals.drops(type_index) && !scratch.notes(plan, type_index);
    let skips = (0..plan.registry().types().len()).map(skips).collect();
    scratch.skim = Skim {
        plan: Some(plan.clone()),
        skips,
        ..Skim::new(scratch.skim.on)
    };
}

/// Sieves the block line by line where it pays, passing over what it may. `false`: it has not been looked at.
pub(super) fn run(plan: &Plan, block: &[u8], scratch: &mut Scratch, batch: &mut Batch) -> bool {
    let Some(literals) = plan.literals() else {
        return false;
    };
    begin(plan, literals, scratch);
    if !scratch.skim.on || !literals.is_fast() || scratch.skim.pace.rests(block.len()) {
        return false;
    }
    let mut ends = std::mem::take(&mut scratch.skim.ends);
    ends.clear();
    simd::line_ends(block, &mut ends);
    let mut hits = literals.hits();
    let mut start = 0;
    let mut sieved = 0;
    for &end in &ends {
        let line = start..end.newline();
        start = line.end + 1;
        let may_skip = !end.is_odd() && !hits.are_in(block, line.clone());
        let skipped = may_skip.then(|| {
            let Scratch { skim, last_type, .. } = &mut *scratch;
            skim.skipped(plan, block, line.clone(), last_type)
        });
        match skipped.flatten() {
            Some(type_index) => batch.pass_over(type_index, start - line.start),
            None => {
                sieved += 1;
                let next = one(plan, block, line.start, scratch, batch);
                debug_assert_eq!(next, start);
            }
        }
    }
    scratch.skim.pace.count(ends.len(), sieved);
    scratch.skim.ends = ends;
    true
}

/// The type of a bad line that is dropped nevertheless, because a look at its raw bytes would have passed over it.
#[cold]
pub(super) fn would_drop(plan: &Plan, block: &[u8], line: Range<usize>, scratch: &mut Scratch) -> Option<usize> {
    let literals = plan.literals()?;
    begin(plan, literals, scratch);
    let mut ends = Vec::new();
    let with_newline = block.get(line.start..=line.end)?;
    simd::line_ends(with_newline, &mut ends);
    let is_plain = matches!(ends.as_slice(), [end] if !end.is_odd());
    if !is_plain || literals.hits().are_in(with_newline, 0..line.len()) {
        return None;
    }
    let Scratch { skim, last_type, .. } = scratch;
    skim.skipped(plan, block, line, last_type)
}
