//! The door of files: inputs written to disk, an export by several threads, its folder read back.

use super::{Answer, Question, Refusal, plan, written};
use fhirehose_core::error::Error;
use fhirehose_core::manifest::{Generation, kick_off_url};
use fhirehose_core::plan::Plan;
use fhirehose_core::report::Report;
use fhirehose_core::sink::FileKind;
use fhirehose_native::cancel::Cancel;
use fhirehose_native::codec_out::Compression;
use fhirehose_native::inputs::InputPlace;
use fhirehose_native::job::{FolderOutput, Job, JobError, ManifestOptions, Output, Progress};
use std::fs;
use std::path::Path;

/// Enough that blocks come back in another order than they went out.
const THREADS: usize = 3;

/// What a manifest says where the question has no instant.
const NO_INSTANT: &str = "2024-01-01T00:00:00Z";

/// `fhirehose_native::run` from a folder into a folder. Reports name the inputs by their names in the question.
///
/// # Errors
///
/// The request is wrong, a bad line ended the export, or the output folder is not as it must be: files and manifest agree
/// with the report after a success, and nothing is there after a failure.
pub fn native(question: &Question, chunk: usize) -> Result<Answer, Refusal> {
    let plan = plan(&question.request, &question.registry)?;
    let folder = tempfile::tempdir().map_err(|error| Refusal::Broken(error.to_string()))?;
    let out = folder.path().join("out");
    let job = job(question, plan, folder.path(), &out, chunk).map_err(Refusal::Broken)?;
    let prefix = format!("{}/", folder.path().join("in").display());
    let report = match fhirehose_native::run(&job, &Progress::default(), &Cancel::default()) {
        Ok(exported) => exported.report,
        Err(_) if out.exists() => return Err(Refusal::Broken("something is left after a failure".to_owned())),
        Err(JobError::BadLine(text)) => return Err(Refusal::Stopped(Error::bad_line(text.replace(&prefix, "")))),
        Err(other) => return Err(Refusal::Broken(other.to_string())),
    };
    answer(&job, report, &out, &prefix).map_err(Refusal::Broken)
}

fn job(question: &Question, plan: Plan, folder: &Path, out: &Path, chunk: usize) -> Result<Job, String> {
    let mut inputs = Vec::new();
    for (name, bytes) in &question.inputs {
        let path = folder.join("in").join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder)).map_err(|error| format!("{name}: {error}"))?;
        fs::write(&path, bytes).map_err(|error| format!("{name}: {error}"))?;
        inputs.push(InputPlace::File(path));
    }
    let request = &question.request;
    let manifest = ManifestOptions {
        generation: Generation::V2V3,
        transaction_time: request.transaction_time.clone().unwrap_or(NO_INSTANT.to_owned()),
        request: kick_off_url(request, request.fhir_base.as_deref()),
        base_url: None,
    };
    Ok(Job {
        request: request.clone(),
        plan,
        cohort: None,
        inputs,
        output: Output::Folder(FolderOutput {
            path: out.to_owned(),
            force: false,
            is_durable: true,
            manifest,
            organize: None,
        }),
        limits: question.limits,
        compression: Compression::None,
        threads: THREADS,
        chunk,
    })
}

/// The folder and the report, after both are held against each other and the folder's own path is taken out of them.
fn answer(job: &Job, mut report: Report, out: &Path, prefix: &str) -> Result<Answer, String> {
    let (mut files, manifest) = written::read(out)?;
    if let Output::Folder(output) = &job.output {
        let told = (&manifest["transactionTime"], &manifest["request"]);
        if told.0 != output.manifest.transaction_time.as_str() || told.1 != output.manifest.request.as_str() {
            return Err(format!("the manifest says {told:?}"));
        }
    }
    let listed: Vec<(&str, u64, u64)> = report
        .files
        .iter()
        .map(|entry| (entry.path.as_str(), entry.bytes, entry.size))
        .collect();
    for (path, bytes, size) in &listed {
        let there = files.get(*path).map(|file| file.len() as u64);
        if there != Some(*bytes) || there != Some(*size) {
            return Err(format!("{path}: {bytes} and {size} bytes are told, {there:?} there"));
        }
    }
    if listed.len() != files.len() {
        return Err(format!("{listed:?} are told, {:?} there", files.keys()));
    }
    for place in &mut report.places {
        place.input = without(&place.input, prefix)?.to_owned();
    }
    for entry in report
        .files
        .iter_mut()
        .filter(|entry| entry.name.kind == FileKind::Error)
    {
        let file = files.get_mut(&entry.path).ok_or("an error file is gone")?;
        let text = std::str::from_utf8(file).map_err(|error| error.to_string())?;
        *file = text.replace(prefix, "").into_bytes();
        entry.bytes = file.len() as u64;
        entry.size = entry.bytes;
    }
    Ok(Answer { files, report })
}

fn without<'t>(text: &'t str, prefix: &str) -> Result<&'t str, String> {
    text.strip_prefix(prefix)
        .ok_or_else(|| format!("the report names an input `{text}`"))
}
