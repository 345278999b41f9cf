//! Broken lines sprinkled over a run, for tests of bad input.

use std::io;

use crate::rng::{Rng, key};
use crate::run::{Options, Totals, generate};
use crate::sink::Sink;

/// How many broken lines of each kind were added.
///
/// Every good line is still there. `crlf` counts good lines that end in `\r\n`, `blank` lines without content; the rest
/// are lines that must be reported as bad.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Faults {
    /// Not JSON: cut short, a comma too many, a bad escape, a bad number, a bare control character and so on.
    pub broken_json: u64,
    /// JSON in form, but a string holds bytes that are not UTF-8.
    pub invalid_utf8: u64,
    /// A whole resource with something after it.
    pub trailing_garbage: u64,
    /// A JSON value that is not an object.
    pub non_object: u64,
    /// An object without `resourceType`, or one whose `resourceType` is not a string.
    pub no_resource_type: u64,
    /// A `resourceType` that FHIR does not have.
    pub unknown_type: u64,
    /// `resourceType` or `id` twice at the top level.
    pub duplicate_member: u64,
    /// Blank lines: nothing, blanks, or `\r` alone.
    pub blank: u64,
    /// Good lines that end in `\r\n`.
    pub crlf: u64,
}

impl Faults {
    /// The number of lines that must be reported as bad.
    pub const fn bad(&self) -> u64 {
        self.broken_json
            + self.invalid_utf8
            + self.trailing_garbage
            + self.non_object
            + self.no_resource_type
            + self.unknown_type
            + self.duplicate_member
    }
}

/// Like [`generate`], with about one fault to `every` good lines (at least one to each line for 0 or 1).
///
/// The returned totals count the good lines only.
///
/// # Errors
/// Only those of the sink.
pub fn with_faults(options: &Options, every: u64, sink: &mut impl Sink) -> io::Result<(Totals, Faults)> {
    let rng = Rng::new(key(options.seed, 0xfa17, options.first, 0));
    let mut faulty = FaultSink {
        sink,
        rng,
        every,
        turn: 0,
        faults: Faults::default(),
        line: Vec::new(),
    };
    let totals = generate(options, &mut faulty)?;
    Ok((totals, faulty.faults))
}

struct FaultSink<'a, S> {
    sink: &'a mut S,
    rng: Rng,
    every: u64,
    /// Kinds take turns, so that a short run has them all.
    turn: u64,
    faults: Faults,
    line: Vec<u8>,
}

impl<S: Sink> Sink for FaultSink<'_, S> {
    fn write(&mut self, type_name: &'static str, good: &[u8]) -> io::Result<()> {
        if self.rng.below(self.every.max(1)) != 0 {
            return self.sink.write(type_name, good);
        }
        let body = good.strip_suffix(b"\n").unwrap_or(good);
        self.line.clear();
        self.turn += 1;
        if self.turn.is_multiple_of(9) {
            self.faults.crlf += 1;
            self.line.extend_from_slice(body);
            self.line.extend_from_slice(b"\r\n");
            return self.sink.write(type_name, &self.line);
        }
        self.fault(body, type_name);
        self.line.push(b'\n');
        let before = self.rng.below(2) == 0;
        if before {
            self.sink.write(type_name, &self.line)?;
        }
        self.sink.write(type_name, good)?;
        if before {
            Ok(())
        } else {
            self.sink.write(type_name, &self.line)
        }
    }
}

const NOT_UTF8: [&[u8]; 6] = [
    b"\xff",
    b"\x80",
    b"\xc3",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
];
const TRAILING: [&[u8]; 5] = [b"}", b" x", b"{}", b",", b"\0"];
const NON_OBJECTS: [&[u8]; 6] = [
    b"[]",
    br#"[{"resourceType":"Patient","id":"in-array"}]"#,
    br#""Patient""#,
    b"42",
    b"null",
    b"true",
];
const TYPELESS: [&[u8]; 4] = [
    br#"{"id":"no-type","status":"final"}"#,
    b"{}",
    br#"{"resourceType":null,"id":"null-type"}"#,
    br#"{"id":"nested-type","contained":[{"resourceType":"Patient","id":"x"}]}"#,
];
const UNKNOWN: [&[u8]; 4] = [b"Pateint", b"patient", b"Observations", b""];
const BLANKS: [&[u8]; 4] = [b"", b"  \t ", b"\r", b" \r"];

impl<S> FaultSink<'_, S> {
    fn append(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.line.extend_from_slice(part);
        }
    }

    fn fault(&mut self, body: &[u8], type_name: &str) {
        let which = self.rng.next() >> 8;
        let name = type_name.as_bytes();
        match self.turn % 9 {
            1 => {
                self.faults.broken_json += 1;
                self.broken(body, which);
            }
            2 => {
                self.faults.invalid_utf8 += 1;
                let bytes = NOT_UTF8[(which % 6) as usize];
                self.append(&[
                    br#"{"resourceType":""#,
                    name,
                    br#"","id":"bad-utf8","language":""#,
                    bytes,
                    br#""}"#,
                ]);
            }
            3 => {
                self.faults.trailing_garbage += 1;
                self.append(&[body, TRAILING[(which % 5) as usize]]);
            }
            4 => {
                self.faults.non_object += 1;
                self.append(&[NON_OBJECTS[(which % 6) as usize]]);
            }
            5 => {
                self.faults.no_resource_type += 1;
                self.append(&[TYPELESS[(which % 4) as usize]]);
            }
            6 => {
                self.faults.unknown_type += 1;
                let unknown = UNKNOWN[(which % 4) as usize];
                self.append(&[br#"{"resourceType":""#, unknown, br#"","id":"unknown-type"}"#]);
            }
            7 => {
                self.faults.duplicate_member += 1;
                self.duplicate(body, name, which);
            }
            _ => {
                self.faults.blank += 1;
                self.append(&[BLANKS[(which % 4) as usize]]);
            }
        }
    }

    fn broken(&mut self, body: &[u8], which: u64) {
        let body = body.trim_ascii_end();
        // Cut between characters, else the line would be invalid UTF-8 as well and its kind in doubt.
        let mut cut = body.len() / 2;
        while cut > 0 && body[cut] & 0xc0 == 0x80 {
            cut -= 1;
        }
        let line: &[u8] = match which % 8 {
            0 => &body[..cut],
            1 => &body[..body.len() - 1],
            2 => br#"{"resourceType":"Patient","id":"comma",}"#,
            3 => br#"{"resourceType":"Patient","id":"esc\x"}"#,
            4 => br#"{"resourceType":"Patient","multipleBirthInteger":01}"#,
            5 => b"{\"resourceType\":\"Patient\",\"id\":\"tab\tin string\"}",
            6 => br#"{"resourceType":"Patient","active":True}"#,
            _ => br#"{'resourceType':'Patient'}"#,
        };
        self.append(&[line]);
    }

    /// Puts a second `resourceType` or `id` behind the first brace; the values may be equal or differ.
    fn duplicate(&mut self, body: &[u8], name: &[u8], which: u64) {
        let behind = body.iter().position(|&byte| byte == b'{').map_or(0, |brace| brace + 1);
        let (before, after) = body.split_at(behind);
        if which.is_multiple_of(2) {
            self.append(&[before, br#""id":"duplicate","#, after]);
        } else {
            self.append(&[before, br#""resourceType":""#, name, br#"","#, after]);
        }
    }
}
