//! The table is made here from Unicode's own: `UPDATE_TABLES=1 cargo test -p fhirehose-core folding`.

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

fn generated() -> String {
    let is_syllable = |character: &char| (HANGUL..HANGUL + SYLLABLES).contains(&u32::from(*character));
    let changed = beyond_ascii().filter(|character| !is_syllable(character));
    let changed = changed.map(|character| (u32::from(character), by_the_letter(character.encode_utf8(&mut [0; 4]))));
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
    let line = |(start, end, step, first): &(u32, u32, u32, String)| {
        let codes = match (start == end, step) {
            (true, _) => format!("{start:x}"),
            (false, 2) => format!("{start:x}-{end:x}/2"),
            (false, _) => format!("{start:x}-{end:x}"),
        };
        match single(first) {
            Some(to) => format!("{codes} >{to:x}\n"),
            None if first.is_empty() => format!("{codes}\n"),
            None => format!("{codes} ={first}\n"),
        }
    };
    runs.iter().map(line).collect()
}

#[test]
fn the_table_is_what_unicode_says() {
    let expected = generated();
    if std::env::var_os("UPDATE_TABLES").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/search/generated/folding.table");
        std::fs::write(path, &expected).expect("the table can be written");
    } else {
        assert!(TABLE == expected, "the table is another one; UPDATE_TABLES=1 writes it");
    }
}

#[test]
fn every_character_by_the_table_is_as_by_the_letter() {
    assert_eq!(runs().len(), TABLE.lines().count());
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
