//! Cohorts over lines of several types: few patients, as many as a profile allows, everybody; and what they refer to.

use std::collections::BTreeSet;
use std::sync::Arc;

use fhirehose_core::ids::IdSet;
use fhirehose_core::plan::Plan;
use fhirehose_core::request::{Cohort, Request};
use fhirehose_core::search::table::Registry;
use fhirehose_tests::oracle::cohort;
use serde_json::Value;

use crate::data::{Data, target};
use crate::shape::{Shape, resources};

/// Types that are in a patient's compartment, in the order of their lines.
const TYPES: [&str; 4] = ["Condition", "Encounter", "Observation", "Patient"];

/// What their lines refer to, and no patient is in.
const LINKED: [&str; 3] = ["Location", "Organization", "Practitioner"];

/// As many as a profile lets a request name.
const MOST: usize = 20_000;

/// A shape, and how many resources of other types its kept lines refer to, if these are gathered.
#[derive(Debug)]
pub struct CohortShape {
    /// Lines, request and how many are kept.
    pub shape: Shape,
    /// How many links come together.
    pub links: usize,
}

/// The lines, read once for all shapes.
struct Lines {
    data: &'static str,
    text: Arc<Vec<u8>>,
    resources: Vec<Value>,
    /// Patients of the lines, in their order.
    patients: Vec<String>,
}

impl CohortShape {
    /// All of them over this data; the first is a plain scan of the same lines, which the others read as times of.
    ///
    /// # Panics
    /// When the data lacks a type that they stand on, or too few patients have lines.
    pub fn all(data: &Data) -> Vec<CohortShape> {
        let lines = Lines::new(data);
        let count = lines.patients.len();
        assert!(count >= 2, "cohorts need more patients than {count}");
        let spread = |wanted: usize| -> Vec<String> {
            let step = (count / wanted).max(2);
            lines.patients.iter().step_by(step).take(wanted).cloned().collect()
        };
        let strangers = (0..MOST).map(|number| format!("00000000-0000-4000-8000-{number:012}"));
        let most: Vec<String> = spread(count / 2).into_iter().chain(strangers).take(MOST).collect();
        let everybody = &lines.patients;
        vec![
            lines.shape("everybody-plain", None, false),
            lines.shape("ten-patients", Some(&spread(10)), false),
            lines.shape("ids-20k", Some(&most), false),
            lines.shape("all-ids", Some(everybody), false),
            lines.shape("ten-patients-linked", Some(&spread(10)), true),
            lines.shape("all-ids-linked", Some(everybody), true),
        ]
    }
}

impl Lines {
    fn new(data: &Data) -> Lines {
        let mut text = Vec::new();
        for type_name in TYPES {
            let lines = data.of(type_name);
            let end = memchr::memrchr(b'\n', &lines[..lines.len().min(target() / TYPES.len())]);
            text.extend_from_slice(&lines[..end.map_or(0, |newline| newline + 1)]);
        }
        let resources: Vec<Value> = resources(&text).collect();
        let mut seen = BTreeSet::new();
        let of = |resource: &Value| match resource["resourceType"].as_str() {
            Some("Patient") => resource["id"].as_str().map(str::to_owned),
            _ => {
                let subject = resource["subject"]["reference"].as_str()?;
                Some(subject.strip_prefix("Patient/")?.to_owned())
            }
        };
        let patients = resources
            .iter()
            .filter_map(of)
            .filter(|id| seen.insert(id.clone()))
            .collect();
        Lines {
            data: data.name(),
            text: Arc::new(text),
            resources,
            patients,
        }
    }

    fn shape(&self, name: &'static str, ids: Option<&[String]>, is_linked: bool) -> CohortShape {
        let linked: &[&str] = if is_linked { &LINKED } else { &[] };
        let request = Request {
            types: TYPES.iter().chain(linked).map(|&name| name.to_owned()).collect(),
            cohort: ids.map(|ids| Cohort {
                patients: Arc::new(set(ids)),
                exclusive: false,
                group: None,
            }),
            ..Request::default()
        };
        let registry = Registry::r4();
        let plan = Plan::compile(&request, &registry).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        let wanted: Option<BTreeSet<String>> = ids.map(|ids| ids.iter().cloned().collect());
        let is_kept = |resource: &&Value| {
            wanted
                .as_ref()
                .is_none_or(|wanted| cohort::keeps(&registry, resource, wanted, false))
        };
        let mut kept = 0;
        let mut links = BTreeSet::new();
        for resource in self.resources.iter().filter(is_kept) {
            kept += 1;
            collect(resource, linked, &mut links);
        }
        let lines = self.resources.len() as u64;
        let is_some = ids.is_none() || kept > 0 && (kept < lines || name.starts_with("all"));
        assert!(
            is_some && links.is_empty() != is_linked,
            "{name} keeps {kept} of {lines}: not what it is to measure"
        );
        let shape = Shape {
            name,
            data: self.data,
            text: self.text.clone(),
            request,
            plan,
            lines,
            kept,
        };
        CohortShape {
            shape,
            links: links.len(),
        }
    }
}

fn set(ids: &[String]) -> IdSet {
    let mut set = IdSet::default();
    for id in ids {
        set.insert(id.as_bytes());
    }
    set
}

/// The references of a resource to these types, wherever they stand.
fn collect(value: &Value, types: &[&str], out: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(text)) = members.get("reference") {
                let is_one = |name: &str| types.contains(&name);
                out.extend(
                    text.split_once('/')
                        .filter(|(name, _)| is_one(name))
                        .map(|_| text.clone()),
                );
            }
            members.values().for_each(|member| collect(member, types, out));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, types, out)),
        _ => {}
    }
}
