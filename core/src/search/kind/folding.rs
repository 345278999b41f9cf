//! What becomes of characters beyond ASCII when a text is folded, from one generated table.
//!
//! Folded: compatibility decomposition (NFKD), nonspacing marks left out, case folded, punctuation left out. Character by
//! character that is a table of some thousand lines, much smaller than Unicode's own for the four steps; a test makes it
//! from those. The order of marks that stay is not looked at.

use std::sync::OnceLock;

#[cfg(test)]
mod tests;

/// `START`, `START-END` or `START-END/2` (every other one), in hexadecimal; then nothing (it is left out), ` >CODE` (another
/// character; those behind the first one follow in step) or ` =TEXT`.
const TABLE: &str = include_str!("../generated/folding.table");

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
    Text(&'static str),
}

/// Gives what becomes of a character beyond ASCII.
pub(super) fn each(character: char, push: &mut impl FnMut(char)) {
    let code = u32::from(character);
    if let Some(syllable) = code.checked_sub(HANGUL).filter(|syllable| *syllable < SYLLABLES) {
        return jamo(syllable).into_iter().flatten().for_each(push);
    }
    let runs = runs();
    let after = runs.partition_point(|run| run.start <= code);
    let run = after.checked_sub(1).and_then(|index| runs.get(index));
    let holds = |run: &&Run| code <= run.end && (code - run.start).is_multiple_of(run.step);
    match run.filter(holds) {
        None => push(character),
        Some(Run { to: To::Nothing, .. }) => {}
        Some(Run {
            start,
            to: To::Code(first),
            ..
        }) => char::from_u32(first + (code - start)).into_iter().for_each(push),
        Some(Run { to: To::Text(text), .. }) => text.chars().for_each(push),
    }
}

fn runs() -> &'static [Run] {
    static RUNS: OnceLock<Vec<Run>> = OnceLock::new();
    RUNS.get_or_init(|| TABLE.lines().filter_map(run).collect())
}

fn run(line: &'static str) -> Option<Run> {
    let (codes, to) = line.split_once(' ').unwrap_or((line, ""));
    let number = |text: &str| u32::from_str_radix(text, 16).ok();
    let (codes, step) = match codes.strip_suffix("/2") {
        Some(codes) => (codes, 2),
        None => (codes, 1),
    };
    let (start, end) = codes.split_once('-').unwrap_or((codes, codes));
    let to = match (to.strip_prefix('>'), to.strip_prefix('=')) {
        (Some(code), _) => To::Code(number(code)?),
        (None, Some(text)) => To::Text(text),
        (None, None) => To::Nothing,
    };
    Some(Run {
        start: number(start)?,
        end: number(end)?,
        step,
        to,
    })
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
