//! Which Provenance is exported: none of its own right where kept resources decide.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::date::parse_date;
use super::export::{Include, Judge, Record, Target};
use super::reference::target;
use super::values::named;

/// The order of Provenance by age: recorded, changed, id; what has no value is older.
type Age = (Option<i128>, Option<i128>, Vec<u8>);

/// The resources that a Provenance is about.
pub(crate) fn targets(provenance: &Value, base: Option<&str>) -> BTreeSet<Target> {
    named(provenance, &["target"])
        .into_iter()
        .filter_map(|reference| target(reference["reference"].as_str()?, base))
        .collect()
}

/// Provenance beside what is kept by its own right.
pub(crate) fn provenance(judge: &Judge<'_>, main: &BTreeSet<usize>) -> BTreeSet<usize> {
    let records = judge.records();
    let kept: BTreeSet<Target> = main
        .iter()
        .map(|&at| &records[at])
        .filter(|record| record.type_name != "Provenance")
        .filter_map(Record::target)
        .collect();
    let mut about: BTreeMap<Target, Vec<(Age, usize)>> = BTreeMap::new();
    for (at, record) in records.iter().enumerate() {
        if record.type_name != "Provenance" || !judge.in_snapshot(record) || !judge.passes_filters(record) {
            continue;
        }
        let value = record.value();
        let targets = targets(&value, judge.base());
        if judge.is_exclusive()
            && targets
                .iter()
                .any(|(name, id)| name == "Patient" && !judge.is_listed(id))
        {
            continue;
        }
        for one in targets.intersection(&kept) {
            about.entry(one.clone()).or_default().push((age(record, &value), at));
        }
    }
    match judge.include() {
        Include::Latest => about.values().filter_map(|all| Some(all.iter().max()?.1)).collect(),
        Include::Relevant => about.values().flatten().map(|(_, at)| *at).collect(),
        // Without a cohort Provenance is a type like any other, and main has seen to it.
        Include::Default if judge.has_cohort() && judge.asks_for("Provenance") => {
            about.values().flatten().map(|(_, at)| *at).collect()
        }
        Include::Default => BTreeSet::new(),
    }
}

fn age(record: &Record, value: &Value) -> Age {
    let recorded = value["recorded"].as_str().and_then(parse_date).map(|time| time.low);
    let id = record.id.clone().unwrap_or_default().into_bytes();
    (recorded, record.updated, id)
}
