//! Oracle's Bulk Export to the letter: routes, headers, limits, errors, the redirect to a signed URL.

mod binary;
mod serving;

use std::fmt::Write as _;

use binary::Folder;
use serde_json::{Value, json};
use serving::{ASYNC, Server};

fn data() -> Folder {
    let folder = Folder::new();
    let mut lines = String::new();
    for id in 0..30 {
        let _ = writeln!(lines, r#"{{"resourceType":"Patient","id":"p{id}"}}"#);
        let _ = writeln!(
            lines,
            r#"{{"resourceType":"Condition","id":"c{id}","subject":{{"reference":"Patient/p{id}"}}}}"#
        );
    }
    lines.push_str(r#"{"resourceType":"Group","id":"g","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/p1"}}]}"#);
    lines.push('\n');
    folder.write("data/all.ndjson", lines);
    folder
}

fn server(folder: &Folder) -> Server {
    Server::start(folder, &["--open", "--profile", "oracle"])
}

fn patients(count: usize) -> Vec<Value> {
    let reference = |id| json!({ "name": "patient", "valueReference": { "reference": format!("Patient/p{id}") } });
    (0..count).map(reference).collect()
}

#[test]
fn the_five_routes() {
    let folder = data();
    let server = server(&folder);
    let started = server.get("Group/g/$export", &ASYNC).is(202);
    let status = started.header("content-location").to_owned();
    assert!(!started.header("opc-request-id").is_empty());
    let json = ("accept", "application/fhir+json");
    let first = server.get(&status, &[json]);
    if first.status == 202 {
        assert_eq!(first.header("x-progress"), "in-progress");
    }
    let done = server.wait_as(&status, &[json]).is(200);
    assert_eq!(done.header("x-progress"), "completed");
    let manifest = done.json();
    assert!(manifest["output"][0].get("count").is_none());
    let url = manifest["output"][0]["url"].as_str().expect("a URL").to_owned();
    assert!(url.starts_with(&format!("{}/bulk-export/files/", server.base)));
    let redirect = server.get(&url, &[json]).is(307);
    assert!(redirect.body.is_empty());
    // The second hop takes no token, and no Accept.
    let file = server.get(redirect.header("location"), &[]).is(200);
    assert_eq!(file.header("content-type"), "application/fhir+ndjson");
    assert!(file.text().contains(r#""id":"c1""#), "{}", file.text());
    let (place, query) = redirect.header("location").split_once('?').expect("a query");
    server.get(place, &[]).is(401);
    server
        .get(&format!("{place}?{}", query.replace("expires=", "expires=9")), &[])
        .is(403);
    server.request("DELETE", &status, &[json], b"").is(202);
    server.get(&status, &[json]).is(404);
    server.get(redirect.header("location"), &[]).is(404);
}

#[test]
fn accept_is_needed_everywhere_but_for_files() {
    let folder = data();
    let server = server(&folder);
    server
        .get("bulk-export/jobs/x", &[])
        .is(400)
        .tells("required", &["Accept"]);
    server.get("bulk-export/files/x", &[]).is(404);
    server.get("bulk-export/files/x", &[("accept", "text/html")]).is(406);
    let refused = server.get("bulk-export/jobs/x", &[("accept", "text/html")]).is(406);
    refused.tells("invalid", &["application/fhir+json"]);
    server.request("DELETE", "bulk-export/jobs/x", &[], b"").is(400);
}

#[test]
fn no_system_export_and_no_export_of_everybody() {
    let folder = data();
    let server = server(&folder);
    server.get("$export", &ASYNC).is(404);
    assert_eq!(server.get("Patient/$export", &ASYNC).is(405).header("allow"), "POST");
    server
        .post("Patient/$export", &json!([]))
        .is(400)
        .tells("required", &["patient"]);
    assert_eq!(
        server.post("Group/g/$export", &json!([])).is(405).header("allow"),
        "GET"
    );
}

#[test]
fn one_job_at_a_time_until_it_is_deleted_or_done() {
    let folder = Folder::new();
    folder.run(&["synth", "-o", "data", "--patients", "300"]).ends(0);
    let server = Server::start(&folder, &["--open", "--profile", "oracle", "--threads", "1"]);
    let groups = server.get("Group?_count=1", &ASYNC).is(200).json();
    let path = format!(
        "Group/{}/$export",
        groups["entry"][0]["resource"]["id"].as_str().expect("an id")
    );
    let first = server.get(&path, &ASYNC).is(202).header("content-location").to_owned();
    let second = server.get(&path, &ASYNC).is(429).tells("throttled", &["not finished"]);
    assert!(second.header("retry-after").parse::<u64>().is_ok());
    server.request("DELETE", &first, &[("accept", "*/*")], b"").is(202);
    let third = server.get(&path, &ASYNC).is(202).header("content-location").to_owned();
    server.wait_as(&third, &[("accept", "*/*")]).is(200);
    server.get(&path, &ASYNC).is(202);
}

#[test]
fn twenty_thousand_patients_are_not_too_many() {
    let folder = Folder::new();
    let mut lines = String::new();
    for id in 0..20_010 {
        let _ = writeln!(lines, r#"{{"resourceType":"Patient","id":"p{id}"}}"#);
    }
    folder.write("data/all.ndjson", lines);
    let server = server(&folder);
    let status = server
        .post("Patient/$export", &json!(patients(20_000)))
        .is(202)
        .header("content-location")
        .to_owned();
    let manifest = server.wait_as(&status, &[("accept", "*/*")]).is(200).json();
    let url = manifest["output"][0]["url"].as_str().expect("a URL");
    let redirect = server.get(url, &[("accept", "*/*")]).is(307);
    let file = server.get(redirect.header("location"), &[]).is(200);
    assert_eq!(file.body.iter().filter(|&&byte| byte == b'\n').count(), 20_000);
}

#[test]
fn the_restrictions_on_types_and_filters() {
    let folder = data();
    let server = server(&folder);
    let refused = |query: &str, status: u16| server.get(&format!("Group/g/$export?{query}"), &ASYNC).is(status);
    refused("_type=Location", 400).tells("invalid", &["clinical"]);
    refused("_type=Basic", 400);
    refused("_typeFilter=Condition%3Fclinical-status%3Dactive", 400);
    refused(
        "_type=Condition&_typeFilter=Condition%3Fclinical-status%3Dactive,Condition%3Fclinical-status%3Dinactive",
        400,
    );
    refused("_type=Condition&_typeFilter=Condition%3Fpatient%3D1", 422);
    refused("_type=Condition&_typeFilter=Condition%3Fonset-date%3D2020", 422);
    refused("_elements=id", 400);
    refused("_type=Condition&includeAssociatedData=Nope", 400);
    let accepted = server.get("Group/g/$export?_type=Location,Condition", &ASYNC).is(202);
    server
        .request("DELETE", accepted.header("content-location"), &[("accept", "*/*")], b"")
        .is(202);
    let lenient = [("accept", "*/*"), ("prefer", "respond-async, handling=lenient")];
    server.get("Group/g/$export?_elements=id", &lenient).is(202);
}

#[test]
fn patients_are_listed_up_to_twenty_thousand() {
    let folder = data();
    let server = server(&folder);
    let too_many = server.post("Patient/$export", &json!(patients(20_001))).is(400);
    too_many.tells("too-costly", &["20000"]);
    let unknown = server.post("Patient/$export", &json!(patients(40))).is(400);
    unknown.tells("not-found", &["Patient/p30"]);
    let status = server
        .post("Patient/$export", &json!(patients(3)))
        .is(202)
        .header("content-location")
        .to_owned();
    let manifest = server.wait_as(&status, &[("accept", "*/*")]).is(200).json();
    let types: Vec<_> = manifest["output"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| item["type"].clone())
        .collect();
    assert_eq!(types, ["Condition", "Patient"]);
}
