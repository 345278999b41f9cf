//! The rules of cohorts and of what comes along, one by one: binary and oracle must both keep what the rule says.

mod binary;
mod exported;
mod rules;

use rules::{bare, check, check_files, observation, patients, refuse, text, to, with};
use serde_json::{Value, json};

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
fn what_only_associated_resources_name_stays_behind() {
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
        &[
            "Medication/m",
            "Observation/o",
            "Patient/a",
            "Practitioner/w",
            "Provenance/v",
        ],
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

#[test]
fn escapes_in_names_and_references_change_nothing() {
    let lines = [
        r#"{"resourceType":"P\u0061tient","id":"\u0061"}"#,
        r#"{"id":"o","subject":{"r\u0065ference":"Patient\/\u0061"},"performer":[{"reference":"\u0050ractitioner\/p"}],"resourceType":"Observation"}"#,
        r#"{"resourceType":"Practition\u0065r","i\u0064":"p"}"#,
        r#"{"resourceType":"Device","patient":{"reference":"P\u0061tient/a"},"id":"d"}"#,
        r#"{"resourceType":"Provenance","id":"v","t\u0061rget":[{"reference":"Observation\/\u006f"}]}"#,
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let all = [
        "Device/d",
        "Observation/o",
        "Patient/a",
        "Practitioner/p",
        "Provenance/v",
    ];
    check_files(&[("data.ndjson", text)], "patient = ['a']", &all);
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
    // The linked patient is somebody else, whose record is not for those who asked strictly.
    check(&lines, "patient = ['a']\nexclusive = true", &["Patient/a"]);
    check(
        &lines,
        "patient = ['a,c']\nexclusive = true",
        &["Observation/of-c", "Patient/a", "Patient/c"],
    );
}

#[test]
fn unknown_groups_and_patients_are_named_and_nothing_is_written() {
    let files = [("data.ndjson", text(&patients()))];
    refuse(&files, "group = 'gone'", "gone");
    refuse(&files, "patient = ['a,gone']", "gone");
    refuse(&files, "patient = ['a b']", "no patient id");
    refuse(&files, "patient = ['']", "no patient id");
}
