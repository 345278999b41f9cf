//! SSE2, which every machine has, AVX2 and AVX-512.

use std::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128,
    _mm_set1_epi8, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256,
    _mm256_set1_epi8, _mm512_cmpeq_epi8_mask, _mm512_cmplt_epi8_mask, _mm512_loadu_si512,
    _mm512_mask_cmpneq_epi8_mask, _mm512_set1_epi8,
};

use super::{Chunk, Lanes, Task, Width};

/// What the machine says.
pub(super) fn widest() -> Width {
    let has_bits = std::is_x86_feature_detected!("bmi1") && std::is_x86_feature_detected!("bmi2");
    let avx2 = has_bits && std::is_x86_feature_detected!("avx2");
    // The machines without VBMI are the old ones that slow down where wide vectors are used.
    let avx512 = avx2 && std::is_x86_feature_detected!("avx512bw") && std::is_x86_feature_detected!("avx512vbmi");
    Width { avx2, avx512 }
}

/// Does a task with AVX2.
#[target_feature(enable = "avx2,bmi1,bmi2")]
pub(super) fn with_avx2<T: Task>(task: T) -> T::Output {
    task.run::<Avx2>()
}

/// Does a task with AVX-512.
#[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2")]
pub(super) fn with_avx512<T: Task>(task: T) -> T::Output {
    task.run::<Avx512>()
}

/// Vectors of 16 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Sse2;

/// Vectors of 32 bytes. Not to be had outside of [`with_avx2`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2;

/// Vectors of 64 bytes. Not to be had outside of [`with_avx512`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512;

impl Lanes for Sse2 {
    #[inline(always)]
    fn begins(here: &Chunk, head: &Chunk, counts: u64) -> bool {
        let mut left = counts;
        let (parts, heads) = (here.as_chunks::<16>().0, head.as_chunks::<16>().0);
        for (part, head) in parts.iter().zip(heads) {
            // SAFETY: each load is of the 16 bytes of its part, without alignment demand.
            let same = unsafe {
                let part = _mm_loadu_si128(part.as_ptr().cast::<__m128i>());
                let head = _mm_loadu_si128(head.as_ptr().cast::<__m128i>());
                _mm_movemask_epi8(_mm_cmpeq_epi8(part, head)) as u64
            };
            if !same & left & 0xffff != 0 {
                return false;
            }
            left >>= 16;
            if left == 0 {
                return true;
            }
        }
        true
    }

    #[inline(always)]
    fn special(bytes: &Chunk) -> Option<u32> {
        for (index, part) in bytes.as_chunks::<16>().0.iter().enumerate() {
            // SAFETY: the load is of the 16 bytes of the part, without alignment demand.
            let found = unsafe {
                let part = _mm_loadu_si128(part.as_ptr().cast::<__m128i>());
                let quote = _mm_cmpeq_epi8(part, _mm_set1_epi8(b'"' as i8));
                let backslash = _mm_cmpeq_epi8(part, _mm_set1_epi8(b'\\' as i8));
                // Signed: bytes from 0x80 are negative, so one compare finds them and the control characters.
                let low_or_high = _mm_cmplt_epi8(part, _mm_set1_epi8(0x20));
                _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), low_or_high)) as u32
            };
            if found != 0 {
                return Some(16 * index as u32 + found.trailing_zeros());
            }
        }
        None
    }
}

impl Lanes for Avx2 {
    #[inline(always)]
    fn begins(here: &Chunk, head: &Chunk, counts: u64) -> bool {
        let (parts, heads) = (here.as_chunks::<32>().0, head.as_chunks::<32>().0);
        let same = |part: usize| {
            // SAFETY: each load is of the 32 bytes of its part, without alignment demand; only `with_avx2` names this
            // type, and it has the feature.
            unsafe {
                let here = _mm256_loadu_si256(parts[part].as_ptr().cast::<__m256i>());
                let head = _mm256_loadu_si256(heads[part].as_ptr().cast::<__m256i>());
                _mm256_movemask_epi8(_mm256_cmpeq_epi8(here, head)) as u32
            }
        };
        !same(0) & counts as u32 == 0 && (counts >> 32 == 0 || !same(1) & (counts >> 32) as u32 == 0)
    }

    #[inline(always)]
    fn special(bytes: &Chunk) -> Option<u32> {
        for (index, part) in bytes.as_chunks::<32>().0.iter().enumerate() {
            // SAFETY: as in `begins`.
            let found = unsafe {
                let part = _mm256_loadu_si256(part.as_ptr().cast::<__m256i>());
                let quote = _mm256_cmpeq_epi8(part, _mm256_set1_epi8(b'"' as i8));
                let backslash = _mm256_cmpeq_epi8(part, _mm256_set1_epi8(b'\\' as i8));
                // Signed, as above.
                let low_or_high = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), part);
                _mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(quote, backslash), low_or_high)) as u32
            };
            if found != 0 {
                return Some(32 * index as u32 + found.trailing_zeros());
            }
        }
        None
    }
}

impl Lanes for Avx512 {
    #[inline(always)]
    fn begins(here: &Chunk, head: &Chunk, counts: u64) -> bool {
        // SAFETY: each load is of a whole chunk, without alignment demand; only `with_avx512` names this type, and it has
        // the features.
        unsafe {
            let here = _mm512_loadu_si512(here.as_ptr().cast::<__m512i>());
            let head = _mm512_loadu_si512(head.as_ptr().cast::<__m512i>());
            _mm512_mask_cmpneq_epi8_mask(counts, here, head) == 0
        }
    }

    #[inline(always)]
    fn special(bytes: &Chunk) -> Option<u32> {
        // SAFETY: as in `begins`.
        let found = unsafe {
            let bytes = _mm512_loadu_si512(bytes.as_ptr().cast::<__m512i>());
            let quote = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'"' as i8));
            let backslash = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'\\' as i8));
            // Signed, as above.
            let low_or_high = _mm512_cmplt_epi8_mask(bytes, _mm512_set1_epi8(0x20));
            quote | backslash | low_or_high
        };
        (found != 0).then(|| found.trailing_zeros())
    }
}
