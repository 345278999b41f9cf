//! Rules of cohort exports on data made by hand: how the data is written, and how binary and oracle are held against a rule.
#![allow(dead_code, reason = "every test file uses a part of it")]

use fhirehose_core::search::table::Registry;
use fhirehose_tests::cohort_requests::{CohortList, CohortRequest, data_set};
use serde_json::{Value, json};

use super::binary::Folder;
use super::exported::{differences, expected, name, written};

/// Patients `a` and `b`.
pub(crate) fn patients() -> Vec<Value> {
    ["a", "b"]
        .map(|id| json!({"resourceType": "Patient", "id": id}))
        .to_vec()
}

/// An Observation of Patient `a` with this id and a reference to each of the others.
pub(crate) fn observation(id: &str, names: &[&str]) -> Value {
    let references: Vec<Value> = names.iter().map(|name| json!({"reference": name})).collect();
    json!({"resourceType": "Observation", "id": id, "subject": {"reference": "Patient/a"}, "performer": references})
}

/// A resource with nothing but its name, `Type/id`.
pub(crate) fn bare(name: &str) -> Value {
    with(name, json!({}))
}

pub(crate) fn with(name: &str, mut members: Value) -> Value {
    let (type_name, id) = name.split_once('/').expect("Type/id");
    members["resourceType"] = json!(type_name);
    members["id"] = json!(id);
    members
}

pub(crate) fn to(name: &str) -> Value {
    json!({"reference": name})
}

pub(crate) fn text(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Runs one request over files of lines; the names of what is kept must be these, each as often as it stands here.
#[track_caller]
pub(crate) fn check_files(files: &[(&str, String)], request: &str, names: &[&str]) -> String {
    let request = CohortRequest::parse(request).expect("a request");
    let list = CohortList {
        transaction_time: "2025-01-01T00:00:00Z".to_owned(),
        request: Vec::new(),
    };
    let folder = Folder::new();
    for (name, text) in files {
        folder.write(&format!("data/{name}"), text);
    }
    let registry = Registry::r4().with_us_core();
    let bytes: Vec<(String, Vec<u8>)> = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.clone().into_bytes()))
        .collect();
    let data = data_set(&registry, request.fhir_base.as_deref(), &bytes).expect("reads");
    let exported = data.export(&request.for_oracle(&list)).expect("the oracle accepts");
    let kept = expected(&data, &exported);
    let mut of_oracle: Vec<String> = kept.values().flatten().map(|line| name(line)).collect();
    of_oracle.sort();
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    assert_eq!(of_oracle, sorted, "oracle");

    let options = request.arguments(&list, "patients.txt");
    let mut arguments = vec!["export", "data", "-o", "out"];
    arguments.extend(options.iter().map(String::as_str));
    let ran = folder.run(&arguments).ends(0);
    let written = written(&folder, "out").expect("an export");
    assert_eq!(differences(&kept, &written), Vec::<String>::new(), "binary");
    ran.err
}

#[track_caller]
pub(crate) fn check(lines: &[Value], request: &str, names: &[&str]) -> String {
    check_files(&[("data.ndjson", text(lines))], request, names)
}

/// The request is refused by both, the binary says this, and nothing is written.
#[track_caller]
pub(crate) fn refuse(files: &[(&str, String)], request: &str, told: &str) {
    let request = CohortRequest::parse(request).expect("a request");
    let list = CohortList {
        transaction_time: String::new(),
        request: Vec::new(),
    };
    let folder = Folder::new();
    for (name, text) in files {
        folder.write(&format!("data/{name}"), text);
    }
    let bytes: Vec<(String, Vec<u8>)> = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.clone().into_bytes()))
        .collect();
    let data = data_set(&Registry::r4(), request.fhir_base.as_deref(), &bytes).expect("reads");
    data.export(&request.for_oracle(&list)).expect_err("the oracle refuses");
    let options = request.arguments(&list, "patients.txt");
    let mut arguments = vec!["export", "data", "-o", "out"];
    arguments.extend(options.iter().map(String::as_str));
    folder.run(&arguments).ends(2).tells(&[told]);
    let inputs_only = folder.files("").iter().all(|name| name.starts_with("data/"));
    assert!(inputs_only, "something is written");
}
