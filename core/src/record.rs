//! One line as a record: checked to its last byte, with the type, the id and the time of its last change.
//!
//! Lines that begin like FHIR from most servers are compared with what was learned of their type; whatever is not known
//! there, right or wrong, is read by the walker. So what comes of a line does not depend on the lines before.

use crate::error::BadLine;
use crate::scan::json::Json;
use crate::scan::learned::{Checked, Learned};
use crate::scan::slots::{Capture, SlotId};
use crate::scan::text::Text;
use crate::scan::trie::Trie;
use crate::scan::walk::{self, Fault, Flow, WalkScratch, Walked, Watch};
use crate::search::kind::date::{self, Nanos};
use crate::search::table::Registry;

/// What a line is.
#[derive(Clone, Copy, Debug)]
pub enum Line<'b> {
    /// Nothing but blanks.
    Blank,
    /// A resource.
    Record(Record<'b>),
    /// Not a resource; where in the block, and why.
    Bad(Fault),
}

/// A resource, borrowed from its block.
#[derive(Clone, Copy, Debug)]
pub struct Record<'b> {
    /// The type's number in the registry.
    pub type_index: usize,
    /// Its id, if it has one.
    pub id: Option<Text<'b>>,
    /// `meta.lastUpdated`; `None` where there is none or it is no time. Without an offset it is taken as UTC, and one of
    /// less precision as its first instant.
    pub updated: Option<Nanos>,
    /// The object, without the blanks around it.
    pub json: &'b [u8],
}

/// Reads lines, reusing its memory.
#[derive(Debug)]
pub struct RecordReader {
    trie: Trie,
    type_slot: SlotId,
    id_slot: SlotId,
    updated_slot: SlotId,
    walk: WalkScratch,
    /// The type of the line before, which is most often the type of the next.
    last_type: (String, usize),
    /// What was learned of each type, by its number, and how many bytes that takes.
    learned: Vec<Option<Box<Learned>>>,
    learned_bytes: usize,
}

/// How most lines begin.
const HEAD: &[u8] = b"{\"resourceType\":\"";

/// Longest name of a type that is looked for.
const LONGEST_NAME: usize = 64;

/// Most bytes that is learned, give or take the last lesson.
const MOST_LEARNED: usize = 2 << 20;

impl Default for RecordReader {
    fn default() -> Self {
        let mut trie = Trie::default();
        let mut slot = |names: &[&str]| {
            let node = trie.insert(0, names);
            trie.capture(node)
        };
        let type_slot = slot(&["resourceType"]);
        let id_slot = slot(&["id"]);
        let updated_slot = slot(&["meta", "lastUpdated"]);
        RecordReader {
            trie,
            type_slot,
            id_slot,
            updated_slot,
            walk: WalkScratch::default(),
            last_type: (String::new(), 0),
            learned: Vec::new(),
            learned_bytes: 0,
        }
    }
}

/// Reads a time as the stored ones are: see [`Record::updated`].
pub fn time(text: Text<'_>) -> Option<Nanos> {
    date::read(text.decode().as_bytes()).map(|date| date.interval.lo)
}

struct ToTheEnd;

impl Watch for ToTheEnd {
    fn root_closed(&mut self, _: usize, _: &[u8], _: usize, _: &[Capture]) -> Flow {
        Flow::Continue
    }
}

impl RecordReader {
    /// Reads the line that starts at `start` in a block whose last byte is a newline. Gives the index of the line's
    /// newline too.
    pub fn read<'b>(&mut self, registry: &Registry, block: &'b [u8], start: usize) -> (Line<'b>, usize) {
        let mut first = start;
        while matches!(block.get(first), Some(b' ' | b'\t' | b'\r')) {
            first += 1;
        }
        if block.get(first).is_none_or(|&byte| byte == b'\n') {
            return (Line::Blank, first);
        }
        let end = match self.walked(registry, block, start) {
            Ok(Walked::Whole(end)) => end,
            Ok(Walked::Stopped(at, _)) => newline(block, at),
            Err(fault) => return (Line::Bad(fault), newline(block, fault.at)),
        };
        let line = match self.resource_type(registry, block, start) {
            Err(fault) => Line::Bad(fault),
            Ok(type_index) => Line::Record(Record {
                type_index,
                id: self.text(block, self.id_slot).filter(|id| !id.raw().is_empty()),
                updated: self.text(block, self.updated_slot).and_then(time),
                json: block[first..end].trim_ascii_end(),
            }),
        };
        (line, end)
    }

    /// As [`walk::line`] does.
    fn walked(&mut self, registry: &Registry, block: &[u8], start: usize) -> Result<Walked, Fault> {
        let Some(type_index) = self.leading_type(registry, &block[start..]) else {
            return walk::line(block, start, &self.trie, &mut self.walk, &mut ToTheEnd);
        };
        if self.learned.len() <= type_index {
            self.learned.resize_with(type_index + 1, || None);
        }
        let learned = self.learned[type_index].get_or_insert_with(Box::default);
        let known = learned.line(block, start, &mut self.walk, &mut ToTheEnd);
        let is_known = known.is_some();
        let walked = match known {
            Some(walked) => walked,
            None => walk::line(block, start, &self.trie, &mut self.walk, &mut ToTheEnd)?,
        };
        if self.learned_bytes < MOST_LEARNED && learned.learns(!is_known) {
            let before = learned.size();
            learned.learn(&self.trie, block, start, !is_known, Checked::Whole);
            self.learned_bytes = (self.learned_bytes + learned.size()).saturating_sub(before);
        }
        Ok(walked)
    }

    /// The type that a line begins with. Only what was learned of it depends on this.
    fn leading_type(&self, registry: &Registry, line: &[u8]) -> Option<usize> {
        let rest = line.strip_prefix(HEAD)?;
        let (last, type_index) = &self.last_type;
        if rest
            .strip_prefix(last.as_bytes())
            .is_some_and(|behind| behind.first() == Some(&b'"'))
        {
            return Some(*type_index);
        }
        let rest = &rest[..rest.len().min(LONGEST_NAME)];
        let name = &rest[..memchr::memchr(b'"', rest)?];
        registry.type_index(std::str::from_utf8(name).ok()?)
    }

    fn resource_type(&mut self, registry: &Registry, block: &[u8], start: usize) -> Result<usize, Fault> {
        let fault = |kind, at| Fault { kind, at };
        let text = self.text(block, self.type_slot);
        let text = text.ok_or_else(|| fault(BadLine::NoResourceType, start))?;
        if text.is(&self.last_type.0) && !self.last_type.0.is_empty() {
            return Ok(self.last_type.1);
        }
        let name = text.decode();
        let at = self
            .capture(self.type_slot)
            .map_or(start, |capture| capture.start as usize);
        let type_index = registry
            .type_index(&name)
            .ok_or_else(|| fault(BadLine::UnknownType, at))?;
        self.last_type = (name.into_owned(), type_index);
        Ok(type_index)
    }

    /// The only capture of a slot.
    fn capture(&self, slot: SlotId) -> Option<&Capture> {
        let mut all = self.walk.captures.iter().filter(|capture| capture.slot == slot);
        all.next().filter(|_| all.next().is_none())
    }

    /// The text at a slot. An array stands for its items on the paths of a search, but is no text.
    fn text<'b>(&self, block: &'b [u8], slot: SlotId) -> Option<Text<'b>> {
        let capture = self.capture(slot)?;
        let (start, end) = (capture.start as usize, capture.end as usize);
        let is_item = block[..start].trim_ascii_end().last() != Some(&b':');
        Json::new(&block[start..end]).text().filter(|_| !is_item)
    }
}

fn newline(block: &[u8], from: usize) -> usize {
    memchr::memchr(b'\n', &block[from..]).map_or(block.len(), |at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> String {
        let block = format!("{line}\n");
        let mut reader = RecordReader::default();
        let registry = Registry::r4();
        let (line, end) = reader.read(&registry, block.as_bytes(), 0);
        assert_eq!(end, block.len() - 1);
        match line {
            Line::Blank => "blank".to_owned(),
            Line::Bad(fault) => format!("{} at {}", fault.kind.code(), fault.at),
            Line::Record(record) => {
                let id = record.id.map_or("-".into(), |id| id.decode().into_owned());
                let name = &registry.types()[record.type_index];
                assert!(record.json.starts_with(b"{") && record.json.ends_with(b"}"));
                format!("{name} {id} {:?}", record.updated.map(|at| at / 1_000_000_000))
            }
        }
    }

    /// Lines of two types and of every kind of damage: a reader that has learned says what a new one says.
    #[test]
    fn what_was_learned_changes_nothing() {
        let registry = Registry::r4();
        let mut reader = RecordReader::default();
        let mut state = 5u64;
        let mut draw = |most: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % most
        };
        let said = |reader: &mut RecordReader, block: &[u8]| {
            let (line, end) = reader.read(&registry, block, 0);
            let id = |record: &Record<'_>| record.id.map(|id| id.decode().into_owned());
            let line = match line {
                Line::Blank => "blank".to_owned(),
                Line::Bad(fault) => format!("{fault:?}"),
                Line::Record(record) => format!(
                    "{} {:?} {:?} {:?}",
                    record.type_index,
                    id(&record),
                    record.updated,
                    record.json
                ),
            };
            format!("{line} {end}")
        };
        for round in 0..6_000 {
            let name = ["Patient", "Observation"][round / 40 % 2];
            let (number, day) = (draw(100_000), draw(28) + 1);
            let text = format!(
                r#"{{"resourceType":"{name}","id":"id-{number}","meta":{{"lastUpdated":"2020-01-{day:02}T00:00:00Z","tag":[{{"code":"x"}}]}},"status":"final","n":{number}}}"#
            );
            let mut block = text.into_bytes();
            if round % 3 == 0 {
                let at = draw(block.len());
                match draw(3) {
                    0 => drop(block.remove(at)),
                    1 => block.truncate(at),
                    _ => block[at] = b"\"\\{}[],:x0\x01\xff"[draw(12)],
                }
            }
            block.push(b'\n');
            let expected = said(&mut RecordReader::default(), &block);
            assert_eq!(
                said(&mut reader, &block),
                expected,
                "{}",
                String::from_utf8_lossy(&block)
            );
        }
        assert!(reader.learned.iter().flatten().any(|learned| learned.edges() > 0));
    }

    #[test]
    fn what_a_line_is() {
        let cases = [
            (" \r", "blank"),
            (
                r#"{"resourceType":"Patient","id":"a","meta":{"lastUpdated":"1970-01-01T00:00:07Z"}}"#,
                "Patient a Some(7)",
            ),
            (r#" {"id":"\u0061","resourceType":"Patient"} "#, "Patient a None"),
            (r#"{"resourceType":"Patient","id":["a"],"meta":[]}"#, "Patient - None"),
            (
                r#"{"resourceType":"Patient","id":7,"meta":{"lastUpdated":"soon"}}"#,
                "Patient - None",
            ),
            (
                r#"{"resourceType":"Patient","contained":[{"id":"x"}]}"#,
                "Patient - None",
            ),
            (r#"{"id":"a"}"#, "no-resource-type at 0"),
            (r#"{"resourceType":["Patient"]}"#, "no-resource-type at 0"),
            (r#"{"resourceType":"Patiant"}"#, "unknown-type at 16"),
            (
                r#"{"resourceType":"Patient","id":"a","id":"b"}"#,
                "duplicate-name at 40",
            ),
            (r#"{"resourceType":"Patient"}{}"#, "trailing at 26"),
            (r#"{"resourceType":"Patient","x":tru}"#, "syntax at 30"),
            ("[]", "not-an-object at 0"),
        ];
        for (line, expected) in cases {
            assert_eq!(read(line), expected, "{line}");
        }
    }

    #[test]
    fn types_of_neighbours_are_not_mixed_up() {
        let block = b"{\"resourceType\":\"Patient\"}\n{\"resourceType\":\"Patiant\"}\n{\"resourceType\":\"Group\"}\n";
        let registry = Registry::r4();
        let mut reader = RecordReader::default();
        let mut found = Vec::new();
        let mut start = 0;
        while start < block.len() {
            let (line, end) = reader.read(&registry, block, start);
            found.push(match line {
                Line::Record(record) => registry.types()[record.type_index].as_str(),
                _ => "-",
            });
            start = end + 1;
        }
        assert_eq!(found, ["Patient", "-", "Group"]);
    }
}
