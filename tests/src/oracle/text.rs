//! Folding of text, so that case, accents, punctuation and blanks do not matter.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// NFKD, without marks, case-folded, without punctuation, blanks collapsed and trimmed.
pub(crate) fn fold(text: &str) -> String {
    let without_marks: String = text
        .nfkd()
        .filter(|&c| c.general_category() != GeneralCategory::NonspacingMark)
        .collect();
    let folded = caseless::default_case_fold_str(&without_marks);
    let without_punctuation: String = folded.chars().filter(|&c| !is_punctuation(c)).collect();
    without_punctuation.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_punctuation(c: char) -> bool {
    matches!(
        c.general_category(),
        GeneralCategory::ConnectorPunctuation
            | GeneralCategory::DashPunctuation
            | GeneralCategory::OpenPunctuation
            | GeneralCategory::ClosePunctuation
            | GeneralCategory::InitialPunctuation
            | GeneralCategory::FinalPunctuation
            | GeneralCategory::OtherPunctuation
    )
}

/// Whether the folded text starts with the folded search, at its beginning or (`words`) at the start of any word.
pub(crate) fn starts_with(folded: &str, search: &str, words: bool) -> bool {
    if folded.starts_with(search) {
        return true;
    }
    words
        && folded
            .match_indices(' ')
            .any(|(blank, _)| folded[blank + 1..].starts_with(search))
}

/// Equality without regard to case, letter by letter (the simple lower case of each).
pub(crate) fn equal_ignoring_case(left: &str, right: &str) -> bool {
    left.chars().map(simple_lower).eq(right.chars().map(simple_lower))
}

/// Whether `text` starts with `start` without regard to case; then what follows it.
pub(crate) fn strip_ignoring_case<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let mut rest = text.chars();
    for wanted in start.chars() {
        if simple_lower(rest.next()?) != simple_lower(wanted) {
            return None;
        }
    }
    Some(rest.as_str())
}

/// The one letter that the Unicode character database names as the lower case. Only U+0130 has a longer full mapping,
/// and its simple mapping is the first letter of that. The sigma at the end of a word is a sigma.
fn simple_lower(c: char) -> char {
    match c {
        'ς' => 'σ',
        _ => c.to_lowercase().next().unwrap_or(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_case_marks_punctuation_and_blanks() {
        assert_eq!(fold("  Carreño \t Quiñones "), "carreno quinones");
        assert_eq!(fold("O'Brien-Smith, Jr."), "obriensmith jr");
        assert_eq!(fold("Straße"), "strasse");
        assert_eq!(fold("ﬁne\u{a0}ＡＢＣ"), "fine abc");
        assert_eq!(fold("a - b"), "a b");
        assert_eq!(fold("«…»!?"), "");
        assert_eq!(fold("1 + 1 = 2 €"), "1 + 1 = 2 €");
    }

    #[test]
    fn words_start_after_a_blank_only() {
        assert!(starts_with("carreno quinones", "carr", false));
        assert!(!starts_with("carreno quinones", "quin", false));
        assert!(starts_with("carreno quinones", "quin", true));
        assert!(!starts_with("carreno quinones", "inon", true));
        assert!(starts_with("de la cruz", "la cr", true));
    }

    #[test]
    fn case_is_ignored_letter_by_letter() {
        assert!(equal_ignoring_case("ÀB-ς", "àb-ς"));
        assert!(equal_ignoring_case("ΟΔΟΣ", "οδος"));
        assert!(!equal_ignoring_case("ß", "ss"));
        assert!(!equal_ignoring_case("a", "ab"));
        assert!(equal_ignoring_case("\u{130}", "i"));
        assert_eq!(strip_ignoring_case("Text/XML; q", "text/xml"), Some("; q"));
        assert_eq!(strip_ignoring_case("te", "text"), None);
    }
}
