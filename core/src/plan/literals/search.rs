//! Looks for any of several literals in one line of a block after the other.

use std::ops::Range;

use aho_corasick::Span;
use aho_corasick::packed;
use memchr::memmem::Finder;
use smallvec::SmallVec;

/// So many literals are looked for one by one; more at once.
const FEW: usize = 3;

/// The literals, compiled.
#[derive(Debug)]
pub(super) struct Search {
    each: Vec<Finder<'static>>,
    /// All at once with vectors; `None`: they are few, or the processor cannot.
    packed: Option<packed::Searcher>,
}

impl Search {
    pub(super) fn new(texts: &[Vec<u8>]) -> Search {
        let each = texts.iter().map(|text| Finder::new(text).into_owned()).collect();
        let packed = (texts.len() > FEW).then(|| packed::Searcher::new(texts)).flatten();
        Search { each, packed }
    }

    pub(super) fn is_fast(&self) -> bool {
        self.each.len() <= FEW || self.packed.is_some()
    }

    pub(super) fn hits(&self) -> Hits<'_> {
        let searches = if self.packed.is_some() { 1 } else { self.each.len() };
        Hits {
            search: self,
            next: SmallVec::from_elem(0..0, searches),
        }
    }

    /// The `index`-th literal, or any of them, from a place on; where there is none it is behind the end.
    fn find(&self, index: usize, block: &[u8], from: usize) -> Range<usize> {
        let none = block.len()..block.len() + 1;
        match &self.packed {
            Some(all) => {
                let found = all.find_in(block, Span::from(from..block.len()));
                found.map_or(none, |found| found.start()..found.end())
            }
            None => {
                let finder = &self.each[index];
                let found = finder.find(&block[from..]);
                found.map_or(none, |at| from + at..from + at + finder.needle().len())
            }
        }
    }
}

/// The lines of one block, asked for in their order.
#[derive(Debug)]
pub(crate) struct Hits<'l> {
    search: &'l Search,
    /// For each search the next literal that has been found.
    next: SmallVec<[Range<usize>; FEW]>,
}

impl Hits<'_> {
    /// Whether the line, one behind those that have been asked for, holds a literal.
    #[inline]
    pub(crate) fn are_in(&mut self, block: &[u8], line: Range<usize>) -> bool {
        (0..self.next.len()).any(|index| {
            if self.next[index].start < line.start || self.next[index].is_empty() {
                self.next[index] = self.search.find(index, block, line.start);
            }
            self.next[index].end <= line.end
        })
    }
}
