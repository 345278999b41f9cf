//! SSE2, which every machine has, and AVX2.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_and_si128, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8,
    _mm_or_si128, _mm_set1_epi8, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8,
    _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_shuffle_epi8,
};

use super::{Chunk, Lanes, Task};

/// Does a task with AVX2.
#[target_feature(enable = "avx2,bmi1,bmi2")]
pub(super) fn with_avx2<T: Task>(task: T) -> T::Output {
    task.run::<Avx2>()
}

/// An opening brace and the blanks of JSON, each at the place that the lower half of its bits says; elsewhere bytes with
/// another lower half.
const OPEN_OR_BLANK: [u8; 16] = {
    let mut bytes = [0xff; 16];
    bytes[0xf] = 0;
    let (wanted, mut n) = (*b"{ \t\r\n", 0);
    while n < wanted.len() {
        bytes[(wanted[n] & 0xf) as usize] = wanted[n];
        n += 1;
    }
    bytes
};

/// Which bytes are an opening brace, or a blank of JSON.
#[target_feature(enable = "avx2")]
#[inline]
pub(in super::super) fn opens_or_blank(bytes: __m256i) -> __m256i {
    // SAFETY: the load is of the whole table, without alignment demand.
    let table = unsafe { _mm_loadu_si128(OPEN_OR_BLANK.as_ptr().cast::<__m128i>()) };
    // The one that has the same lower half; none for bytes from 0x80 on.
    _mm256_cmpeq_epi8(bytes, _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), bytes))
}

/// Vectors of 16 bytes, two for a chunk.
#[derive(Clone, Copy, Debug)]
pub struct Sse2;

/// Vectors of 32 bytes. Not to be had outside of [`with_avx2`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2;

impl Lanes for Sse2 {
    #[inline(always)]
    fn equal(left: &Chunk, right: &Chunk) -> u32 {
        let half = |offset: usize| {
            // SAFETY: the offset is 0 or 16, so the 16 bytes are inside the chunks; the loads have no alignment demand.
            unsafe {
                let left = _mm_loadu_si128(left.as_ptr().add(offset).cast::<__m128i>());
                let right = _mm_loadu_si128(right.as_ptr().add(offset).cast::<__m128i>());
                _mm_movemask_epi8(_mm_cmpeq_epi8(left, right)) as u32
            }
        };
        half(0) | half(16) << 16
    }

    #[inline(always)]
    fn special(bytes: &Chunk) -> u32 {
        let half = |offset: usize| {
            // SAFETY: the offset is 0 or 16, so the 16 bytes are inside the chunk; the load has no alignment demand.
            unsafe {
                let bytes = _mm_loadu_si128(bytes.as_ptr().add(offset).cast::<__m128i>());
                let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
                let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
                // Signed: bytes from 0x80 are negative, so one compare finds them and the control characters.
                let low_or_high = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
                _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), low_or_high)) as u32
            }
        };
        half(0) | half(16) << 16
    }

    #[inline(always)]
    fn line_end(bytes: &Chunk, next: &Chunk) -> u32 {
        let half = |offset: usize| {
            // SAFETY: as in `equal`.
            unsafe {
                let bytes = _mm_loadu_si128(bytes.as_ptr().add(offset).cast::<__m128i>());
                let next = _mm_loadu_si128(next.as_ptr().add(offset).cast::<__m128i>());
                let newline = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\n' as i8));
                let closes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'}' as i8));
                let opens = _mm_cmpeq_epi8(next, _mm_set1_epi8(b'{' as i8));
                let blank = _mm_cmpeq_epi8(next, _mm_min_epu8(next, _mm_set1_epi8(b' ' as i8)));
                let joins = _mm_and_si128(closes, _mm_or_si128(opens, blank));
                _mm_movemask_epi8(_mm_or_si128(newline, joins)) as u32
            }
        };
        half(0) | half(16) << 16
    }
}

impl Lanes for Avx2 {
    #[inline(always)]
    fn equal(left: &Chunk, right: &Chunk) -> u32 {
        // SAFETY: each load is of a whole chunk, without alignment demand; only `with_avx2` names this type, and it has
        // the feature.
        unsafe {
            let left = _mm256_loadu_si256(left.as_ptr().cast::<__m256i>());
            let right = _mm256_loadu_si256(right.as_ptr().cast::<__m256i>());
            _mm256_movemask_epi8(_mm256_cmpeq_epi8(left, right)) as u32
        }
    }

    #[inline(always)]
    fn special(bytes: &Chunk) -> u32 {
        // SAFETY: as in `equal`.
        unsafe {
            let bytes = _mm256_loadu_si256(bytes.as_ptr().cast::<__m256i>());
            let quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'"' as i8));
            let backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\\' as i8));
            // Signed: bytes from 0x80 are negative, so one compare finds them and the control characters.
            let low_or_high = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), bytes);
            _mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(quote, backslash), low_or_high)) as u32
        }
    }

    #[inline(always)]
    fn line_end(bytes: &Chunk, next: &Chunk) -> u32 {
        // SAFETY: as in `equal`.
        unsafe {
            let bytes = _mm256_loadu_si256(bytes.as_ptr().cast::<__m256i>());
            let next = _mm256_loadu_si256(next.as_ptr().cast::<__m256i>());
            let newline = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\n' as i8));
            let closes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'}' as i8));
            let joins = _mm256_and_si256(closes, opens_or_blank(next));
            _mm256_movemask_epi8(_mm256_or_si256(newline, joins)) as u32
        }
    }
}
