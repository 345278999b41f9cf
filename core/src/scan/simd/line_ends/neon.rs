//! Two vectors of 16 bytes at a time, with NEON.

use std::arch::aarch64::{uint8x16_t, vandq_u8, vceqq_u8, vdupq_n_u8, vld1q_u8, vmaxvq_u8, vorrq_u8};

use super::LineEnds;
use super::found::{joined, line_ends_bytes, tell_ends};
use crate::scan::simd::lanes::{bits, may_join};

#[inline]
pub(super) fn line_ends(block: &[u8], pairs: &[[u8; 2]], found: &mut LineEnds) {
    match *pairs {
        [one] => with([one], block, found),
        [one, other] => with([one, other], block, found),
        [one, other, third] => with([one, other, third], block, found),
        _ => with([], block, found),
    }
}

/// Where newlines are, escapes by number, braces behind which something may begin, and any of the pairs.
type Signs = [uint8x16_t; 4];

fn with<const N: usize>(pairs: [[u8; 2]; N], block: &[u8], found: &mut LineEnds) {
    let (mut at, mut odd) = (0, false);
    while at + 33 <= block.len() {
        // SAFETY: the loop condition keeps 33 bytes inside the block: 16 from each of these places and from the next.
        let (low, high) = unsafe {
            let from = block.as_ptr().add(at);
            (signs(from, pairs), signs(from.add(16), pairs))
        };
        if any(low, high) {
            let [newlines, escapes, joints, pairs] = std::array::from_fn(|n| u64::from(bits([low[n], high[n]])));
            let odds = escapes | joined(block, at, joints);
            odd = tell_ends(at, [newlines, odds, pairs], odd, found);
        }
        at += 32;
    }
    line_ends_bytes(block, &pairs, at, odd, found);
}

/// # Safety
///
/// 17 bytes from there on can be read.
#[inline(always)]
unsafe fn signs<const N: usize>(from: *const u8, pairs: [[u8; 2]; N]) -> Signs {
    // SAFETY: the loads are of what the caller grants, without alignment demand; the rest is arithmetic that this machine has.
    unsafe {
        let (bytes, next) = (vld1q_u8(from), vld1q_u8(from.add(1)));
        let of = |byte| vdupq_n_u8(byte);
        let begins = |pair: [u8; 2]| vandq_u8(vceqq_u8(bytes, of(pair[0])), vceqq_u8(next, of(pair[1])));
        let any = pairs.into_iter().fold(of(0), |any, pair| vorrq_u8(any, begins(pair)));
        [vceqq_u8(bytes, of(b'\n')), begins(*b"\\u"), may_join(bytes, next), any]
    }
}

#[inline(always)]
fn any(low: Signs, high: Signs) -> bool {
    // SAFETY: arithmetic that this machine has.
    unsafe {
        let all = low.into_iter().chain(high);
        vmaxvq_u8(all.fold(vdupq_n_u8(0), |any, sign| vorrq_u8(any, sign))) != 0
    }
}
