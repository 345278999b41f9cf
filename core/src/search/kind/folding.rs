//! What becomes of characters beyond ASCII when a text is folded, or put in small letters: two generated tables.
//!
//! Folded: compatibility decomposition (NFKD), nonspacing marks left out, case folded, punctuation left out. Character by
//! character that is a table of some thousand lines, much smaller than Unicode's own for the four steps; a test makes it
//! from those. The order of marks that stay is not looked at.
//!
//! Small letters are Unicode's too, but for the sigma, which looks otherwise at the end of a word: it is one letter in all
//! its forms. The standard library's own table would be twenty times as large in the module for browsers.

use std::sync::OnceLock;

#[cfg(test)]
mod tests;

/// Three columns, the lengths of the first two (4 bytes each) before them. For each run of characters one number (seven bits a
/// byte, lowest first, the last without its highest bit): the gap to the run before and the count of its characters but one
/// (two bits each; 3: what is more follows), what becomes of them (two bits), whether it is every other one. Then the other
/// characters that runs become, each as its distance from what the last one ended with. Then the texts, by lines.
#[cfg(not(target_arch = "wasm32"))]
fn table() -> std::borrow::Cow<'static, [u8]> {
    std::borrow::Cow::Borrowed(include_bytes!("../generated/folding.table"))
}

#[cfg(target_arch = "wasm32")]
fn table() -> Vec<u8> {
    crate::packed::unpack(include_bytes!("../generated/folding.packed"))
}

const SMALL: &[u8] = include_bytes!("../generated/small.table");

const NOTHING: u32 = 0;
const CODE: u32 = 1;
const TEXT: u32 = 2;

/// Characters of which the same becomes.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: u32,
    end: u32,
    step: u32,
    to: To,
}

#[derive(Clone, Copy, Debug)]
enum To {
    Nothing,
    /// This one for the first, the next for the next.
    Code(u32),
    /// The line of this number.
    Text(usize),
}

#[derive(Debug)]
struct Folding {
    runs: Vec<Run>,
    texts: Vec<Box<str>>,
}

/// Gives what becomes of a character beyond ASCII when it is folded.
pub(super) fn each(character: char, push: &mut impl FnMut(char)) {
    let code = u32::from(character);
    if let Some(syllable) = code.checked_sub(HANGUL).filter(|syllable| *syllable < SYLLABLES) {
        return jamo(syllable).into_iter().flatten().for_each(push);
    }
    match folding().becomes(character) {
        Becomes::One(other) => push(other),
        Becomes::Text(text) => text.chars().for_each(push),
    }
}

/// Adds a character in small letters.
pub(super) fn push_small(character: char, out: &mut String) {
    static TABLE: OnceLock<Folding> = OnceLock::new();
    if character.is_ascii() {
        return out.push(character.to_ascii_lowercase());
    }
    let small = TABLE.get_or_init(|| read(SMALL).expect("the table of small letters is whole"));
    match small.becomes(character) {
        Becomes::One(other) => out.push(other),
        Becomes::Text(text) => out.push_str(text),
    }
}

enum Becomes<'f> {
    One(char),
    Text(&'f str),
}

impl Folding {
    fn becomes(&self, character: char) -> Becomes<'_> {
        let code = u32::from(character);
        let after = self.runs.partition_point(|run| run.start <= code);
        let run = after.checked_sub(1).and_then(|index| self.runs.get(index));
        let holds = |run: &&Run| code <= run.end && (code - run.start).is_multiple_of(run.step);
        match run.filter(holds) {
            None => Becomes::One(character),
            Some(Run { to: To::Nothing, .. }) => Becomes::Text(""),
            Some(Run {
                start,
                to: To::Code(first),
                ..
            }) => char::from_u32(first + (code - start)).map_or(Becomes::Text(""), Becomes::One),
            Some(Run { to: To::Text(line), .. }) => Becomes::Text(self.texts.get(*line).map_or("", |text| text)),
        }
    }
}

fn folding() -> &'static Folding {
    static FOLDING: OnceLock<Folding> = OnceLock::new();
    FOLDING.get_or_init(|| read(&table()).expect("the table of folding is whole"))
}

fn read(table: &[u8]) -> Option<Folding> {
    let (lens, columns) = table.split_at_checked(8)?;
    let (heads, codes) = lens.split_at(4);
    let len = |bytes: &[u8]| Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize);
    let (mut heads, columns) = columns.split_at_checked(len(heads)?)?;
    let (mut codes, texts) = columns.split_at_checked(len(codes)?)?;
    let mut runs = Vec::new();
    let (mut end, mut last, mut line) = (0, 0_u32, 0);
    while !heads.is_empty() {
        let head = number(&mut heads)?;
        let mut more = |short: u32| {
            if short < 3 {
                Some(short)
            } else {
                Some(3 + number(&mut heads)?)
            }
        };
        let start = end + 1 + more(head & 3)?;
        let count = more(head >> 2 & 3)?;
        let step = 1 + (head >> 6);
        end = start + count * step;
        let to = match head >> 4 & 3 {
            NOTHING => To::Nothing,
            CODE => {
                let distance = number(&mut codes)?;
                let first = last.wrapping_add((distance >> 1) ^ (distance & 1).wrapping_neg());
                last = first.wrapping_add(end - start);
                To::Code(first)
            }
            TEXT => {
                line += 1;
                To::Text(line - 1)
            }
            _ => return None,
        };
        runs.push(Run { start, end, step, to });
    }
    let texts = std::str::from_utf8(texts).ok()?.lines().map(Box::from).collect();
    Some(Folding { runs, texts })
}

fn number(column: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    for shift in (0..32).step_by(7) {
        let (byte, rest) = column.split_first()?;
        *column = rest;
        number |= u32::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// The syllables of Hangul, and how many there are.
const HANGUL: u32 = 0xac00;
const SYLLABLES: u32 = 19 * VOWELS * FINALS;
const VOWELS: u32 = 21;
/// No final consonant is one of them.
const FINALS: u32 = 28;

/// The letters of a syllable (Unicode, section 3.12).
fn jamo(syllable: u32) -> [Option<char>; 3] {
    let last = syllable % FINALS;
    [
        char::from_u32(0x1100 + syllable / (VOWELS * FINALS)),
        char::from_u32(0x1161 + syllable / FINALS % VOWELS),
        char::from_u32(0x11a7 + last).filter(|_| last > 0),
    ]
}
