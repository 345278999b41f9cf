//! The rules of Groups, one by one: binary and oracle must both keep what the rule says.

mod binary;
mod exported;
mod rules;

use rules::{bare, check, check_files, observation, patients, refuse, text, to, with};
use serde_json::{Value, json};

fn group(id: &str, members: Value) -> Value {
    with(&format!("Group/{id}"), json!({"member": members}))
}

#[test]
fn a_group_that_stands_twice_with_different_contents_is_refused() {
    let (one, other) = (group("g", json!([{"entity": to("Patient/a")}])), group("g", json!([])));
    let twice = [patients(), vec![one.clone(), one.clone()]].concat();
    check(&twice, "group = 'g'\ntype = ['Patient']", &["Patient/a"]);
    let files = [
        ("a.ndjson", text(&[patients(), vec![one]].concat())),
        ("b.ndjson", text(&[other])),
    ];
    refuse(&files, "group = 'g'", "Group `g` occurs twice");
    // Also deep in files that begin with something else, and inside another group.
    let outer = group("outer", json!([{"entity": to("Group/g")}]));
    let files = [
        (
            "a.ndjson",
            text(&[vec![observation("o", &[])], files_first(&files)].concat()),
        ),
        ("b.ndjson", text(&[bare("Patient/z"), group("g", json!([])), outer])),
    ];
    refuse(&files, "group = 'g'", "Group `g` occurs twice");
    refuse(&files, "group = 'outer'", "Group `g` occurs twice");
}

/// The lines of the first file.
fn files_first(files: &[(&str, String)]) -> Vec<Value> {
    let lines = files[0].1.lines();
    lines.map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn groups_inside_groups_are_found_in_any_file_at_any_place() {
    let files = [
        (
            "a.ndjson",
            text(&[
                bare("Practitioner/x"),
                group("deep", json!([{"entity": to("Patient/b")}])),
            ]),
        ),
        (
            "b.ndjson",
            text(&[group(
                "g",
                json!([{"entity": to("Group/inner")}, {"entity": to("Patient/a")}]),
            )]),
        ),
        (
            "c.ndjson",
            text(&[patients(), vec![group("inner", json!([{"entity": to("Group/deep")}]))]].concat()),
        ),
    ];
    check_files(
        &files,
        "group = 'g'\ntype = ['Patient,Group']",
        &["Group/g", "Patient/a", "Patient/b"],
    );
    check_files(&files, "group = 'deep'\ntype = ['Patient']", &["Patient/b"]);
}

#[test]
fn members_on_other_servers_and_members_that_are_no_patients_do_not_count() {
    let members = json!([
        {"entity": to("http://far/fhir/Patient/a")}, {"entity": to("urn:uuid:a")}, {"entity": {"identifier": {"value": "a"}}},
        {"entity": to("Practitioner/a")}, {"entity": to("http://here/fhir/Patient/b")}, {},
    ]);
    let lines = [patients(), vec![group("g", members), bare("Practitioner/a")]].concat();
    check(&lines, "group = 'g'\ntype = ['Patient']", &[]);
    check(
        &lines,
        "group = 'g'\ntype = ['Patient']\nfhir-base = 'http://here/fhir'",
        &["Patient/b"],
    );
    check(
        &lines,
        "group = 'g'\ntype = ['Patient,Group,Practitioner']\nfhir-base = 'http://here/fhir'",
        &["Group/g", "Patient/b", "Practitioner/a"],
    );
}

#[test]
fn members_count_while_their_period_lasts_unless_they_are_inactive() {
    let member = |id: &str, more: Value| {
        let mut member = more;
        member["entity"] = to(&format!("Patient/{id}"));
        member
    };
    let names = [
        "inactive", "active", "past", "last-day", "second", "future", "first", "open",
    ];
    let members = json!([
        member("inactive", json!({"inactive": true})),
        member("active", json!({"inactive": false})),
        member("past", json!({"period": {"end": "2024-12-31"}})),
        member("last-day", json!({"period": {"end": "2025-01-01"}})),
        member("second", json!({"period": {"end": "2024-12-31T23:59:59Z"}})),
        member("future", json!({"period": {"start": "2025-01-01T00:00:01Z"}})),
        member("first", json!({"period": {"start": "2025-01-01T01:00:00+01:00"}})),
        member("open", json!({"period": {}})),
    ]);
    let patients = names.map(|id| with(&format!("Patient/{id}"), json!({})));
    let lines = [&patients[..], &[group("g", members)]].concat();
    check(
        &lines,
        "group = 'g'\ntype = ['Patient']",
        &["Patient/active", "Patient/first", "Patient/last-day", "Patient/open"],
    );
}

#[test]
fn an_empty_or_wholly_inactive_group_exports_nothing_not_even_itself() {
    let inactive = json!([{"entity": to("Patient/a"), "inactive": true}, {"entity": to("Group/g"), "inactive": true}]);
    let lines = [
        patients(),
        vec![
            group("empty", json!([])),
            bare("Group/bare"),
            group("inactive", inactive),
            group(
                "loop",
                json!([{"entity": to("Group/loop")}, {"entity": to("Group/empty")}]),
            ),
        ],
    ]
    .concat();
    for name in ["empty", "bare", "inactive", "loop"] {
        check(&lines, &format!("group = '{name}'"), &[]);
        let more = "include-associated-data = ['RelevantProvenanceResources']\ntype = ['Group,Patient']";
        check(&lines, &format!("group = '{name}'\n{more}"), &[]);
    }
}

#[test]
fn only_the_requested_group_is_exported_and_only_if_its_type_is() {
    let lines = [
        patients(),
        vec![
            group("g", json!([{"entity": to("Patient/a")}, {"entity": to("Group/inner")}])),
            group("inner", json!([{"entity": to("Patient/a")}])),
            group("other", json!([{"entity": to("Patient/a")}])),
        ],
    ]
    .concat();
    check(&lines, "group = 'g'", &["Group/g", "Patient/a"]);
    check(&lines, "group = 'g'\ntype = ['Patient']", &["Patient/a"]);
    check(&lines, "patient = ['a']", &["Patient/a"]);
    check(&lines, "patient = ['a']\ntype = ['Group']", &[]);
}
