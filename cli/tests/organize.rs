//! `export --organize-by Patient`: blocks, what is refused, a full disk.

mod binary;

use binary::Folder;
use serde_json::Value;

const RECORDS: &str = concat!(
    r#"{"resourceType":"Observation","id":"o1","subject":{"reference":"Patient/a"}}"#,
    "\n",
    r#"{"resourceType":"Practitioner","id":"d"}"#,
    "\n",
    r#"{"resourceType":"Appointment","id":"x","status":"booked","participant":[{"actor":{"reference":"Patient/b"}},{"actor":{"reference":"Patient/a"}}]}"#,
    "\n",
    r#"{"resourceType":"Patient","id":"b"}"#,
    "\n",
    r#"{"resourceType":"Patient","id":"a"}"#,
    "\n",
    r#"{"resourceType":"Patient"}"#,
    "\n",
    r#"{"resourceType":"Group","id":"g","member":[{"entity":{"reference":"Patient/b"}}]}"#,
    "\n",
);

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("data/all.ndjson", RECORDS);
    folder
}

/// Headers as `>id`, lines as type and id.
fn told(text: &str) -> Vec<String> {
    let tell = |line: &str| {
        let value: Value = serde_json::from_str(line).expect("JSON");
        let header = &value["parameter"][0]["valueReference"]["reference"];
        let own = format!(
            "{}/{}",
            value["resourceType"].as_str().unwrap_or("?"),
            value["id"].as_str().unwrap_or("")
        );
        header.as_str().map_or(own, |reference| format!(">{reference}"))
    };
    text.lines().map(tell).collect()
}

#[test]
fn a_block_for_each_patient_and_the_rest_by_type() {
    let folder = folder();
    let args = [
        "export",
        "data",
        "-o",
        "out",
        "--organize-by",
        "Patient",
        "--report",
        "json",
    ];
    let ran = folder.run(&args).ends(0);
    assert_eq!(
        folder.files("out"),
        [
            "Group.000.ndjson",
            "Patient.000.ndjson",
            "PatientWithoutId.000.ndjson",
            "Practitioner.000.ndjson",
            "manifest.json"
        ]
    );
    let header =
        r#"{"resourceType":"Parameters","parameter":[{"name":"header","valueReference":{"reference":"Patient/a"}}]}"#;
    let blocks = folder.read("out/Patient.000.ndjson");
    assert_eq!(blocks.lines().next(), Some(header));
    assert_eq!(
        told(&blocks),
        [
            ">Patient/a",
            "Patient/a",
            "Observation/o1",
            "Appointment/x",
            ">Patient/b",
            "Patient/b",
            "Appointment/x"
        ]
    );
    let manifest: Value = serde_json::from_str(&folder.read("out/manifest.json")).expect("JSON");
    assert_eq!(manifest["outputOrganizedBy"], "Patient");
    assert_eq!(manifest["request"], "$export?organizeOutputBy=Patient");
    let counts: Vec<&Value> = manifest["output"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| &item["count"])
        .collect();
    assert_eq!(counts, [1, 5, 1, 1]);
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    let organized = &report["organized"];
    assert_eq!(
        (&organized["blocks"], &organized["resources"], &organized["repeats"]),
        (&2.into(), &4.into(), &1.into())
    );
    assert_eq!(report["kept"], 7);
}

#[test]
fn a_cohort_and_a_limit() {
    let folder = folder();
    let args = [
        "export",
        "data",
        "-o",
        "out",
        "--organize-by",
        "Patient",
        "--group",
        "g",
        "--max-resources",
        "1",
        "--compress",
        "none",
        "--ig",
        "4",
        "--base-url",
        "https://x/y",
    ];
    folder
        .run(&args)
        .ends(0)
        .tells(&["blocks   1 patient for 2 resources, 1 split"]);
    assert_eq!(
        folder.files("out"),
        [
            "Group.000.ndjson",
            "Patient.000.ndjson",
            "Patient.001.ndjson",
            "manifest.json"
        ]
    );
    assert_eq!(
        told(&folder.read("out/Patient.000.ndjson")),
        [">Patient/b", "Patient/b"]
    );
    assert_eq!(
        told(&folder.read("out/Patient.001.ndjson")),
        [">Patient/b", "Appointment/x"]
    );
    let manifest: Value = serde_json::from_str(&folder.read("out/manifest.json")).expect("JSON");
    assert_eq!(manifest["outputOrganizedBy"], "Patient");
    assert_eq!(
        manifest["output"][1]["continuesInFile"],
        "https://x/y/Patient.001.ndjson"
    );
    assert!(manifest["output"][2].get("continuesInFile").is_none());
}

#[test]
fn elements_may_leave_out_whose_it_is() {
    let folder = folder();
    let organize = [
        "export",
        "data",
        "-o",
        "out",
        "--organize-by",
        "Patient",
        "--type",
        "Observation",
    ];
    folder.run(&[&organize[..], &["--elements", "status"]].concat()).ends(0);
    let blocks = folder.read("out/Patient.000.ndjson");
    assert_eq!(told(&blocks), [">Patient/a", "Observation/o1"]);
    assert!(!blocks.contains("subject"), "{blocks}");
}

#[test]
fn what_is_refused() {
    let folder = folder();
    folder
        .run(&["export", "data", "-o", "-", "--organize-by", "Patient"])
        .ends(2)
        .tells(&["--organize-by: -o - writes lines to standard output, no files"]);
    for by in ["Observation", "patient", ""] {
        folder
            .run(&["export", "data", "-o", "out", "--organize-by", by])
            .ends(2)
            .tells(&["organize-by: output can be organized by Patient and by no other type"]);
        assert!(!folder.path("out").exists());
    }
    let told = folder.run(&["explain", "--organize-by", "Patient"]).ends(0).out;
    assert!(told.contains("organized   by Patient"), "{told}");
    let json = folder
        .run(&["explain", "--organize-by", "Patient", "--report", "json"])
        .ends(0)
        .out;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["organizedBy"], "Patient");
    for form in ["text", "json"] {
        assert!(
            !folder
                .run(&["explain", "--report", form])
                .ends(0)
                .out
                .contains("organized")
        );
    }
}

#[test]
fn what_a_killed_run_put_aside_is_cleaned_up() {
    let folder = folder();
    folder.write("out/.fhirehose-partial/run-0", "half a run");
    folder
        .run(&["export", "data", "-o", "out", "--organize-by", "Patient"])
        .ends(0);
    assert!(folder.files("out").iter().all(|name| !name.starts_with('.')));
}

/// A limit on the size of files stands for a full disk: writing fails in the middle of a run.
#[cfg(unix)]
#[test]
fn a_full_disk_while_sorting_leaves_nothing() {
    use std::process::{Command, Stdio};

    let folder = Folder::new();
    folder.write("in.ndjson", RECORDS.repeat((40 << 20) / RECORDS.len()));
    let args = "-o out --organize-by Patient --threads 1 --max-line 1KiB --memory 41MiB";
    let args = || args.split(' ');
    let mut command = Command::new("sh");
    let limited = "ulimit -f 16; exec \"$0\" \"$@\"";
    command.args(["-c", limited, env!("CARGO_BIN_EXE_fhirehose"), "export", "in.ndjson"]);
    command.args(args().chain(["--type", "Observation,Appointment"]));
    command.current_dir(folder.path("")).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = binary::Ran::of(command.spawn().expect("starts")).ends(3);
    let ran = ran.tells(&["error: cannot write the temporary file out/.fhirehose-partial/run-"]);
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    assert!(!folder.path("out").exists());
    // With room on the disk the same runs are merged.
    let all: Vec<&str> = ["export", "in.ndjson"]
        .into_iter()
        .chain(args())
        .chain(["--report", "json"])
        .collect();
    let ran = folder.run(&all).ends(0);
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert!(
        report["organized"]["runs"].as_u64().is_some_and(|runs| runs > 1),
        "{}",
        ran.out
    );
    assert_eq!(report["organized"]["blocks"], 2);
}
