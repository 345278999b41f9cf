//! What the tests of this crate share: jobs over temporary folders.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fhirehose_core::manifest::Generation;
use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::report::Report;
use fhirehose_core::request::Request;
use fhirehose_core::search::table::Registry;
use fhirehose_native::cancel::Cancel;
use fhirehose_native::codec_out::Compression;
use fhirehose_native::inputs::InputPlace;
use fhirehose_native::job::{FolderOutput, Job, JobError, ManifestOptions, Output, Progress};
use fhirehose_synth::{Options, generate};

/// Lines of synthetic patients, without newlines.
pub(crate) fn synthetic(patients: u64, seed: u64) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    generate(&Options::new(patients, seed), &mut bytes).expect("memory does not fail");
    bytes
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}

pub(crate) fn job(request: &Request, inputs: &[PathBuf], out: &Path) -> Job {
    let plan = Plan::compile(request, &Registry::r4()).expect("valid request");
    Job {
        request: request.clone(),
        plan,
        cohort: None,
        inputs: inputs.iter().cloned().map(InputPlace::File).collect(),
        output: Output::Folder(FolderOutput {
            path: out.to_owned(),
            force: false,
            is_durable: true,
            manifest: ManifestOptions {
                generation: Generation::V2V3,
                transaction_time: "2024-05-01T00:00:00Z".into(),
                request: "$export".into(),
                base_url: None,
            },
            organize: None,
        }),
        limits: Limits::default(),
        compression: Compression::None,
        threads: 2,
        chunk: 256 << 10,
    }
}

pub(crate) fn export(job: &Job) -> Result<Report, JobError> {
    let exported = fhirehose_native::run(job, &Progress::default(), &Cancel::default())?;
    Ok(exported.report)
}

/// Every file below a folder, by its path with `/`.
pub(crate) fn folder_bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    collect(folder, "", &mut out);
    out
}

fn collect(folder: &Path, prefix: &str, out: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry")) {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{name}/"), out);
        } else {
            out.insert(name, fs::read(entry.path()).expect("file"));
        }
    }
}
