//! simd128, which every browser has that is not very old. It is chosen when the module is built.

use std::arch::wasm32::{i8x16_bitmask, i8x16_eq, i8x16_lt, i8x16_splat, u8x16_le, v128, v128_and, v128_load, v128_or};

use super::{Chunk, Lanes};

/// Vectors of 16 bytes, two for a chunk.
#[derive(Clone, Copy, Debug)]
pub struct Simd128;

/// Half of a chunk: the first 16 bytes or the last.
#[inline(always)]
fn half(chunk: &Chunk, second: bool) -> v128 {
    let halves = chunk.as_chunks::<16>().0;
    // SAFETY: the load is of the 16 bytes of one half, without alignment demand.
    unsafe { v128_load(halves[usize::from(second)].as_ptr().cast::<v128>()) }
}

#[inline(always)]
fn special(bytes: v128) -> u32 {
    let quote = i8x16_eq(bytes, i8x16_splat(b'"' as i8));
    let backslash = i8x16_eq(bytes, i8x16_splat(b'\\' as i8));
    // Signed: bytes from 0x80 are negative, so one compare finds them and the control characters.
    let low_or_high = i8x16_lt(bytes, i8x16_splat(0x20));
    u32::from(i8x16_bitmask(v128_or(v128_or(quote, backslash), low_or_high)))
}

#[inline(always)]
fn line_end(bytes: v128, next: v128) -> u32 {
    let newline = i8x16_eq(bytes, i8x16_splat(b'\n' as i8));
    let closes = i8x16_eq(bytes, i8x16_splat(b'}' as i8));
    let opens = i8x16_eq(next, i8x16_splat(b'{' as i8));
    let blank = u8x16_le(next, i8x16_splat(b' ' as i8));
    u32::from(i8x16_bitmask(v128_or(newline, v128_and(closes, v128_or(opens, blank)))))
}

impl Lanes for Simd128 {
    #[inline(always)]
    fn equal(left: &Chunk, right: &Chunk) -> u32 {
        let same = |second| u32::from(i8x16_bitmask(i8x16_eq(half(left, second), half(right, second))));
        same(false) | same(true) << 16
    }

    #[inline(always)]
    fn special(bytes: &Chunk) -> u32 {
        special(half(bytes, false)) | special(half(bytes, true)) << 16
    }

    #[inline(always)]
    fn line_end(bytes: &Chunk, next: &Chunk) -> u32 {
        line_end(half(bytes, false), half(next, false)) | line_end(half(bytes, true), half(next, true)) << 16
    }
}
