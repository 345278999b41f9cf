//! The resources of a file: one after the other, in an array or in a Bundle; each checked as strictly as a record.

use super::text;
use crate::problem::Problem;
use crate::scan::json::{Json, Kind};
use crate::scan::slots::Capture;
use crate::scan::trie::Trie;
use crate::scan::walk::{self, Flow, WalkScratch, Walked, Watch};

/// Where a resource stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Line that its JSON value starts in, from 1.
    line: usize,
    /// Its number in the array or Bundle, from 1.
    entry: Option<usize>,
}

impl Place {
    /// A problem here.
    pub(super) fn problem(self, option: &'static str, message: impl AsRef<str>) -> Problem {
        let message = message.as_ref();
        let place = match self.entry {
            Some(entry) => format!("line {}, entry {entry}", self.line),
            None => format!("line {}", self.line),
        };
        Problem::whole(option, "", format!("{place}: {message}"))
    }
}

/// What the resources are read for: a name that stands twice where one of these is read is a mistake.
const READ: &[&[&str]] = &[
    &["resourceType"],
    &["url"],
    &["version"],
    &["code"],
    &["type"],
    &["base"],
    &["expression"],
    &["target"],
    &["expansion", "contains"],
    &["expansion", "total"],
    &["expansion", "offset"],
    &["compose", "include"],
    &["compose", "exclude"],
];

/// Name under which a value is wrapped, since the walk takes objects only.
const WRAP: &str = "value";

/// Calls `take` with each resource. Whatever is no JSON or no resource of that type is a problem.
pub(super) fn each(
    bytes: &[u8],
    option: &'static str,
    wanted: &str,
    problems: &mut Vec<Problem>,
    take: &mut dyn FnMut(Json<'_>, Place) -> Result<(), Problem>,
) {
    // Editors of some systems put a byte order mark in front.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let trie = watched();
    let mut scratch = WalkScratch::default();
    let mut found = 0;
    let mut at = 0;
    let mut line = 1;
    while at < bytes.len() {
        let end = end_of_value(bytes, at);
        let value = &bytes[at..end];
        if value.trim_ascii().is_empty() {
            break;
        }
        let lines = |bytes: &[u8]| memchr::memchr_iter(b'\n', bytes).count();
        let blanks = value.len() - value.trim_ascii_start().len();
        let place = Place {
            line: line + lines(&value[..blanks]),
            entry: None,
        };
        line += lines(value);
        at = end;
        found += 1;
        let Some(wrapped) = checked(value, &trie, &mut scratch) else {
            problems.push(place.problem(option, format!("expected a {wanted} in JSON; this is no valid JSON")));
            continue;
        };
        let value = Json::new(&wrapped).get(WRAP).unwrap_or(Json::new(b""));
        problems.extend(resources(value, place).into_iter().filter_map(|(resource, place)| {
            if resource
                .get("resourceType")
                .and_then(Json::text)
                .is_some_and(|text| text.is(wanted))
            {
                take(resource, place).err()
            } else {
                let other = text(resource, "resourceType").map_or(String::new(), |name| format!(", found {name}"));
                Some(place.problem(option, format!("expected a {wanted}{other}")))
            }
        }));
    }
    if found == 0 {
        problems.push(Problem::whole(
            option,
            "",
            format!("expected a {wanted} in JSON; there is nothing"),
        ));
    }
}

/// The resources of one JSON value, each with its place.
fn resources(value: Json<'_>, place: Place) -> Vec<(Json<'_>, Place)> {
    let numbered = |(index, resource)| {
        let entry = Some(index + 1);
        (resource, Place { entry, ..place })
    };
    let is_bundle = |json: Json<'_>| {
        json.get("resourceType")
            .and_then(Json::text)
            .is_some_and(|text| text.is("Bundle"))
    };
    if value.kind() == Kind::Array {
        value.each().enumerate().map(numbered).collect()
    } else if is_bundle(value) {
        value
            .each_of("entry")
            .map(|entry| entry.get("resource").unwrap_or(Json::new(b"")))
            .enumerate()
            .map(numbered)
            .collect()
    } else {
        vec![(value, place)]
    }
}

fn watched() -> Trie {
    let mut trie = Trie::default();
    for prefix in [&[WRAP][..], &[WRAP, "entry", "resource"]] {
        let node = trie.insert(0, prefix);
        for names in READ {
            trie.insert(node, names);
        }
    }
    trie
}

/// The value as the member of an object on one line, if the walk accepts it.
fn checked(value: &[u8], trie: &Trie, scratch: &mut WalkScratch) -> Option<Vec<u8>> {
    let mut wrapped = format!("{{\"{WRAP}\":").into_bytes();
    wrapped.extend(without_newlines(value));
    wrapped.extend(b"}\n");
    let walked = walk::line(&wrapped, 0, trie, scratch, &mut Everything);
    // What closes the wrapping too early and opens it again would make a second member.
    let is_whole = matches!(walked, Ok(Walked::Whole(_))) && Json::new(&wrapped).members().count() == 1;
    is_whole.then_some(wrapped)
}

/// Newlines between tokens become blanks. One inside a string stays, for the walk to refuse.
fn without_newlines(value: &[u8]) -> Vec<u8> {
    let mut out = value.to_vec();
    let mut strings = Strings::default();
    for byte in &mut out {
        if !strings.is_inside(*byte) && *byte == b'\n' {
            *byte = b' ';
        }
    }
    out
}

/// One past the end of the JSON value that starts after the blanks at `from`. What is no object or array ends with its line.
fn end_of_value(bytes: &[u8], from: usize) -> usize {
    let mut strings = Strings::default();
    let mut depth = 0usize;
    let mut begun = false;
    for (at, &byte) in bytes.iter().enumerate().skip(from) {
        if strings.is_inside(byte) {
            begun = true;
            continue;
        }
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            b'\n' if begun && depth == 0 => return at,
            _ => {}
        }
        begun |= !byte.is_ascii_whitespace();
    }
    bytes.len()
}

/// Tells strings from what stands between them, byte by byte.
#[derive(Default)]
struct Strings {
    inside: bool,
    escaped: bool,
}

impl Strings {
    /// Whether the next byte belongs to a string, its quotes included.
    fn is_inside(&mut self, byte: u8) -> bool {
        if !self.inside {
            self.inside = byte == b'"';
            return self.inside;
        }
        if self.escaped {
            self.escaped = false;
        } else if byte == b'\\' {
            self.escaped = true;
        } else if byte == b'"' {
            self.inside = false;
        }
        true
    }
}

/// A walk to the end.
struct Everything;

impl Watch for Everything {
    fn root_closed(&mut self, _: usize, _: &[u8], _: usize, _: &[Capture]) -> Flow {
        Flow::Continue
    }
}
