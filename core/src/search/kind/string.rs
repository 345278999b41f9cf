//! Strings: folded for comparison, at the start, anywhere, or exact.

use memchr::memmem;

use super::{ValueError, folding};
use crate::scan::json::Json;
use crate::scan::spare::Spare;
use crate::scan::text::Text;
use crate::search::leaf::Leaf;
use crate::search::needle::{Needle, Needles};

/// How a text is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The folded target starts with the folded text.
    Start,
    /// It holds the folded text anywhere.
    Contains,
    /// The target is exactly the text.
    Exact,
}

/// A string search value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StringMatcher {
    mode: Mode,
    /// Folded, unless the mode is exact.
    text: String,
}

impl StringMatcher {
    /// Takes an unescaped text.
    pub fn new(text: &str, mode: Mode) -> Result<StringMatcher, ValueError> {
        if mode == Mode::Exact {
            return Ok(StringMatcher {
                mode,
                text: text.to_owned(),
            });
        }
        let folded = fold(text);
        if folded.is_empty() {
            // It would match every value, which is never what was meant.
            return Err(ValueError::whole(text, "the text holds no letter or digit to compare"));
        }
        Ok(StringMatcher { mode, text: folded })
    }

    /// Whether a stored value matches. `family`: also at each word start.
    pub fn matches(&self, leaf: Leaf, json: Json<'_>, family: bool) -> bool {
        match leaf {
            Leaf::HumanName => self.any_member(json, &["family", "given", "prefix", "suffix", "text"]),
            Leaf::Address => self.any_member(
                json,
                &["line", "city", "district", "state", "postalCode", "country", "text"],
            ),
            Leaf::CodeableConcept => {
                self.any_member(json, &["text"])
                    || json
                        .each_of("coding")
                        .any(|coding| self.any_member(coding, &["display"]))
            }
            Leaf::Coding => self.any_member(json, &["display"]),
            Leaf::Identifier => self.any_member(json, &["value"]),
            _ => json.text().is_some_and(|text| self.accepts(text, family)),
        }
    }

    fn any_member(&self, json: Json<'_>, names: &[&str]) -> bool {
        json.members().any(|(key, value)| {
            let Some(name) = names.iter().find(|name| key.is(name)) else {
                return false;
            };
            value
                .each()
                .filter_map(Json::text)
                .any(|text| self.accepts(text, *name == "family"))
        })
    }

    /// Whether one stored text matches.
    pub fn accepts(&self, text: Text<'_>, family: bool) -> bool {
        if self.mode == Mode::Exact {
            return text.is(&self.text);
        }
        let raw = text.raw();
        if self.mode == Mode::Start && !family && !text.is_escaped() && raw.is_ascii() {
            return starts_with_ascii(raw, &self.text);
        }
        let mut folded = Spare::take();
        fold_into(&text.decode(), &mut folded);
        match self.mode {
            Mode::Contains => memmem::find(folded.as_bytes(), self.text.as_bytes()).is_some(),
            _ => folded.starts_with(&self.text) || (family && at_word_start(&folded, &self.text)),
        }
    }

    /// What raw bytes a value holds that matches. A folded text has no certain spelling.
    pub fn needles(&self) -> Needles {
        let is_exact = self.mode == Mode::Exact;
        let needle = is_exact.then(|| Needle::whole(&self.text)).flatten();
        needle.map(|needle| vec![needle])
    }

    /// For `explain`.
    pub fn describe(&self) -> String {
        let how = match self.mode {
            Mode::Start => "starts with",
            Mode::Contains => "contains",
            Mode::Exact => "is exactly",
        };
        format!("{how} `{}`", self.text)
    }
}

fn at_word_start(folded: &str, text: &str) -> bool {
    folded
        .match_indices(' ')
        .any(|(at, _)| folded[at + 1..].starts_with(text))
}

/// `fold(raw).starts_with(folded)` for ASCII, without building the folded text.
fn starts_with_ascii(raw: &[u8], folded: &str) -> bool {
    let mut wanted = folded.bytes().peekable();
    let mut blank = false;
    let mut begun = false;
    for &byte in raw {
        if wanted.peek().is_none() {
            return true;
        }
        if is_ascii_blank(byte) {
            blank = begun;
            continue;
        }
        if is_ascii_punctuation(byte) {
            continue;
        }
        if blank {
            if wanted.next() != Some(b' ') {
                return false;
            }
            blank = false;
        }
        begun = true;
        if wanted.next() != Some(byte.to_ascii_lowercase()) {
            return false;
        }
    }
    wanted.peek().is_none()
}

fn is_ascii_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r' | 0x1c..=0x1f)
}

/// Unicode's punctuation (P*) in ASCII. Symbols such as `+ < = > $ ^ | ~` and the backtick stay.
fn is_ascii_punctuation(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'"'
            | b'#'
            | b'%'
            | b'&'
            | b'\''
            | b'('
            | b')'
            | b'*'
            | b','
            | b'-'
            | b'.'
            | b'/'
            | b':'
            | b';'
            | b'?'
            | b'@'
            | b'['
            | b'\\'
            | b']'
            | b'_'
            | b'{'
            | b'}'
    )
}

/// Normalizes a text for comparison: compatibility decomposition, without combining marks, case-folded, without
/// punctuation, blanks collapsed and trimmed.
pub fn fold(text: &str) -> String {
    let mut out = String::new();
    fold_into(text, &mut out);
    out
}

fn fold_into(text: &str, out: &mut String) {
    out.reserve(text.len());
    let mut blank = false;
    let mut push = |character: char| {
        if character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}') {
            blank = true;
            return;
        }
        if blank && !out.is_empty() {
            out.push(' ');
        }
        blank = false;
        out.push(character);
    };
    for character in text.chars() {
        match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() && is_ascii_punctuation(byte) => {}
            Ok(byte) if byte.is_ascii() => push(char::from(byte.to_ascii_lowercase())),
            _ => folding::each(character, &mut push),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding() {
        for (text, folded) in [
            ("O'Brien", "obrien"),
            ("  Carre\u{f1}o   Quinones ", "carreno quinones"),
            ("Stra\u{df}e", "strasse"),
            ("\u{130}stanbul", "istanbul"),
            ("\u{fb01}n\u{301}", "fin"),
            ("a - b", "a b"),
            ("\u{391}\u{3a3}", "\u{3b1}\u{3c3}"),
            ("\u{2014}x\u{a0}y", "x y"),
            ("C+ $5", "c+ $5"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn the_short_way_for_ascii_is_the_long_way() {
        let texts = [
            "", "a", " a", "a b", "a  b", "-a- -b", "A.B c", "ab", "a b c d", "'", "a'b", "a b ",
        ];
        for raw in texts {
            for wanted in texts {
                let folded = fold(wanted);
                let expected = fold(raw).starts_with(&folded);
                assert_eq!(
                    starts_with_ascii(raw.as_bytes(), &folded),
                    expected,
                    "{raw:?} {wanted:?}"
                );
            }
        }
        for byte in 0..128u8 {
            let folded = fold(&char::from(byte).to_string());
            assert_eq!(
                folded.is_empty(),
                is_ascii_blank(byte) || is_ascii_punctuation(byte),
                "{byte}"
            );
        }
    }

    #[test]
    fn modes_and_families() {
        let name =
            Json::new(br#"{"family":"Carreno Quinones","given":["Ana","Mar\u00eda"],"text":"Dr Ana","use":"usual"}"#);
        let matches = |text: &str, mode| {
            StringMatcher::new(text, mode)
                .expect(text)
                .matches(Leaf::HumanName, name, false)
        };
        assert!(matches("quin", Mode::Start));
        assert!(matches("maria", Mode::Start));
        assert!(!matches("usual", Mode::Start));
        assert!(!matches("arreno", Mode::Start));
        assert!(matches("arreno", Mode::Contains));
        assert!(matches("Mar\u{ed}a", Mode::Exact));
        assert!(!matches("Maria", Mode::Exact));
        assert!(StringMatcher::new("--", Mode::Start).is_err());
    }
}
