//! One pass over a block for the ends of its lines, what may be spelled otherwise in them, and pairs of bytes.

use super::rest::joins;

/// The end of a line of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineEnd(usize);

impl LineEnd {
    fn new(newline: usize, odd: bool) -> Self {
        LineEnd(newline << 1 | usize::from(odd))
    }

    /// Where the newline stands.
    #[inline]
    pub fn newline(self) -> usize {
        self.0 >> 1
    }

    /// Whether the line holds `\u`, by which any letter may be spelled, or a place where two objects may meet: `}{`, with
    /// blanks between them or without.
    #[inline]
    pub fn is_odd(self) -> bool {
        self.0 & 1 == 1
    }
}

/// What [`line_ends`] finds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LineEnds {
    /// The ends of all lines, in order. What stands behind the last newline is no line.
    pub ends: Vec<LineEnd>,
    /// Where the pairs begin, in order.
    pub pairs: Vec<usize>,
}

/// Where there are more pairs than this, [`line_ends`] does not tell all their places, but more than this.
pub const MOST_PLACES: usize = 4096;

/// Most pairs that [`line_ends`] looks for.
pub const MOST_PAIRS: usize = 3;

/// Finds in one pass where the lines of a block end, which of them are odd, and where any of these pairs of bytes begin;
/// no pair holds a newline. More than [`MOST_PAIRS`] pairs are not looked for.
///
/// One call looks at a whole block, so the vectors can be as wide as the processor has them.
#[cfg_attr(target_arch = "wasm32", inline)]
pub fn line_ends(block: &[u8], pairs: &[[u8; 2]], found: &mut LineEnds) {
    found.ends.clear();
    found.pairs.clear();
    #[cfg(target_arch = "x86_64")]
    x86::line_ends(block, pairs, found);
    #[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
    neon::line_ends(block, pairs, found);
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    wasm::line_ends(block, pairs, found);
    #[cfg(not(any(
        target_arch = "x86_64",
        all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"),
        all(target_arch = "wasm32", target_feature = "simd128"),
    )))]
    line_ends_searched(block, pairs, found);
}

/// The safe twin of [`line_ends`]: a search for each.
#[cfg_attr(target_arch = "wasm32", inline)]
pub fn line_ends_searched(block: &[u8], pairs: &[[u8; 2]], found: &mut LineEnds) {
    let next = |pair: &[u8], from: usize| {
        let at = block.get(from..).and_then(|rest| memchr::memmem::find(rest, pair));
        at.map_or(block.len(), |at| from + at)
    };
    let next_joint = |from: usize| {
        let mut braces = memchr::memchr_iter(b'}', block.get(from..).unwrap_or_default());
        let joint = braces.find(|brace| joins(block, from + brace));
        joint.map_or(block.len(), |at| from + at)
    };
    let (mut escape, mut joint) = (next(b"\\u", 0), next_joint(0));
    for newline in memchr::memchr_iter(b'\n', block) {
        found.ends.push(LineEnd::new(newline, escape.min(joint) < newline));
        if escape < newline {
            escape = next(b"\\u", newline);
        }
        if joint < newline {
            joint = next_joint(newline);
        }
    }
    for pair in pairs.iter().filter(|_| pairs.len() <= MOST_PAIRS) {
        let mut at = next(pair, 0);
        while at < block.len() {
            found.pairs.push(at);
            // Pairs of the same byte overlap.
            at = next(pair, at + 1);
        }
    }
    found.pairs.sort_unstable();
    found.pairs.dedup();
}

#[cfg(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"),
    all(target_arch = "wasm32", target_feature = "simd128"),
))]
mod found;
#[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
mod neon;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;
