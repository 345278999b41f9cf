//! Two questions about 32 bytes at once, by the widest vectors that the machine has.
//!
//! A task is written once over [`Lanes`] and compiled for each kind of vector; [`Width::run`] chooses at run time.

/// Bytes that are looked at together.
pub const CHUNK: usize = 32;

/// So many bytes.
pub type Chunk = [u8; CHUNK];

/// One kind of vector. The answers have bit `n` set for byte `n`.
pub trait Lanes {
    /// Which bytes are the same on both sides.
    fn equal(left: &Chunk, right: &Chunk) -> u32;

    /// Which bytes end or complicate a JSON string: a quote, a backslash, a control character, or a byte of a multi-byte
    /// character.
    fn special(bytes: &Chunk) -> u32;
}

/// Something to do with vectors. `run` should be `#[inline(always)]`, so that it is compiled for the vectors it is run with.
pub trait Task {
    /// What comes of it.
    type Output;

    /// Does it.
    fn run<L: Lanes>(self) -> Self::Output;
}

/// The vectors of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Width {
    /// Only ever set where the machine has been asked.
    avx2: bool,
}

impl Width {
    /// The widest that the machine has.
    pub fn widest() -> Self {
        #[cfg(target_arch = "x86_64")]
        let avx2 = std::is_x86_feature_detected!("avx2")
            && std::is_x86_feature_detected!("bmi1")
            && std::is_x86_feature_detected!("bmi2");
        #[cfg(not(target_arch = "x86_64"))]
        let avx2 = false;
        Width { avx2 }
    }

    /// Those that every machine of the kind has.
    pub const fn common() -> Self {
        Width { avx2: false }
    }

    /// Does a task with these vectors.
    #[inline(always)]
    pub fn run<T: Task>(self, task: T) -> T::Output {
        #[cfg(target_arch = "x86_64")]
        if self.avx2 {
            // SAFETY: the field is private, and set only where the machine has said that it has all three.
            return unsafe { x86::with_avx2(task) };
        }
        task.run::<Common>()
    }
}

/// The vectors that every machine of the kind has.
#[cfg(target_arch = "x86_64")]
pub type Common = x86::Sse2;
/// The vectors that every machine of the kind has.
#[cfg(not(target_arch = "x86_64"))]
pub type Common = Words;

/// Bytes out of which 32 can be taken at any place.
#[derive(Clone, Copy, Debug)]
pub struct Chunks<'b> {
    bytes: &'b [u8],
    /// From here on fewer than 32 are left.
    rest: usize,
}

impl<'b> Chunks<'b> {
    /// Chunks of these bytes.
    #[inline(always)]
    pub fn new(bytes: &'b [u8]) -> Self {
        Chunks {
            bytes,
            rest: (bytes.len() + 1).saturating_sub(CHUNK),
        }
    }

    /// The bytes themselves.
    #[inline(always)]
    pub fn bytes(self) -> &'b [u8] {
        self.bytes
    }

    /// The 32 bytes from a place on; `None` where fewer are left.
    #[inline(always)]
    pub fn at(self, at: usize) -> Option<&'b Chunk> {
        if at >= self.rest {
            return None;
        }
        // SAFETY: `at < len - 31`, so the 32 bytes from there on are inside the slice; bytes have no alignment.
        Some(unsafe { &*self.bytes.as_ptr().add(at).cast::<Chunk>() })
    }

    /// The same where fewer may be left: what is missing is zero, which stands in no JSON text.
    #[cold]
    pub fn padded(self, at: usize) -> Chunk {
        let rest = self.bytes.get(at..).unwrap_or_default();
        let len = rest.len().min(CHUNK);
        let mut chunk = [0; CHUNK];
        chunk[..len].copy_from_slice(&rest[..len]);
        chunk
    }
}

/// No vectors: eight bytes at a time in a word. The safe twin of all others.
#[derive(Clone, Copy, Debug)]
pub struct Words;

impl Lanes for Words {
    #[inline(always)]
    fn equal(left: &Chunk, right: &Chunk) -> u32 {
        let mut mask = 0;
        for (word, (left, right)) in words(left).zip(words(right)).enumerate() {
            mask |= zeros(left ^ right) << (8 * word);
        }
        mask
    }

    #[inline(always)]
    fn special(bytes: &Chunk) -> u32 {
        let mut mask = 0;
        for (index, word) in words(bytes).enumerate() {
            let quote = zeros(word ^ (ONES * u64::from(b'"')));
            let backslash = zeros(word ^ (ONES * u64::from(b'\\')));
            // Below 0x20 three bits are zero that else are not all.
            let control = zeros(word & (ONES * 0xe0));
            mask |= (quote | backslash | control | high_bits(word)) << (8 * index);
        }
        mask
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const LOWS: u64 = 0x7f7f_7f7f_7f7f_7f7f;

#[inline(always)]
fn words(chunk: &Chunk) -> impl Iterator<Item = u64> {
    let (words, _) = chunk.as_chunks::<8>();
    words.iter().map(|&word| u64::from_le_bytes(word))
}

/// A bit for each byte of the word that is zero. Nothing is carried from byte to byte.
#[inline(always)]
fn zeros(word: u64) -> u32 {
    high_bits(!(((word & LOWS) + LOWS) | word))
}

/// The highest bit of each byte of the word.
#[inline(always)]
fn high_bits(word: u64) -> u32 {
    ((((word >> 7) & ONES).wrapping_mul(0x0102_0408_1020_4080)) >> 56) as u32
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! SSE2, which every machine has, and AVX2.

    use std::arch::x86_64::{
        __m128i, __m256i, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128,
        _mm_set1_epi8, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set1_epi8,
    };

    use super::{Chunk, Lanes, Task};

    /// Does a task with AVX2.
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    pub(super) fn with_avx2<T: Task>(task: T) -> T::Output {
        task.run::<Avx2>()
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Both<'c>(&'c Chunk, &'c Chunk);

    impl Task for Both<'_> {
        type Output = (u32, u32);

        #[inline(always)]
        fn run<L: Lanes>(self) -> (u32, u32) {
            (L::equal(self.0, self.1), L::special(self.0))
        }
    }

    fn slow(left: &Chunk, right: &Chunk) -> (u32, u32) {
        let bits = |test: &dyn Fn(usize) -> bool| (0..CHUNK).map(|n| u32::from(test(n)) << n).sum();
        let special = |byte: u8| byte == b'"' || byte == b'\\' || !(0x20..0x80).contains(&byte);
        (bits(&|n| left[n] == right[n]), bits(&|n| special(left[n])))
    }

    fn check(left: &Chunk, right: &Chunk) {
        let expected = slow(left, right);
        assert_eq!(Both(left, right).run::<Words>(), expected);
        assert_eq!(Width::common().run(Both(left, right)), expected);
        assert_eq!(Width::widest().run(Both(left, right)), expected);
    }

    #[test]
    fn all_widths_agree_on_every_byte_at_every_place() {
        for byte in 0..=255u8 {
            for at in 0..CHUNK {
                for other in [b'a', b' ', 0x00, 0x7f, 0x80, 0xff] {
                    let right = [other; CHUNK];
                    let mut left = right;
                    left[at] = byte;
                    check(&left, &right);
                }
            }
        }
    }

    #[test]
    fn all_widths_agree_on_mixed_bytes() {
        // A simple generator: neighbours of all kinds come by.
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        for _ in 0..20_000 {
            let left: Chunk = std::array::from_fn(|_| next());
            let right = left.map(|byte| if next() < 0x40 { next() } else { byte });
            check(&left, &right);
        }
    }

    #[test]
    fn chunks_end_where_the_bytes_end() {
        let bytes: Vec<u8> = (1..=80).collect();
        for len in 0..=bytes.len() {
            let chunks = Chunks::new(&bytes[..len]);
            for at in (0..100).chain([usize::MAX - 1, usize::MAX]) {
                let whole = at.checked_add(CHUNK).and_then(|end| bytes[..len].get(at..end));
                assert_eq!(chunks.at(at).map(|chunk| &chunk[..]), whole);
                let padded = chunks.padded(at);
                let there = bytes[..len].get(at..).unwrap_or_default();
                let there = &there[..there.len().min(CHUNK)];
                assert!(padded.starts_with(there) && padded[there.len()..].iter().all(|&byte| byte == 0));
            }
        }
    }
}
