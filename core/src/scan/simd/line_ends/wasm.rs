//! Vectors of 16 bytes in WebAssembly.

use std::arch::wasm32::{
    i8x16_bitmask, i8x16_eq, i8x16_splat, u8x16_le, v128, v128_and, v128_any_true, v128_load, v128_or,
};

use super::LineEnds;
use super::found::{joined, line_ends_bytes, tell_ends};

/// 16 bytes from a place on, and from the next.
type Bytes = [v128; 2];

#[inline(always)]
fn of(byte: u8) -> v128 {
    i8x16_splat(byte as i8)
}

#[inline(always)]
fn begins(bytes: Bytes, pair: [u8; 2]) -> v128 {
    v128_and(i8x16_eq(bytes[0], of(pair[0])), i8x16_eq(bytes[1], of(pair[1])))
}

/// The loop is compiled for each number of pairs: one over them inside it would take half of the time.
#[inline]
pub(super) fn line_ends(block: &[u8], pairs: &[[u8; 2]], found: &mut LineEnds) {
    match *pairs {
        [one] => with(block, pairs, |bytes| begins(bytes, one), found),
        [one, other] => with(
            block,
            pairs,
            |bytes| v128_or(begins(bytes, one), begins(bytes, other)),
            found,
        ),
        [one, other, third] => {
            let any = |bytes| v128_or(v128_or(begins(bytes, one), begins(bytes, other)), begins(bytes, third));
            with(block, pairs, any, found);
        }
        _ => with(block, &[], |_| of(0), found),
    }
}

#[inline(always)]
fn with(block: &[u8], pairs: &[[u8; 2]], begins_any: impl Fn(Bytes) -> v128, found: &mut LineEnds) {
    let bits = |bytes| u64::from(i8x16_bitmask(bytes));
    let (mut at, mut odd) = (0, false);
    while at + 17 <= block.len() {
        // SAFETY: the loop condition keeps 17 bytes inside the block; the loads have no alignment demand.
        let bytes = unsafe {
            let from = block.as_ptr().add(at);
            [v128_load(from.cast::<v128>()), v128_load(from.add(1).cast::<v128>())]
        };
        let newlines = i8x16_eq(bytes[0], of(b'\n'));
        let escapes = begins(bytes, *b"\\u");
        let opens = v128_or(i8x16_eq(bytes[1], of(b'{')), u8x16_le(bytes[1], of(b' ')));
        let joints = v128_and(i8x16_eq(bytes[0], of(b'}')), opens);
        let any = begins_any(bytes);
        if v128_any_true(v128_or(v128_or(newlines, escapes), v128_or(joints, any))) {
            let odds = bits(escapes) | joined(block, at, bits(joints));
            odd = tell_ends(at, [bits(newlines), odds, bits(any)], odd, found);
        }
        at += 16;
    }
    line_ends_bytes(block, pairs, at, odd, found);
}
