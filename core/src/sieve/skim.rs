//! Passes over lines by a look at the raw bytes of a whole block: those without a literal that their type's filters need.
//!
//! Whether a line may be passed over is a matter of its bytes and the plan alone ([`Skim::drops`]). Whether a block is
//! looked at in this way is a matter of speed: where many lines hold a literal, every line is sieved as ever, and of those
//! that turn out bad the ones that would have been passed over are dropped. So the same comes of a block either way.

use std::ops::Range;

use super::heads::{Heads, LONGEST, PLACES, place};
use super::{Batch, Duty, Scratch, one};
use crate::plan::Plan;
use crate::plan::literals::{Literals, Pairs};
use crate::scan::simd::begins_with;
use crate::scan::simd::line_ends::{LineEnds, MOST_PLACES, line_ends};

mod pace;

use pace::Pace;

/// Most bytes that are looked at at once, so that what is found in them is bounded. Lines that are longer are sieved.
const PIECE: usize = 256 << 10;
/// Bytes that are sieved in the time that it takes to look whether a literal stands about a pair.
const BYTES_A_PAIR: usize = 32;

/// When the raw prefilter looks at a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefilter {
    /// Never.
    Never,
    /// Not where so many lines hold a literal that it costs more than it saves.
    #[default]
    WherePays,
    /// Always, so that tests see what it does.
    Always,
}

/// What a thread remembers of the lines that it passes over.
#[derive(Debug)]
pub(super) struct Skim {
    when: Prefilter,
    pace: Pace,
    /// Whose types the rest is about.
    plan: Option<Plan>,
    /// For each type, whether its lines may be passed over.
    skips: Vec<bool>,
    /// How lines begin, each at the place that the bytes of the type's name give it.
    heads: Vec<Head>,
    found: LineEnds,
    pairs: Choice,
}

/// The pairs of bytes that are looked for, chosen by a block; anew where they turn out to be common, more and more seldom.
#[derive(Debug, Default)]
struct Choice {
    pairs: Pairs,
    blocks: u64,
    next: u64,
}

/// How lines begin, up to the type's name, and whether lines of the type may be passed over.
#[derive(Clone, Debug, Default)]
struct Head {
    /// Empty: there is none.
    bytes: Vec<u8>,
    type_index: usize,
    skips: bool,
    /// The type is not exported, so its lines are dropped fast anyway.
    is_foreign: bool,
}

impl Head {
    #[cfg_attr(target_arch = "wasm32", inline)]
    fn skipped(&self) -> Option<Skipped> {
        self.skips.then_some(Skipped {
            type_index: self.type_index,
            is_foreign: self.is_foreign,
        })
    }
}

/// The type of a line that is passed over.
struct Skipped {
    type_index: usize,
    is_foreign: bool,
}

impl Skim {
    pub(super) fn new(when: Prefilter) -> Self {
        Skim {
            when,
            pace: Pace::default(),
            plan: None,
            skips: Vec::new(),
            heads: Vec::new(),
            found: LineEnds::default(),
            pairs: Choice::default(),
        }
    }

    #[cfg_attr(target_arch = "wasm32", inline)]
    fn knows(&self, plan: &Plan) -> bool {
        let known = self.plan.as_ref();
        known.is_some_and(|known| known.is_same(plan) && known.bundle() == plan.bundle())
    }

    /// The type of a line that may be passed over; `None`: it has to be sieved. Asks for everything but what
    /// [`crate::scan::simd::line_ends::LineEnd::is_odd`] says.
    #[inline]
    fn skipped(&mut self, plan: &Plan, block: &[u8], line: Range<usize>, types: &mut Heads) -> Option<Skipped> {
        let bytes = &block[line.clone()];
        // A line that was cut off must be told as bad, not dropped: what was cut off may have been what is looked for.
        let is_whole = bytes.last() == Some(&b'}') || bytes.trim_ascii_end().last() == Some(&b'}');
        if !is_whole || bytes.len() > plan.max_line() {
            return None;
        }
        let place = place(bytes)?;
        let is_known = |head: &&Head| !head.bytes.is_empty() && begins_with(bytes, &head.bytes);
        if let Some(head) = self.heads.get(place).filter(is_known) {
            return head.skipped();
        }
        let head = self.read_head(plan, block, line, types)?;
        let skipped = head.skipped();
        self.heads.resize_with(PLACES, Head::default);
        self.heads[place] = head;
        skipped
    }

    #[inline(never)]
    fn read_head(&self, plan: &Plan, block: &[u8], line: Range<usize>, types: &mut Heads) -> Option<Head> {
        let type_index = types.type_of(plan.registry(), block, line.start)?;
        // The quotes of `"resourceType"` and those of the name.
        let bytes = &block[line];
        let end = memchr::memchr_iter(b'"', bytes).nth(3)? + 1;
        Some(Head {
            bytes: bytes.get(..end).filter(|head| head.len() <= LONGEST)?.to_vec(),
            type_index,
            skips: self.skips.get(type_index) == Some(&true),
            is_foreign: plan.type_plan(type_index).is_none(),
        })
    }
}

impl Choice {
    /// Before a block, with what was found in the one before.
    #[cfg_attr(target_arch = "wasm32", inline)]
    fn seen(mut self, literals: &Literals, block: &[u8], before: &LineEnds) -> Self {
        if self.blocks == self.next {
            self.pairs = literals.pairs(block);
            self.next = u64::MAX;
        } else if self.next == u64::MAX && before.pairs.len() > 2 * before.ends.len() {
            self.next = self.blocks * 2 + 1;
        }
        self.blocks += 1;
        self
    }
}

impl Scratch {
    /// Says when the raw prefilter looks at blocks: always or never, the same comes of every block. For tests and benches.
    #[must_use]
    pub fn with_prefilter(mut self, when: Prefilter) -> Self {
        self.skim = Skim::new(when);
        self
    }
}

/// Before a block: what is known under another plan is forgotten.
fn begin(plan: &Plan, literals: &Literals, scratch: &mut Scratch) {
    if scratch.skim.knows(plan) {
        return;
    }
    let skips = |type_index: usize| literals.drops(type_index) && !scratch.duty(plan, type_index).notes();
    let skips = (0..plan.registry().types().len()).map(skips).collect();
    scratch.skim = Skim {
        plan: Some(plan.clone()),
        skips,
        ..Skim::new(scratch.skim.when)
    };
}

/// Sieves the block line by line where it pays, passing over what it may. `false`: it has not been looked at.
#[cfg_attr(target_arch = "wasm32", inline)]
pub(super) fn run<'p>(
    plan: &'p Plan,
    block: &[u8],
    scratch: &mut Scratch,
    duty: &mut Option<Duty<'p>>,
    batch: &mut Batch,
) -> bool {
    let Some(literals) = plan.literals() else {
        return false;
    };
    begin(plan, literals, scratch);
    let looks = match scratch.skim.when {
        Prefilter::Never => false,
        Prefilter::WherePays => literals.is_fast() && !scratch.skim.pace.rests(block.len()),
        Prefilter::Always => true,
    };
    if !looks {
        return false;
    }
    let mut start = 0;
    while start < block.len() {
        let most = block.len().min(start + PIECE);
        start = match memchr::memrchr(b'\n', &block[start..most]) {
            Some(newline) => piece(plan, literals, block, start..start + newline + 1, scratch, duty, batch),
            None => one(plan, block, start, scratch, duty, batch),
        };
    }
    true
}

/// Some whole lines of the block; returns where they end.
#[cfg_attr(target_arch = "wasm32", inline)]
fn piece<'p>(
    plan: &'p Plan,
    literals: &Literals,
    block: &[u8],
    piece: Range<usize>,
    scratch: &mut Scratch,
    duty: &mut Option<Duty<'p>>,
    batch: &mut Batch,
) -> usize {
    let bytes = &block[piece.clone()];
    let mut found = std::mem::take(&mut scratch.skim.found);
    let choice = std::mem::take(&mut scratch.skim.pairs).seen(literals, bytes, &found);
    let mut hits = literals.look(&choice.pairs, bytes, &mut found);
    // Not all of them are told, and it would not pay to look at them.
    let has_many_pairs = found.pairs.len() > MOST_PLACES;
    let mut start = piece.start;
    let (mut sieved, mut foreign) = (0, 0);
    for &end in &found.ends {
        let line = start..piece.start + end.newline();
        start = line.end + 1;
        let may_skip =
            !has_many_pairs && !end.is_odd() && !hits.are_in(line.start - piece.start..end.newline(), &found);
        let skipped = may_skip.then(|| {
            let Scratch { skim, heads, .. } = &mut *scratch;
            skim.skipped(plan, block, line.clone(), heads)
        });
        match skipped.flatten() {
            Some(skipped) => {
                foreign += if skipped.is_foreign { line.len() + 1 } else { 0 };
                batch.pass_over(skipped.type_index, start - line.start);
            }
            None => {
                sieved += line.len() + 1;
                let next = one(plan, block, line.start, scratch, duty, batch);
                debug_assert_eq!(next, start);
            }
        }
    }
    let in_vain = found.pairs.len() * BYTES_A_PAIR;
    scratch
        .skim
        .pace
        .count(bytes.len() - foreign, sieved + in_vain, foreign);
    scratch.skim.found = found;
    scratch.skim.pairs = choice;
    start
}

/// The type of a bad line that is dropped nevertheless, because a look at its raw bytes would have passed over it.
#[cold]
pub(super) fn would_drop(plan: &Plan, block: &[u8], line: Range<usize>, scratch: &mut Scratch) -> Option<usize> {
    let literals = plan.literals()?;
    begin(plan, literals, scratch);
    let mut found = LineEnds::default();
    line_ends(block.get(line.start..=line.end)?, &[], &mut found);
    let is_plain = matches!(found.ends.as_slice(), [end] if !end.is_odd());
    if !is_plain || literals.are_in(&block[line.clone()]) {
        return None;
    }
    let Scratch { skim, heads, .. } = scratch;
    skim.skipped(plan, block, line, heads).map(|skipped| skipped.type_index)
}
