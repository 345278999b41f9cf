//! NEON, which every 64-bit ARM machine has.

use std::arch::aarch64::{
    uint8x16_t, vandq_u8, vceqq_u8, vcleq_u8, vcltq_s8, vdupq_n_s8, vdupq_n_u8, vgetq_lane_u32, vld1q_u8, vorrq_u8,
    vpaddq_u8, vreinterpretq_s8_u8, vreinterpretq_u32_u8,
};

use super::{Chunk, Lanes};

/// Vectors of 16 bytes, two for a chunk.
#[derive(Clone, Copy, Debug)]
pub struct Neon;

/// The places of 16 bytes, a bit for each of eight.
const PLACES: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];

#[inline(always)]
fn of(byte: u8) -> uint8x16_t {
    // SAFETY: arithmetic that this machine has.
    unsafe { vdupq_n_u8(byte) }
}

#[inline(always)]
fn halves(chunk: &Chunk) -> [uint8x16_t; 2] {
    // SAFETY: both loads are inside the chunk, and have no alignment demand.
    unsafe { [vld1q_u8(chunk.as_ptr()), vld1q_u8(chunk.as_ptr().add(16))] }
}

/// A bit for each of 32 bytes that are all ones or all zeros. There is no such instruction: each byte keeps one bit by its
/// place, and neighbours are added until four bytes are left.
#[inline(always)]
pub(in super::super) fn bits([first, second]: [uint8x16_t; 2]) -> u32 {
    // SAFETY: the load is of the whole table, without alignment demand; the rest is arithmetic that this machine has.
    unsafe {
        let places = vld1q_u8(PLACES.as_ptr());
        let twos = vpaddq_u8(vandq_u8(first, places), vandq_u8(second, places));
        let fours = vpaddq_u8(twos, twos);
        vgetq_lane_u32::<0>(vreinterpretq_u32_u8(vpaddq_u8(fours, fours)))
    }
}

#[inline(always)]
fn special(bytes: uint8x16_t) -> uint8x16_t {
    // SAFETY: arithmetic that this machine has.
    unsafe {
        let quote = vceqq_u8(bytes, of(b'"'));
        let backslash = vceqq_u8(bytes, of(b'\\'));
        // Signed: bytes from 0x80 are negative, so one compare finds them and the control characters.
        let low_or_high = vcltq_s8(vreinterpretq_s8_u8(bytes), vdupq_n_s8(0x20));
        vorrq_u8(vorrq_u8(quote, backslash), low_or_high)
    }
}

/// Closing braces before an opening one or a blank, or before what is below a blank.
#[inline(always)]
pub(in super::super) fn may_join(bytes: uint8x16_t, next: uint8x16_t) -> uint8x16_t {
    // SAFETY: arithmetic that this machine has.
    unsafe {
        let opens_or_blank = vorrq_u8(vceqq_u8(next, of(b'{')), vcleq_u8(next, of(b' ')));
        vandq_u8(vceqq_u8(bytes, of(b'}')), opens_or_blank)
    }
}

#[inline(always)]
fn line_end(bytes: uint8x16_t, next: uint8x16_t) -> uint8x16_t {
    // SAFETY: arithmetic that this machine has.
    unsafe { vorrq_u8(vceqq_u8(bytes, of(b'\n')), may_join(bytes, next)) }
}

impl Lanes for Neon {
    #[inline(always)]
    fn equal(left: &Chunk, right: &Chunk) -> u32 {
        let ([left, left_end], [right, right_end]) = (halves(left), halves(right));
        // SAFETY: arithmetic that this machine has.
        bits(unsafe { [vceqq_u8(left, right), vceqq_u8(left_end, right_end)] })
    }

    #[inline(always)]
    fn special(bytes: &Chunk) -> u32 {
        bits(halves(bytes).map(special))
    }

    #[inline(always)]
    fn line_end(bytes: &Chunk, next: &Chunk) -> u32 {
        let ([bytes, bytes_end], [next, next_end]) = (halves(bytes), halves(next));
        bits([line_end(bytes, next), line_end(bytes_end, next_end)])
    }
}
