//! What a vector has found, told line by line; and what is left behind the last whole vector.

use super::super::rest::joins;
use super::{LineEnd, LineEnds, MOST_PLACES};

/// Those of the closing braces before a blank, or what is below one, or an opening brace, that an opening one follows indeed.
#[inline(always)]
pub(super) fn joined(block: &[u8], at: usize, braces: u64) -> u64 {
    let (mut joined, mut rest) = (0, braces);
    while rest != 0 {
        let lowest = rest & rest.wrapping_neg();
        if joins(block, at + rest.trailing_zeros() as usize) {
            joined |= lowest;
        }
        rest ^= lowest;
    }
    joined
}

/// Adds what was found in a vector, bit for byte, and returns whether the line behind it is odd so far.
#[inline(always)]
pub(super) fn tell_ends(at: usize, bits: [u64; 3], mut odd: bool, found: &mut LineEnds) -> bool {
    let [mut newlines, mut odds, mut pairs] = bits;
    while pairs != 0 && found.pairs.len() <= MOST_PLACES {
        found.pairs.push(at + pairs.trailing_zeros() as usize);
        pairs &= pairs - 1;
    }
    while newlines != 0 {
        let bit = newlines.trailing_zeros();
        let before = (1u64 << bit) - 1;
        found
            .ends
            .push(LineEnd::new(at + bit as usize, odd || odds & before != 0));
        odd = false;
        odds &= !before;
        newlines &= newlines - 1;
    }
    odd || odds != 0
}

/// What [`line_ends`] does from a place on, where the line has been odd already or not.
#[cfg_attr(target_arch = "wasm32", inline)]
pub(super) fn line_ends_bytes(block: &[u8], pairs: &[[u8; 2]], from: usize, mut odd: bool, found: &mut LineEnds) {
    for at in from..block.len() {
        let next = block.get(at + 1).copied();
        match block[at] {
            b'\n' => found.ends.push(LineEnd::new(at, std::mem::take(&mut odd))),
            b'\\' => odd |= next == Some(b'u'),
            b'}' => odd |= joins(block, at),
            _ => {}
        }
        if pairs.iter().any(|pair| pair[0] == block[at] && next == Some(pair[1])) {
            found.pairs.push(at);
        }
    }
}
