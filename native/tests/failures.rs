//! After a failure nothing is left: no half file under a final name, no manifest, no hidden folder.

mod jobs;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use fhirehose_core::request::{OnBad, Request};
use fhirehose_native::cancel::Cancel;
use fhirehose_native::job::{JobError, Output, Progress};
use jobs::{export, folder_bytes, job, synthetic};

fn input(folder: &Path) -> PathBuf {
    let path = folder.join("in.ndjson");
    fs::write(&path, synthetic(20, 1).join(&b'\n')).expect("write");
    path
}

#[test]
fn a_truncated_input_leaves_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let good = input(folder.path());
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&fs::read(&good).expect("read")).expect("gzip");
    let mut bytes = encoder.finish().expect("gzip");
    bytes.truncate(bytes.len() - 5);
    let cut = folder.path().join("cut.ndjson.gz");
    fs::write(&cut, bytes).expect("write");
    let out = folder.path().join("out");
    let error = export(&job(&Request::default(), &[good, cut], &out)).expect_err("truncated");
    assert!(matches!(&error, JobError::Input(_)), "{error}");
    assert!(error.to_string().contains("cut.ndjson.gz"), "{error}");
    assert!(!out.exists(), "the folder was made by the job and goes with it");
}

#[test]
fn stop_at_a_bad_line_leaves_nothing_and_says_where() {
    let folder = tempfile::tempdir().expect("folder");
    let path = input(folder.path());
    let mut bytes = fs::read(&path).expect("read");
    bytes.extend_from_slice(b"\n{\"resourceType\":\"Patient\",\"secret\":}\n");
    fs::write(&path, &bytes).expect("write");
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
    let out = tempfile::tempdir().expect("folder");
    let request = Request {
        on_bad: OnBad::Stop,
        ..Request::default()
    };
    let error = export(&job(&request, &[path], out.path())).expect_err("stops");
    let JobError::BadLine(text) = &error else {
        panic!("{error}")
    };
    assert!(
        text.contains(&format!(":{lines}:")) && !text.contains("secret"),
        "{text}"
    );
    assert!(folder_bytes(out.path()).is_empty());
}

#[test]
fn a_folder_in_use_or_not_empty_is_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let path = input(folder.path());
    let out = tempfile::tempdir().expect("folder");
    let job = job(&Request::default(), &[path], out.path());
    export(&job).expect("first");
    let before = folder_bytes(out.path());
    let error = export(&job).expect_err("not empty");
    assert!(
        matches!(&error, JobError::Output(_)) && error.to_string().contains("not empty"),
        "{error}"
    );
    assert_eq!(folder_bytes(out.path()), before);
}

#[test]
fn force_replaces_an_export_and_leaves_other_files() {
    let folder = tempfile::tempdir().expect("folder");
    let path = input(folder.path());
    let out = tempfile::tempdir().expect("folder");
    let mut job = job(&Request::default(), &[path], out.path());
    job.limits.max_resources = Some(10);
    export(&job).expect("first");
    fs::write(out.path().join("notes.txt"), "mine").expect("write");
    let Output::Folder(output) = &mut job.output else {
        panic!("a folder")
    };
    output.force = true;
    job.limits.max_resources = None;
    export(&job).expect("second");
    let after = folder_bytes(out.path());
    assert!(after.contains_key("notes.txt") && after.contains_key("manifest.json"));
    assert!(
        !after.keys().any(|name| name.contains(".001.")),
        "files of the first export are gone"
    );
}

#[test]
fn what_a_killed_export_left_is_cleaned_up() {
    let folder = tempfile::tempdir().expect("folder");
    let path = input(folder.path());
    let out = tempfile::tempdir().expect("folder");
    fs::create_dir(out.path().join(".fhirehose-partial")).expect("folder");
    fs::write(out.path().join(".fhirehose-partial/Patient.000.ndjson"), "half").expect("write");
    export(&job(&Request::default(), &[path], out.path())).expect("export");
    assert!(!folder_bytes(out.path()).keys().any(|name| name.starts_with('.')));
}

#[test]
fn a_stopped_job_leaves_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let path = input(folder.path());
    let out = tempfile::tempdir().expect("folder");
    let cancel = Cancel::default();
    cancel.stop();
    let job = job(&Request::default(), &[path], out.path());
    let error = fhirehose_native::run(&job, &Progress::default(), &cancel).expect_err("stopped");
    assert!(matches!(error, JobError::Interrupted), "{error}");
    assert!(folder_bytes(out.path()).is_empty());
}

#[test]
fn a_line_over_the_limit_is_one_bad_line_and_the_rest_is_kept() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("in.ndjson");
    let long = format!("{{\"resourceType\":\"Patient\",\"id\":\"{}\"}}", "x".repeat(300_000));
    let text = format!(
        "{{\"resourceType\":\"Patient\",\"id\":\"a\"}}\n{long}\n{{\"resourceType\":\"Patient\",\"id\":\"b\"}}\n"
    );
    fs::write(&path, text).expect("write");
    for chunk in [1000, 256 << 10, 8 << 20] {
        let out = tempfile::tempdir().expect("folder");
        let request = Request {
            max_line: 100_000,
            ..Request::default()
        };
        let mut job = job(&request, std::slice::from_ref(&path), out.path());
        job.chunk = chunk;
        let report = export(&job).expect("export");
        assert_eq!(
            (report.kept(), report.bad_lines(), report.lines),
            (2, 1, 3),
            "chunks of {chunk}"
        );
        assert_eq!(report.places[0].position.line, 2);
    }
}

#[test]
fn what_stands_first_is_told_whatever_the_threads() {
    // A bad line, then an input that cannot be opened: threads read far ahead of what is routed.
    let folder = tempfile::tempdir().expect("folder");
    let good = folder.path().join("good.ndjson");
    let mut bytes = b"{\"resourceType\":\"Patient\"}\n".repeat(500);
    bytes.extend_from_slice(b"bad\n");
    fs::write(&good, &bytes).expect("write");
    let cut = folder.path().join("cut.ndjson.gz");
    fs::write(&cut, b"\x1f\x8b").expect("write");
    for (inputs, on_bad) in [
        ([good.clone(), cut.clone()], OnBad::Stop),
        ([cut.clone(), good.clone()], OnBad::Stop),
        ([good, cut], OnBad::Skip),
    ] {
        let request = Request {
            on_bad,
            ..Request::default()
        };
        let mut told = Vec::new();
        for threads in [1, 2, 7].repeat(20) {
            let out = folder.path().join("out");
            let mut job = job(&request, &inputs, &out);
            job.threads = threads;
            job.chunk = bytes.len() - 2;
            told.push(export(&job).expect_err("fails").to_string());
        }
        told.dedup();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(
            told[0].contains(":501:"),
            inputs[0].ends_with("good.ndjson") && on_bad == OnBad::Stop
        );
    }
}
