//! The vector primitives of the scanner, each with its safe twin. The only module that may say `unsafe`.
#![allow(unsafe_code)]

pub mod guess;
pub mod lanes;
pub mod line_ends;
pub mod rest;

/// Returns the index of the first byte at or after `from` that ends or complicates a JSON string: a quote, a
/// backslash, a control character, or a byte of a multi-byte character. Returns `bytes.len()` if there is none.
///
/// 16-byte vectors on x86-64, where SSE2 is always there. They reach most of the speed of 32-byte vectors, and need no
/// dispatch at run time, which would stop this function from being inlined into the walk.
#[inline(always)]
pub fn special(bytes: &[u8], from: usize) -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        special_sse2(bytes, from)
    }
    #[cfg(any(
        all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"),
        all(target_arch = "wasm32", target_feature = "simd128"),
    ))]
    {
        special_chunks(bytes, from)
    }
    #[cfg(not(any(
        target_arch = "x86_64",
        all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"),
        all(target_arch = "wasm32", target_feature = "simd128"),
    )))]
    {
        special_words(bytes, from)
    }
}

/// The same 32 bytes at a time, with the vectors of the machine.
#[inline(always)]
pub fn special_chunks(bytes: &[u8], from: usize) -> usize {
    let chunks = lanes::Chunks::new(bytes);
    let mut at = from;
    while let Some(chunk) = chunks.at(at) {
        let mask = <lanes::Common as lanes::Lanes>::special(chunk);
        if mask != 0 {
            return at + mask.trailing_zeros() as usize;
        }
        at += lanes::CHUNK;
    }
    special_bytes(bytes, at)
}

/// Whether two texts are the same. What the compiler offers for that in WebAssembly goes byte by byte.
#[inline]
pub fn same(left: &[u8], right: &[u8]) -> bool {
    if cfg!(target_arch = "wasm32") {
        same_words(left, right)
    } else {
        left == right
    }
}

/// Whether a text begins with another.
#[inline]
pub fn begins_with(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|begin| same(begin, start))
}

/// The form of [`same`] for WebAssembly: eight bytes at a time, the last ones once more.
#[cfg_attr(target_arch = "wasm32", inline)]
pub fn same_words(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    match (left.last_chunk::<8>(), right.last_chunk::<8>()) {
        (Some(last), Some(other)) => {
            let (words, others) = (left.as_chunks::<8>().0, right.as_chunks::<8>().0);
            let differs = |(word, other): (&[u8; 8], &[u8; 8])| u64::from_ne_bytes(*word) != u64::from_ne_bytes(*other);
            !differs((last, other)) && !words.iter().zip(others).any(differs)
        }
        _ => left.iter().zip(right).all(|(byte, other)| byte == other),
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn special_sse2(bytes: &[u8], from: usize) -> usize {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
    };
    let mut at = from;
    while at + 16 <= bytes.len() {
        // SAFETY: the loop condition keeps the 16 bytes inside the slice; the load has no alignment demand.
        let mask = unsafe {
            let chunk = _mm_loadu_si128(bytes.as_ptr().add(at).cast::<__m128i>());
            let quote = _mm_cmpeq_epi8(chunk, _mm_set1_epi8(b'"' as i8));
            let backslash = _mm_cmpeq_epi8(chunk, _mm_set1_epi8(b'\\' as i8));
            // Signed: bytes from 0x80 are negative, so one compare finds them and the control characters.
            let low_or_high = _mm_cmplt_epi8(chunk, _mm_set1_epi8(0x20));
            _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), low_or_high))
        };
        if mask != 0 {
            return at + mask.trailing_zeros() as usize;
        }
        at += 16;
    }
    special_bytes(bytes, at)
}

/// The safe twin of [`special`]: eight bytes at a time in a word.
#[cfg_attr(target_arch = "wasm32", inline)]
pub fn special_words(bytes: &[u8], from: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let mut at = from;
    while let Some(chunk) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or([0; 8]));
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let hits = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word)
            | word;
        if hits & HIGHS != 0 {
            // A borrow can only mark bytes behind the first true hit, so look at this word byte by byte.
            return special_bytes(bytes, at);
        }
        at += 8;
    }
    special_bytes(bytes, at)
}

#[cfg_attr(target_arch = "wasm32", inline)]
fn special_bytes(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let found = rest
        .iter()
        .position(|&byte| byte == b'"' || byte == b'\\' || !(0x20..0x80).contains(&byte));
    found.map_or(bytes.len(), |at| from + at)
}

/// All that a test goes through; under Miri, which is slow, a few of them, other ones with each turn.
#[cfg(test)]
fn some_of<T>(all: impl ExactSizeIterator<Item = T>, turn: usize) -> impl Iterator<Item = T> {
    let each = if cfg!(miri) { all.len().clamp(1, 37) } else { 1 };
    all.skip(turn.checked_rem(each).unwrap_or_default()).step_by(each)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_agree_on_every_byte_at_every_place() {
        for byte in 0..=255u8 {
            for at in some_of(0..40, byte.into()) {
                let mut bytes = vec![b'a'; 40];
                bytes[at] = byte;
                for from in some_of([0, 1, 7, at].into_iter(), byte.into()) {
                    let expected = special_bytes(&bytes, from);
                    assert_eq!(special(&bytes, from), expected, "byte {byte} at {at} from {from}");
                    assert_eq!(special_words(&bytes, from), expected, "byte {byte} at {at} from {from}");
                    assert_eq!(
                        special_chunks(&bytes, from),
                        expected,
                        "byte {byte} at {at} from {from}"
                    );
                }
            }
        }
    }

    #[test]
    fn texts_are_the_same_if_no_byte_differs() {
        for len in 0..40 {
            let text: Vec<u8> = (0..len).collect();
            assert!(same(&text, &text) && same_words(&text, &text.clone()));
            for at in 0..text.len() {
                let mut other = text.clone();
                other[at] ^= 0x80;
                assert!(
                    !same(&text, &other) && !same_words(&text, &other),
                    "{len} bytes, another one at {at}"
                );
                assert!(!same_words(&text, &text[..at]));
                assert!(begins_with(&text, &text[..at]) && !begins_with(&text[..at], &text));
                assert!(!begins_with(&text, &other[..=at]));
            }
        }
    }

    #[test]
    fn nothing_to_find_is_the_length() {
        for len in 0..40 {
            let bytes = vec![b'x'; len];
            assert_eq!(special(&bytes, 0), len);
            assert_eq!(special_words(&bytes, 0), len);
            assert_eq!(special(&bytes, len), len);
        }
    }

    #[test]
    fn two_hits_in_one_word_give_the_first() {
        let bytes = b"abc\"\x80\"\\ab\ncdefghijk";
        for from in 0..bytes.len() {
            assert_eq!(special(bytes, from), special_bytes(bytes, from));
            assert_eq!(special_words(bytes, from), special_bytes(bytes, from));
        }
    }
}
