//! A few questions about 32 bytes at once, by the widest vectors that the machine has.
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

    /// Which bytes end a line, or may end a JSON text behind which another stands: a newline; a closing brace before an opening
    /// one or a blank, or perhaps before any other control character. The other chunk begins one byte further on.
    fn line_end(bytes: &Chunk, next: &Chunk) -> u32;
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
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub type Common = wasm::Simd128;
/// The vectors that every machine of the kind has.
#[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
pub type Common = neon::Neon;
/// The vectors that every machine of the kind has.
#[cfg(not(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"),
    all(target_arch = "wasm32", target_feature = "simd128"),
)))]
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

    #[inline(always)]
    fn line_end(bytes: &Chunk, next: &Chunk) -> u32 {
        let mut mask = 0;
        for (index, (word, next)) in words(bytes).zip(words(next)).enumerate() {
            let newline = zeros(word ^ (ONES * u64::from(b'\n')));
            let closes = zeros(word ^ (ONES * u64::from(b'}')));
            let opens = zeros(next ^ (ONES * u64::from(b'{')));
            let blank = zeros(next & (ONES * 0xe0)) | zeros(next ^ (ONES * u64::from(b' ')));
            mask |= (newline | closes & (opens | blank)) << (8 * index);
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

#[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
mod neon;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
pub(super) use neon::{bits, may_join};
#[cfg(target_arch = "x86_64")]
pub(super) use x86::opens_or_blank;

#[cfg(test)]
mod tests;
