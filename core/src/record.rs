//! One line as a record: checked to its last byte, with the type, the id and the time of its last change.

use crate::error::BadLine;
use crate::scan::json::Json;
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
}

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
        let end = match walk::line(block, start, &self.trie, &mut self.walk, &mut ToTheEnd) {
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
