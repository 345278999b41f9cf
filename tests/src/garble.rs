//! Lines changed at random as text: quotes, escapes, UTF-8, numbers, tokens moved, names repeated, lines spliced.

use std::ops::Range;

use crate::random::Random;

const ESCAPES: [&[u8]; 11] = [
    b"\\n",
    b"\\\"",
    b"\\\\",
    b"\\/",
    b"\\u0041",
    b"\\ud800",
    b"\\ud83d\\ude00",
    b"\\x",
    b"\\u12g4",
    b"\\u12",
    b"\\",
];
const CHARACTERS: [&[u8]; 10] = [
    "\u{e9}".as_bytes(),
    "\u{8a9e}\u{8a9e}".as_bytes(),
    "\u{1f600}".as_bytes(),
    b"\x7f",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\x01",
    b"\x1f",
];
const SCALARS: [&[u8]; 24] = [
    b"0",
    b"-0",
    b"01",
    b"1.",
    b".5",
    b"1e",
    b"1e+5",
    b"-",
    b"+1",
    b"1E-3",
    b"-1.5e10",
    b"0x1",
    b"NaN",
    b"true",
    b"tru",
    b"false",
    b"null",
    b"nul",
    b"98765432109876543210",
    b"\"\"",
    b"[]",
    b"{}",
    b"[[]]",
    b"{\"a\":{\"a\":[null]}}",
];
const BYTES: [u8; 20] = *b"\"\\{}[]:,0-.etfn \t\x00\x80\xff";
const BLANKS: [&[u8]; 6] = [b" ", b"\t", b"  ", b"\r", b" \t\r ", b"\n"];

/// A line, without its newline, changed in one place, seldom in two. `other` is a line to take pieces from.
#[must_use]
pub fn garble(line: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = once(line, other, random);
    if random.one_in(5) {
        out = once(&out, other, random);
    }
    out
}

fn once(line: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let tokens = tokens(line);
    let Some(token) = random.pick(&tokens).cloned() else {
        return line.to_vec();
    };
    let kind = random.below(14);
    match kind {
        0 => put(line, random.below(line.len() as u64 + 1) as usize, b"\""),
        1 => match line
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'"')
            .nth(random.below(40) as usize)
        {
            Some((quote, _)) => replace(line, quote..quote + 1, b""),
            None => line.to_vec(),
        },
        2 | 3 => {
            let pieces: &[&[u8]] = if kind == 2 { &ESCAPES } else { &CHARACTERS };
            let piece = random.pick(pieces).copied().unwrap_or_default();
            match of_kind(line, &tokens, b'"', random) {
                Some(text) => put(
                    line,
                    text.start + 1 + random.below(text.len() as u64 - 1) as usize,
                    piece,
                ),
                None => line.to_vec(),
            }
        }
        4 => {
            let number = of_kind(line, &tokens, b'0', random).unwrap_or(token);
            replace(line, number, random.pick(&SCALARS).copied().unwrap_or_default())
        }
        5 => replace(line, token, random.pick(&SCALARS).copied().unwrap_or_default()),
        6 => moved(line, &tokens, random),
        7 => {
            let copy = line[token.clone()].to_vec();
            put(line, random.pick(&tokens).map_or(0, |place| place.start), &copy)
        }
        8 => replace(line, token, b""),
        9 => repeated(line, &tokens, random),
        10 => spliced(line, &tokens, other, random),
        11 => {
            let at = random.below(line.len() as u64) as usize;
            replace(line, at..at + 1, &[random.pick(&BYTES).copied().unwrap_or(b'"')])
        }
        12 => put(line, token.start, random.pick(&BLANKS).copied().unwrap_or_default()),
        _ => line[..random.below(line.len() as u64 + 1) as usize].to_vec(),
    }
}

fn replace(line: &[u8], range: Range<usize>, with: &[u8]) -> Vec<u8> {
    [&line[..range.start], with, &line[range.end..]].concat()
}

fn put(line: &[u8], at: usize, piece: &[u8]) -> Vec<u8> {
    replace(line, at..at, piece)
}

/// Where strings, scalars and single signs stand. Of text that is no JSON any tokens.
fn tokens(line: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < line.len() {
        let start = at;
        let is_sign = |byte: &u8| matches!(byte, b'{' | b'}' | b'[' | b']' | b':' | b',' | b'"');
        at += 1;
        if line[start] == b'"' {
            while at < line.len() && line[at] != b'"' {
                at += 1 + usize::from(line[at] == b'\\');
            }
            at = (at + 1).min(line.len());
        } else if !is_sign(&line[start]) {
            at += line[at..].iter().take_while(|byte| !is_sign(byte)).count();
        }
        found.push(start..at);
    }
    found
}

/// A token that begins with a quote (`"`) or a digit (`0`).
fn of_kind(line: &[u8], tokens: &[Range<usize>], kind: u8, random: &mut Random) -> Option<Range<usize>> {
    let is_kind = |token: &&Range<usize>| match line[token.start] {
        b'"' => kind == b'"' && token.len() > 1,
        byte => kind == b'0' && byte.is_ascii_digit(),
    };
    let own: Vec<_> = tokens.iter().filter(is_kind).collect();
    random.pick(&own).map(|token| (*token).clone())
}

fn moved(line: &[u8], tokens: &[Range<usize>], random: &mut Random) -> Vec<u8> {
    let from = random.below(tokens.len() as u64) as usize;
    let to = random.below(tokens.len() as u64) as usize;
    let mut order: Vec<&Range<usize>> = tokens.iter().collect();
    let token = order.remove(from);
    order.insert(to.min(order.len()), token);
    order
        .into_iter()
        .flat_map(|token| &line[token.clone()])
        .copied()
        .collect()
}

/// A member stands once more, behind itself or at the end of the line's object.
fn repeated(line: &[u8], tokens: &[Range<usize>], random: &mut Random) -> Vec<u8> {
    let colons: Vec<usize> = (1..tokens.len()).filter(|&at| line[tokens[at].start] == b':').collect();
    let Some(&colon) = random.pick(&colons) else {
        return line.to_vec();
    };
    let mut depth = 0i32;
    let mut end = colon + 1;
    while end < tokens.len() {
        match line[tokens[end].start] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        if depth <= 0 {
            break;
        }
        end += 1;
    }
    let Some(last) = tokens.get(end) else {
        return line.to_vec();
    };
    let member = [b",", &line[tokens[colon - 1].start..last.end]].concat();
    let at = if random.one_in(2) {
        last.end
    } else {
        tokens.last().map_or(0, |brace| brace.start)
    };
    put(line, at, &member)
}

/// The beginning of one line and the end of another.
fn spliced(line: &[u8], tokens: &[Range<usize>], other: &[u8], random: &mut Random) -> Vec<u8> {
    let commas = |line: &[u8], tokens: &[Range<usize>]| -> Vec<usize> {
        let own = tokens.iter().filter(|token| line[token.start] == b',');
        own.map(|token| token.start).collect()
    };
    let cut = random.pick(&commas(line, tokens)).copied().unwrap_or(line.len());
    let rest = random.pick(&commas(other, &self::tokens(other))).copied().unwrap_or(0);
    [&line[..cut], &other[rest..]].concat()
}
