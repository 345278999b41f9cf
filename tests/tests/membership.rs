//! Whose a resource is: what is found must be what the gate of a cohort tests, on every row of the compartment.

use std::collections::BTreeSet;
use std::sync::Arc;

use fhirehose_core::export::Export;
use fhirehose_core::ids::IdSet;
use fhirehose_core::membership::{Membership, Patients};
use fhirehose_core::plan::Plan;
use fhirehose_core::plan::associated::{Found, Stage};
use fhirehose_core::request::{Cohort, Request};
use fhirehose_core::search::table::Registry;
use fhirehose_core::sink::MemorySink;
use fhirehose_tests::differential::synthetic;
use fhirehose_tests::example;
use fhirehose_tests::oracle::cohort;
use serde_json::{Value, json};

const BASE: &str = "http://own/fhir";

fn organized(registry: &Registry) -> Membership {
    let request = Request {
        organize_by: Some("Patient".into()),
        fhir_base: Some(BASE.into()),
        ..Request::default()
    };
    Membership::new(&request, registry).expect("compiles")
}

fn found(membership: &Membership, registry: &Registry, type_name: &str, line: &[u8]) -> BTreeSet<String> {
    let mut patients = Patients::default();
    let index = registry.type_index(type_name).expect("a type");
    membership.find(index, line, &mut patients);
    let ids = patients.own().into_iter().chain(patients.referred());
    ids.map(|id| String::from_utf8_lossy(id).into_owned()).collect()
}

/// A plan for the cohort of one patient.
fn gate(registry: &Registry, patient: &str, stage: Stage) -> Plan {
    let mut ids = IdSet::default();
    ids.insert(patient.as_bytes());
    let request = Request {
        cohort: Some(Cohort {
            patients: Arc::new(ids),
            exclusive: false,
            group: None,
        }),
        fhir_base: Some(BASE.into()),
        ..Request::default()
    };
    Plan::compile_stage(&request, registry, stage, &Found::default()).expect("compiles")
}

fn keeps(plan: &Plan, line: &[u8]) -> bool {
    let mut export = Export::new(plan.clone(), MemorySink::default());
    export.push(line).expect("memory");
    export.finish().expect("memory").0.kept() > 0
}

const SPELLINGS: [&str; 12] = [
    "Patient/p1",
    "Patient/p1/_history/3",
    "Patient/\\u00701",
    "http://own/fhir/Patient/p1",
    "http://own/fhir/Patient/p1/_history/1",
    "http://other/fhir/Patient/p1",
    "Practitioner/p1",
    "Group/p1",
    "#p1",
    "urn:uuid:p1",
    "p1",
    "Patient/p2",
];

/// Every path of every row in every spelling; whether the patients found are those whose gates keep the line.
fn every_row(registry: &Registry) -> usize {
    let membership = organized(registry);
    let gates = |stage: Stage| ["p1", "p2"].map(|id| (id, gate(registry, id, stage)));
    let (main, of_provenance) = (gates(Stage::Main), gates(Stage::Provenance));
    let mut rows = 0;
    for type_name in registry.types() {
        let index = registry.type_index(type_name).expect("a type");
        let mut codes: Vec<&str> = registry.compartment(type_name).iter().map(String::as_str).collect();
        if type_name == "Device" && registry.param("Device", "patient").is_some() {
            codes.push("patient");
        }
        let is_member = type_name != "Group" && (!codes.is_empty() || type_name == "Patient");
        assert_eq!(membership.has_members(index), is_member, "{type_name}");
        for code in codes {
            let param = registry.param(type_name, code).expect("a parameter");
            for path in param.paths.iter().filter(|path| path.leaf == "Reference") {
                let mut hits = 0;
                for spelling in SPELLINGS {
                    let value = example::resource(type_name, path, json!({ "reference": "SPELLING" }));
                    let line = format!("{value}\n").replace("SPELLING", spelling).into_bytes();
                    let ids = found(&membership, registry, type_name, &line);
                    // Provenance has a pass of its own.
                    let gates = if type_name == "Provenance" {
                        &of_provenance
                    } else {
                        &main
                    };
                    for (id, plan) in gates {
                        assert_eq!(
                            ids.contains(*id),
                            keeps(plan, &line),
                            "{type_name}.{code}, {spelling}, {id}"
                        );
                    }
                    hits += ids.len();
                }
                let wanted = if type_name == "Group" { 0 } else { 6 };
                assert_eq!(hits, wanted, "{type_name}.{code}");
            }
            rows += 1;
        }
    }
    rows
}

#[test]
fn every_row_finds_whom_the_gate_keeps() {
    assert_eq!(every_row(&Registry::r4()), 101, "100 rows, and Device");
    assert_eq!(every_row(&Registry::r4b()), 101);
    assert_eq!(every_row(&Registry::r5()), 105);
}

/// References into contained resources, which `where(resolve() is Patient)` has to look up, do not name a patient.
#[test]
fn contained_patients_are_nobody() {
    let registry = Registry::r4();
    let membership = organized(&registry);
    let line = br##"{"resourceType":"Provenance","target":[{"reference":"#p1"},{"reference":"Patient/p2"}],"contained":[{"resourceType":"Patient","id":"p1"}]}
"##;
    let ids = found(&membership, &registry, "Provenance", line);
    assert_eq!(ids.into_iter().collect::<Vec<_>>(), ["p2"]);
}

#[test]
fn synthetic_records_are_whose_the_plain_reading_says() {
    let registry = Registry::r4();
    let membership = organized(&registry);
    let mut told = 0;
    for lines in synthetic(60, 9).expect("memory").values() {
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            let Ok(value) = serde_json::from_slice::<Value>(line) else {
                continue;
            };
            let Some(type_name) = value["resourceType"].as_str().filter(|name| registry.is_type(name)) else {
                continue;
            };
            let mut expected = cohort::patients_of(&registry, &value, None).unwrap_or_default();
            if type_name == "Patient" {
                expected.extend(value["id"].as_str().map(str::to_owned));
            }
            let line = [line.trim_ascii_end(), b"\n"].concat();
            assert_eq!(found(&membership, &registry, type_name, &line), expected, "{type_name}");
            told += expected.len();
        }
    }
    assert!(told > 1000, "{told}");
}
