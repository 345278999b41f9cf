//! Files that are told of before the export is complete: they are complete, and they stay what they are.

mod jobs;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use fhirehose_core::partition::Limits;
use fhirehose_core::request::Request;
use fhirehose_native::cancel::Cancel;
use fhirehose_native::codec_out::Compression;
use fhirehose_native::job::{Job, JobError, Progress, Told};
use fhirehose_native::publish::{Early, Listener};
use fhirehose_native::{Exported, run_for_clients};
use jobs::{folder_bytes, job, synthetic};

/// Files that were told of, with what was in them then.
type Heard = Vec<(Early, Vec<u8>)>;

/// Runs a job, and reads each file that it tells of at that moment.
fn export(job: &Job, out: &Path) -> (Result<Exported, JobError>, Heard) {
    let heard = Arc::new(Mutex::new(Heard::new()));
    let (out, told) = (out.to_owned(), heard.clone());
    let listener = Listener(Arc::new(move |early: Early| {
        let bytes = fs::read(out.join(&early.path)).expect("it is there");
        told.lock().expect("no panic").push((early, bytes));
    }));
    let told = Told {
        listener: Some(listener),
        ..Told::default()
    };
    let done = run_for_clients(job, &told, &Progress::default(), &Cancel::default());
    let heard = heard.lock().expect("no panic").clone();
    (done, heard)
}

fn input(folder: &Path, last: &str) -> PathBuf {
    let path = folder.join("in.ndjson");
    let mut text = synthetic(12, 5).join(&b'\n');
    text.push(b'\n');
    text.extend_from_slice(last.as_bytes());
    fs::write(&path, text).expect("writes");
    path
}

fn small(job: Job) -> Job {
    Job {
        limits: Limits {
            max_resources: Some(5),
            max_bytes: None,
        },
        compression: Compression::GZIP,
        ..job
    }
}

#[test]
fn files_that_are_told_early_are_those_of_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = input(folder.path(), "{\"resourceType\":\n");
    let (out, plain) = (folder.path().join("out"), folder.path().join("plain"));
    let job = small(job(&Request::default(), &[path], &out));
    let (done, heard) = export(&job, &out);
    let report = done.expect("exports").report;
    let files = folder_bytes(&out);
    assert!(heard.len() > 20 && heard.len() < report.files.len(), "{}", heard.len());
    let mut entries: BTreeMap<_, _> = report.files.iter().map(|entry| (&entry.path, entry)).collect();
    for (early, bytes) in &heard {
        let entry = entries.remove(&early.path).expect("each once, and in the report");
        assert_eq!((&early.name, early.resources), (&entry.name, entry.resources));
        assert!(
            bytes == &files[&early.path] && entry.size == bytes.len() as u64,
            "{}",
            early.path
        );
    }
    assert!(
        entries.keys().any(|path| path.starts_with("error/")),
        "errors are told at the end"
    );
    // What is written does not depend on anybody's listening.
    let mut silent = job.clone();
    if let fhirehose_native::job::Output::Folder(folder) = &mut silent.output {
        folder.path = plain.clone();
    }
    jobs::export(&silent).expect("exports");
    assert!(folder_bytes(&plain) == files);
}

#[test]
fn deletions_that_come_too_late_end_the_export_and_leave_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let deletion =
        r#"{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Patient/p"}}]}"#;
    let path = input(folder.path(), &format!("{deletion}\n"));
    let out = folder.path().join("out");
    let job = small(job(&Request::default(), &[path], &out));
    let (done, heard) = export(&job, &out);
    assert!(matches!(done, Err(JobError::LateDeletions)), "{done:?}");
    assert!(!heard.is_empty() && !out.exists());
    // Whoever has told nothing begins again.
    jobs::export(&job).expect("exports");
}

#[test]
fn nothing_is_told_early_of_plain_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = input(folder.path(), "");
    let out = folder.path().join("out");
    let job = Job {
        compression: Compression::None,
        ..small(job(&Request::default(), &[path], &out))
    };
    let (done, heard) = export(&job, &out);
    assert!(done.is_ok() && heard.is_empty());
}
