//! Dozens of literals looked for at once with vectors (Teddy, of the crate `aho-corasick`), where the processor can.

use std::ops::Range;

#[cfg(not(target_arch = "wasm32"))]
use aho_corasick::packed::Searcher;

/// The literals, compiled.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug)]
pub(super) struct Packed(Searcher);

#[cfg(not(target_arch = "wasm32"))]
impl Packed {
    /// `None`: the processor cannot.
    pub(super) fn new(texts: &[Vec<u8>]) -> Option<Packed> {
        Searcher::new(texts).map(Packed)
    }

    /// The next literal from a place on.
    pub(super) fn find(&self, block: &[u8], from: usize) -> Option<Range<usize>> {
        let found = self.0.find_in(block, (from..block.len()).into())?;
        Some(found.start()..found.end())
    }
}

/// The crate has no searcher for the vectors of WebAssembly.
#[cfg(target_arch = "wasm32")]
#[derive(Debug)]
pub(super) enum Packed {}

#[cfg(target_arch = "wasm32")]
impl Packed {
    /// It never can.
    pub(super) fn new(_: &[Vec<u8>]) -> Option<Packed> {
        None
    }

    /// There is none.
    pub(super) fn find(&self, _: &[u8], _: usize) -> Option<Range<usize>> {
        match *self {}
    }
}
