//! The pen: appends pieces of compact JSON to one line and draws the random numbers for it.

use crate::ids::{Id, Kind};
use crate::rng::{Rng, key};

/// A piece that can be appended to the line as it stands.
pub(crate) trait Put {
    fn put(self, out: &mut Vec<u8>);
}

/// Text without anything that JSON would escape: a literal piece of the line.
impl Put for &str {
    #[inline]
    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl Put for bool {
    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self { b"true" } else { b"false" });
    }
}

impl Put for u64 {
    fn put(self, out: &mut Vec<u8>) {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        let mut rest = self;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        out.extend_from_slice(&digits[at..]);
    }
}

impl Put for i64 {
    fn put(self, out: &mut Vec<u8>) {
        if self < 0 {
            out.push(b'-');
        }
        self.unsigned_abs().put(out);
    }
}

/// The inside of a JSON string: any text, escaped where JSON asks for it.
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl Put for Text<'_> {
    fn put(self, out: &mut Vec<u8>) {
        for &byte in self.0.as_bytes() {
            match byte {
                b'"' => out.extend_from_slice(b"\\\""),
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\t' => out.extend_from_slice(b"\\t"),
                0..=0x1f => {
                    const HEX: &[u8; 16] = b"0123456789abcdef";
                    out.extend_from_slice(b"\\u00");
                    out.push(HEX[usize::from(byte >> 4)]);
                    out.push(HEX[usize::from(byte & 15)]);
                }
                _ => out.push(byte),
            }
        }
    }
}

/// Appends the pieces, one after the other.
macro_rules! put {
    ($pen:expr, $($piece:expr),+ $(,)?) => {{
        $( { let piece = $piece; $crate::pen::Put::put(piece, &mut $pen.out); } )+
    }};
}
pub(crate) use put;

/// Who the lines of one run of calls are about.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) index: u64,
    pub(crate) id: Id,
    pub(crate) female: bool,
    /// Days since 1970-01-01.
    pub(crate) born: i64,
    /// Start of each encounter, in seconds since 1970-01-01T00:00:00Z; never empty.
    pub(crate) visits: Vec<i64>,
}

/// One line under construction.
#[derive(Debug)]
pub(crate) struct Pen {
    pub(crate) out: Vec<u8>,
    pub(crate) rng: Rng,
    pub(crate) seed: u64,
    /// False: the lines look like one server wrote them, without decoys and odd spellings.
    pub(crate) varied: bool,
    pub(crate) subject: Subject,
}

impl Pen {
    pub(crate) fn new(seed: u64, varied: bool) -> Self {
        let subject = Subject {
            index: 0,
            id: Id::new(seed, Kind::Patient, 0, 0),
            female: false,
            born: 0,
            visits: vec![0],
        };
        Self {
            out: Vec::with_capacity(64 << 10),
            rng: Rng::new(seed),
            seed,
            varied,
            subject,
        }
    }

    /// Starts a line: its random numbers depend on the seed, its kind, its owner and its ordinal, and on nothing that
    /// was drawn before, so that a change to one type moves no byte of another.
    pub(crate) fn start(&mut self, kind: Kind, owner: u64, ordinal: u64) -> Id {
        self.out.clear();
        self.rng = Rng::new(key(self.seed, kind as u64, owner, ordinal));
        Id::new(self.seed, kind, owner, ordinal)
    }

    /// True in `percent` of a hundred draws of a varied run, never in a regular one.
    pub(crate) fn oddly(&mut self, percent: u64) -> bool {
        self.rng.percent(percent) && self.varied
    }

    /// The id of another resource of the same patient.
    pub(crate) fn own(&self, kind: Kind, ordinal: u64) -> Id {
        Id::new(self.seed, kind, self.subject.index, ordinal)
    }

    /// The start of one of the patient's encounters, and its ordinal.
    pub(crate) fn visit(&mut self) -> (u64, i64) {
        let ordinal = self.rng.below(self.subject.visits.len() as u64);
        (ordinal, self.subject.visits[ordinal as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_where_json_asks_for_it() {
        let text = "a\"b\\c\n\t\u{1}\u{2028}é";
        let mut out = vec![b'"'];
        Text(text).put(&mut out);
        out.push(b'"');
        assert_eq!(serde_json::from_slice::<String>(&out).expect("a JSON string"), text);
    }

    #[test]
    fn numbers_are_plain_decimals() {
        let mut out = Vec::new();
        i64::MIN.put(&mut out);
        0u64.put(&mut out);
        u64::MAX.put(&mut out);
        assert_eq!(out, b"-9223372036854775808018446744073709551615");
    }
}
