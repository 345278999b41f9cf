//! Bytes that stand in every line that says a text, however it is written.
//!
//! JSON may spell any character as `\u`: whoever looks for these bytes must not pass over a line with `\u` in it. What may
//! be spelled otherwise beside that is left out here. Quotes, backslashes and control characters have escapes of their
//! own. A slash may be `\/`, whose last byte is a slash too: bytes may begin with one, and not go on over one. What is not
//! ASCII may have several forms in the comparisons that fold case, and is left out everywhere.

/// Shorter bytes are in every other line.
const SHORTEST: usize = 3;

/// Bytes that a line must hold, and how seldom they may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needle {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// A guess: the more, the fewer lines hold them.
    pub worth: u32,
}

impl Needle {
    /// Of a JSON string that says exactly this.
    pub fn whole(text: &str) -> Option<Needle> {
        rarest(&[Some(b'"'), Some(b'"')], text, is_plain)
    }

    /// Of a JSON string that begins with this.
    pub fn start(text: &str) -> Option<Needle> {
        rarest(&[Some(b'"'), None], text, is_plain)
    }

    /// Of a JSON string in which this stands.
    pub fn part(text: &str) -> Option<Needle> {
        rarest(&[None, None], text, is_plain)
    }

    /// Of a JSON string that is this when both are in lower case. Letters may be written in two ways, one or two of them
    /// in three; everything else in ASCII is its own only form.
    pub fn in_any_case(text: &str) -> Option<Needle> {
        rarest(&[Some(b'"'), Some(b'"')], text, |byte| {
            is_plain(byte) && !byte.is_ascii_alphabetic()
        })
    }

    /// The same bytes for a text that is one of a few, as often as not.
    pub fn of_few(self) -> Needle {
        Needle {
            worth: self.worth.min(8),
            ..self
        }
    }
}

/// Of one needle for each of several things; `None` if one of them has none.
pub type Needles = Option<Vec<Needle>>;

/// Joins what each of several things needs, of which a line holds one.
pub fn any_of(each: impl IntoIterator<Item = Needles>) -> Needles {
    let mut all = Vec::new();
    for needles in each {
        all.extend(needles?);
    }
    Some(all)
}

/// Whether a byte of a text is the same byte in JSON, or written with `\u`.
fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..0x7f) && !matches!(byte, b'"' | b'\\')
}

/// Of the pieces that are spelled in one way only the one that is likely to be the rarest. `quotes` are the string's own,
/// if it begins or ends where the text does.
fn rarest(quotes: &[Option<u8>; 2], text: &str, keeps: impl Fn(u8) -> bool) -> Option<Needle> {
    let mut pieces: Vec<Vec<u8>> = vec![quotes[0].into_iter().collect()];
    for byte in text.bytes() {
        match pieces.last_mut() {
            Some(piece) if keeps(byte) && byte != b'/' => piece.push(byte),
            _ if byte == b'/' => pieces.push(vec![byte]),
            _ => pieces.push(Vec::new()),
        }
    }
    if let Some(piece) = pieces.last_mut() {
        piece.extend(quotes[1]);
    }
    let mut best: Option<Needle> = None;
    for bytes in pieces.into_iter().filter(|piece| piece.len() >= SHORTEST) {
        let worth = bytes.iter().map(|&byte| worth(byte)).sum();
        if best.as_ref().is_none_or(|best| best.worth < worth) {
            best = Some(Needle { bytes, worth });
        }
    }
    best
}

/// Digits tell more than letters, which make words.
fn worth(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => 6,
        b'a'..=b'z' | b'A'..=b'Z' => 3,
        b'"' | b'/' => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(needle: Option<Needle>) -> String {
        needle.map_or(String::new(), |needle| {
            String::from_utf8(needle.bytes).expect("ASCII only")
        })
    }

    #[test]
    fn pieces_end_where_a_character_has_another_spelling() {
        for (text, expected) in [
            ("8302-2", "\"8302-2\""),
            ("http://loinc.org", "/loinc.org\""),
            ("a/b", "/b\""),
            ("abc/", "\"abc"),
            ("/abc", "/abc\""),
            ("say \"abcde\" 1", "abcde"),
            ("a\\bcd", "bcd\""),
            ("caf\u{e9} 12", " 12\""),
            ("\u{e9}", ""),
            ("a\u{1}bc", "bc\""),
            ("\"", ""),
            ("", ""),
            ("F", "\"F\""),
            ("\u{fffd}ab", "ab\""),
        ] {
            assert_eq!(told(Needle::whole(text)), expected, "{text}");
        }
        assert_eq!(told(Needle::start("http://x/fhir/Patient/12")), "/Patient");
        assert_eq!(told(Needle::start("abc")), "\"abc");
        assert_eq!(told(Needle::part("/a-1")), "/a-1");
        assert_eq!(told(Needle::part("ab")), "");
        assert_eq!(told(Needle::part("a\"bcd\"e")), "bcd");
        // Quotes that are the text's own are escaped.
        assert_eq!(told(Needle::part("\"bcd\"")), "bcd");
        assert_eq!(told(Needle::start("abc\"")), "\"abc");
        assert_eq!(told(Needle::whole("\"\"\"")), "");
        assert_eq!(told(Needle::in_any_case("8302-2")), "\"8302-2\"");
        assert_eq!(told(Needle::in_any_case("E11.9")), "11.9\"");
        assert_eq!(told(Needle::in_any_case("laboratory")), "");
    }

    /// What the comparison in lower case makes of a character: nothing else becomes a sign or a digit of ASCII.
    #[test]
    fn signs_and_digits_have_one_case() {
        for character in '\0'..=char::MAX {
            for lower in character.to_lowercase() {
                let is_sign = lower.is_ascii() && !lower.is_ascii_alphabetic();
                assert!(!is_sign || lower == character, "{character:?}");
            }
        }
    }
}
