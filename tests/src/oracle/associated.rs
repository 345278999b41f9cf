//! What comes along with a cohort: resources of nobody that kept resources name.

use std::collections::BTreeSet;

use fhirehose_core::search::table::SearchType;
use serde_json::Value;

use super::export::{Judge, Record, Target};
use super::reference::target;
use super::values::{follow, named};

/// Every resource that a value names in a member `reference`, at any depth.
pub(crate) fn references(value: &Value, base: Option<&str>) -> BTreeSet<Target> {
    let mut found = BTreeSet::new();
    match value {
        Value::Object(members) => {
            if let Some(text) = members.get("reference").and_then(Value::as_str) {
                found.extend(target(text, base));
            }
            for member in members.values() {
                found.extend(references(member, base));
            }
        }
        Value::Array(items) => {
            for item in items {
                found.extend(references(item, base));
            }
        }
        _ => {}
    }
    found
}

/// Adds what kept resources name, then what the Locations and PractitionerRoles so added name, until nothing is new.
pub(crate) fn associated(judge: &Judge<'_>, main: &BTreeSet<usize>) -> BTreeSet<usize> {
    let records = judge.records();
    let mut wanted: BTreeSet<Target> = BTreeSet::new();
    for &at in main {
        wanted.extend(records[at].refers_to.iter().cloned());
    }
    let mut taken: BTreeSet<Target> = BTreeSet::new();
    let mut kept = BTreeSet::new();
    loop {
        let before = kept.len();
        for (at, record) in records.iter().enumerate() {
            // Each resource once, however often it stands in the data.
            let Some(own) = record
                .target()
                .filter(|own| wanted.contains(own) && !taken.contains(own))
            else {
                continue;
            };
            if comes_along(judge, record) {
                taken.insert(own);
                kept.insert(at);
                wanted.extend(onward(record, judge.base()));
            }
        }
        if kept.len() == before {
            return kept;
        }
    }
}

/// Whether a resource that is named by a kept one is exported.
fn comes_along(judge: &Judge<'_>, record: &Record) -> bool {
    let is_nobodys = match record.type_name.as_str() {
        "Bundle" | "Binary" | "Group" => false,
        "Device" => record.value().get("patient").is_none(),
        type_name => !judge.is_compartment_type(type_name),
    };
    is_nobodys
        && judge.asks_for(&record.type_name)
        && judge.in_snapshot(record)
        && judge.passes_filters(record)
        && !is_of_another(judge, record)
}

/// Whether a search parameter of the resource leads to a patient who is not in the cohort.
fn is_of_another(judge: &Judge<'_>, record: &Record) -> bool {
    let value = record.value();
    for param in judge.registry().params(&record.type_name) {
        let may_be_patient = param.targets.is_empty() || param.targets.iter().any(|name| name == "Patient");
        if param.kind != SearchType::Reference || !may_be_patient {
            continue;
        }
        for spec in &param.paths {
            for reference in follow(&value, spec) {
                let text = reference["reference"].as_str().unwrap_or_default();
                if let Some((type_name, id)) = target(text, judge.base())
                    && type_name == "Patient"
                    && !judge.is_listed(&id)
                {
                    return true;
                }
            }
        }
    }
    false
}

/// What an exported resource brings along itself.
fn onward(record: &Record, base: Option<&str>) -> BTreeSet<Target> {
    let names: &[&str] = match record.type_name.as_str() {
        "Location" => &["managingOrganization"],
        "PractitionerRole" => &["practitioner", "organization", "location"],
        _ => &[],
    };
    let value = record.value();
    let references = names.iter().flat_map(|name| named(&value, &[name]));
    references
        .filter_map(|reference| target(reference["reference"].as_str()?, base))
        .collect()
}
