//! Whose a resource is: the patients in whose compartments a kept line stands.

use std::sync::Arc;

use crate::filter::{self, Line, MustWait};
use crate::plan::elements::Elements;
use crate::plan::organized::{self, Compartment};
use crate::problem::Problems;
use crate::request::Request;
use crate::scan::slots::Capture;
use crate::scan::walk::{self, Flow, WalkScratch, Walked, Watch};
use crate::search::table::Registry;

/// Finds the patients of lines, by the same paths and rules as the gate of a cohort. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Membership {
    registry: Registry,
    /// By the types' numbers in the registry.
    compartments: Arc<[Option<Compartment>]>,
}

/// The patients of one line; reused from line to line.
#[derive(Debug, Default)]
pub struct Patients {
    walk: WalkScratch,
    ids: Vec<u8>,
    /// Where each id ends in `ids`, and whether it is the resource's own.
    ends: Vec<(usize, bool)>,
}

impl Membership {
    /// For every type, whether the request asks for it or not. Of the request `fhir_base` and `elements` count.
    ///
    /// # Errors
    /// The request is to be organized by another type than Patient, or its elements are not right.
    pub fn new(request: &Request, registry: &Registry) -> Result<Membership, Problems> {
        let compartments = organized::compartments(request, registry)?;
        Ok(Membership {
            registry: registry.clone(),
            compartments: compartments.into(),
        })
    }

    /// The registry by which types are numbered.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Whether resources of the type can be in a patient's compartment.
    pub fn has_members(&self, type_index: usize) -> bool {
        self.compartment(type_index).is_some()
    }

    /// The same for each type, for [`crate::plan::Plan::with_late_elements`]: whose a resource is may stand in members that
    /// `_elements` leaves out.
    pub fn types(&self) -> Arc<[bool]> {
        self.compartments.iter().map(Option::is_some).collect()
    }

    /// What `_elements` keeps of a type that can be in a patient's compartment; `None`: everything.
    pub fn elements(&self, type_index: usize) -> Option<&Elements> {
        self.compartment(type_index)?.elements.as_ref()
    }

    fn compartment(&self, type_index: usize) -> Option<&Compartment> {
        self.compartments.get(type_index)?.as_ref()
    }

    /// Finds the patients of a line of the type, one that the sieve kept. It ends in `\n`.
    ///
    /// The line is read no further than it takes to know. Of one whose rest is broken, which only a trusting plan keeps,
    /// what stands before counts.
    pub fn find(&self, type_index: usize, line: &[u8], patients: &mut Patients) {
        let Patients { walk, ids, ends } = patients;
        ids.clear();
        ends.clear();
        let Some(compartment) = self.compartment(type_index) else {
            return;
        };
        debug_assert!(line.ends_with(b"\n"));
        let mut collector = Collector {
            compartment,
            registry: &self.registry,
            missing: compartment.roots,
            ids,
            ends,
        };
        match walk::line(line, 0, &compartment.trie, walk, &mut collector) {
            Ok(Walked::Stopped(..)) => {}
            Ok(Walked::Whole(_)) | Err(_) => drop(collector.collect(line, &walk.captures, true)),
        }
    }
}

impl Patients {
    /// The id of a Patient itself; empty ones are none.
    pub fn own(&self) -> Option<&[u8]> {
        self.all().find_map(|(id, is_own)| is_own.then_some(id))
    }

    /// Ids that the line refers to, in the order of the compartment's parameters; one may stand here twice.
    pub fn referred(&self) -> impl Iterator<Item = &[u8]> {
        self.all().filter_map(|(id, is_own)| (!is_own).then_some(id))
    }

    fn all(&self) -> impl Iterator<Item = (&[u8], bool)> {
        let mut start = 0;
        let ids = self.ends.iter().map(move |&(end, is_own)| {
            let id = &self.ids[start..end];
            start = end;
            (id, is_own)
        });
        ids.filter(|(id, _)| !id.is_empty())
    }
}

/// Watches a walk until every member that may name a patient has been read, or is known to be missing.
struct Collector<'m> {
    compartment: &'m Compartment,
    registry: &'m Registry,
    /// Members of the root, by their index in the trie, that have not been read.
    missing: u128,
    ids: &'m mut Vec<u8>,
    ends: &'m mut Vec<(usize, bool)>,
}

impl Collector<'_> {
    fn collect(&mut self, bytes: &[u8], captures: &[Capture], complete: bool) -> Result<(), MustWait> {
        let Collector { ids, ends, .. } = self;
        ids.clear();
        ends.clear();
        let line = Line {
            bytes,
            captures,
            contained: self.compartment.contained,
            registry: self.registry,
            complete,
        };
        line.each_patient(&self.compartment.paths, &mut |id, is_own| {
            ids.extend_from_slice(id.as_bytes());
            ends.push((ids.len(), is_own));
        })
    }
}

impl Watch for Collector<'_> {
    fn root_closed(&mut self, child: usize, bytes: &[u8], at: usize, captures: &[Capture]) -> Flow {
        let bit = 1 << (child & 127);
        if self.missing & bit == 0 {
            return Flow::Continue;
        }
        self.missing &= !bit;
        let is_read = self.missing == 0 || filter::are_absent(&self.compartment.root_names, self.missing, bytes, at);
        // A reference into contained resources waits for them: then the line is read to its end.
        if is_read && self.collect(bytes, captures, false).is_ok() {
            Flow::Enough
        } else {
            Flow::Continue
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    fn found(type_name: &str, line: &str) -> Vec<String> {
        let request = Request {
            organize_by: Some("Patient".into()),
            fhir_base: Some("http://own/fhir".into()),
            ..Request::default()
        };
        let registry = Registry::r4();
        let membership = Membership::new(&request, &registry).expect("valid request");
        let index = registry.type_index(type_name).expect("a type");
        let mut patients = Patients::default();
        membership.find(index, format!("{line}\n").as_bytes(), &mut patients);
        let text = |id: &[u8]| String::from_utf8_lossy(id).into_owned();
        let own = patients.own().map(|id| format!("={}", text(id)));
        own.into_iter().chain(patients.referred().map(text)).collect()
    }

    #[test]
    fn subjects_and_performers_and_own_ids() {
        let observation = r#"{"subject":{"reference":"Patient/b"},"performer":[{"reference":"Practitioner/x"},{"reference":"http://own/fhir/Patient/a/_history/2"}],"focus":[{"reference":"Patient/c"}]}"#;
        assert_eq!(
            found("Observation", observation),
            ["a", "b"].map(String::from).into_iter().rev().collect::<Vec<_>>()
        );
        let patient = r#"{"id":"\u0061","link":[{"other":{"reference":"Patient/b"}}]}"#;
        assert_eq!(found("Patient", patient), ["=a", "b"]);
        assert!(found("Patient", r#"{"id":""}"#).is_empty());
        assert_eq!(found("Device", r#"{"patient":{"reference":"Patient/a"}}"#), ["a"]);
        assert!(found("Practitioner", r#"{"id":"a"}"#).is_empty());
        assert!(found("Group", r#"{"member":[{"entity":{"reference":"Patient/a"}}]}"#).is_empty());
    }

    #[test]
    fn the_walk_ends_early_and_misses_nothing() {
        let filler = "x".repeat(2000);
        let late = format!(
            r#"{{"subject":{{"reference":"Patient/a"}},"text":"{filler}","performer":[{{"reference":"Patient/b"}}]}}"#
        );
        let mut both = found("Observation", &late);
        both.sort();
        assert_eq!(both, ["a", "b"]);
        // The rest is not even looked at.
        let broken = format!(r#"{{"subject":{{"reference":"Patient/a"}},"text":"{filler}" ] oops"#);
        assert_eq!(found("Observation", &broken), ["a"]);
        let broken = r#"{"performer":[{"reference":"Patient/b"}],"subject":{"reference":"Patient/a"},] oops"#;
        assert_eq!(found("Observation", broken).len(), 2);
    }

    #[test]
    fn output_is_organized_by_patients_only() {
        let request = Request {
            organize_by: Some("Observation".into()),
            ..Request::default()
        };
        let problems = Plan::compile(&request, &Registry::r4()).expect_err("refused").0;
        assert_eq!(problems[0].option, "organize-by");
        assert!(
            problems[0].message.contains("organized by Patient"),
            "{}",
            problems[0].message
        );
        assert!(Membership::new(&request, &Registry::r4()).is_err());
    }
}
