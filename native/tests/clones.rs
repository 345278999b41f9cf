//! Inputs that are kept as they are: whether or not the file system shares their data, the files are those of the core.
//!
//! Where the folder for temporary files lies on a file system that can clone (XFS, btrfs), the clones are tested; elsewhere
//! the way around them.

mod jobs;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use fhirehose_core::export::Export;
use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::request::Request;
use fhirehose_core::search::table::Registry;
use fhirehose_core::sink::MemorySink;
use jobs::{export, folder_bytes, job};

fn patient(number: usize, more: &str) -> String {
    format!("{{\"resourceType\":\"Patient\",\"id\":\"p{number}\",\"active\":true{more}}}\n")
}

fn patients(numbers: std::ops::Range<usize>) -> String {
    numbers
        .map(|number| patient(number, ",\"text\":{\"div\":\"some words\"}"))
        .collect()
}

/// Inputs that are kept whole, and such as look so at first.
fn texts() -> Vec<(&'static str, Vec<u8>)> {
    let all = patients(0..3000);
    let group = "{\"resourceType\":\"Group\",\"id\":\"g\"}\n";
    let text = |parts: &[&str]| parts.concat().into_bytes();
    vec![
        ("whole.ndjson", text(&[&all])),
        ("another.ndjson", text(&[&patients(3000..5000)])),
        ("no-end.ndjson", text(&[all.trim_end()])),
        ("one.ndjson", text(&[&patient(1, "")])),
        ("windows.ndjson", text(&[&all.replace('\n', "\r\n")])),
        (
            "windows-later.ndjson",
            text(&[&all, &patient(1, "").replace('\n', "\r\n"), &all]),
        ),
        ("mark.ndjson", text(&["\u{feff}", &all])),
        ("blank-first.ndjson", text(&["\n", &all])),
        ("blank-later.ndjson", text(&[&all, "\n \n", &all])),
        ("blank-last.ndjson", text(&[&all, "\n\n"])),
        ("mixed.ndjson", text(&[&all, group, &all, group])),
        ("group-first.ndjson", text(&[group, &all])),
        ("bad.ndjson", text(&[&all, "{\"resourceType\":\n", &all])),
        (
            "dropped-later.ndjson",
            text(&[&all, &patient(9, "").replace("true", "false"), &all]),
        ),
        (
            "dropped-first.ndjson",
            text(&[&patient(9, "").replace("true", "false"), &all]),
        ),
        (
            "dropped-last.ndjson",
            text(&[&all, &patient(9, "").replace("true", "false")]),
        ),
        (
            "long.ndjson",
            text(&[
                &all,
                &patient(8, &format!(",\"language\":\"{}\"", "x".repeat(9000))),
                &all,
            ]),
        ),
        ("array.ndjson", text(&["[", &all.trim_end().replace('\n', ",\n"), "]"])),
        ("documents.json", text(&[&all])),
        ("empty.ndjson", Vec::new()),
        ("rest.ndjson", text(&[&all])),
    ]
}

fn request(change: impl FnOnce(&mut Request)) -> Request {
    let mut request = Request {
        max_line: 8000,
        ..Request::default()
    };
    change(&mut request);
    request
}

/// Holds an export of some inputs against that of the core. Documents have to be lines for that.
fn check(request: &Request, inputs: &[PathBuf], limits: Limits, out: &Path) {
    let mut job = job(request, inputs, out);
    job.limits = limits;
    job.chunk = 20_000;
    let report = export(&job).expect("exports");
    let mut got = folder_bytes(out);
    got.remove("manifest.json");
    let plan = Plan::compile(request, &Registry::r4()).expect("valid request");
    let mut core = Export::with_limits(plan, MemorySink::default(), limits);
    for path in inputs {
        core.begin_input(&path.display().to_string()).expect("memory");
        let mut text = fs::read(path).expect("reads");
        if text.starts_with(b"[") {
            text = String::from_utf8(text).expect("text").replace(",\n", "\n").into_bytes();
            text.remove(0);
            text.pop();
        }
        core.push(&text).expect("memory");
    }
    let (expected, sink) = core.finish().expect("memory");
    assert_eq!(report.types, expected.types, "{inputs:?}");
    assert!(got == sink.files.into_iter().collect(), "{inputs:?}");
    fs::remove_dir_all(out).expect("removes");
}

#[test]
fn files_are_the_same_with_clones_and_without() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut inputs = Vec::new();
    for (name, text) in texts() {
        let path = folder.path().join(name);
        fs::File::create(&path)
            .and_then(|mut file| file.write_all(&text))
            .expect("writes");
        inputs.push(path);
    }
    let out = folder.path().join("out");
    let requests = [
        request(|_| ()),
        request(|request| request.trust = true),
        request(|request| request.type_filters = vec!["Patient?active=true".to_owned()]),
        request(|request| request.types = vec!["Group".to_owned()]),
        request(|request| request.elements = vec!["active".to_owned()]),
    ];
    for request in &requests {
        for limits in [
            Limits::default(),
            Limits {
                max_resources: Some(700),
                max_bytes: None,
            },
        ] {
            for input in inputs.chunks(1) {
                check(request, input, limits, &out);
            }
            check(request, &inputs, limits, &out);
            inputs.rotate_left(7);
        }
    }
}
