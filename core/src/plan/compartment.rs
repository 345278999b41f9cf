//! Membership: the gate of a cohort, from the table of the Patient compartment (SPEC 4).

use std::sync::Arc;

use super::gate::{Gate, Path, Test};
use super::paths::Places;
use crate::ids::IdSet;
use crate::request::Cohort;
use crate::search::leaf::Leaf;
use crate::search::table::{PathSpec, Registry, SearchType};

/// A rule of ours beside the table: Devices of a patient lie outside the compartment, and everybody expects them.
pub(super) const DEVICE: (&str, &str) = ("Device", "patient");

/// The gate of one type, or `None`: the type is in no patient's compartment.
pub(super) fn gate(cohort: &Cohort, registry: &Registry, places: &mut Places<'_>) -> Option<Gate> {
    let (paths, ids) = match (places.type_name, &cohort.group) {
        // Other groups of the members are other people's business.
        ("Group", None) => return None,
        ("Group", Some(group)) => {
            let mut own_group = IdSet::default();
            // A group of nobody exports nothing, not even itself.
            if !cohort.patients.is_empty() {
                own_group.insert(group.as_bytes());
            }
            (vec![own_id(places)], Arc::new(own_group))
        }
        _ => {
            let paths = references(registry, places);
            if paths.is_empty() {
                return None;
            }
            (paths, cohort.patients.clone())
        }
    };
    let exclusive = cohort.exclusive;
    let label = format!("in the compartment of one of {} patients", cohort.patients.len());
    Some(Gate {
        label,
        test: Test::Member { paths, ids, exclusive },
        roots: 0,
    })
}

/// Whether resources of the type can be in a patient's compartment.
pub fn has_members(registry: &Registry, type_name: &str) -> bool {
    type_name == "Patient" || !codes(registry, type_name).is_empty()
}

fn codes<'r>(registry: &'r Registry, type_name: &str) -> Vec<&'r str> {
    let mut codes: Vec<&str> = registry.compartment(type_name).iter().map(String::as_str).collect();
    if type_name == DEVICE.0 && registry.param(type_name, DEVICE.1).is_some() {
        codes.push(DEVICE.1);
    }
    codes
}

pub(super) fn references(registry: &Registry, places: &mut Places<'_>) -> Vec<Path> {
    let type_name = places.type_name;
    let mut paths = Vec::new();
    for code in codes(registry, type_name) {
        let Some(param) = registry.param(type_name, code) else {
            continue;
        };
        let specs: Vec<&PathSpec> = param
            .paths
            .iter()
            .filter(|spec| Leaf::named(&spec.leaf) == Leaf::Reference)
            .collect();
        paths.extend(places.add_all(&specs, SearchType::Reference, &param.targets));
    }
    if type_name == "Patient" {
        paths.push(own_id(places));
    }
    paths
}

fn own_id(places: &mut Places<'_>) -> Path {
    own(places, &["id"], "id", SearchType::Token)
}

/// A path that needs no parameter: an element that every resource of the type has.
pub(super) fn own(places: &mut Places<'_>, names: &[&str], leaf: &str, kind: SearchType) -> Path {
    let spec = PathSpec {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        leaf: leaf.to_owned(),
        wheres: Vec::new(),
        ref_is: None,
        first: false,
        root: false,
    };
    places.add(&spec, kind, &[])
}
