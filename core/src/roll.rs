//! The roll of a pass: which of the wanted patients there are, and the Groups, taken down while lines go by.
//!
//! Shared by all threads; what it says at the end does not depend on their order.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::cohort::{GroupError, Groups, Resolved, content};
use crate::ids::IdSet;
use crate::scan::json::Json;

/// What has been taken down.
#[derive(Debug)]
pub struct Roll {
    patients: Option<Patients>,
    groups: Option<Mutex<Groups>>,
}

#[derive(Debug)]
struct Patients {
    wanted: Arc<IdSet>,
    /// For each slot of `wanted`: [`UNSEEN`], [`DIFFERING`], or a hash of the patient's line.
    seen: Vec<AtomicU32>,
}

const UNSEEN: u32 = 0;
const DIFFERING: u32 = 1;

impl Roll {
    /// A roll of these patients and of all Groups; each is optional.
    pub fn new(wanted: Option<Arc<IdSet>>, groups: Option<Groups>) -> Roll {
        let patients = wanted.map(|wanted| Patients {
            seen: (0..wanted.slots()).map(|_| AtomicU32::new(UNSEEN)).collect(),
            wanted,
        });
        Roll {
            patients,
            groups: groups.map(Mutex::new),
        }
    }

    /// Whether lines of the type have to be taken down.
    pub fn notes(&self, type_name: &str) -> bool {
        match type_name {
            "Patient" => self.patients.is_some(),
            "Group" => self.groups.is_some(),
            _ => false,
        }
    }

    /// Takes down a line of such a type, which has been walked to its end.
    pub fn note(&self, type_name: &str, line: &[u8]) {
        match (type_name, &self.patients, &self.groups) {
            ("Patient", Some(patients), _) => patients.note(line.trim_ascii()),
            ("Group", _, Some(groups)) => groups.lock().unwrap_or_else(PoisonError::into_inner).add(line),
            _ => {}
        }
    }

    /// Wanted patients that no line was about, in the order in which they were asked for. There may be millions.
    pub fn unknown(&self) -> impl Iterator<Item = &[u8]> {
        self.patients.iter().flat_map(|patients| {
            let is_unseen = |id: &&[u8]| patients.state(id) == Some(UNSEEN);
            patients.wanted.iter().filter(is_unseen)
        })
    }

    /// Whether no line was about a wanted patient.
    pub fn misses(&self, id: &[u8]) -> bool {
        let patients = self.patients.as_ref();
        patients.is_some_and(|patients| patients.state(id) == Some(UNSEEN))
    }

    /// How many wanted patients have several lines that differ.
    pub fn differing(&self) -> usize {
        let seen = self.patients.iter().flat_map(|patients| &patients.seen);
        seen.filter(|state| state.load(Ordering::Relaxed) == DIFFERING).count()
    }

    /// The patients of a group, from all Groups that were taken down.
    pub fn resolve(&self, group: &str) -> Result<Resolved, GroupError> {
        match &self.groups {
            Some(groups) => groups.lock().unwrap_or_else(PoisonError::into_inner).resolve(group),
            None => Err(GroupError::Unknown(group.to_owned())),
        }
    }
}

impl Patients {
    fn note(&self, line: &[u8]) {
        let id = Json::new(line).get("id").and_then(Json::text);
        let Some(slot) = id.and_then(|id| self.wanted.slot(id.decode().as_bytes())) else {
            return;
        };
        let hash = mark(line);
        let first = self.seen[slot].compare_exchange(UNSEEN, hash, Ordering::Relaxed, Ordering::Relaxed);
        if first.is_err_and(|other| other != hash) {
            self.seen[slot].store(DIFFERING, Ordering::Relaxed);
        }
    }

    fn state(&self, id: &[u8]) -> Option<u32> {
        Some(self.seen[self.wanted.slot(id)?].load(Ordering::Relaxed))
    }
}

/// A hash of the line, folded to 32 bits that are none of the two marks. Two lines that differ are told apart but for one
/// in four thousand million; the answer is told as a note and decides nothing.
fn mark(line: &[u8]) -> u32 {
    let hash = content(line);
    ((hash >> 32) as u32 ^ hash as u32).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patients_are_unknown_known_or_told_twice() {
        let mut wanted = IdSet::default();
        wanted.extend(["a", "b", "c", "d"].map(str::as_bytes));
        let roll = Roll::new(Some(Arc::new(wanted)), None);
        assert!(roll.notes("Patient") && !roll.notes("Group") && !roll.notes("Observation"));
        for line in [
            r#"{"resourceType":"Patient","id":"b","x":1}"#,
            r#"{"resourceType":"Patient","id":"c"}"#,
            r#"{"resourceType":"Patient","id":"c"} "#,
            r#"{"resourceType":"Patient","id":"b","x":2}"#,
            r#"{"resourceType":"Patient","id":"b","x":1}"#,
            r#"{"resourceType":"Patient","id":"e"}"#,
        ] {
            roll.note("Patient", line.as_bytes());
        }
        assert_eq!(roll.unknown().collect::<Vec<_>>(), [b"a", b"d"]);
        assert_eq!(roll.differing(), 1);
        assert!(roll.resolve("g").is_err());
    }
}
