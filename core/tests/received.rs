//! What another server has sent is held against the request line by line, as far as lines can tell.

use std::sync::Arc;

use fhirehose_core::export::Export;
use fhirehose_core::ids::IdSet;
use fhirehose_core::plan::Plan;
use fhirehose_core::plan::associated::{Found, Stage};
use fhirehose_core::request::{Cohort, Request};
use fhirehose_core::search::table::Registry;
use fhirehose_core::sink::MemorySink;

fn kept(request: &Request, lines: &[&str]) -> Vec<String> {
    let plan = Plan::compile_stage(request, &Registry::r4(), Stage::Received, &Found::default());
    let plan = plan.expect("compiles").with_plain_bundles();
    let mut export = Export::new(plan, MemorySink::default());
    lines
        .iter()
        .for_each(|line| export.push(format!("{line}\n").as_bytes()).expect("takes"));
    let (report, sink) = export.finish().expect("ends");
    assert_eq!(report.read(), lines.len() as u64, "what was received is counted");
    let texts = sink.files.into_iter().map(|(_, bytes)| String::from_utf8(bytes));
    let texts: Vec<String> = texts.map(|text| text.expect("text")).collect();
    texts
        .iter()
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

fn patients(ids: &[&str]) -> Option<Cohort> {
    let mut set = IdSet::default();
    ids.iter().for_each(|id| {
        set.insert(id.as_bytes());
    });
    Some(Cohort {
        patients: Arc::new(set),
        exclusive: false,
        group: None,
    })
}

const MINE: &str = r#"{"resourceType":"Observation","id":"1","subject":{"reference":"Patient/a"}}"#;
const OTHERS: &str = r#"{"resourceType":"Observation","id":"2","subject":{"reference":"Patient/b"}}"#;
const ORGANIZATION: &str = r#"{"resourceType":"Organization","id":"o"}"#;
const DEVICE: &str = r#"{"resourceType":"Device","id":"d"}"#;
const MY_DEVICE: &str = r#"{"resourceType":"Device","id":"e","patient":{"reference":"Patient/a"}}"#;
const THEIR_DEVICE: &str = r#"{"resourceType":"Device","id":"f","patient":{"reference":"Patient/b"}}"#;
const PROVENANCE: &str = r#"{"resourceType":"Provenance","id":"p","target":[{"reference":"Observation/1"}]}"#;
const THEIR_PROVENANCE: &str = r#"{"resourceType":"Provenance","id":"q","target":[{"reference":"Patient/b"}]}"#;

#[test]
fn of_a_cohort_nothing_of_somebody_else_stays_and_nothing_that_belongs_to_it_goes() {
    let request = Request {
        cohort: patients(&["a"]),
        ..Request::default()
    };
    let lines = [
        MINE,
        OTHERS,
        ORGANIZATION,
        DEVICE,
        MY_DEVICE,
        THEIR_DEVICE,
        PROVENANCE,
        THEIR_PROVENANCE,
    ];
    let carriers = ["Parameters", "Bundle", "Binary", "OperationOutcome"];
    let carriers = carriers.map(|name| format!(r#"{{"resourceType":"{name}","parameter":[{{"resource":{OTHERS}}}]}}"#));
    let carriers: Vec<&str> = carriers.iter().map(String::as_str).collect();
    let mut kept = kept(&request, &[&lines[..], &carriers[..]].concat());
    kept.sort();
    let mut expected = [MINE, ORGANIZATION, DEVICE, MY_DEVICE, PROVENANCE].map(str::to_owned);
    expected.sort();
    assert_eq!(kept, expected);
}

#[test]
fn an_empty_cohort_keeps_nobodys_records() {
    let request = Request {
        cohort: patients(&[]),
        ..Request::default()
    };
    assert_eq!(kept(&request, &[MINE, MY_DEVICE, THEIR_PROVENANCE]), [""; 0]);
}

#[test]
fn what_is_no_resource_is_told() {
    let plan = Plan::compile_stage(&Request::default(), &Registry::r4(), Stage::Received, &Found::default());
    let mut export = Export::new(plan.expect("compiles"), MemorySink::default());
    export
        .push(b"{}\n{\"resourceType\":\"Patient\",\n{\"resourceType\":\"Nobody\"}\n")
        .expect("takes");
    let (report, _) = export.finish().expect("ends");
    assert_eq!(report.bad_lines(), 3);
}

#[test]
fn types_and_filters_hold_for_what_came_along_too() {
    let request = Request {
        types: vec!["Observation,Organization".into()],
        type_filters: vec!["Organization?active=true".into()],
        cohort: patients(&["a"]),
        ..Request::default()
    };
    let active = r#"{"resourceType":"Organization","id":"p","active":true}"#;
    assert_eq!(
        kept(&request, &[MINE, ORGANIZATION, active, DEVICE, PROVENANCE]),
        [MINE, active]
    );
}

#[test]
fn provenance_that_was_asked_for_beside_the_types_stays() {
    let request = Request {
        types: vec!["Observation".into()],
        associated_data: vec!["RelevantProvenanceResources".into()],
        ..Request::default()
    };
    assert_eq!(
        kept(&request, &[MINE, OTHERS, ORGANIZATION, PROVENANCE]),
        [MINE, OTHERS, PROVENANCE]
    );
}

#[test]
fn elements_that_a_server_has_taken_out_already_are_not_taken_out_twice() {
    let request = Request {
        types: vec!["Observation".into()],
        elements: vec!["id,status".into()],
        ..Request::default()
    };
    let line = r#"{"resourceType":"Observation","id":"1","meta":{"versionId":"1"},"status":"final","code":{"text":"x"},"note":[{"text":"y"}]}"#;
    let once = kept(&request, &[line]);
    assert!(
        once[0].contains("SUBSETTED") && !once[0].contains("note"),
        "{}",
        once[0]
    );
    assert_eq!(kept(&request, &[&once[0]]), once);
}
