//! The inside of a JSON string: comparison and decoding without allocation where there is no escape.

use std::borrow::Cow;
use std::ops::Deref;

use super::spare::Spare;

/// The bytes between the quotes of a JSON string, escapes still in place.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    raw: &'a [u8],
    /// There is a backslash in `raw`.
    escaped: bool,
}

impl std::fmt::Debug for Text<'_> {
    /// Says nothing of the contents.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Text({} bytes)", self.raw.len())
    }
}

impl<'a> Text<'a> {
    /// Wraps the bytes between two quotes.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub fn new(raw: &'a [u8]) -> Self {
        Text {
            raw,
            escaped: memchr::memchr(b'\\', raw).is_some(),
        }
    }

    /// The same where it is known already whether there is a backslash.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub(super) fn known(raw: &'a [u8], escaped: bool) -> Self {
        Text { raw, escaped }
    }

    /// Whether the raw bytes hold an escape.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub fn is_escaped(self) -> bool {
        self.escaped
    }

    /// The raw bytes, escapes in place.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// Whether the text says exactly this.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub fn is(self, wanted: &str) -> bool {
        self.is_bytes(wanted.as_bytes())
    }

    /// The same for bytes that may be no text.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub(crate) fn is_bytes(self, wanted: &[u8]) -> bool {
        if self.escaped {
            self.decode().as_bytes() == wanted
        } else {
            self.raw == wanted
        }
    }

    /// The text itself: borrowed where nothing is escaped. Bytes that are no UTF-8 and lone surrogates become U+FFFD.
    pub fn decode(self) -> Decoded<'a> {
        if !self.escaped {
            return Decoded(match String::from_utf8_lossy(self.raw) {
                Cow::Borrowed(text) => Place::Line(text),
                Cow::Owned(text) => Place::Own(text.into()),
            });
        }
        let mut out = Spare::take();
        let mut rest = self.raw;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            out.push_str(&String::from_utf8_lossy(&rest[..at]));
            rest = unescape(&rest[at..], &mut out);
        }
        out.push_str(&String::from_utf8_lossy(rest));
        Decoded(Place::Own(out))
    }
}

/// A text without its escapes. Makes no use of the allocator in the long run.
pub struct Decoded<'a>(Place<'a>);

enum Place<'a> {
    /// Nothing was escaped.
    Line(&'a str),
    Own(Spare),
}

impl Decoded<'_> {
    /// A string of its own, for what outlives the line.
    pub fn into_owned(self) -> String {
        match self.0 {
            Place::Line(text) => text.to_owned(),
            Place::Own(text) => text.into_string(),
        }
    }
}

impl Deref for Decoded<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Place::Line(text) => text,
            Place::Own(text) => text,
        }
    }
}

impl PartialEq<&str> for Decoded<'_> {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl std::fmt::Debug for Decoded<'_> {
    /// Says nothing of the contents.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Decoded({} bytes)", self.len())
    }
}

/// Decodes the escape at the start of `text` into `out` and returns what follows it.
fn unescape<'a>(text: &'a [u8], out: &mut String) -> &'a [u8] {
    let Some(&letter) = text.get(1) else { return &[] };
    let plain = match letter {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unescape_unicode(text, out),
        other if other.is_ascii() => char::from(other),
        // No escape; the letter goes with what follows it.
        _ => return &text[1..],
    };
    out.push(plain);
    &text[2..]
}

fn unescape_unicode<'a>(text: &'a [u8], out: &mut String) -> &'a [u8] {
    let mut rest = text.get(6..).unwrap_or_default();
    let first = hex(text.get(2..6));
    let mut character = first.and_then(char::from_u32);
    if let Some(high @ 0xd800..=0xdbff) = first
        && rest.starts_with(b"\\u")
        && let Some(low @ 0xdc00..=0xdfff) = hex(rest.get(2..6))
    {
        character = char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
        rest = rest.get(6..).unwrap_or_default();
    }
    let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
    out.push(character);
    rest
}

fn hex(digits: Option<&[u8]>) -> Option<u32> {
    digits?
        .iter()
        .try_fold(0, |value, &digit| Some(value * 16 + (digit as char).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &str) -> Text<'_> {
        Text::new(raw.as_bytes())
    }

    #[test]
    fn plain_text_is_borrowed() {
        let raw = "final";
        assert_eq!(text(raw).decode().as_ptr(), raw.as_ptr());
        assert!(text("final").is("final"));
        assert!(!text("final").is("fina"));
        assert!(!text("fina").is("final"));
    }

    #[test]
    fn escapes_are_decoded() {
        assert_eq!(text(r#"a\"b\\c\/d\n\t\r\b\f"#).decode(), "a\"b\\c/d\n\t\r\u{8}\u{c}");
        assert_eq!(text(r"caf\u00e9 \ud83d\ude00").decode(), "caf\u{e9} \u{1f600}");
        assert!(text(r"fin\u0061l").is("final"));
        assert!(text(r"http:\/\/loinc.org").is("http://loinc.org"));
    }

    #[test]
    fn a_backslash_in_the_wanted_text_is_not_an_escape() {
        assert!(text(r"a\\b").is(r"a\b"));
        assert!(!text(r"a\n").is(r"a\n"));
        assert!(!text(r"\\").is(r"\\"));
    }

    /// Of lines that nobody checked.
    #[test]
    fn what_is_no_utf_8_is_replaced_as_in_the_whole_text() {
        for (raw, expected) in [
            (&b"\xe2\\n\x82x"[..], "\u{fffd}\n\u{fffd}x"),
            (b"\\\xc3\xa9", "\u{e9}"),
            (b"\\\xc3", "\u{fffd}"),
            (b"a\xff\\u0041\xff", "a\u{fffd}A\u{fffd}"),
            (b"\xff", "\u{fffd}"),
        ] {
            assert_eq!(Text::new(raw).decode(), expected);
        }
    }

    #[test]
    fn lone_surrogates_and_cut_escapes_do_not_panic() {
        assert_eq!(text(r"\ud800x").decode(), "\u{fffd}x");
        assert_eq!(text(r"\ud800\u0041").decode(), "\u{fffd}A");
        for cut in [r"\", r"\u", r"\u12", r"\ud83d\u", r"\uzzzz"] {
            let _ = text(cut).decode();
        }
    }
}
