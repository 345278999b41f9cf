//! The rules of cohort exports one by one, on data made by hand: binary and oracle must both keep what the rule says.

mod binary;
mod exported;

use binary::Folder;
use exported::{differences, expected, name, written};
use fhirehose_core::search::table::Registry;
use fhirehose_tests::cohort_requests::{CohortList, CohortRequest, data_set};
use serde_json::{Value, json};

/// Patients `a` and `b`.
fn patients() -> Vec<Value> {
    ["a", "b"]
        .map(|id| json!({"resourceType": "Patient", "id": id}))
        .to_vec()
}

/// An Observation of Patient `a` with this id and a reference to each of the others.
fn observation(id: &str, names: &[&str]) -> Value {
    let references: Vec<Value> = names.iter().map(|name| json!({"reference": name})).collect();
    json!({"resourceType": "Observation", "id": id, "subject": {"reference": "Patient/a"}, "performer": references})
}

/// A resource with nothing but its name, `Type/id`.
fn bare(name: &str) -> Value {
    with(name, json!({}))
}

fn with(name: &str, mut members: Value) -> Value {
    let (type_name, id) = name.split_once('/').expect("Type/id");
    members["resourceType"] = json!(type_name);
    members["id"] = json!(id);
    members
}

fn to(name: &str) -> Value {
    json!({"reference": name})
}

fn text(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Runs one request over files of lines; the names of what is kept must be these, each as often as it stands here.
#[track_caller]
fn check_files(files: &[(&str, String)], request: &str, names: &[&str]) -> String {
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
fn check(lines: &[Value], request: &str, names: &[&str]) -> String {
    check_files(&[("data.ndjson", text(lines))], request, names)
}

/// The request is refused by both, the binary says this, and nothing is written.
#[track_caller]
fn refuse(files: &[(&str, String)], request: &str, told: &str) {
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

#[test]
fn every_reference_form_to_the_own_server_brings_its_target() {
    let lines = [
        patients(),
        vec![
            observation(
                "o",
                &[
                    "Practitioner/relative",
                    "Practitioner/versioned/_history/3",
                    "http://here/fhir/Practitioner/absolute",
                    "http://here/fhir/Practitioner/both/_history/3",
                ],
            ),
            bare("Practitioner/relative"),
            bare("Practitioner/versioned"),
            bare("Practitioner/absolute"),
            bare("Practitioner/both"),
        ],
    ]
    .concat();
    let request = "patient = ['a']\ntype = ['Observation,Practitioner']\n";
    let all = [
        "Observation/o",
        "Practitioner/absolute",
        "Practitioner/both",
        "Practitioner/relative",
        "Practitioner/versioned",
    ];
    check(&lines, &format!("{request}fhir-base = 'http://here/fhir'"), &all);
    check(&lines, &format!("{request}fhir-base = 'http://here/fhir/'"), &all);
    let relative = ["Observation/o", "Practitioner/relative", "Practitioner/versioned"];
    check(&lines, request, &relative);
    check(&lines, &format!("{request}fhir-base = 'http://here/fhi'"), &relative);
}

#[test]
fn foreign_contained_urn_identifier_and_bare_references_bring_nothing() {
    let mut observation = observation(
        "o",
        &[
            "http://far/fhir/Practitioner/p",
            "#p",
            "urn:uuid:p",
            "p",
            "Practitioner/",
            "Practitioner/p/_history",
            "Practitioner/p/extra",
            "practitioner/p",
            "Organization/p",
        ],
    );
    observation["device"] = json!({"type": "Practitioner", "identifier": {"value": "p"}, "display": "Practitioner/p"});
    observation["note"] = json!([{"text": "Practitioner/p"}]);
    let lines = [patients(), vec![observation, bare("Practitioner/p")]].concat();
    check(
        &lines,
        "patient = ['a']\nfhir-base = 'http://here/fhir'",
        &["Observation/o", "Patient/a"],
    );
}

#[test]
fn references_in_extensions_and_contained_resources_bring_their_targets_but_give_no_membership() {
    let observation = with(
        "Observation/o",
        json!({
            "subject": {"reference": "Patient/a", "extension": [{"url": "x", "valueReference": to("Organization/ext")}]},
            "_status": {"extension": [{"url": "x", "valueReference": to("Location/sibling")}]},
            "contained": [
                {"resourceType": "PractitionerRole", "id": "r", "practitioner": to("Practitioner/inner")},
                {"resourceType": "Observation", "id": "x", "subject": to("Patient/b")},
            ],
        }),
    );
    let lines = [
        patients(),
        vec![
            observation,
            bare("Organization/ext"),
            bare("Location/sibling"),
            bare("Practitioner/inner"),
        ],
    ]
    .concat();
    let all = [
        "Location/sibling",
        "Observation/o",
        "Organization/ext",
        "Patient/a",
        "Practitioner/inner",
    ];
    check(&lines, "patient = ['a']", &all);
    check(&lines, "patient = ['a']\nexclusive = true", &all);
    check(&lines, "patient = ['b']", &["Patient/b"]);
}

#[test]
fn a_device_is_its_patients_and_comes_along_only_without_one() {
    let names = [
        "Device/of-b",
        "Device/without",
        "Device/by-identifier",
        "Device/foreign",
    ];
    let lines = [
        patients(),
        vec![
            observation("o", &names),
            with("Device/of-a", json!({"patient": to("Patient/a")})),
            with("Device/of-b", json!({"patient": to("Patient/b")})),
            bare("Device/without"),
            bare("Device/unnamed"),
            with(
                "Device/by-identifier",
                json!({"patient": {"identifier": {"value": "a"}}}),
            ),
            with("Device/foreign", json!({"patient": to("http://far/fhir/Patient/a")})),
        ],
    ]
    .concat();
    check(&lines, "patient = ['a']\ntype = ['Device']", &["Device/of-a"]);
    check(
        &lines,
        "patient = ['a']",
        &["Device/of-a", "Device/without", "Observation/o", "Patient/a"],
    );
    check(&lines, "patient = ['b']", &["Device/of-b", "Patient/b"]);
}

#[test]
fn a_location_brings_its_managing_organization_and_neither_goes_further() {
    let lines = [
        patients(),
        vec![
            observation("o", &["Location/l"]),
            with(
                "Location/l",
                json!({"managingOrganization": to("Organization/m"), "partOf": to("Location/parent"), "endpoint": [to("Endpoint/e")]}),
            ),
            with("Location/parent", json!({"managingOrganization": to("Organization/n")})),
            with("Organization/m", json!({"partOf": to("Organization/parent")})),
            bare("Organization/n"),
            bare("Organization/parent"),
            bare("Endpoint/e"),
        ],
    ]
    .concat();
    check(
        &lines,
        "patient = ['a']",
        &["Location/l", "Observation/o", "Organization/m", "Patient/a"],
    );
    check(
        &lines,
        "patient = ['a']\ntype = ['Observation,Organization']",
        &["Observation/o"],
    );
    check(
        &lines,
        "patient = ['a']\ntype = ['Observation,Location']",
        &["Location/l", "Observation/o"],
    );
    check(
        &lines,
        "patient = ['a']\ntype = ['Observation,Location,Organization']\ntype-filter = ['Location?status=active']",
        &["Observation/o"],
    );
}

#[test]
fn a_role_brings_practitioner_organization_and_location_and_the_locations_organization() {
    let lines = [
        patients(),
        vec![
            // Before and after what names it: the order of the data does not matter.
            with("Organization/of-location", json!({})),
            with("Location/l", json!({"managingOrganization": to("Organization/of-location")})),
            observation("o", &["PractitionerRole/r"]),
            with(
                "PractitionerRole/r",
                json!({
                    "practitioner": to("Practitioner/p"), "organization": to("Organization/of-role"), "location": [to("Location/l")],
                    "healthcareService": [to("HealthcareService/h")], "endpoint": [to("Endpoint/e")],
                }),
            ),
            bare("Practitioner/p"),
            bare("Organization/of-role"),
            bare("HealthcareService/h"),
            bare("Endpoint/e"),
        ],
    ]
    .concat();
    let all = [
        "Location/l",
        "Observation/o",
        "Organization/of-location",
        "Organization/of-role",
        "Patient/a",
        "Practitioner/p",
        "PractitionerRole/r",
    ];
    check(&lines, "patient = ['a']", &all);
    let turned: Vec<Value> = lines.iter().rev().cloned().collect();
    check(&turned, "patient = ['a']", &all);
    check(
        &lines,
        "patient = ['a']\ntype = ['Observation,PractitionerRole,Organization']",
        &["Observation/o", "Organization/of-role", "PractitionerRole/r"],
    );
}

#[test]
fn cycles_of_references_end() {
    let lines = [
        patients(),
        vec![
            observation("o", &["PractitionerRole/r", "Observation/o", "Observation/other"]),
            observation("other", &["Observation/o"]),
            with(
                "PractitionerRole/r",
                json!({"location": [to("Location/l")], "organization": to("PractitionerRole/r")}),
            ),
            with("Location/l", json!({"managingOrganization": to("PractitionerRole/s")})),
            with("PractitionerRole/s", json!({"location": [to("Location/l")]})),
        ],
    ]
    .concat();
    let all = [
        "Location/l",
        "Observation/o",
        "Observation/other",
        "PractitionerRole/r",
        "PractitionerRole/s",
    ];
    check(
        &lines,
        "patient = ['a']\ntype = ['Observation,PractitionerRole,Location']",
        &all,
    );
}

#[test]
fn a_task_of_another_patient_does_not_come_along() {
    let names = ["Task/for-a", "Task/for-b", "Task/for-nobody", "Task/by-b"];
    let lines = [
        patients(),
        vec![
            observation("o", &names),
            with("Task/for-a", json!({"for": to("Patient/a")})),
            with("Task/for-b", json!({"for": to("Patient/b/_history/1")})),
            bare("Task/for-nobody"),
            with(
                "Task/by-b",
                json!({"for": to("Patient/a"), "requester": to("Patient/b")}),
            ),
            with("Task/unnamed", json!({"for": to("Patient/a")})),
        ],
    ]
    .concat();
    let request = "type = ['Observation,Task']\n";
    check(
        &lines,
        &format!("{request}patient = ['a']"),
        &["Observation/o", "Task/for-a", "Task/for-nobody"],
    );
    check(
        &lines,
        &format!("{request}patient = ['a,b']"),
        &[
            "Observation/o",
            "Task/by-b",
            "Task/for-a",
            "Task/for-b",
            "Task/for-nobody",
        ],
    );
    // Its own right it has not.
    check(&lines, &format!("{request}patient = ['b']"), &[]);
}

#[test]
fn bundle_and_binary_never_come_along_and_cannot_be_asked_for() {
    let lines = [
        patients(),
        vec![
            observation("o", &["Bundle/u", "Binary/n"]),
            with("Binary/n", json!({"contentType": "text/plain"})),
        ],
    ]
    .concat();
    check(&lines, "patient = ['a']", &["Observation/o", "Patient/a"]);
    let files = [("data.ndjson", text(&lines))];
    refuse(&files, "patient = ['a']\ntype = ['Patient,Binary']", "Binary");
    refuse(&files, "patient = ['a']\ntype = ['Bundle,Patient']", "Bundle");
    refuse(&files, "patient = ['a']\ntype = ['Practitioner']", "Practitioner");
}

#[test]
fn what_comes_along_may_be_older_than_since_but_not_newer_than_the_snapshot() {
    let at = |name: &str, time: &str| with(name, json!({"meta": {"lastUpdated": time}}));
    let mut observation = observation(
        "o",
        &[
            "Practitioner/old",
            "Practitioner/new",
            "Practitioner/undated",
            "Practitioner/last",
        ],
    );
    observation["meta"] = json!({"lastUpdated": "2024-06-01T00:00:00Z"});
    let lines = [
        patients(),
        vec![
            observation,
            at("Practitioner/old", "2000-01-01T00:00:00Z"),
            at("Practitioner/last", "2025-01-01T01:00:00+01:00"),
            at("Practitioner/new", "2025-01-01T00:00:00.001Z"),
            bare("Practitioner/undated"),
        ],
    ]
    .concat();
    let request = "patient = ['a']\ntype = ['Observation,Practitioner']\n";
    let come = [
        "Observation/o",
        "Practitioner/last",
        "Practitioner/old",
        "Practitioner/undated",
    ];
    check(&lines, &format!("{request}since = '2024-01-01T00:00:00Z'"), &come);
    check(&lines, &format!("{request}until = '2024-06-01T00:00:00.001Z'"), &come);
    check(&lines, &format!("{request}until = '2024-06-01T00:00:00Z'"), &[]);
    let all = [&come[..], &["Practitioner/new"]].concat();
    check(&lines, &format!("{request}transaction-time = ''"), &all);
}

#[test]
fn a_resource_that_stands_twice_comes_along_once() {
    let twice = bare("Practitioner/p");
    let lines = [
        patients(),
        vec![observation("o", &["Practitioner/p"]), twice.clone(), twice.clone()],
    ]
    .concat();
    check(
        &lines,
        "patient = ['a']",
        &["Observation/o", "Patient/a", "Practitioner/p"],
    );
    let files = [("a.ndjson", text(&lines)), ("b.ndjson", text(&[twice]))];
    check_files(
        &files,
        "patient = ['a']",
        &["Observation/o", "Patient/a", "Practitioner/p"],
    );
}

#[test]
fn what_only_provenance_or_associated_resources_name_stays_behind() {
    let lines = [
        patients(),
        vec![
            observation("o", &["Medication/m"]),
            with("Medication/m", json!({"manufacturer": to("Organization/g")})),
            bare("Organization/g"),
            with(
                "Provenance/v",
                json!({"target": [to("Observation/o")], "agent": [{"who": to("Practitioner/w")}]}),
            ),
            bare("Practitioner/w"),
        ],
    ]
    .concat();
    check(
        &lines,
        "patient = ['a']",
        &["Medication/m", "Observation/o", "Patient/a", "Provenance/v"],
    );
}

#[test]
fn without_a_cohort_nothing_comes_along() {
    let lines = [
        patients(),
        vec![observation("o", &["Practitioner/p"]), bare("Practitioner/p")],
    ]
    .concat();
    check(&lines, "type = ['Observation']", &["Observation/o"]);
    check(
        &lines,
        "type = ['Observation']\ninclude-associated-data = ['RelevantProvenanceResources']",
        &["Observation/o"],
    );
}

/// Provenance of `o`, by id, recorded and changed when.
fn provenance(id: &str, recorded: Option<&str>, updated: Option<&str>) -> Value {
    let mut value = with(&format!("Provenance/{id}"), json!({"target": [to("Observation/o")]}));
    if let Some(recorded) = recorded {
        value["recorded"] = json!(recorded);
    }
    if let Some(updated) = updated {
        value["meta"] = json!({"lastUpdated": updated});
    }
    value
}

const LATEST: &str =
    "patient = ['a']\ntype = ['Observation']\ninclude-associated-data = ['LatestProvenanceResources']\n";

#[track_caller]
fn latest(provenance: &[Value], expected: &str) {
    let lines = [patients(), vec![observation("o", &[])], provenance.to_vec()].concat();
    check(&lines, LATEST, &["Observation/o", expected]);
    let turned: Vec<Value> = lines.iter().rev().cloned().collect();
    check(&turned, LATEST, &["Observation/o", expected]);
}

#[test]
fn latest_provenance_is_the_last_recorded_as_an_instant() {
    let offset = provenance(
        "offset",
        Some("2020-01-01T01:00:00+02:00"),
        Some("2024-01-01T00:00:00Z"),
    );
    let utc = provenance("utc", Some("2020-01-01T00:00:00Z"), Some("2020-01-01T00:00:00Z"));
    latest(&[offset.clone(), utc.clone()], "Provenance/utc");
    let finer = provenance("finer", Some("2020-01-01T00:00:00.000001Z"), None);
    latest(&[finer, utc, offset], "Provenance/finer");
}

#[test]
fn latest_provenance_of_equal_instants_is_the_last_changed_then_the_greatest_id() {
    let same = "2020-01-01T00:00:00Z";
    let old = provenance("z", Some("2020-01-01T01:00:00+01:00"), Some("2020-01-01T00:00:00Z"));
    let new = provenance("a", Some(same), Some("2020-01-02T00:00:00Z"));
    latest(&[old.clone(), new.clone()], "Provenance/a");
    let greater = provenance("b", Some("2020-01-01T00:00:00.000Z"), Some("2020-01-02T00:00:00.000Z"));
    latest(&[greater.clone(), old.clone(), new.clone()], "Provenance/b");
    // By bytes: a small letter is after a capital one, 9 after 10.
    let (nine, ten) = (provenance("9", Some(same), None), provenance("10", Some(same), None));
    latest(&[nine, ten], "Provenance/9");
    let (small, capital) = (provenance("k", Some(same), None), provenance("K9", Some(same), None));
    latest(&[small, capital], "Provenance/k");
}

#[test]
fn latest_provenance_without_a_value_is_older_than_with_one() {
    let ancient = provenance("ancient", Some("1900-01-01T00:00:00Z"), None);
    let unrecorded = provenance("unrecorded", None, Some("2024-01-01T00:00:00Z"));
    latest(&[ancient.clone(), unrecorded], "Provenance/ancient");
    let changed = provenance("a", Some("1900-01-01T00:00:00Z"), Some("1900-01-01T00:00:00Z"));
    latest(&[ancient, changed], "Provenance/a");
}

#[test]
fn latest_provenance_is_chosen_among_what_the_filters_pass_and_the_snapshot_holds() {
    let lines = [
        patients(),
        vec![observation("o", &[])],
        vec![
            provenance("one", Some("2020-01-01T00:00:00Z"), None),
            provenance("two", Some("2021-01-01T00:00:00Z"), None),
            provenance("future", Some("2022-01-01T00:00:00Z"), Some("2030-01-01T00:00:00Z")),
        ],
    ]
    .concat();
    check(&lines, LATEST, &["Observation/o", "Provenance/two"]);
    let named = LATEST.replace("['Observation']", "['Observation,Provenance']");
    check(
        &lines,
        &format!("{named}type-filter = ['Provenance?recorded=lt2021']"),
        &["Observation/o", "Provenance/one"],
    );
    check(
        &lines,
        &format!("{named}since = '2024-01-01T00:00:00Z'"),
        &["Observation/o", "Provenance/two"],
    );
}

#[test]
fn provenance_of_what_is_kept_by_default_relevant_and_both() {
    let about = |id: &str, names: &[&str], time: &str| {
        let targets: Vec<Value> = names.iter().map(|name| to(name)).collect();
        with(
            &format!("Provenance/{id}"),
            json!({"target": targets, "recorded": time, "meta": {"lastUpdated": time}}),
        )
    };
    let (old, new) = ("2020-01-01T00:00:00Z", "2024-01-01T00:00:00Z");
    let lines = [
        patients(),
        vec![
            observation("o", &["Practitioner/p"]),
            bare("Practitioner/p"),
            about("patient", &["Patient/a"], old),
            about("old", &["Observation/o"], old),
            about("new", &["Observation/o/_history/2", "Patient/b"], new),
            about("practitioner", &["Practitioner/p"], new),
            about("other", &["Patient/b"], new),
            about("provenance", &["Provenance/old"], new),
        ],
    ]
    .concat();
    let kept = |names: &[&'static str]| [&["Observation/o"], names].concat();
    let default = "patient = ['a']\ntype = ['Observation,Provenance']\n";
    let all = kept(&["Provenance/new", "Provenance/old", "Provenance/patient"]);
    check(&lines, default, &all);
    // The window holds for Provenance of the patient only.
    let windowed = kept(&["Provenance/new", "Provenance/old"]);
    check(&lines, &format!("{default}since = '2021-01-01T00:00:00Z'"), &windowed);
    // The rest is about what is not exported here.
    let relevant = format!("{default}include-associated-data = ['RelevantProvenanceResources']");
    check(&lines, &relevant, &windowed);
    let both = format!("{default}include-associated-data = ['LatestProvenanceResources,RelevantProvenanceResources']");
    check(&lines, &both, &windowed);
    let latest = format!("{default}include-associated-data = ['LatestProvenanceResources']");
    check(&lines, &latest, &kept(&["Provenance/new"]));
    check(
        &lines,
        &format!("{latest}\nexclusive = true"),
        &kept(&["Provenance/old"]),
    );
    check(
        &lines,
        &format!("{default}exclusive = true"),
        &kept(&["Provenance/old", "Provenance/patient"]),
    );
    let files = [("data.ndjson", text(&lines))];
    refuse(&files, "patient = ['a']\ninclude-associated-data = ['_mine']", "_mine");
}

#[test]
fn provenance_without_a_cohort_is_a_type_like_any_other_unless_it_is_associated() {
    let lines = [
        vec![bare("Location/l"), bare("Organization/n")],
        vec![
            with("Provenance/of-location", json!({"target": [to("Location/l")]})),
            with("Provenance/of-organization", json!({"target": [to("Organization/n")]})),
            with("Provenance/of-nothing", json!({"target": [to("Location/gone")]})),
        ],
    ]
    .concat();
    check(
        &lines,
        "type = ['Provenance']",
        &[
            "Provenance/of-location",
            "Provenance/of-nothing",
            "Provenance/of-organization",
        ],
    );
    for value in ["LatestProvenanceResources", "RelevantProvenanceResources"] {
        let request = format!("include-associated-data = ['{value}']\n");
        check(
            &lines,
            &format!("{request}type = ['Location']"),
            &["Location/l", "Provenance/of-location"],
        );
        check(&lines, &format!("{request}type = ['Provenance']"), &[]);
        check(
            &lines,
            &request,
            &[
                "Location/l",
                "Organization/n",
                "Provenance/of-location",
                "Provenance/of-organization",
            ],
        );
    }
}

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

#[test]
fn a_patient_that_stands_in_two_files_with_different_contents_is_exported_twice() {
    let other = with("Patient/a", json!({"gender": "female"}));
    let files = [("a.ndjson", text(&patients())), ("b.ndjson", text(&[other]))];
    check_files(&files, "patient = ['a']", &["Patient/a", "Patient/a"]);
}

#[test]
fn resources_without_an_id_are_kept_and_name_others_but_cannot_be_named() {
    let mut anonymous = observation("x", &["Practitioner/p"]);
    anonymous.as_object_mut().expect("an object").remove("id");
    let mut practitioner = bare("Practitioner/x");
    practitioner.as_object_mut().expect("an object").remove("id");
    let mut about = with("Provenance/x", json!({"target": [to("Patient/a")]}));
    about.as_object_mut().expect("an object").remove("id");
    let lines = [patients(), vec![anonymous, practitioner, bare("Practitioner/p"), about]].concat();
    check(
        &lines,
        "patient = ['a']",
        &["Observation/-", "Patient/a", "Practitioner/p", "Provenance/-"],
    );
    check(
        &lines,
        "patient = ['a']\ninclude-associated-data = ['LatestProvenanceResources']",
        &["Observation/-", "Patient/a", "Practitioner/p", "Provenance/-"],
    );
}

#[test]
fn a_patient_who_is_linked_to_a_listed_one_is_in_that_ones_compartment_alone() {
    let linked = with("Patient/c", json!({"link": [{"other": to("Patient/a")}]}));
    let own = with("Observation/of-c", json!({"subject": to("Patient/c")}));
    let lines = [patients(), vec![linked, own]].concat();
    check(&lines, "patient = ['a']", &["Patient/a", "Patient/c"]);
    check(&lines, "patient = ['c']", &["Observation/of-c", "Patient/c"]);
    check(&lines, "patient = ['c']\nexclusive = true", &["Observation/of-c"]);
}

#[test]
fn unknown_groups_and_patients_are_named_and_nothing_is_written() {
    let files = [("data.ndjson", text(&patients()))];
    refuse(&files, "group = 'gone'", "gone");
    refuse(&files, "patient = ['a,gone']", "gone");
    refuse(&files, "patient = ['a b']", "no patient id");
    refuse(&files, "patient = ['']", "no patient id");
}
