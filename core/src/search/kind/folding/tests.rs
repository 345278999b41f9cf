//! The tables are made here from Unicode's own: `UPDATE_TABLES=1 cargo test -p fhirehose-core folding`.

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use super::*;

/// The four steps, by the letter.
fn by_the_letter(text: &str) -> String {
    let bare = text
        .nfkd()
        .filter(|character| character.general_category() != GeneralCategory::NonspacingMark);
    let is_punctuation = |character: &char| character.general_category_group() == GeneralCategoryGroup::Punctuation;
    bare.default_case_fold()
        .filter(|character| !is_punctuation(character))
        .collect()
}

fn by_the_table(character: char) -> String {
    let mut out = String::new();
    each(character, &mut |folded| out.push(folded));
    out
}

fn beyond_ascii() -> impl Iterator<Item = char> {
    (0x80..0x11_0000).filter_map(char::from_u32)
}

fn small_by_the_letter(character: char) -> String {
    match character {
        'ς' => "σ".to_owned(),
        _ => character.to_lowercase().collect(),
    }
}

fn generated(becomes: impl Fn(char) -> String) -> Vec<u8> {
    let is_syllable = |character: &char| (HANGUL..HANGUL + SYLLABLES).contains(&u32::from(*character));
    let changed = beyond_ascii().filter(|character| !is_syllable(character));
    let changed = changed.map(|character| (u32::from(character), becomes(character)));
    let changed = changed.filter(|(code, to)| to.chars().map(u32::from).ne([*code]));
    // Start, end, step, and what becomes of the first.
    let mut runs: Vec<(u32, u32, u32, String)> = Vec::new();
    let single = |text: &str| {
        let mut letters = text.chars();
        letters.next().filter(|_| letters.next().is_none()).map(u32::from)
    };
    for (code, to) in changed {
        if let Some((start, end, step, first)) = runs.last_mut() {
            let distance = code - *end;
            let follows = match (single(first), single(&to)) {
                (Some(first), Some(to)) => to.wrapping_sub(first) == code - *start,
                _ => first.is_empty() && to.is_empty() && distance == 1,
            };
            if follows && (distance == *step || start == end && distance == 2) {
                *step = distance;
                *end = code;
                continue;
            }
        }
        runs.push((code, code, 1, to));
    }
    let (mut heads, mut codes, mut texts) = (Vec::new(), Vec::new(), String::new());
    let (mut before, mut last) = (0, 0_u32);
    for (start, end, step, first) in &runs {
        let (gap, count) = (start - before - 1, (end - start) / step);
        before = *end;
        let to = match single(first) {
            Some(to) => {
                let distance = to.wrapping_sub(last).cast_signed();
                put(&mut codes, ((distance << 1) ^ (distance >> 31)).cast_unsigned());
                last = to + (end - start);
                CODE
            }
            None if first.is_empty() => NOTHING,
            None => {
                texts.push_str(first);
                texts.push('\n');
                TEXT
            }
        };
        put(&mut heads, gap.min(3) | count.min(3) << 2 | to << 4 | (step - 1) << 6);
        for more in [gap, count].into_iter().filter_map(|number| number.checked_sub(3)) {
            put(&mut heads, more);
        }
    }
    let lens = [&heads, &codes].map(|column| (column.len() as u32).to_le_bytes());
    [lens.as_flattened(), &heads, &codes, texts.as_bytes()].concat()
}

fn put(column: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        column.push(number as u8 | 0x80);
        number >>= 7;
    }
    column.push(number as u8);
}

#[test]
fn the_tables_are_what_unicode_says() {
    let expected = [
        (
            "folding",
            table(),
            generated(|character| by_the_letter(&character.to_string())),
        ),
        ("small", SMALL.into(), generated(small_by_the_letter)),
    ];
    for (name, table, expected) in expected {
        if std::env::var_os("UPDATE_TABLES").is_some() {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/search/generated");
            std::fs::write(format!("{folder}/{name}.table"), &expected).expect("the table can be written");
        } else {
            assert!(
                *table == expected,
                "the table `{name}` is another one; UPDATE_TABLES=1 writes it"
            );
        }
    }
}

#[test]
fn every_character_is_made_small_as_by_the_letter() {
    for character in ('\0'..='\x7f').chain(beyond_ascii()) {
        let mut small = String::new();
        push_small(character, &mut small);
        assert_eq!(small, small_by_the_letter(character), "{character:?}");
    }
}

#[test]
fn a_table_cut_short_is_none_or_shorter() {
    let table = table();
    for end in (0..table.len()).step_by(97) {
        assert!(read(&table[..end]).is_none_or(|cut| cut.texts.len() < folding().texts.len()));
    }
}

#[test]
fn every_character_by_the_table_is_as_by_the_letter() {
    assert!(folding().runs.len() > 4000);
    for character in beyond_ascii() {
        assert_eq!(
            by_the_table(character),
            by_the_letter(&character.to_string()),
            "{character:?}"
        );
    }
}

#[test]
fn texts_are_as_their_characters() {
    // Marks behind letters, and letters behind them, of many scripts.
    let letters: Vec<char> = "aÉßİΆσςЙ한漢ñﬁ①ﷺक्षिกำ๚ａ\u{301}\u{323}\u{93f}\u{5bc}\u{200d}"
        .chars()
        .collect();
    for first in &letters {
        for second in &letters {
            for third in &letters {
                let text: String = [first, second, third].into_iter().collect();
                let folded: String = text.chars().map(|letter| by_the_letter(&letter.to_string())).collect();
                assert_eq!(folded, by_the_letter(&text), "{text}");
            }
        }
    }
}
