//! `export` for a cohort: patients by id, by file, by group; and what is refused.

mod binary;

use binary::Folder;

const RECORDS: &str = concat!(
    r#"{"resourceType":"Observation","id":"o1","subject":{"reference":"Patient/a"}}"#,
    "\n",
    r#"{"resourceType":"Observation","id":"o2","subject":{"reference":"Patient/b"}}"#,
    "\n",
    r#"{"resourceType":"Patient","id":"a"}"#,
    "\n",
    r#"{"resourceType":"Patient","id":"b"}"#,
    "\n",
    r#"{"resourceType":"Appointment","id":"x","status":"booked","participant":[{"actor":{"reference":"Patient/a"}},{"actor":{"reference":"Patient/b"}}]}"#,
    "\n",
    r#"{"resourceType":"Practitioner","id":"d"}"#,
    "\n",
);

const GROUPS: &str = concat!(
    r#"{"resourceType":"Group","id":"g","member":[{"entity":{"reference":"Group/h"}},{"entity":{"reference":"Patient/b"},"inactive":true},{"entity":{"reference":"Group/none"}}]}"#,
    "\n",
    r#"{"resourceType":"Group","id":"h","member":[{"entity":{"reference":"Patient/a"}},{"entity":{"reference":"Group/g"}}]}"#,
    "\n",
    r#"{"resourceType":"Group","id":"empty"}"#,
    "\n",
);

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("data/a.ndjson", RECORDS);
    folder.write("data/groups.ndjson", GROUPS);
    folder
}

fn ids(folder: &Folder, out: &str) -> Vec<String> {
    let files = folder
        .files(out)
        .into_iter()
        .filter(|name| name.ends_with(".ndjson") && !name.starts_with("error/"));
    let lines: Vec<String> = files
        .flat_map(|name| {
            folder
                .read(&format!("{out}/{name}"))
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    let id = |line: &String| {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        format!(
            "{}/{}",
            value["resourceType"].as_str().expect("a type"),
            value["id"].as_str().expect("an id")
        )
    };
    let mut ids: Vec<String> = lines.iter().map(id).collect();
    ids.sort();
    ids
}

#[test]
fn the_records_of_one_patient() {
    let folder = folder();
    folder
        .run(&["export", "data", "-o", "out", "--patient", "Patient/a"])
        .ends(0);
    assert_eq!(ids(&folder, "out"), ["Appointment/x", "Observation/o1", "Patient/a"]);
    assert!(
        folder
            .read("out/manifest.json")
            .contains(r#""request": "Patient/$export""#)
    );
    folder
        .run(&["export", "data", "-o", "strict", "--patient", "a", "--exclusive"])
        .ends(0);
    assert_eq!(ids(&folder, "strict"), ["Observation/o1", "Patient/a"]);
    let both = [
        "export",
        "data",
        "-o",
        "both",
        "--patient",
        "a,b",
        "--exclusive",
        "--type",
        "Appointment",
    ];
    folder.run(&both).ends(0);
    assert_eq!(ids(&folder, "both"), ["Appointment/x"]);
}

#[test]
fn patients_from_a_file_or_a_pipe() {
    let folder = folder();
    folder.write("list.txt", "\nPatient/b\r\n  b \n");
    let args = [
        "export",
        "data",
        "-o",
        "out",
        "--patients",
        "list.txt",
        "--type",
        "Patient,Observation",
    ];
    folder.run(&args).ends(0);
    assert_eq!(ids(&folder, "out"), ["Observation/o2", "Patient/b"]);
    folder
        .run_with(
            b"a\n",
            &["export", "data", "-o", "piped", "--patients", "-", "--type", "Patient"],
        )
        .ends(0);
    assert_eq!(ids(&folder, "piped"), ["Patient/a"]);
}

#[test]
fn members_of_a_group_and_of_the_groups_in_it() {
    let folder = folder();
    let ran = folder.run(&["export", "data", "-o", "out", "--group", "g"]).ends(0);
    assert_eq!(
        ids(&folder, "out"),
        ["Appointment/x", "Group/g", "Observation/o1", "Patient/a"]
    );
    assert!(ran.err.contains("do not count: 1 inactive"), "{}", ran.err);
    assert!(
        ran.err
            .contains("Group `none`, a member of Group `g`, is not in the input"),
        "{}",
        ran.err
    );
    assert!(
        folder
            .read("out/manifest.json")
            .contains(r#""request": "Group/g/$export""#)
    );
}

#[test]
fn an_empty_group_exports_nothing_and_succeeds() {
    let folder = folder();
    folder
        .run(&[
            "export",
            "data",
            "-o",
            "out",
            "--group",
            "empty",
            "--type",
            "Patient,Observation",
        ])
        .ends(0);
    assert_eq!(folder.files("out"), ["manifest.json"]);
}

#[test]
fn what_is_not_there_is_named_and_nothing_is_written() {
    let folder = folder();
    for (args, text) in [
        (&["--group", "nope"][..], "there is no Group `nope` in the input"),
        (
            &["--patient", "a,zz,yy"],
            "there is no such Patient in the input: zz, yy",
        ),
        (&["--group", "g", "--patient", "b"], "no members of the group: b"),
        (&["--patient", "a b"], "--patient: no patient id"),
        (&["--patient", ","], "no patient id"),
        (&["--group", "a/b"], "--group: `a/b` is no id"),
        (&["--patient", "Group/a"], "--patient: no patient id"),
        (&["--exclusive"], "--exclusive: needs"),
        (
            &["--patient", "a", "--type", "Practitioner"],
            "only where something else refers to them",
        ),
    ] {
        let mut all = vec!["export", "data", "-o", "out"];
        all.extend(args);
        let ran = folder.run(&all).ends(2);
        assert!(ran.err.contains(text), "{args:?}: {}", ran.err);
        assert!(
            folder.files("").iter().all(|name| name.starts_with("data/")),
            "{args:?}"
        );
    }
}

#[test]
fn an_empty_list_is_an_error_and_never_everybody() {
    let folder = folder();
    folder.write("empty.txt", "\n\n");
    let ran = folder
        .run(&["export", "data", "-o", "out", "--patients", "empty.txt"])
        .ends(2);
    assert!(ran.err.contains("the list of patients is empty"), "{}", ran.err);
}

#[test]
fn standard_input_cannot_be_read_twice() {
    let folder = folder();
    let ran = folder
        .run_with(RECORDS.as_bytes(), &["export", "-", "-o", "-", "--patient", "a"])
        .ends(2);
    assert!(ran.err.contains("cannot be read twice"), "{}", ran.err);
    assert_eq!(ran.out, "");
}

#[cfg(unix)]
#[test]
fn a_pipe_by_its_descriptor_cannot_be_read_twice() {
    let folder = folder();
    let ran = folder
        .run_with(
            RECORDS.as_bytes(),
            &["export", "/dev/stdin", "-o", "-", "--patient", "a"],
        )
        .ends(2);
    assert!(ran.err.contains("a pipe cannot be read twice"), "{}", ran.err);
    assert_eq!(ran.out, "");
}

#[test]
fn one_group_id_with_two_contents_is_refused() {
    let folder = folder();
    folder.write("data/more.ndjson", "{\"resourceType\":\"Group\",\"id\":\"g\"}\n");
    let ran = folder.run(&["export", "data", "-o", "out", "--group", "g"]).ends(2);
    assert!(ran.err.contains("Group `g` occurs twice"), "{}", ran.err);
}

#[test]
fn a_patient_who_is_not_there_is_told_of_where_the_names_are() {
    let folder = folder();
    let export = |output: &str| {
        let args = [
            "export",
            "data",
            "-o",
            output,
            "--patient",
            "a,gone",
            "--lenient",
            "--type",
            "Patient",
        ];
        folder.run(&args).ends(0)
    };
    export("out").tells(&["note: 1 patient was asked for and not in the input; error/ names each"]);
    assert!(
        folder
            .read("out/error/OperationOutcome.000.ndjson")
            .contains("Patient/gone")
    );
    export("-").tells(&["note: 1 patient was asked for and not in the input; an export into a folder names each"]);
}

#[test]
fn lenient_exports_go_on_as_if_the_unknown_had_not_been_asked_for() {
    let folder = folder();
    let ghost = r#"{"resourceType":"Observation","id":"boo","subject":{"reference":"Patient/ghost"}}"#;
    folder.write("data/ghost.ndjson", format!("{ghost}\n"));
    // Patients in a file that begins with one are known before; these are not, and the export begins anew.
    folder.write("list.txt", "\u{feff}ghost\na\n");
    let args = ["--patients", "list.txt", "--type", "Patient,Observation"];
    let start = ["export", "data", "-o", "out"];
    let refused = folder.run(&[&start[..], &args].concat()).ends(2);
    assert!(
        refused.err.contains("there is no such Patient in the input: ghost"),
        "{}",
        refused.err
    );
    let ran = folder.run(&[&start[..], &args, &["--lenient"]].concat()).ends(0);
    assert_eq!(ids(&folder, "out"), ["Observation/o1", "Patient/a"]);
    let outcome = folder.read("out/error/OperationOutcome.000.ndjson");
    assert!(
        outcome.contains("there is no Patient/ghost in the data") && outcome.lines().count() == 1,
        "{outcome}"
    );
    assert!(
        ran.err.contains("1 patient was asked for and not in the input"),
        "{}",
        ran.err
    );
    let piped = folder
        .run(&[&["export", "data", "-o", "-"], &args[..], &["--lenient"]].concat())
        .ends(0);
    assert!(
        !piped.out.contains("ghost") && piped.out.lines().count() == 2,
        "{}",
        piped.out
    );
}
