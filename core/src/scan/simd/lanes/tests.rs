//! All widths against the slow and obvious.

use super::*;

struct Both<'c> {
    here: &'c Chunk,
    head: &'c Chunk,
    counts: u64,
}

impl Task for Both<'_> {
    type Output = (bool, Option<u32>);

    #[inline(always)]
    fn run<L: Lanes>(self) -> (bool, Option<u32>) {
        (L::begins(self.here, self.head, self.counts), L::special(self.here))
    }
}

fn check(here: &Chunk, head: &Chunk, len: usize) {
    let is_special = |byte: u8| byte == b'"' || byte == b'\\' || !(0x20..0x80).contains(&byte);
    let special = here.iter().position(|&byte| is_special(byte)).map(|at| at as u32);
    let expected = (here[..len] == head[..len], special);
    let counts = if len == CHUNK { u64::MAX } else { (1 << len) - 1 };
    let both = || Both { here, head, counts };
    assert_eq!(both().run::<Words>(), expected, "words, {len}");
    for width in Width::all() {
        assert_eq!(width.run(both()), expected, "{width:?}, {len}");
    }
}

#[test]
fn all_widths_agree_on_every_byte_at_every_place() {
    for byte in 0..=255u8 {
        for at in 0..CHUNK {
            for other in [b'a', b' ', 0x7f] {
                let head = [other; CHUNK];
                let mut here = head;
                here[at] = byte;
                for len in [0, 1, at, at + 1, CHUNK] {
                    check(&here, &head, len);
                }
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
    for round in 0..20_000 {
        let plain = round % 2 == 0;
        let here: Chunk = std::array::from_fn(|_| if plain { b'a' + next() % 26 } else { next() });
        let head = here.map(|byte| if next() < 4 { next() } else { byte });
        check(&here, &head, usize::from(next()) % (CHUNK + 1));
    }
}

#[test]
fn chunks_end_where_the_bytes_end() {
    let bytes: Vec<u8> = (1..=200).collect();
    for len in 0..=bytes.len() {
        let chunks = Chunks::new(&bytes[..len]);
        for at in (0..220).chain([usize::MAX - 1, usize::MAX]) {
            let whole = at.checked_add(CHUNK).and_then(|end| bytes[..len].get(at..end));
            assert_eq!(chunks.at(at).map(|chunk| &chunk[..]), whole);
            let padded = chunks.padded(at);
            let there = bytes[..len].get(at..).unwrap_or_default();
            let there = &there[..there.len().min(CHUNK)];
            assert!(padded.starts_with(there) && padded[there.len()..].iter().all(|&byte| byte == 0));
        }
    }
}
