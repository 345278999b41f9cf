//! Lines written in another way around a text: escapes, cuts, joints, blanks. Some say the same, some do not.

use crate::random::Random;

/// A line, without its newline, changed where the text stands in it, or as a whole.
#[must_use]
pub fn respell(line: &[u8], text: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let places: Vec<usize> = (0..line.len()).filter(|&at| line[at..].starts_with(text)).collect();
    match (random.pick(&places), random.below(5)) {
        (Some(&at), 1..) => around(line, at, text.len(), random),
        _ => whole(line, other, random),
    }
}

/// One byte of the text, or beside it, in another way.
fn around(line: &[u8], at: usize, len: usize, random: &mut Random) -> Vec<u8> {
    let place = at + random.below(len as u64) as usize;
    let byte = line[place];
    let (from, to, with) = match random.below(9) {
        0 | 1 => (place, place + 1, format!("\\u{byte:04x}").into_bytes()),
        2 if byte == b'/' => (place, place + 1, b"\\/".to_vec()),
        2 => (place, place + 1, vec![b'\\', byte]),
        3 => (place, place + 1, vec![byte ^ 0x20]),
        4 => (place, place + 1, Vec::new()),
        5 => (place, place, vec![byte]),
        6 => (place, place, b"\n".to_vec()),
        7 => (place, place, "\u{212a}".as_bytes().to_vec()),
        _ => (at + len, at + len, b"/_history/1".to_vec()),
    };
    [&line[..from], &with, &line[to..]].concat()
}

/// The line as a whole in another way.
fn whole(line: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let cut = random.below(line.len() as u64 + 1) as usize;
    match random.below(10) {
        0 => [line, other].concat(),
        1 => [line, b" ", other].concat(),
        2 => [line, b"\r"].concat(),
        3 => [b" \t", line, b" "].concat(),
        4 => line[..cut].to_vec(),
        5 => [line, b"\n\n \n\r"].concat(),
        6 => late_type(line),
        7 => [
            line.strip_suffix(b"}").unwrap_or(line),
            b",\"resourceType\":\"Patient\"}",
        ]
        .concat(),
        8 => [&line[..cut], b"\xff", &line[cut..]].concat(),
        _ => [&line[..cut], b"}{", &line[cut..]].concat(),
    }
}

/// `resourceType` as the last member.
fn late_type(line: &[u8]) -> Vec<u8> {
    let comma = line.iter().position(|&byte| byte == b',').unwrap_or(line.len());
    let (Some(first), Some(rest)) = (line[..comma].strip_prefix(b"{"), line[comma..].strip_prefix(b",")) else {
        return line.to_vec();
    };
    let rest = rest.strip_suffix(b"}").unwrap_or(rest);
    [b"{", rest, b",", first, b"}"].concat()
}
