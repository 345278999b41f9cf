//! One pass over a block for the ends of its lines, what may be spelled otherwise in them, and pairs of bytes.

#[cfg(target_arch = "x86_64")]
use super::lanes::opens_or_blank;
use super::rest::joins;

/// The end of a line of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineEnd(usize);

impl LineEnd {
    fn new(newline: usize, odd: bool) -> Self {
        LineEnd(newline << 1 | usize::from(odd))
    }

    /// Where the newline stands.
    #[inline]
    pub fn newline(self) -> usize {
        self.0 >> 1
    }

    /// Whether the line holds `\u`, by which any letter may be spelled, or a place where two objects may meet: `}{`, with
    /// blanks between them or without.
    #[inline]
    pub fn is_odd(self) -> bool {
        self.0 & 1 == 1
    }
}

/// What [`line_ends`] finds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LineEnds {
    /// The ends of all lines, in order. What stands behind the last newline is no line.
    pub ends: Vec<LineEnd>,
    /// Where the pairs begin, in order.
    pub pairs: Vec<usize>,
}

/// Where there are more pairs than this, [`line_ends`] does not tell all their places, but more than this.
pub const MOST_PLACES: usize = 4096;

/// Most pairs that [`line_ends`] looks for.
pub const MOST_PAIRS: usize = 3;

/// Finds in one pass where the lines of a block end, which of them are odd, and where any of these pairs of bytes begin;
/// no pair holds a newline. More than [`MOST_PAIRS`] pairs are not looked for.
///
/// One call looks at a whole block, so the vectors can be as wide as the processor has them.
#[cfg_attr(target_arch = "wasm32", inline)]
pub fn line_ends(block: &[u8], pairs: &[[u8; 2]], found: &mut LineEnds) {
    found.ends.clear();
    found.pairs.clear();
    #[cfg(target_arch = "x86_64")]
    match *pairs {
        [first] => line_ends_vectors([first], block, found),
        [first, second] => line_ends_vectors([first, second], block, found),
        [first, second, third] => line_ends_vectors([first, second, third], block, found),
        _ => line_ends_vectors([], block, found),
    }
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    simd128::line_ends(block, pairs, found);
    #[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))))]
    line_ends_searched(block, pairs, found);
}

#[cfg(target_arch = "x86_64")]
fn line_ends_vectors<const N: usize>(pairs: [[u8; 2]; N], block: &[u8], found: &mut LineEnds) {
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, as tested.
        unsafe { line_ends_avx2(pairs, block, found) }
    } else {
        line_ends_sse2(pairs, block, found);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn line_ends_avx2<const N: usize>(pairs: [[u8; 2]; N], block: &[u8], found: &mut LineEnds) {
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

#[cfg(target_arch = "x86_64")]
fn line_ends_sse2<const N: usize>(pairs: [[u8; 2]; N], block: &[u8], found: &mut LineEnds) {
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

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128 {
    use std::arch::wasm32::{
        i8x16_bitmask, i8x16_eq, i8x16_splat, u8x16_le, v128, v128_and, v128_any_true, v128_load, v128_or,
    };

    use super::{LineEnds, joined, line_ends_bytes, tell_ends};

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
}

/// Those of the closing braces before a blank, or what is below one, or an opening brace, that an opening one follows indeed.
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
fn joined(block: &[u8], at: usize, braces: u64) -> u64 {
    let (mut joined, mut rest) = (0, braces);
    while rest != 0 {
        let lowest = rest & rest.wrapping_neg();
        if joins(block, at + rest.trailing_zeros() as usize) {
            joined |= lowest;
        }
        rest ^= lowest;
    }
    joined
}

/// Adds what was found in a vector, bit for byte, and returns whether the line behind it is odd so far.
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
fn tell_ends(at: usize, bits: [u64; 3], mut odd: bool, found: &mut LineEnds) -> bool {
    let [mut newlines, mut odds, mut pairs] = bits;
    while pairs != 0 && found.pairs.len() <= MOST_PLACES {
        found.pairs.push(at + pairs.trailing_zeros() as usize);
        pairs &= pairs - 1;
    }
    while newlines != 0 {
        let bit = newlines.trailing_zeros();
        let before = (1u64 << bit) - 1;
        found
            .ends
            .push(LineEnd::new(at + bit as usize, odd || odds & before != 0));
        odd = false;
        odds &= !before;
        newlines &= newlines - 1;
    }
    odd || odds != 0
}

/// The safe twin of [`line_ends`]: a search for each.
#[cfg_attr(target_arch = "wasm32", inline)]
pub fn line_ends_searched(block: &[u8], pairs: &[[u8; 2]], found: &mut LineEnds) {
    let next = |pair: &[u8], from: usize| {
        let at = block.get(from..).and_then(|rest| memchr::memmem::find(rest, pair));
        at.map_or(block.len(), |at| from + at)
    };
    let next_joint = |from: usize| {
        let mut braces = memchr::memchr_iter(b'}', block.get(from..).unwrap_or_default());
        let joint = braces.find(|brace| joins(block, from + brace));
        joint.map_or(block.len(), |at| from + at)
    };
    let (mut escape, mut joint) = (next(b"\\u", 0), next_joint(0));
    for newline in memchr::memchr_iter(b'\n', block) {
        found.ends.push(LineEnd::new(newline, escape.min(joint) < newline));
        if escape < newline {
            escape = next(b"\\u", newline);
        }
        if joint < newline {
            joint = next_joint(newline);
        }
    }
    for pair in pairs.iter().filter(|_| pairs.len() <= MOST_PAIRS) {
        let mut at = next(pair, 0);
        while at < block.len() {
            found.pairs.push(at);
            // Pairs of the same byte overlap.
            at = next(pair, at + 1);
        }
    }
    found.pairs.sort_unstable();
    found.pairs.dedup();
}

/// What [`line_ends`] does from a place on, where the line has been odd already or not.
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
#[cfg_attr(target_arch = "wasm32", inline)]
fn line_ends_bytes(block: &[u8], pairs: &[[u8; 2]], from: usize, mut odd: bool, found: &mut LineEnds) {
    for at in from..block.len() {
        let next = block.get(at + 1).copied();
        match block[at] {
            b'\n' => found.ends.push(LineEnd::new(at, std::mem::take(&mut odd))),
            b'\\' => odd |= next == Some(b'u'),
            b'}' => odd |= joins(block, at),
            _ => {}
        }
        if pairs.iter().any(|pair| pair[0] == block[at] && next == Some(pair[1])) {
            found.pairs.push(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type EndsOf = fn(&[u8], &[[u8; 2]], &mut LineEnds);

    fn all_forms_of_line_ends() -> Vec<EndsOf> {
        let all: [EndsOf; 3] = [line_ends, line_ends_searched, |block, pairs, found| {
            #[cfg(target_arch = "x86_64")]
            match *pairs {
                [] => line_ends_sse2([], block, found),
                [one] => line_ends_sse2([one], block, found),
                [one, other] => line_ends_sse2([one, other], block, found),
                [one, other, third] => line_ends_sse2([one, other, third], block, found),
                _ => {}
            }
            #[cfg(not(target_arch = "x86_64"))]
            line_ends_searched(block, pairs, found);
        }];
        all.to_vec()
    }

    fn line_ends_expected(block: &[u8], pairs: &[[u8; 2]]) -> LineEnds {
        let mut start = 0;
        let mut found = LineEnds::default();
        for line in block
            .split_inclusive(|&byte| byte == b'\n')
            .filter(|line| line.ends_with(b"\n"))
        {
            let solid: Vec<u8> = line.iter().copied().filter(|byte| !b" \t\r".contains(byte)).collect();
            let has = |text: &[u8], pair: &[u8]| text.windows(2).any(|two| two == pair);
            let odd = has(line, b"\\u") || has(&solid, b"}{");
            start += line.len();
            found.ends.push(LineEnd::new(start - 1, odd));
        }
        let is_wanted = |at: &usize| pairs.iter().any(|pair| block.get(*at..at + 2) == Some(&pair[..]));
        found.pairs.extend((0..block.len()).filter(is_wanted));
        found
    }

    fn assert_line_ends(block: &[u8], pairs: &[[u8; 2]]) {
        let expected = line_ends_expected(block, pairs);
        for form in all_forms_of_line_ends() {
            let mut found = LineEnds::default();
            form(block, pairs, &mut found);
            assert_eq!(found, expected, "{pairs:?} in {}", String::from_utf8_lossy(block));
        }
    }

    const EACH: usize = if cfg!(miri) { 13 } else { 1 };

    /// Pairs on both sides of newlines, of vectors and of the block's end.
    #[test]
    fn line_ends_are_told_at_every_place() {
        for piece in [
            &b"\n"[..],
            b"\\u",
            b"}{",
            b"\n\\u",
            b"\n}{",
            b"\\u\n",
            b"}{\n",
            b"}\n{",
            b"} {",
            b"}\r\n",
            b"}\r{\n",
            b"}\r \t\r                                 {",
            b"} }\t",
            b"\\\nu",
            b"\n\n}{\n\\u\n",
            b"7777",
            b"\n83\n",
        ] {
            for at in (0..140).step_by(EACH) {
                let mut block = [b'u'; 150];
                block[70] = b'\n';
                block[149] = b'\n';
                let end = (at + piece.len()).min(150);
                block[at..end].copy_from_slice(&piece[..end - at]);
                for len in [150, 149, 130, 97, 66, 65, 64, 33, 17, 16, 1, 0] {
                    assert_line_ends(&block[..len], &[]);
                    assert_line_ends(&block[..len], &[*b"77", *b"83"]);
                }
            }
        }
    }

    #[test]
    fn line_ends_of_any_text_are_those_of_the_twin() {
        let signs = b"\n\\u}{ \raaa";
        let mut state = 1u32;
        for len in (0..4000 / EACH).step_by(7) {
            let block: Vec<u8> = (0..len)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    signs[(state >> 16) as usize % signs.len()]
                })
                .collect();
            let pairs = [*b"aa", *b"{a", *b"}{"];
            assert_line_ends(&block, &pairs[..len % 4]);
        }
    }
}
