//! Bad input of every kind: what is told, how the process ends, what is written, and that no record shows anywhere.

mod binary;

use std::fs;
use std::io::Write;

use binary::{Folder, LINES};

/// Stands where a record's contents stand.
const MARK: &str = "zq-secret-zq";

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).expect("compresses");
    encoder.finish().expect("compresses")
}

#[test]
fn bad_lines_are_left_out_and_located_and_their_neighbours_kept() {
    let bad: [(&str, Vec<u8>); 8] = [
        ("syntax", b"{\"resourceType\":\"Patient\",\"id\":}".to_vec()),
        ("syntax", b"{\"resourceType\":\"Patient\",\"id\":\"x\"".to_vec()),
        ("utf8", b"{\"resourceType\":\"Patient\",\"id\":\"\xff\"}".to_vec()),
        ("trailing", b"{\"resourceType\":\"Patient\",\"id\":\"x\"} x".to_vec()),
        ("not-an-object", b"[1]".to_vec()),
        ("no-resource-type", b"{\"id\":\"x\"}".to_vec()),
        ("unknown-type", b"{\"resourceType\":\"Patent\",\"id\":\"x\"}".to_vec()),
        (
            "duplicate-name",
            b"{\"resourceType\":\"Patient\",\"id\":\"x\",\"gender\":\"male\",\"gender\":\"male\"}".to_vec(),
        ),
    ];
    let good = |id: &str| format!("{{\"resourceType\":\"Patient\",\"id\":\"{id}\",\"gender\":\"male\"}}\n");
    for (code, line) in bad {
        let folder = Folder::new();
        let text = [good("a").as_bytes(), &line, b"\n", good("b").as_bytes()].concat();
        folder.write("in.ndjson", text);
        let request = ["export", "in.ndjson", "--type-filter", "Patient?gender=male"];
        let export = |more: &[&str]| folder.run(&[&request, more].concat());
        export(&["-o", "out"]).ends(1).tells(&["in.ndjson:2", "1 line", code]);
        assert_eq!(folder.read("out/Patient.000.ndjson"), good("a") + &good("b"), "{code}");
        let outcome = folder.read("out/error/OperationOutcome.000.ndjson");
        assert!(
            outcome.contains("in.ndjson:2") && outcome.lines().count() == 1,
            "{outcome}"
        );
        assert_eq!(export(&["-o", "-"]).ends(1).out, good("a") + &good("b"), "{code}");

        export(&["-o", "stopped", "--on-bad", "stop"])
            .ends(1)
            .tells(&["stopped at a bad line", "in.ndjson:2"]);
        assert_eq!(folder.files("stopped"), [""; 0], "{code}: no manifest, no file");
    }
}

#[test]
fn a_line_over_the_limit_is_one_bad_line() {
    let folder = Folder::new();
    let long = format!("{{\"resourceType\":\"Patient\",\"id\":\"{}\"}}\n", MARK.repeat(20_000));
    folder.write("in.ndjson", format!("{LINES}{long}{LINES}"));
    let ran = folder
        .run(&["export", "in.ndjson", "-o", "-", "--max-line", "1k", "--report", "json"])
        .ends(1);
    assert_eq!(ran.out, LINES.repeat(2));
    let report: serde_json::Value = serde_json::from_str(&ran.err).expect("JSON");
    assert_eq!(report["bad"]["total"], 1);
    assert_eq!(report["bad"]["places"][0]["code"], "too-long");
    assert_eq!(report["bad"]["places"][0]["line"], 5);
    assert!(!ran.err.contains(MARK));
}

#[test]
fn damaged_compression_ends_with_the_files_name_and_no_manifest() {
    let whole = gzip(LINES.repeat(500).as_bytes());
    let mut wrong = whole.clone();
    let crc = wrong.len() - 6;
    wrong[crc] ^= 1;
    let cases = [
        ("cut.ndjson.gz", whole[..whole.len() - 9].to_vec(), "ends too early"),
        ("crc.ndjson.gz", wrong, "damaged"),
    ];
    for (name, bytes, text) in cases {
        let folder = Folder::with_lines();
        folder.write(name, bytes);
        folder
            .run(&["export", "data", name, "-o", "out"])
            .ends(3)
            .tells(&[name, "byte ", text]);
        assert!(!folder.path("out").exists(), "{name}");
        folder.run(&["export", name, "-o", "-"]).ends(3).tells(&[name, text]);
    }
}

#[test]
fn inputs_that_cannot_be_used() {
    let folder = Folder::with_lines();
    fs::create_dir(folder.path("empty")).expect("a folder");
    let cases: [(&[&str], i32, &str); 8] = [
        (&["none.ndjson"], 3, "none.ndjson: no such file or folder"),
        (&["empty"], 2, "empty: no .ndjson, .jsonl or .json file in this folder"),
        (&["*.ndjson"], 2, "*.ndjson: the pattern matches no file"),
        (&["data", "data/lines.ndjson"], 2, "data/lines.ndjson: named twice"),
        (
            &["data/lines.ndjson", "data/../data/lines.ndjson"],
            2,
            "the same file as data/lines.ndjson",
        ),
        (&["-", "-"], 2, "standard input (-) can be read only once"),
        (&["none.ndjson", "empty"], 2, "none.ndjson: no such file or folder"),
        (&[], 2, "required arguments were not provided"),
    ];
    for (inputs, code, text) in cases {
        let args = [&["export", "-o", "out"], inputs].concat();
        folder.run(&args).ends(code).tells(&["error: ", text]);
        assert!(!folder.path("out").exists(), "{inputs:?}");
    }
}

#[test]
fn outputs_that_cannot_be_used() {
    let folder = Folder::with_lines();
    folder.write("full/notes.txt", "mine");
    folder.write("file", "mine");
    let cases = [
        ("full", 3, "cannot use full: the folder is not empty"),
        ("file", 3, "file: "),
        ("file/deep", 3, "file/deep: "),
        ("data", 2, "data: the output folder is an input"),
        (
            "data/out",
            2,
            "data/out: the output folder lies in the input folder data",
        ),
        (".", 2, ".: the output folder holds the input data/lines.ndjson"),
    ];
    for (out, code, text) in cases {
        for force in [false, true] {
            if force && out == "full" {
                continue;
            }
            let more: &[&str] = if force { &["--force"] } else { &[] };
            let args = [&["export", "data", "-o", out], more].concat();
            folder.run(&args).ends(code).tells(&["error: ", text]);
        }
    }
    assert_eq!(
        folder.files(""),
        ["data/lines.ndjson", "file", "full/notes.txt"],
        "nothing is written"
    );
    folder.run(&["export", "data", "-o", "full", "--force"]).ends(0);
    assert_eq!(folder.read("full/notes.txt"), "mine", "what is not ours stays");
}

#[cfg(unix)]
#[test]
fn a_folder_without_permission() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::with_lines();
    fs::create_dir(folder.path("closed")).expect("a folder");
    fs::set_permissions(folder.path("closed"), fs::Permissions::from_mode(0o555)).expect("closes");
    if fs::write(folder.path("closed/probe"), "").is_ok() {
        println!("skipped: root writes everywhere");
        return;
    }
    folder
        .run(&["export", "data", "-o", "closed"])
        .ends(3)
        .tells(&["closed"]);
    folder
        .run(&["export", "data", "-o", "closed/out"])
        .ends(3)
        .tells(&["closed/out"]);
    assert_eq!(folder.files("closed"), [""; 0]);
}

#[test]
fn a_rename_that_fails_leaves_no_manifest() {
    let folder = Folder::with_lines();
    // A folder with the name of a file that the export wants.
    folder.write("out/Patient.000.ndjson/in-the-way", "mine");
    folder
        .run(&["export", "data", "-o", "out", "--force"])
        .ends(3)
        .tells(&["Patient.000.ndjson"]);
    assert_eq!(folder.files("out"), ["Patient.000.ndjson/in-the-way"]);
}

#[test]
fn flags_that_do_not_go_together() {
    let folder = Folder::with_lines();
    let cases: [(&[&str], &[&str]); 15] = [
        (
            &["-o", "-", "--max-resources", "5"],
            &["--max-resources: -o - writes lines"],
        ),
        (&["-o", "-", "--max-bytes", "5"], &["--max-bytes: -o - writes lines"]),
        (
            &["-o", "-", "--base-url", "https://x"],
            &["--base-url: -o - writes lines"],
        ),
        (&["-o", "-", "--force"], &["--force: -o - writes lines"]),
        (&["-o", "-", "--no-sync"], &["--no-sync: -o - writes lines"]),
        (&["-o", "out", "--level", "3"], &["--level: needs --compress"]),
        (
            &["-o", "out", "--level", "10", "--compress", "gzip"],
            &["expected 0 to 9 for gzip, found 10"],
        ),
        (
            &["-o", "out", "--level", "0", "--compress", "zstd"],
            &["expected 1 to 22 for zstd, found 0"],
        ),
        (&["-o", "out", "--threads", "0"], &["--threads"]),
        (&["-o", "out", "--max-line", "2GiB"], &["expected at most 1GiB"]),
        (&["-o", "out", "--max-line", "0"], &["expected more than 0"]),
        (&["-o", "out", "--max-bytes", "5x"], &["expected a whole number"]),
        (
            &["-o", "out", "--memory", "1MiB"],
            &["--memory: a thread and lines of 64 MiB need"],
        ),
        (&["-o", "out", "--fhir-version", "3.0"], &["4.0, 4.3, 5.0"]),
        (&[], &["--output"]),
    ];
    for (flags, texts) in cases {
        let args = [&["export", "data"], flags].concat();
        let ran = folder.run(&args).ends(2).tells(texts);
        assert_eq!(ran.out, "");
        assert!(!folder.path("out").exists(), "{flags:?}");
    }
}

#[test]
fn definitions_that_cannot_be_used() {
    let folder = Folder::with_lines();
    folder.write("broken.json", "{\"resourceType\":\"SearchParameter\"");
    folder.write(
        "expression.json",
        r#"{"resourceType":"SearchParameter","code":"own","type":"token","base":["Patient"],"expression":"Patient.nmae("}"#,
    );
    folder.write("lists.ndjson", "{\"resourceType\":\"ValueSet\",\"url\":\"u\"}\n");
    let run = |flags: &[&str]| folder.run(&[&["export", "data", "-o", "out"], flags].concat());
    run(&["--search-parameters", "none.json"])
        .ends(3)
        .tells(&["cannot read none.json"]);
    run(&["--search-parameters", "broken.json"])
        .ends(2)
        .tells(&["broken.json: search-parameters: "]);
    run(&["--search-parameters", "expression.json"])
        .ends(2)
        .tells(&["expression.json: ", "Patient.nmae(", "^"]);
    run(&["--value-sets", "none.json", "--value-sets", "lists.ndjson"])
        .ends(2)
        .tells(&["cannot read none.json", "lists.ndjson: value-sets: "]);
    assert!(!folder.path("out").exists());
}

/// A row of the marked file for each kind of bad line, and some kept ones.
fn marked_lines() -> Vec<u8> {
    let mut text: Vec<u8> = Vec::new();
    let lines = [
        "{\"resourceType\":\"Patient\",\"id\":\"MARK\",\"gender\":\"female\"}",
        "{\"resourceType\":\"Patient\",\"id\":\"MARK\",\"gender\":MARK}",
        "{\"resourceType\":\"Patient\",\"id\":\"MARK\"} MARK",
        "{\"resourceType\":\"MARK\",\"id\":\"MARK\"}",
        "{\"MARK\":\"MARK\"}",
        "\"MARK\"",
        "MARK",
        "{\"resourceType\":\"Patient\",\"gender\":\"MARK\",\"gender\":\"MARK\"}",
        "{\"resourceType\":\"Patient\",\"MARK\":1,\"id\":\"\\uMARK\"}",
    ];
    for line in lines {
        text.extend_from_slice(line.replace("MARK", MARK).as_bytes());
        text.push(b'\n');
    }
    text.extend_from_slice(format!("{{\"resourceType\":\"Patient\",\"id\":\"{MARK}\u{0}").as_bytes());
    text.extend_from_slice(b"\xff\xfe\"}\n");
    text
}

#[test]
fn no_record_shows_in_messages_reports_manifest_or_outcomes() {
    let folder = Folder::new();
    folder.write("in.ndjson", marked_lines());
    let request = ["--type-filter", "Patient?gender=female", "--max-line", "500"];
    for (out, more) in [("text", &[][..]), ("json", &["--report", "json"])] {
        let args = [&["export", "in.ndjson", "-o", out], &request[..], more].concat();
        let ran = folder.run(&args).ends(1);
        assert!(!ran.err.contains(MARK) && !ran.out.contains(MARK), "{ran:?}");
        assert!(
            folder.read(&format!("{out}/Patient.000.ndjson")).contains(MARK),
            "the mark is in what is kept"
        );
        for file in folder.files(out).iter().filter(|file| !file.starts_with("Patient")) {
            assert!(!folder.read(&format!("{out}/{file}")).contains(MARK), "{file}");
        }
        assert_eq!(folder.files(out).len(), 3);
    }
    let stopped = folder
        .run(&["export", "in.ndjson", "-o", "-", "--on-bad", "stop"])
        .ends(1);
    assert!(!stopped.err.contains(MARK), "{stopped:?}");
}

#[test]
fn no_record_shows_when_documents_or_streams_are_damaged() {
    let bundle =
        format!("{{\"resourceType\":\"Bundle\",\"entry\":[{{\"resource\":{{\"resourceType\":\"Patient\",\"id\":{MARK}");
    let compressed = gzip(&marked_lines());
    let files = [
        ("bundle.json", bundle.into_bytes()),
        ("cut.ndjson.gz", compressed[..compressed.len() - 12].to_vec()),
    ];
    for (name, bytes) in files {
        let folder = Folder::new();
        folder.write(name, bytes);
        let ran = folder.run(&["export", name, "-o", "out"]).ends(3).tells(&[name]);
        assert!(!ran.err.contains(MARK) && !ran.out.contains(MARK), "{ran:?}");
        assert!(!folder.path("out").exists());
    }
}
