//! Whose record a resource is: the Patient compartment, read plainly.

use std::collections::BTreeSet;

use fhirehose_core::search::table::Registry;
use serde_json::Value;

use super::reference::target;
use super::values::follow;

/// Parameters that put a resource of this type into compartments.
fn parameters<'a>(registry: &'a Registry, type_name: &str) -> Vec<&'a str> {
    let mut codes: Vec<&str> = registry.compartment(type_name).iter().map(String::as_str).collect();
    if type_name == "Device" && registry.param("Device", "patient").is_some() {
        codes.push("patient");
    }
    codes
}

/// Whether resources of this type can be somebody's at all.
#[must_use]
pub fn is_compartment_type(registry: &Registry, type_name: &str) -> bool {
    type_name == "Patient" || !parameters(registry, type_name).is_empty()
}

/// The patients in whose compartments a resource is; `None`: its type is in nobody's, or it is a Group.
#[must_use]
pub fn patients_of(registry: &Registry, resource: &Value, base: Option<&str>) -> Option<BTreeSet<String>> {
    let type_name = resource["resourceType"].as_str()?;
    if type_name == "Group" || !is_compartment_type(registry, type_name) {
        return None;
    }
    let mut patients = BTreeSet::new();
    for code in parameters(registry, type_name) {
        for spec in registry.param(type_name, code).map_or(&[][..], |param| &param.paths) {
            for value in follow(resource, spec) {
                let text = value["reference"].as_str().unwrap_or_default();
                if let Some((pointed, id)) = target(text, base)
                    && pointed == "Patient"
                {
                    patients.insert(id);
                }
            }
        }
    }
    Some(patients)
}

/// Whether a resource is exported for these patients.
#[must_use]
pub fn keeps(registry: &Registry, resource: &Value, wanted: &BTreeSet<String>, exclusive: bool) -> bool {
    let own = resource["resourceType"] == "Patient";
    let id = resource["id"].as_str().filter(|_| own);
    patients_of(registry, resource, None).is_some_and(|patients| belongs(&patients, id, wanted, exclusive))
}

/// Whether a resource in these compartments is exported; `own` is the id of a Patient.
pub(crate) fn belongs(
    patients: &BTreeSet<String>,
    own: Option<&str>,
    wanted: &BTreeSet<String>,
    exclusive: bool,
) -> bool {
    let all = || patients.iter().map(String::as_str).chain(own);
    let listed = all().any(|id| wanted.contains(id));
    let others = all().any(|id| !wanted.contains(id));
    listed && !(exclusive && others)
}
