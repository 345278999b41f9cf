//! All forms against the slow and obvious.

use super::super::some_of;
use super::*;

type EndsOf = fn(&[u8], &[[u8; 2]], &mut LineEnds);

fn all_forms_of_line_ends() -> Vec<EndsOf> {
    let all: [EndsOf; 3] = [line_ends, line_ends_searched, |block, pairs, found| {
        #[cfg(target_arch = "x86_64")]
        match *pairs {
            [] => x86::with_sse2([], block, found),
            [one] => x86::with_sse2([one], block, found),
            [one, other] => x86::with_sse2([one, other], block, found),
            [one, other, third] => x86::with_sse2([one, other, third], block, found),
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

/// Pairs on both sides of newlines, of vectors and of the block's end.
#[test]
fn line_ends_are_told_at_every_place() {
    let lengths = [150, 149, 130, 97, 66, 65, 64, 33, 17, 16, 1, 0];
    let pieces = [
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
    ];
    for (piece, of_it) in pieces.into_iter().zip(0..) {
        for at in some_of(0..140, 11 * of_it) {
            let mut block = [b'u'; 150];
            block[70] = b'\n';
            block[149] = b'\n';
            let end = (at + piece.len()).min(150);
            block[at..end].copy_from_slice(&piece[..end - at]);
            for len in some_of(lengths.into_iter(), at) {
                for pairs in some_of([&[][..], &[*b"77", *b"83"]].into_iter(), at) {
                    assert_line_ends(&block[..len], pairs);
                }
            }
        }
    }
}

#[test]
fn line_ends_of_any_text_are_those_of_the_twin() {
    let signs = b"\n\\u}{ \raaa";
    let mut state = 1u32;
    for len in (0..if cfg!(miri) { 150 } else { 4000 }).step_by(7) {
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
