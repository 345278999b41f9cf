//! The lists of cohort requests through HTTP: the same lines as the slow oracle keeps, byte for byte, each once.

mod binary;
mod exported;
mod serving;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use binary::Folder;
use exported::{Lines, differences, expected};
use fhirehose_core::search::table::Registry;
use fhirehose_tests::cohort_requests::{CohortList, CohortLists, CohortRequest, data_set, data_set_of, synthetic};
use fhirehose_tests::data;
use fhirehose_tests::oracle::export::DataSet;
use serde_json::{Value, json};
use serving::{ASYNC, Answer, Server};

/// Why a client cannot ask for it.
fn reason(request: &CohortRequest) -> Option<&'static str> {
    let has_time = request.transaction_time.as_deref().is_some_and(|time| !time.is_empty());
    let has_patients = request.patients.is_some() || !request.patient.is_empty();
    let reasons = [
        (has_time, "the snapshot is the moment of the kick-off"),
        (request.exclusive, "only the command line leaves out what others share"),
        (
            patients_of(request).is_empty() && has_patients,
            "a list of nobody is no list",
        ),
        (
            request.group.is_none() && !has_patients,
            "without a cohort it is the system's export",
        ),
    ];
    reasons.into_iter().find(|(is_so, _)| *is_so).map(|(_, reason)| reason)
}

/// The listed patients.
fn patients_of(request: &CohortRequest) -> Vec<&str> {
    let named = request.patient.iter().flat_map(|list| list.split(','));
    let listed = request.patients.iter().flatten().map(String::as_str);
    let all = named.chain(listed).map(str::trim);
    all.filter(|id| !id.is_empty()).collect()
}

/// Kicks off by POST: patients are listed in no other way.
fn kick_off(server: &Server, request: &CohortRequest) -> Answer {
    let path = match &request.group {
        Some(group) => format!("Group/{group}/$export"),
        None => "Patient/$export".to_owned(),
    };
    let texts = [
        ("_type", &request.types),
        ("_typeFilter", &request.type_filter),
        ("includeAssociatedData", &request.include_associated_data),
    ];
    let texts = texts.into_iter().flat_map(|(name, values)| {
        values
            .iter()
            .map(move |value| json!({ "name": name, "valueString": value }))
    });
    let times = [("_since", &request.since), ("_until", &request.until)];
    let times = times
        .into_iter()
        .filter_map(|(name, value)| Some(json!({ "name": name, "valueInstant": value.as_ref()? })));
    let patients = patients_of(request).into_iter().map(|id| {
        let reference = format!("Patient/{}", id.trim_start_matches("Patient/"));
        json!({ "name": "patient", "valueReference": { "reference": reference } })
    });
    let all: Value = texts.chain(times).chain(patients).collect();
    let body = json!({ "resourceType": "Parameters", "parameter": all }).to_string();
    let mut headers = ASYNC.to_vec();
    if request.refused.is_none() {
        headers[1].1 = "respond-async, handling=lenient";
    }
    headers.push(("content-type", "application/fhir+json"));
    server.request("POST", &path, &headers, body.as_bytes())
}

/// What became of a request.
enum Ended {
    /// So many lines are the same.
    Same(usize),
    Refused,
}

fn compare(
    label: &str,
    server: &Server,
    request: &CohortRequest,
    list: &CohortList,
    data: &DataSet,
) -> Result<Ended, String> {
    let started = kick_off(server, request);
    if let Some(part) = &request.refused {
        let is_refusal = matches!(started.status, 400 | 404 | 422);
        return if is_refusal && started.json()["issue"].to_string().contains(part) {
            Ok(Ended::Refused)
        } else {
            Err(format!(
                "{label}: expected `{part}`: {} {}",
                started.status,
                started.text()
            ))
        };
    }
    if started.status != 202 {
        return Err(format!("{label}: {} {}", started.status, started.text()));
    }
    let ended = server.wait(started.header("content-location"));
    if ended.status != 200 {
        return Err(format!("{label}: the job failed: {} {}", ended.status, ended.text()));
    }
    let manifest = ended.json();
    let mut lines = Lines::new();
    for item in manifest["output"].as_array().into_iter().flatten() {
        let body = server.get(item["url"].as_str().unwrap_or_default(), &[]).is(200).body;
        let of_file = body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let type_name = item["type"].as_str().unwrap_or_default().to_owned();
        lines.entry(type_name).or_default().extend(of_file.map(<[u8]>::to_vec));
    }
    lines.values_mut().for_each(|lines| lines.sort_unstable());
    let time = manifest["transactionTime"].as_str().map(str::to_owned);
    let asked = CohortRequest {
        transaction_time: time,
        ..request.clone()
    };
    let exported = data
        .export(&asked.for_oracle(list))
        .map_err(|problem| format!("{label}: the oracle refuses: {problem}"))?;
    match differences(&expected(data, &exported), &lines) {
        told if told.is_empty() => Ok(Ended::Same(exported.kept.len())),
        told => Err(format!("{label}\n    {}", told.join("\n    "))),
    }
}

/// All requests of a list, through one server for each base of the data.
fn compare_all(title: &str, list: &CohortList, folder: &Folder, data: &Path, read: impl Fn(&str) -> DataSet) {
    let (mut same, mut lines, mut refused, mut told) = (0, 0, 0, Vec::new());
    let mut left_out: BTreeMap<&str, usize> = BTreeMap::new();
    let bases: BTreeSet<Option<String>> = list.request.iter().map(|request| request.fhir_base.clone()).collect();
    for base in bases {
        let state = format!("state-{}", base.as_deref().map_or(0, str::len));
        let data = data.to_string_lossy();
        let mut args = vec!["--open", "--state", &state, "--data", &data];
        args.extend(base.iter().flat_map(|base| ["--fhir-base", base]));
        let server = Server::start_over(folder, &args);
        let set = read(base.as_deref().unwrap_or(&server.base));
        for (at, request) in list.request.iter().enumerate().filter(|(_, one)| one.fhir_base == base) {
            if let Some(reason) = reason(request) {
                *left_out.entry(reason).or_default() += 1;
                continue;
            }
            let label = format!("{}: {}", at + 1, request.arguments(list, "patients").join(" "));
            match compare(&label, &server, request, list, &set) {
                Ok(Ended::Same(count)) => (same, lines) = (same + 1, lines + count),
                Ok(Ended::Refused) => refused += 1,
                Err(problem) => told.push(problem),
            }
        }
    }
    eprintln!("{title}: {same} requests the same ({lines} lines), {refused} refused; not through HTTP: {left_out:?}");
    assert!(told.is_empty(), "{} differ:\n{}", told.len(), told.join("\n"));
    assert!(same * 2 > list.request.len(), "most of the list can be asked for");
}

#[test]
fn synthetic_data() {
    let list = CohortLists::load().expect("the list reads").synth;
    let mut files = synthetic().expect("memory");
    let folder = Folder::new();
    for (name, bytes) in &files {
        folder.write(&format!("data/{name}"), bytes);
    }
    files.sort();
    let registry = Registry::r4().with_us_core();
    compare_all("synthetic", &list, &folder, &folder.path("data"), |base| {
        data_set(&registry, Some(base), &files).expect("reads")
    });
}

#[test]
fn large_data() {
    let Some(data) = data::folder() else {
        eprintln!("skipped: FHIREHOSE_DATA is not set");
        return;
    };
    let list = CohortLists::load().expect("the list reads").base;
    let registry = Registry::r4().with_us_core();
    compare_all("large", &list, &Folder::new(), &data, |base| {
        data_set_of(&registry, Some(base), &data).expect("reads")
    });
}
