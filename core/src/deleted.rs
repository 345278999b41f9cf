//! The resources that the input says were deleted, by type and id (SPEC 2.12).
//!
//! A deletion whose time is known does not touch what was changed after it; one without a time touches everything.

use crate::deletion::Deletion;
use crate::links::Links;
use crate::names::Named;
use crate::order::Map;
use crate::record;
use crate::scan::json::Json;
use crate::scan::text::Decoded;
use crate::search::kind::date::Nanos;
use crate::search::table::Registry;

/// What was deleted, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// By the type's number and the id; `None`: at a time that is not known.
    times: Map<usize, Named<Option<Nanos>>>,
}

impl Deleted {
    /// Adds a deletion. Of several of one resource the latest counts, and one without a time most of all. A type that the
    /// registry does not have is passed over: nothing of it is exported.
    pub fn add(&mut self, deletion: &Deletion, registry: &Registry) {
        if let Some(type_index) = registry.type_index(&deletion.type_name) {
            self.insert(type_index, &deletion.id, deletion.time);
        }
    }

    fn insert(&mut self, type_index: usize, id: &str, time: Option<Nanos>) {
        let known = self.times.slot(type_index).slot_with(id, || time);
        *known = known.zip(time).map(|(one, other)| one.max(other));
    }

    /// Takes in what another thread found.
    pub fn merge(&mut self, other: Deleted) {
        for (type_index, id, time) in other.iter() {
            self.insert(type_index, id, time);
        }
    }

    /// Whether nothing was deleted.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// How many resources.
    pub fn len(&self) -> usize {
        self.times.values().map(Named::len).sum()
    }

    /// Whether anything of a type was deleted.
    pub fn has(&self, type_index: usize) -> bool {
        self.times.contains_key(&type_index)
    }

    /// What becomes of a line that has passed its gates.
    pub fn verdict<'l>(&self, type_index: usize, line: &'l [u8]) -> Verdict<'l> {
        let Some(times) = self.times.get(&type_index) else {
            return Verdict::Stands;
        };
        let resource = Json::new(line.trim_ascii_start());
        let Some(id) = resource.get("id").and_then(Json::text) else {
            return Verdict::Stands;
        };
        let id = id.decode();
        let Some(deleted) = times.get(&id) else {
            return Verdict::Stands;
        };
        let updated = resource.get("meta").and_then(|meta| meta.get("lastUpdated"));
        let updated = updated.and_then(Json::text).and_then(record::time);
        match deleted.zip(updated) {
            Some((deleted, updated)) if updated > deleted => Verdict::Returned(id),
            _ => Verdict::Deleted,
        }
    }

    /// The deletions in order of type and id: the type's number, the id and the time.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &str, Option<Nanos>)> {
        self.times
            .iter()
            .flat_map(|(&type_index, times)| times.iter().map(move |(id, time)| (type_index, id, *time)))
    }

    /// Those that a request asks for, as `Type` and id: `is_asked` says it of type, id and time. What has returned since
    /// is no deletion any more.
    pub fn asked<'d>(
        &'d self,
        registry: &'d Registry,
        returned: &'d Links,
        is_asked: impl Fn(usize, &str, Option<Nanos>) -> bool + 'd,
    ) -> impl Iterator<Item = (&'d str, &'d str)> {
        let types = registry.types();
        self.iter()
            .filter(move |(type_index, id, time)| {
                is_asked(*type_index, id, *time) && !returned.contains(*type_index, id.as_bytes())
            })
            .filter_map(|(type_index, id, _)| Some((types.get(type_index)?.as_str(), id)))
    }
}

/// What becomes of a line.
#[derive(Debug)]
pub enum Verdict<'l> {
    /// Nobody deleted it.
    Stands,
    /// It was deleted: it is not exported.
    Deleted,
    /// It was deleted, and has been changed since. Its id.
    Returned(Decoded<'l>),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deletion(id: &str, time: Option<Nanos>) -> Deletion {
        Deletion {
            type_name: "Patient".into(),
            id: id.into(),
            time,
        }
    }

    #[test]
    fn the_latest_deletion_counts_and_one_without_a_time_most() {
        let registry = Registry::r4();
        let patient = registry.type_index("Patient").expect("a type");
        let second = 1_000_000_000;
        let mut deleted = Deleted::default();
        for one in [
            deletion("a", Some(5 * second)),
            deletion("a", Some(9 * second)),
            deletion("b", Some(5 * second)),
            deletion("b", None),
            Deletion {
                type_name: "Nothing".into(),
                ..deletion("a", None)
            },
        ] {
            deleted.add(&one, &registry);
        }
        let verdict = |line: &str| match deleted.verdict(patient, line.as_bytes()) {
            Verdict::Stands => "stands".to_owned(),
            Verdict::Deleted => "deleted".to_owned(),
            Verdict::Returned(id) => format!("returned: {}", &*id),
        };
        let at = |id: &str, second: u32| {
            verdict(&format!(
                r#"{{"id":"{id}","meta":{{"lastUpdated":"1970-01-01T00:00:{second:02}Z"}}}}"#
            ))
        };
        assert_eq!(at("a", 9), "deleted");
        assert_eq!(at("a", 10), "returned: a");
        assert_eq!(at("b", 59), "deleted");
        assert_eq!(at("c", 1), "stands");
        assert_eq!(verdict(r#"{"id":"a"}"#), "deleted");
        assert_eq!(verdict("{}"), "stands");
        assert_eq!((deleted.len(), deleted.has(patient), deleted.has(0)), (2, true, false));
        let mut returned = Links::default();
        returned.insert(patient, b"a");
        let asked: Vec<_> = deleted.asked(&registry, &returned, |_, _, _| true).collect();
        assert_eq!(asked, [("Patient", "b")]);
    }
}
