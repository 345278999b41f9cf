//! Sets of resources by type and id, and the references in a line that lead to them (SPEC 4.4).

use std::sync::LazyLock;

use memchr::memmem;

use crate::ids::IdSet;
use crate::scan::json::{Json, end_of_string};
use crate::scan::text::Text;
use crate::search::kind::reference;

/// Resources, each by its type's number in the registry and its id.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// One set a type; shorter than the registry where the last types have none.
    sets: Vec<IdSet>,
}

impl Links {
    /// Adds a resource. `false`: it was there, or its id is too long to be one.
    pub fn insert(&mut self, type_index: usize, id: &[u8]) -> bool {
        if self.sets.len() <= type_index {
            self.sets.resize_with(type_index + 1, IdSet::default);
        }
        self.sets[type_index].insert(id)
    }

    /// Whether the resource is among them.
    pub fn contains(&self, type_index: usize, id: &[u8]) -> bool {
        self.of(type_index).is_some_and(|ids| ids.contains(id))
    }

    /// The ids of one type.
    pub fn of(&self, type_index: usize) -> Option<&IdSet> {
        self.sets.get(type_index).filter(|ids| !ids.is_empty())
    }

    /// Takes in others. The larger set is kept and the smaller one put into it.
    pub fn merge(&mut self, mut other: Links) {
        if self.sets.len() < other.sets.len() {
            self.sets.resize_with(other.sets.len(), IdSet::default);
        }
        for (own, theirs) in self.sets.iter_mut().zip(&mut other.sets) {
            if own.len() < theirs.len() {
                std::mem::swap(own, theirs);
            }
            own.extend(theirs.iter());
            own.note_overflow(theirs);
            *theirs = IdSet::default();
        }
    }

    /// Whether resources were not taken for want of room: whoever relies on the sets must not go on.
    pub fn have_overflowed(&self) -> bool {
        self.sets.iter().any(IdSet::has_overflowed)
    }

    /// How many resources, of all types.
    pub fn len(&self) -> usize {
        self.sets.iter().map(IdSet::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sets.iter().all(IdSet::is_empty)
    }

    /// Bytes of memory that the sets hold.
    pub fn memory(&self) -> usize {
        self.sets.iter().map(IdSet::memory).sum()
    }
}

const NAME: &[u8] = b"\"reference\"";
static NAMES: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(NAME));
static ESCAPE: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"\\u"));

/// Calls `each` with the text of every literal reference of a resource: the strings that are members named `reference`,
/// wherever they stand, in `contained` and extensions too. The line has been walked, or is trusted.
pub fn references<'a>(line: &'a [u8], each: &mut dyn FnMut(Text<'a>)) {
    // With an escape in it a name may be spelled otherwise; so rare that it may be slow.
    if ESCAPE.find(line).is_some() {
        return references_by_names(line, each);
    }
    for at in NAMES.find_iter(line) {
        // In a longer text the first quote is escaped.
        if at > 0 && line[at - 1] == b'\\' {
            continue;
        }
        // A text that reads `reference` is followed by a comma or a bracket, a name by a colon.
        let behind = line[at + NAME.len()..].trim_ascii_start();
        let Some(value) = behind.strip_prefix(b":") else {
            continue;
        };
        if let Some(text) = Json::new(value.trim_ascii_start()).text() {
            each(text);
        }
    }
}

/// The same without trust in how names are spelled: every string is looked at, and is a name if a colon follows. Depth
/// does not matter, and each byte is read once.
fn references_by_names<'a>(line: &'a [u8], each: &mut dyn FnMut(Text<'a>)) {
    let mut at = 0;
    while let Some(quote) = memchr::memchr(b'"', &line[at..]) {
        let start = at + quote + 1;
        (at, _) = end_of_string(line, start);
        let Some(value) = line[at..].trim_ascii_start().strip_prefix(b":") else {
            continue;
        };
        let name = Text::new(line.get(start..at - 1).unwrap_or_default());
        if name.is("reference")
            && let Some(text) = Json::new(value.trim_ascii_start()).text()
        {
            each(text);
        }
    }
}

/// Calls `each` with type and id of every resource of this server that a line refers to. `base`: the server's own, for
/// absolute references.
pub fn targets(line: &[u8], base: Option<&str>, each: &mut dyn FnMut(&str, &str)) {
    references(line, &mut |text| {
        let text = text.decode();
        if let Some((type_name, id)) = reference::target_of(&text, base) {
            each(type_name, id);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<String> {
        let mut all = Vec::new();
        references(line.as_bytes(), &mut |text| all.push(text.decode().into_owned()));
        all.sort();
        all
    }

    #[test]
    fn references_wherever_they_stand() {
        let line = r#"{"a":{"reference" : "X/1"},"b":[{"reference":"X\/2"},{"c":{"reference":"X/3"}}],"code":"reference","text":"\"reference\":\"X/4\"","reference":{"reference":"X/5"},"n":["reference"]}"#;
        assert_eq!(found(line), ["X/1", "X/2", "X/3", "X/5"]);
        let slowly = line.replace(r#""code""#, r#""cod\u0065""#);
        assert_eq!(found(&slowly), found(line));
        assert_eq!(found(r#"{"a":{"refer\u0065nce":"X/1"}}"#), ["X/1"]);
        let deep = r#"{"a":[[[{"reference":"X/1","b":"e"},{"reference":["X/2"]}]]],"c\"reference":"X/3"}"#;
        assert_eq!(found(deep), ["X/1"]);
        assert_eq!(found(&deep.replace(r#""e""#, r#""\u0065""#)), ["X/1"]);
    }

    #[test]
    fn targets_are_of_the_own_server() {
        let line = r##"{"a":[{"reference":"X/1/_history/2"},{"reference":"http://own/X/2"},{"reference":"http://other/X/3"},{"reference":"#x"},{"reference":"urn:uuid:4"},{"reference":"X?identifier=5"}]}"##;
        let mut all = Vec::new();
        targets(line.as_bytes(), Some("http://own"), &mut |name, id| {
            all.push(format!("{name}/{id}"))
        });
        assert_eq!(all, ["X/1", "X/2"]);
    }

    #[test]
    fn sets_are_joined() {
        let mut one = Links::default();
        let mut other = Links::default();
        assert!(one.insert(3, b"a") && one.insert(0, b"a") && !one.insert(3, b"a"));
        assert!(other.insert(3, b"a") && other.insert(3, b"b") && other.insert(5, b"c"));
        one.merge(other);
        assert_eq!(one.len(), 4);
        assert!(one.contains(3, b"a") && one.contains(3, b"b") && one.contains(5, b"c") && !one.contains(4, b"a"));
        assert!(one.memory() > 0 && !one.is_empty());
    }
}
