//! All kinds of vectors against the slow and obvious.

use super::super::some_of;
use super::*;

struct Both<'c>(&'c Chunk, &'c Chunk);

impl Task for Both<'_> {
    type Output = [u32; 3];

    #[inline(always)]
    fn run<L: Lanes>(self) -> [u32; 3] {
        [
            L::equal(self.0, self.1),
            L::special(self.0),
            L::line_end(self.0, self.1),
        ]
    }
}

fn slow(left: &Chunk, right: &Chunk) -> (u32, u32) {
    let bits = |test: &dyn Fn(usize) -> bool| (0..CHUNK).map(|n| u32::from(test(n)) << n).sum();
    let special = |byte: u8| byte == b'"' || byte == b'\\' || !(0x20..0x80).contains(&byte);
    (bits(&|n| left[n] == right[n]), bits(&|n| special(left[n])))
}

/// What ends a line, and what may be told of it besides.
fn line_end(left: &Chunk, right: &Chunk) -> (u32, u32) {
    let bits = |test: &dyn Fn(usize) -> bool| (0..CHUNK).map(|n| u32::from(test(n)) << n).sum();
    let joins = |n: usize| left[n] == b'}' && b"{ \t\r\n".contains(&right[n]);
    let may_join = |n: usize| left[n] == b'}' && right[n] < b' ';
    (bits(&|n| left[n] == b'\n' || joins(n)), bits(&may_join))
}

fn check(left: &Chunk, right: &Chunk) {
    let expected = slow(left, right);
    let (ends, perhaps) = line_end(left, right);
    for [equal, special, told] in [
        Both(left, right).run::<Words>(),
        Width::common().run(Both(left, right)),
        Width::widest().run(Both(left, right)),
    ] {
        assert_eq!((equal, special), expected);
        assert_eq!(told & !perhaps, ends & !perhaps);
        assert_eq!(ends & !told, 0);
    }
}

#[test]
fn all_widths_agree_on_every_byte_at_every_place() {
    for byte in 0..=255u8 {
        for at in some_of(0..CHUNK, byte.into()) {
            let others = [b'a', b' ', b'!', b'\t', b'{', b'|', 0x00, 0x7f, 0x80, 0xff];
            for other in some_of(others.into_iter(), byte.into()) {
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
    for _ in 0..if cfg!(miri) { 20 } else { 20_000 } {
        let left: Chunk = std::array::from_fn(|_| next());
        let right = left.map(|byte| if next() < 0x40 { next() } else { byte });
        check(&left, &right);
    }
}

#[test]
fn chunks_end_where_the_bytes_end() {
    let bytes: Vec<u8> = (1..=80).collect();
    for len in some_of(0..bytes.len() + 1, 0) {
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
