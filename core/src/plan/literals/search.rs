//! Looks for any of several literals in one line of a block after the other.

use std::ops::Range;

use memchr::memmem;

use super::packed::Packed;
use crate::scan::simd::line_ends::{LineEnds, MOST_PAIRS, line_ends};

/// Bytes of a block by which pairs are chosen, and most pairs of one literal to choose from.
const SAMPLE: usize = 16 << 10;
const MOST_CHOICES: usize = 48;
/// A pair that is there so often is not counted further.
const MANY: usize = 256;

/// The literals, compiled.
#[derive(Debug)]
pub(super) struct Search {
    texts: Vec<Vec<u8>>,
    /// All at once with vectors; `None`: they are few, or the processor cannot.
    packed: Option<Packed>,
}

/// By which two bytes, from a place in it on, each literal is found; empty: by all of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs(Vec<usize>);

impl Search {
    pub(super) fn new(texts: Vec<Vec<u8>>) -> Search {
        let packed = (texts.len() > MOST_PAIRS).then(|| Packed::new(&texts)).flatten();
        Search { texts, packed }
    }

    pub(super) fn texts(&self) -> &[Vec<u8>] {
        &self.texts
    }

    pub(super) fn is_fast(&self) -> bool {
        self.texts.len() <= MOST_PAIRS || self.packed.is_some()
    }

    /// The pairs that are the rarest in a text.
    pub(super) fn pairs(&self, text: &[u8]) -> Pairs {
        if self.texts.len() > MOST_PAIRS {
            return Pairs::default();
        }
        let sample = &text[..text.len().min(SAMPLE)];
        let rarest = |literal: &Vec<u8>| {
            let places = 0..(literal.len() - 1).min(MOST_CHOICES);
            places.min_by_key(|&at| memmem::find_iter(sample, &literal[at..at + 2]).take(MANY).count())
        };
        Pairs(self.texts.iter().filter_map(rarest).collect())
    }

    pub(super) fn look<'l>(&'l self, pairs: &'l Pairs, block: &'l [u8], found: &mut LineEnds) -> Hits<'l> {
        let mut bytes = [[0; 2]; MOST_PAIRS];
        for (bytes, (text, &at)) in bytes.iter_mut().zip(self.texts.iter().zip(&pairs.0)) {
            *bytes = [text[at], text[at + 1]];
        }
        line_ends(block, &bytes[..pairs.0.len().min(MOST_PAIRS)], found);
        Hits {
            search: self,
            pairs,
            block,
            place: 0,
            next: 0..0,
        }
    }

    /// The next literal from a place on; where there is none it is behind the end.
    fn find(&self, block: &[u8], from: usize) -> Range<usize> {
        let found = self.packed.as_ref().and_then(|all| all.find(block, from));
        found.unwrap_or(block.len()..block.len() + 1)
    }

    /// Whether these bytes hold a literal, looked for one by one.
    pub(super) fn is_in(&self, bytes: &[u8]) -> bool {
        self.texts.iter().any(|text| memmem::find(bytes, text).is_some())
    }
}

/// The lines of one block, asked for in their order.
#[derive(Debug)]
pub(crate) struct Hits<'l> {
    search: &'l Search,
    pairs: &'l Pairs,
    block: &'l [u8],
    /// Pairs that have been looked at.
    place: usize,
    /// The next literal, where all are looked for at once.
    next: Range<usize>,
}

impl Hits<'_> {
    /// Whether the line, one behind those that have been asked for, holds a literal. `found` is what was found in the block.
    #[inline]
    pub(crate) fn are_in(&mut self, line: Range<usize>, found: &LineEnds) -> bool {
        if self.search.packed.is_some() {
            if self.next.start < line.start || self.next.is_empty() {
                self.next = self.search.find(self.block, line.start);
            }
            return self.next.end <= line.end;
        }
        if self.pairs.0.is_empty() {
            return self.search.is_in(&self.block[line]);
        }
        let mut any = false;
        while let Some(&pair) = found.pairs.get(self.place)
            && pair < line.end
        {
            any = any || self.is_at(pair, line.clone());
            self.place += 1;
        }
        any
    }

    /// Whether a literal has its pair there.
    fn is_at(&self, pair: usize, line: Range<usize>) -> bool {
        let mut each = self.search.texts.iter().zip(&self.pairs.0);
        each.any(|(text, &at)| {
            let start = pair.checked_sub(at).filter(|&start| start >= line.start);
            start.is_some_and(|start| self.block[start..line.end].starts_with(text))
        })
    }
}
