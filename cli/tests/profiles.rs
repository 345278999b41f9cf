//! `--profile`: what Oracle's Bulk Export does not take and the guide does, through the command line.

mod binary;

use std::fmt::Write;

use binary::Folder;

/// `count` patients, `p1` first, each with a group that holds the first two.
fn folder(count: usize) -> Folder {
    let folder = Folder::new();
    let mut lines = String::new();
    for number in 1..=count {
        writeln!(lines, r#"{{"resourceType":"Patient","id":"p{number}"}}"#).expect("writes");
    }
    lines.push_str(r#"{"resourceType":"Condition","id":"c","subject":{"reference":"Patient/p1"}}"#);
    lines.push('\n');
    lines.push_str(r#"{"resourceType":"Appointment","id":"x","participant":[{"actor":{"reference":"Patient/p1"}}]}"#);
    lines.push('\n');
    lines.push_str(
        r#"{"resourceType":"Group","id":"g","member":[{"entity":{"reference":"Patient/p1"}},{"entity":{"reference":"Patient/p2"}}]}"#,
    );
    lines.push('\n');
    folder.write("data/lines.ndjson", lines);
    folder
}

fn export(out: &'static str, profile: &'static str, more: &[&'static str]) -> Vec<&'static str> {
    let start = ["export", "data", "-o", out, "--profile", profile];
    start.iter().chain(more).copied().collect()
}

#[test]
fn oracle_takes_20_000_patients_and_no_more() {
    let folder = folder(20_001);
    let list = |count: usize| (1..=count).map(|number| format!("p{number}\n")).collect::<String>();
    folder.write("most.txt", list(20_000));
    folder.write("twice.txt", list(20_000) + "Patient/p7\n");
    folder.write("more.txt", list(20_001));
    let lines = |out: &str| folder.read(&format!("{out}/Patient.000.ndjson")).lines().count();
    let only = ["--type", "Patient", "--patients"];
    for (out, file) in [("most", "most.txt"), ("twice", "twice.txt")] {
        folder
            .run(&export(out, "oracle", &[only[0], only[1], only[2], file]))
            .ends(0);
        assert_eq!(lines(out), 20_000, "a patient who is listed twice is one");
    }
    let more = [only[0], only[1], only[2], "more.txt"];
    folder
        .run(&export("more", "oracle", &more))
        .ends(2)
        .tells(&["patient: 20001 patients are listed; the oracle profile takes at most 20000"]);
    assert!(!folder.path("more").exists(), "nothing is written");
    folder.run(&export("more", "ig", &more)).ends(0);
    assert_eq!(lines("more"), 20_001);
}

#[test]
fn oracle_exports_a_list_or_a_group_and_never_everybody() {
    let folder = folder(2);
    let cases: [(&[&str], &str); 3] = [
        (
            &["--type", "Patient"],
            "patient: the oracle profile exports a group or a list of patients, never everybody's records",
        ),
        (
            &["--type", "Patient", "--group", "g", "--patient", "p1"],
            "patient: the oracle profile takes no list of patients for an export of a group",
        ),
        (
            &["--type", "Patient,Appointment", "--patient", "p1"],
            "type: Appointment is not exported under the oracle profile",
        ),
    ];
    for (more, text) in cases {
        folder.run(&export("out", "oracle", more)).ends(2).tells(&[text]);
        assert!(!folder.path("out").exists(), "nothing is written");
        let mut forced = export("guide", "ig", more);
        forced.push("--force");
        folder.run(&forced).ends(0);
    }
    folder
        .run(&export("p", "oracle", &["--type", "Patient", "--patient", "p1"]))
        .ends(0);
    folder
        .run(&export("g", "oracle", &["--type", "Patient", "--group", "g"]))
        .ends(0);
    assert_eq!(folder.read("p/Patient.000.ndjson").lines().count(), 1);
    assert_eq!(folder.read("g/Patient.000.ndjson").lines().count(), 2);
}

#[test]
fn an_empty_list_is_told_once() {
    let folder = folder(2);
    folder.write("empty.txt", "\n");
    for profile in ["ig", "oracle"] {
        let ran = folder
            .run(&export(
                "out",
                profile,
                &["--type", "Patient", "--patients", "empty.txt"],
            ))
            .ends(2);
        assert_eq!(ran.err.matches("error: ").count(), 1, "{}", ran.err);
        ran.tells(&["the list of patients is empty"]);
    }
}

#[test]
fn without_a_list_of_types_the_profile_gives_them() {
    let folder = Folder::new();
    let whole = |profile: &str| folder.run(&["explain", "--profile", profile]).ends(0).out;
    let oracle = whole("oracle");
    assert!(
        oracle.contains("\nWhole: 22 types\n  AllergyIntolerance, CarePlan, "),
        "{oracle}"
    );
    let ig = whole("ig");
    assert!(ig.contains("\nWhole: 146 types\n  Account, "), "{ig}");
    assert_eq!(ig, folder.run(&["explain"]).ends(0).out, "ig is the default");
}

#[test]
fn a_name_that_is_no_profile() {
    let ran = Folder::new().run(&["explain", "--profile", "Oracle"]).ends(2);
    assert!(ran.err.contains("[possible values: ig, oracle]"), "{}", ran.err);
}

#[test]
fn a_group_of_too_many_is_refused_under_oracle() {
    let folder = Folder::new();
    let members = |count: usize| {
        let all: Vec<String> = (1..=count)
            .map(|number| format!(r#"{{"entity":{{"reference":"Patient/p{number}"}}}}"#))
            .collect();
        all.join(",")
    };
    let group = |id: &str, count| {
        format!(
            r#"{{"resourceType":"Group","id":"{id}","member":[{}]}}"#,
            members(count)
        )
    };
    folder.write(
        "data/groups.ndjson",
        [group("most", 20_000), group("more", 20_001)].join("\n"),
    );
    folder.run(&export("most", "oracle", &["--group", "most"])).ends(0);
    folder
        .run(&export("more", "oracle", &["--group", "more"]))
        .ends(2)
        .tells(&["group: the group has 20001 patients; the profile takes at most 20000"]);
    assert!(!folder.path("more").exists(), "nothing is written");
    folder.run(&export("ig", "ig", &["--group", "more"])).ends(0);
}

#[test]
fn oracle_adds_what_records_refer_to_and_provenance_where_it_was_asked_for() {
    let folder = Folder::new();
    let lines = [
        r#"{"resourceType":"Patient","id":"p"}"#,
        r#"{"resourceType":"Condition","id":"c","subject":{"reference":"Patient/p"},"recorder":{"reference":"Practitioner/d"}}"#,
        r#"{"resourceType":"Practitioner","id":"d"}"#,
        r#"{"resourceType":"Practitioner","id":"e"}"#,
        r#"{"resourceType":"Provenance","id":"v","target":[{"reference":"Condition/c"}]}"#,
        r#"{"resourceType":"Medication","id":"m"}"#,
    ];
    folder.write("data/lines.ndjson", lines.join("\n"));
    let latest = [
        "--patient",
        "p",
        "--include-associated-data",
        "LatestProvenanceResources",
    ];
    folder.run(&export("all", "oracle", &latest)).ends(0);
    let names = |out: &str| {
        let all = folder.files(out).into_iter();
        all.filter(|name| name.ends_with(".ndjson")).collect::<Vec<_>>()
    };
    assert_eq!(
        names("all"),
        [
            "Condition.000.ndjson",
            "Patient.000.ndjson",
            "Practitioner.000.ndjson",
            "Provenance.000.ndjson"
        ]
    );
    assert!(!folder.read("all/Practitioner.000.ndjson").contains(r#""e""#));
    let without = [&latest[..], &["--type", "Condition"]].concat();
    folder.run(&export("without", "oracle", &without)).ends(2);
    folder.run(&export("ig", "ig", &without)).ends(0);
    assert_eq!(names("ig"), ["Condition.000.ndjson", "Provenance.000.ndjson"]);
}
