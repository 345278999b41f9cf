//! `merge` and `diff` as a user runs them: what is written, what is told, how they end.

mod binary;

use binary::Folder;
use serde_json::Value;

/// Stands where a record's contents stand.
const MARK: &str = "zq-secret-zq";

fn patient(id: &str, second: u32) -> String {
    format!(
        "{{\"resourceType\":\"Patient\",\"id\":\"{id}\",\"meta\":{{\"lastUpdated\":\"2024-01-01T00:00:{second:02}Z\"}},\
         \"text\":\"{MARK}{second}\"}}\n"
    )
}

fn deletion(target: &str) -> String {
    format!(
        "{{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[{{\"request\":{{\"method\":\"DELETE\",\"url\":\
         \"{target}\"}}}}]}}\n"
    )
}

/// An export of Monday, and what came until Tuesday.
fn folder() -> Folder {
    let folder = Folder::new();
    export(
        &folder,
        "monday",
        "2024-01-01T00:00:00Z",
        &[patient("a", 1), patient("b", 1), patient("c", 1)],
        "",
    );
    export(
        &folder,
        "tuesday",
        "2024-01-02T00:00:00Z",
        &[patient("a", 2), patient("d", 2)],
        &deletion("Patient/b"),
    );
    folder
}

fn export(folder: &Folder, name: &str, time: &str, lines: &[String], deleted: &str) {
    let count = lines.len();
    let mut more = String::new();
    folder.write(&format!("{name}/Patient.000.ndjson"), lines.concat());
    if !deleted.is_empty() {
        folder.write(&format!("{name}/deleted/Bundle.000.ndjson"), deleted);
        more = r#","deleted":[{"type":"Bundle","url":"deleted/Bundle.000.ndjson","count":1}]"#.to_owned();
    }
    let manifest = format!(
        r#"{{"transactionTime":"{time}","request":"$export","requiresAccessToken":false,"error":[],
           "output":[{{"type":"Patient","url":"Patient.000.ndjson","count":{count}}}]{more}}}"#
    );
    folder.write(&format!("{name}/manifest.json"), manifest);
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn an_export_and_its_delta_become_one() {
    let folder = folder();
    let ran = folder.run(&["merge", "monday", "tuesday", "-o", "out"]).ends(0);
    assert_eq!(ran.out, "");
    assert!(!ran.err.contains(MARK), "{}", ran.err);
    assert_eq!(folder.files("out"), ["Patient.000.ndjson", "manifest.json"]);
    assert_eq!(
        folder.read("out/Patient.000.ndjson"),
        [patient("c", 1), patient("a", 2), patient("d", 2)].concat()
    );
    let manifest = json(&folder.read("out/manifest.json"));
    assert_eq!(manifest["transactionTime"], "2024-01-02T00:00:00Z");
    assert_eq!(manifest["request"], "fhirehose merge monday tuesday");
    assert_eq!(manifest["output"][0]["count"], 3);
    assert!(manifest.get("deleted").is_none());
}

#[test]
fn two_exports_become_a_delta_and_the_way_back() {
    let folder = folder();
    folder.run(&["merge", "monday", "tuesday", "-o", "new"]).ends(0);
    folder
        .run(&["diff", "monday", "new", "-o", "delta", "--compress", "zstd"])
        .ends(0);
    let files = [
        "Patient.000.ndjson.zst",
        "deleted/Bundle.000.ndjson.zst",
        "manifest.json",
    ];
    assert_eq!(folder.files("delta"), files);
    let manifest = json(&folder.read("delta/manifest.json"));
    assert_eq!(manifest["transactionTime"], "2024-01-02T00:00:00Z");
    assert_eq!(manifest["deleted"][0]["url"], "deleted/Bundle.000.ndjson.zst");
    let merge = [
        "merge",
        "monday",
        "delta",
        "-o",
        "again",
        "--memory",
        "100MiB",
        "--max-line",
        "1MiB",
    ];
    folder.run(&merge).ends(0);
    assert_eq!(
        folder.read("again/Patient.000.ndjson"),
        folder.read("new/Patient.000.ndjson")
    );
}

#[test]
fn the_report_for_programs_has_all_keys() {
    let folder = folder();
    export(
        &folder,
        "wednesday",
        "2024-01-03T00:00:00Z",
        &[patient("b", 1), patient("b", 1)],
        "",
    );
    let merge = [
        "merge",
        "monday",
        "tuesday",
        "wednesday",
        "-o",
        "out",
        "--report",
        "json",
    ];
    let ran = folder.run(&merge).ends(0);
    assert_eq!(ran.err, "");
    let report = json(&ran.out);
    assert_eq!((&report["read"], &report["kept"]), (&json("7"), &json("4")));
    assert_eq!(report["arguments"][1]["deletions"], 1);
    assert_eq!(report["arguments"][2]["transactionTime"], "2024-01-03T00:00:00Z");
    assert_eq!(
        (&report["numbers"]["replaced"], &report["numbers"]["repeated"]),
        (&json("1"), &json("1"))
    );
    let finding = &report["findings"][0];
    assert_eq!(
        (&finding["code"], &finding["fault"]),
        (&json("\"resurrected\""), &json("false"))
    );
    assert_eq!(finding["places"][0]["line"], 2);
    let ran = folder
        .run(&["diff", "monday", "wednesday", "-o", "diff", "--report", "json"])
        .ends(0);
    let changes = &json(&ran.out)["changes"];
    let expected = r#"[{"type":"Patient","added":0,"changed":0,"deleted":2,"unchanged":1}]"#;
    assert_eq!(changes, &json(expected));
}

#[test]
fn bad_lines_and_contradictions_end_with_1_and_are_told() {
    let folder = folder();
    folder.write(
        "bad/a.ndjson",
        format!(
            "{}{{\"{MARK}\n{}{}",
            patient("x", 1),
            patient("x", 1).replace("zq1", "zq2"),
            deletion("Patient/a?")
        ),
    );
    let ran = folder.run(&["merge", "monday", "bad", "-o", "out"]).ends(1);
    let ran = ran.tells(&[
        "1 syntax, 1 deletions",
        "bad/a.ndjson:2",
        "1 resource: each stands twice",
        "bad/a.ndjson:3",
    ]);
    assert!(!ran.err.contains(MARK), "{}", ran.err);
    assert_eq!(folder.read("out/error/OperationOutcome.000.ndjson").lines().count(), 2);
    assert_eq!(json(&folder.read("out/manifest.json"))["error"][0]["count"], 2);
    let ran = folder.run(&["diff", "monday", "bad", "-o", "diff"]).ends(1);
    ran.tells(&["2 lines of NEW could not be read; what only they hold counts as deleted"]);
    let stopped = folder
        .run(&["merge", "monday", "bad", "-o", "stopped", "--on-bad", "stop"])
        .ends(1);
    stopped.tells(&["stopped at a bad line: bad/a.ndjson:2"]);
    assert!(!folder.path("stopped").exists());
}

#[test]
fn exports_out_of_order_are_refused_with_both_times() {
    let folder = folder();
    for command in ["merge", "diff"] {
        let ran = folder.run(&[command, "tuesday", "monday", "-o", "out"]).ends(2);
        ran.tells(&["monday: its transactionTime 2024-01-01T00:00:00Z is older than 2024-01-02T00:00:00Z of tuesday"]);
        assert!(!folder.path("out").exists());
    }
}

#[test]
fn what_cannot_be_read_twice_or_wholly_is_refused() {
    let folder = folder();
    let refused = |args: &[&str], code, text: &str| {
        folder.run(&[args, &["-o", "out"]].concat()).ends(code).tells(&[text]);
        assert!(!folder.path("out").exists(), "{args:?}");
    };
    refused(&["merge", "monday", "-"], 2, "read twice");
    refused(&["merge", "monday", "nowhere"], 3, "nowhere: no such file or folder");
    refused(&["merge", "monday"], 2, "required");
    refused(&["diff", "monday"], 2, "required");
    refused(&["merge", "monday", "tuesday", "--level", "3"], 2, "--level");
    refused(&["merge", "monday", "tuesday", "--memory", "1MiB"], 2, "--memory");
    folder
        .run(&["merge", "monday", "tuesday", "-o", "-"])
        .ends(2)
        .tells(&["-o OUT"]);
    folder
        .run(&["merge", "monday", "tuesday", "-o", "monday"])
        .ends(2)
        .tells(&["is an input"]);
    folder.write("out-file", "x");
    folder.run(&["merge", "monday", "tuesday", "-o", "out-file"]).ends(3);
    folder.write("full/notes.txt", "x");
    folder
        .run(&["merge", "monday", "tuesday", "-o", "full"])
        .ends(3)
        .tells(&["--force"]);
    assert_eq!(folder.files("full"), ["notes.txt"]);
    std::fs::remove_file(folder.path("tuesday/Patient.000.ndjson")).expect("removes");
    refused(
        &["merge", "monday", "tuesday"],
        3,
        "the export is incomplete: Patient.000.ndjson is listed and not there",
    );
    folder.write("tuesday/Patient.000.ndjson", patient("a", 2));
    refused(
        &["merge", "monday", "tuesday"],
        3,
        "its manifest counts 2, the file has 1",
    );
    folder.write("tuesday/manifest.json", "{\"output\":");
    refused(
        &["merge", "monday", "tuesday"],
        3,
        "tuesday/manifest.json: expected a JSON object",
    );
}

#[test]
fn an_earlier_result_is_replaced_only_by_force() {
    let folder = folder();
    folder.run(&["merge", "monday", "tuesday", "-o", "out"]).ends(0);
    let merge = ["merge", "monday", "monday", "-o", "out"];
    folder.run(&merge).ends(3);
    assert_eq!(folder.read("out/Patient.000.ndjson").lines().count(), 3);
    folder.run(&[&merge[..], &["--force"]].concat()).ends(0);
    assert_eq!(
        json(&folder.read("out/manifest.json"))["transactionTime"],
        "2024-01-01T00:00:00Z"
    );
    assert!(folder.read("out/Patient.000.ndjson").contains("\"b\""));
}

#[test]
fn what_an_export_has_not_completed_is_no_argument() {
    let folder = folder();
    folder.write("begun/Patient.000.ndjson", patient("x", 1));
    folder.write("begun/.fhirehose-partial/lock", "");
    let told = "begun: an export into this folder has not been completed";
    for args in [
        ["diff", "monday", "begun", "-o", "out"],
        ["merge", "begun", "monday", "-o", "out"],
    ] {
        folder.run(&args).ends(3).tells(&[told]);
    }
    folder.run(&["export", "begun", "-o", "out"]).ends(3).tells(&[told]);
    assert_eq!(folder.files("out"), [""; 0]);
}
