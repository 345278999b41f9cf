//! `fhirehose verify`: over what `export` writes, and over what became of it.

mod binary;

use std::fs;

use binary::{Folder, LINES, Ran};

/// An export of patients and observations, compressed or not.
fn exported(more: &[&str]) -> Folder {
    let folder = Folder::with_lines();
    let args: Vec<&str> = ["export", "data", "-o", "out"].iter().chain(more).copied().collect();
    folder.run(&args).ends(0);
    folder
}

fn verify(folder: &Folder, more: &[&str]) -> Ran {
    let args: Vec<&str> = ["verify", "out"].iter().chain(more).copied().collect();
    folder.run(&args)
}

/// The report without what the clock says.
fn told(ran: &Ran) -> String {
    let lines = ran.out.lines().filter(|line| !line.starts_with("took"));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn what_export_writes_is_well() {
    for more in [
        &[][..],
        &["--compress", "gzip", "--ig", "4"],
        &[
            "--compress",
            "zstd",
            "--max-resources",
            "1",
            "--base-url",
            "https://example.org/files",
        ],
        &["--organize-by", "Patient", "--max-resources", "2"],
    ] {
        let folder = exported(more);
        let ran = verify(&folder, &["--references"]).ends(0);
        assert!(
            told(&ran).contains("verified    out: all is well; 0 errors, 0 warnings, 0 notes\n"),
            "{more:?} {}",
            ran.out
        );
        assert_eq!(ran.err, "");
    }
    let folder = exported(&[]);
    let expected = "\
verified    out: all is well; 0 errors, 0 warnings, 0 notes
read        2 files, 4 lines, 338 bytes
resources   4
";
    assert_eq!(told(&verify(&folder, &[]).ends(0)), expected);
}

/// Bad lines, deletions, merges: the other lists of a manifest.
#[test]
fn what_merge_and_diff_write_is_well() {
    let folder = exported(&[]);
    folder.write(
        "data/lines.ndjson",
        format!("{}nonsense\n", LINES.replace("\"b\"", "\"d\"")),
    );
    folder.run(&["export", "data", "-o", "new"]).ends(1);
    folder.run(&["verify", "new"]).ends(0);
    folder.run(&["diff", "out", "new", "-o", "delta"]).ends(0);
    let ran = folder.run(&["verify", "delta"]).ends(0);
    assert!(ran.out.contains("deletions   1\n"), "{}", ran.out);
    folder.run(&["merge", "out", "delta", "-o", "merged"]).ends(0);
    folder.run(&["verify", "merged"]).ends(0);
}

#[test]
fn what_is_wrong_is_told_without_ids_and_contents() {
    let folder = exported(&[]);
    let text = folder.read("out/Patient.000.ndjson");
    let again = text.lines().next().expect("a line");
    folder.write("out/Patient.000.ndjson", format!("{text}{again}\n{{\"secret\":\n"));
    let ran = verify(&folder, &[]).ends(1);
    let expected = "\
error[syntax]: Patient.000.ndjson: the line is not valid JSON
    Patient.000.ndjson:5:11
error[count]: Patient.000.ndjson: the manifest counts 3, the file has 5
error[duplicate]: Patient resources that are there again; each place is followed by the one before it
    Patient.000.ndjson:4
    Patient.000.ndjson:1
verified    out: not all is well; 3 errors, 0 warnings, 0 notes
read        2 files, 6 lines, 428 bytes
resources   5
";
    assert_eq!(told(&ran), expected);
    let ran = verify(&folder, &["--report", "json"]).ends(1);
    let report: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((&report["well"], &report["errors"]), (&false.into(), &3.into()));
    assert_eq!(report["findings"][2]["places"][1]["line"], 1);
    assert_eq!(report["references"], serde_json::Value::Null);
    assert!(!ran.out.contains("secret") && !ran.out.contains("female"));
}

#[test]
fn references_that_lead_nowhere() {
    let folder = Folder::new();
    let line = |id: usize, of: &str| {
        format!("{{\"resourceType\":\"Observation\",\"id\":\"o{id}\",\"subject\":{{\"reference\":\"{of}\"}}}}\n")
    };
    let lines: String = [
        "Patient/a",
        "Patient/b",
        "Patient/b",
        "Group/g",
        "https://x/Patient/1",
        "#c",
    ]
    .iter()
    .enumerate()
    .map(|(id, of)| line(id, of))
    .collect();
    folder.write(
        "data/lines.ndjson",
        format!("{LINES}{}", lines.replace("Patient/b", "Patient/z")),
    );
    folder.run(&["export", "data", "-o", "out"]).ends(0);
    verify(&folder, &[]).ends(0);
    let ran = verify(&folder, &["--references"]).ends(1);
    let expected = "\
warning[dangling]: references to resources that are not in the export
from         to       lead nowhere  first at
Observation  Group               1  Observation.000.ndjson:5
Observation  Patient             2  Observation.000.ndjson:3

verified    out: not all is well; 0 errors, 2 warnings, 0 notes
read        2 files, 10 lines, 801 bytes
resources   10
references  4 to resources by Type/id, 3 of them lead nowhere; 1 absolute, 1 others
";
    assert_eq!(told(&ran), expected);
}

#[test]
fn a_manifest_from_elsewhere_and_checksums() {
    let folder = exported(&["--base-url", "https://example.org/files"]);
    fs::rename(folder.path("out/manifest.json"), folder.path("manifest.json")).expect("renames");
    verify(&folder, &[])
        .ends(3)
        .tells(&["out: there is no manifest.json in it"]);
    verify(&folder, &["--manifest", "manifest.json"]).ends(0);
    verify(&folder, &["--manifest", "missing.json"]).ends(3);
    folder.write("out/SHA256SUMS", "0\n");
    let ran = verify(&folder, &["--manifest", "manifest.json"]).ends(1);
    assert!(
        ran.out.contains("error[checksum-format]: SHA256SUMS: line 1"),
        "{}",
        ran.out
    );
    folder.run(&["verify", "missing"]).ends(3);
    folder.run(&["verify", "-"]).ends(2);
    folder.run(&["verify"]).ends(2);
    verify(&folder, &["--memory", "1MiB"]).ends(2).tells(&["--memory"]);
}
