//! Cohorts: every row of the Patient compartment, and many patient lists over data against the plain reading.

use std::collections::BTreeSet;
use std::sync::Arc;

use fhirehose_core::export::Export;
use fhirehose_core::ids::IdSet;
use fhirehose_core::plan::Plan;
use fhirehose_core::plan::associated::{Found, Stage};
use fhirehose_core::request::{Cohort, Request};
use fhirehose_core::search::table::Registry;
use fhirehose_core::sink::MemorySink;
use fhirehose_tests::data;
use fhirehose_tests::differential::synthetic;
use fhirehose_tests::example;
use fhirehose_tests::oracle::cohort;
use fhirehose_tests::random::Random;
use serde_json::{Value, json};

fn request(patients: &BTreeSet<String>, exclusive: bool) -> Request {
    let mut ids = IdSet::default();
    ids.extend(patients.iter().map(String::as_bytes));
    let cohort = Cohort {
        patients: Arc::new(ids),
        exclusive,
        group: None,
    };
    Request {
        cohort: Some(cohort),
        ..Request::default()
    }
}

fn kept(plan: &Plan, lines: &[u8]) -> Vec<u8> {
    let mut export = Export::new(plan.clone(), MemorySink::default());
    export.push(lines).expect("memory");
    let (_, sink) = export.finish().expect("memory");
    sink.files.into_iter().flat_map(|(_, bytes)| bytes).collect()
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// For every path of every row: the patient's record is kept, another patient's is not.
fn every_row(registry: &Registry) -> usize {
    let plans = |stage: Stage| {
        ["p1", "p2", ""].map(|id| {
            let ids = if id.is_empty() { set(&[]) } else { set(&[id]) };
            Plan::compile_stage(&request(&ids, false), registry, stage, &Found::default()).expect("compiles")
        })
    };
    let (main, of_provenance) = (plans(Stage::Main), plans(Stage::Provenance));
    let mut rows = 0;
    for type_name in registry.types() {
        let mut codes: Vec<&str> = registry.compartment(type_name).iter().map(String::as_str).collect();
        match type_name.as_str() {
            // R5 has no such parameter: its Devices are tied to patients by other resources.
            "Device" if registry.param("Device", "patient").is_some() => codes.push("patient"),
            // Groups of the members are not exported, unless one is asked for by its id.
            "Group" => continue,
            _ => {}
        }
        // Provenance has a pass of its own: what is exported of it hangs on the other kept resources, too.
        let [own, other, nobody] = match type_name.as_str() {
            "Provenance" => &of_provenance,
            _ => &main,
        };
        for code in codes {
            let param = registry
                .param(type_name, code)
                .expect("a row of the compartment is a parameter");
            for path in param.paths.iter().filter(|path| path.leaf == "Reference") {
                let at = |reference: &str| {
                    let value = example::resource(type_name, path, json!({ "reference": reference }));
                    format!("{value}\n").into_bytes()
                };
                let place = format!("{type_name}.{code} at {}", path.names.join("."));
                assert!(!kept(own, &at("Patient/p1")).is_empty(), "{place}");
                assert!(!kept(own, &at("Patient/p1/_history/3")).is_empty(), "{place}");
                assert!(kept(other, &at("Patient/p1")).is_empty(), "{place}");
                assert!(kept(nobody, &at("Patient/p1")).is_empty(), "{place}");
                for foreign in ["Group/p1", "http://other/fhir/Patient/p1", "#p1", "urn:uuid:p1", "p1"] {
                    assert!(kept(own, &at(foreign)).is_empty(), "{place} as {foreign}");
                }
            }
            rows += 1;
        }
    }
    rows
}

#[test]
fn every_row_of_the_compartment_positive_and_negative() {
    assert_eq!(every_row(&Registry::r4()), 100, "99 rows without Group, and Device");
    assert_eq!(every_row(&Registry::r4b()), 100);
    assert_eq!(every_row(&Registry::r5()), 104, "105 rows without Group");
}

#[test]
fn references_beside_the_table_do_not_count() {
    let plan = Plan::compile(&request(&set(&["p"]), false), &Registry::r4()).expect("compiles");
    let lines = [
        json!({"resourceType": "Observation", "focus": [{"reference": "Patient/p"}]}),
        json!({"resourceType": "Task", "for": {"reference": "Patient/p"}}),
        json!({"resourceType": "Observation", "contained": [{"resourceType": "Observation", "subject": {"reference": "Patient/p"}}]}),
        json!({"resourceType": "Observation", "subject": {"identifier": {"value": "p"}, "type": "Patient"}}),
        json!({"resourceType": "Group", "id": "g", "member": [{"entity": {"reference": "Patient/p"}}]}),
        json!({"resourceType": "Practitioner", "id": "p"}),
        json!({"resourceType": "Patient", "id": "q"}),
    ];
    for line in lines {
        assert!(
            kept(&plan, format!("{line}\n").as_bytes()).is_empty(),
            "{}",
            line["resourceType"]
        );
    }
    assert!(!kept(&plan, b"{\"resourceType\":\"Patient\",\"id\":\"p\"}\n").is_empty());
}

#[test]
fn types_of_nobody_alone_are_refused_by_name_and_beside_one_of_somebody_are_not() {
    let compile = |types: &str| {
        let request = Request {
            types: vec![types.into()],
            ..request(&set(&["p"]), false)
        };
        Plan::compile(&request, &Registry::r4())
    };
    assert!(compile("Observation,Practitioner").is_ok());
    for (types, named) in [
        ("Practitioner", "Practitioner"),
        ("Observation,Binary", "Binary"),
        ("Bundle,Patient", "Bundle"),
    ] {
        let problems = compile(types).expect_err("refused").0;
        let told = format!("{problems:?}");
        assert!(told.contains(named), "{types}: {told}");
    }
}

/// Many patient lists over the lines of one type, engine against oracle.
fn compare(registry: &Registry, lines: &[u8], patients: &[String], lists: u64, random: &mut Random) {
    let parsed: Vec<(&[u8], Value)> = lines
        .split_inclusive(|&byte| byte == b'\n')
        .filter_map(|line| Some((line, serde_json::from_slice(line).ok()?)))
        .collect();
    for list in 0..lists {
        let share = 1 + random.below(20);
        let wanted: BTreeSet<String> = patients.iter().filter(|_| random.one_in(share)).cloned().collect();
        let exclusive = list % 3 == 2;
        let plan = Plan::compile(&request(&wanted, exclusive), registry).expect("compiles");
        let mut expected = Vec::new();
        for (line, value) in &parsed {
            if cohort::keeps(registry, value, &wanted, exclusive) {
                expected.extend_from_slice(line);
            }
        }
        assert!(
            kept(&plan, lines) == expected,
            "list {list} of {} patients",
            wanted.len()
        );
    }
}

#[test]
fn patient_lists_over_synthetic_data() {
    let registry = Registry::r4();
    let mut random = Random::new(7);
    let by_type = synthetic(40, 3).expect("memory");
    let ids = |lines: &[u8]| -> Vec<String> {
        let values = lines
            .split(|&byte| byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        values
            .filter_map(|value| Some(value["id"].as_str()?.to_owned()))
            .collect()
    };
    let patients = ids(&by_type["Patient"]);
    assert!(patients.len() > 30);
    for (_, lines) in by_type.iter().filter(|(name, _)| **name != "Provenance") {
        compare(&registry, lines, &patients, 60, &mut random);
    }
}

#[test]
fn patient_lists_over_large_data() {
    let Some(folder) = data::folder() else { return };
    let registry = Registry::r4();
    let mut random = Random::new(11);
    let mut patients = Vec::new();
    let files = data::files(&folder).expect("folder");
    for path in files.iter().filter(|path| path.to_string_lossy().contains("Patient.")) {
        let take = |value: &Value| patients.extend(value["id"].as_str().map(str::to_owned));
        data::each_resource(path, take).expect("reads");
    }
    assert!(patients.len() > 100);
    let small = [
        "Condition.",
        "Device.",
        "Encounter.",
        "Immunization.",
        "Patient.",
        "Location.",
    ];
    for path in files
        .iter()
        .filter(|path| small.iter().any(|name| path.to_string_lossy().contains(name)))
    {
        let mut lines = Vec::new();
        data::each_resource(path, |value| lines.extend_from_slice(format!("{value}\n").as_bytes())).expect("reads");
        compare(&registry, &lines, &patients, 12, &mut random);
    }
}
