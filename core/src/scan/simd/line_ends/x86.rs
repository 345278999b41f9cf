//! Vectors of 32 bytes where the processor has AVX2, and of 16 everywhere else.

use super::LineEnds;
use super::found::{joined, line_ends_bytes, tell_ends};
use crate::scan::simd::lanes::opens_or_blank;

#[inline]
pub(super) fn line_ends(block: &[u8], pairs: &[[u8; 2]], found: &mut LineEnds) {
    match *pairs {
        [one] => widest([one], block, found),
        [one, other] => widest([one, other], block, found),
        [one, other, third] => widest([one, other, third], block, found),
        _ => widest([], block, found),
    }
}

fn widest<const N: usize>(pairs: [[u8; 2]; N], block: &[u8], found: &mut LineEnds) {
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, as tested.
        unsafe { with_avx2(pairs, block, found) }
    } else {
        with_sse2(pairs, block, found);
    }
}

#[target_feature(enable = "avx2")]
fn with_avx2<const N: usize>(pairs: [[u8; 2]; N], block: &[u8], found: &mut LineEnds) {
    use std::arch::x86_64::{
        __m256i, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set1_epi8, _mm256_setzero_si256,
    };
    let of = |byte: u8| _mm256_set1_epi8(byte as i8);
    let (newline, backslash, escape) = (of(b'\n'), of(b'\\'), [of(b'\\'), of(b'u')]);
    let close = of(b'}');
    let wanted = pairs.map(|pair| pair.map(of));
    // 32 bytes from a place on, and from the next.
    let load = |at: usize| {
        debug_assert!(at + 33 <= block.len());
        // SAFETY: the loop below keeps 65 bytes from its place on inside the block, and asks for places that are at most 32
        // further on; the loads have no alignment demand.
        unsafe {
            let from = block.as_ptr().add(at);
            [
                _mm256_loadu_si256(from.cast::<__m256i>()),
                _mm256_loadu_si256(from.add(1).cast::<__m256i>()),
            ]
        }
    };
    let begins = |bytes: [__m256i; 2], pair: [__m256i; 2]| {
        _mm256_and_si256(
            _mm256_cmpeq_epi8(bytes[0], pair[0]),
            _mm256_cmpeq_epi8(bytes[1], pair[1]),
        )
    };
    // Newlines are among the blanks: which they are is seen where one is found.
    let may_join =
        |[bytes, next]: [__m256i; 2]| _mm256_and_si256(_mm256_cmpeq_epi8(bytes, close), opens_or_blank(next));
    let begins_any = |bytes| {
        let all = wanted.map(|pair| begins(bytes, pair));
        all.into_iter()
            .fold(_mm256_setzero_si256(), |all, one| _mm256_or_si256(all, one))
    };
    let any = |bytes: [__m256i; 2]| {
        let signs = _mm256_or_si256(
            _mm256_cmpeq_epi8(bytes[0], newline),
            _mm256_cmpeq_epi8(bytes[0], backslash),
        );
        _mm256_or_si256(signs, _mm256_or_si256(may_join(bytes), begins_any(bytes)))
    };
    let (mut at, mut odd) = (0, false);
    while at + 65 <= block.len() {
        let (low, high) = (load(at), load(at + 32));
        if _mm256_movemask_epi8(_mm256_or_si256(any(low), any(high))) != 0 {
            let mask = |low: __m256i, high: __m256i| {
                let bits = |bytes| u64::from(_mm256_movemask_epi8(bytes) as u32);
                bits(low) | bits(high) << 32
            };
            let newlines = mask(_mm256_cmpeq_epi8(low[0], newline), _mm256_cmpeq_epi8(high[0], newline));
            let escapes = mask(begins(low, escape), begins(high, escape));
            let odds = escapes | joined(block, at, mask(may_join(low), may_join(high)));
            let pairs = mask(begins_any(low), begins_any(high));
            odd = tell_ends(at, [newlines, odds, pairs], odd, found);
        }
        at += 64;
    }
    line_ends_bytes(block, &pairs, at, odd, found);
}

pub(super) fn with_sse2<const N: usize>(pairs: [[u8; 2]; N], block: &[u8], found: &mut LineEnds) {
    use std::arch::x86_64::{
        __m128i, _mm_and_si128, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128,
        _mm_set1_epi8,
    };
    let (mut at, mut odd) = (0, false);
    while at + 17 <= block.len() {
        // SAFETY: the loop condition keeps 17 bytes inside the block; the loads have no alignment demand. The rest is
        // arithmetic that every x86-64 has.
        let [newlines, escapes, joints, pairs] = unsafe {
            let from = block.as_ptr().add(at);
            let bytes = _mm_loadu_si128(from.cast::<__m128i>());
            let next = _mm_loadu_si128(from.add(1).cast::<__m128i>());
            let bits = |bytes| u64::from(_mm_movemask_epi8(bytes) as u32);
            let are = |bytes, byte: u8| _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8));
            let begins = |pair: [u8; 2]| bits(_mm_and_si128(are(bytes, pair[0]), are(next, pair[1])));
            let any = pairs.iter().fold(0, |all, &pair| all | begins(pair));
            let blanks = _mm_cmpeq_epi8(next, _mm_min_epu8(next, _mm_set1_epi8(b' ' as i8)));
            let joints = _mm_and_si128(are(bytes, b'}'), _mm_or_si128(blanks, are(next, b'{')));
            [bits(are(bytes, b'\n')), begins(*b"\\u"), bits(joints), any]
        };
        if newlines | escapes | joints | pairs != 0 {
            let odds = escapes | joined(block, at, joints);
            odd = tell_ends(at, [newlines, odds, pairs], odd, found);
        }
        at += 16;
    }
    line_ends_bytes(block, &pairs, at, odd, found);
}
