//! Whose record a resource is: the Patient compartment, read plainly.

use std::collections::BTreeSet;

use fhirehose_core::search::table::Registry;
use serde_json::Value;

use super::values::follow;

/// The patients in whose compartments a resource is; `None`: its type is in nobody's.
#[must_use]
pub fn patients_of(registry: &Registry, resource: &Value) -> Option<BTreeSet<String>> {
    let type_name = resource["resourceType"].as_str()?;
    let mut codes: Vec<&str> = registry.compartment(type_name).iter().map(String::as_str).collect();
    if type_name == "Device" && registry.param("Device", "patient").is_some() {
        codes.push("patient");
    }
    if type_name == "Group" {
        return None;
    }
    if codes.is_empty() && type_name != "Patient" {
        return None;
    }
    let mut patients = BTreeSet::new();
    for code in codes {
        for spec in registry.param(type_name, code).map_or(&[][..], |param| &param.paths) {
            for value in follow(resource, spec) {
                let text = value["reference"].as_str().unwrap_or_default();
                let mut segments = text.split('/');
                if let (Some("Patient"), Some(id)) = (segments.next(), segments.next())
                    && matches!(segments.next(), None | Some("_history"))
                {
                    patients.insert(id.to_owned());
                }
            }
        }
    }
    Some(patients)
}

/// Whether a resource is exported for these patients.
#[must_use]
pub fn keeps(registry: &Registry, resource: &Value, wanted: &BTreeSet<String>, exclusive: bool) -> bool {
    let Some(patients) = patients_of(registry, resource) else {
        return false;
    };
    let own = resource["resourceType"] == "Patient" && resource["id"].as_str().is_some_and(|id| wanted.contains(id));
    let listed = own || patients.iter().any(|id| wanted.contains(id));
    let others = patients.iter().any(|id| !wanted.contains(id));
    listed && !(exclusive && others)
}
