//! One job from its inputs to its manifest.

use std::sync::Arc;

use fhirehose_core::manifest::{ManifestFacts, manifest};
use fhirehose_core::report::Report;

use crate::cancel::Cancel;
use crate::compress::Queue;
use crate::folder::FolderSink;
use crate::job::{FolderOutput, Job, JobError, Output, Progress};
use crate::organize;
use crate::pool;
use crate::stdout::StdoutSink;

/// Runs a job to its end. What it writes is complete under its final names when this returns `Ok`; after an error
/// nothing of it is left.
pub fn run(job: &Job, progress: &Progress, cancel: &Cancel) -> Result<Report, JobError> {
    let queue = Arc::new(Queue::default());
    match &job.output {
        Output::Folder(output) => run_into_folder(job, output, queue, progress, cancel),
        Output::Stdout => {
            let sink = StdoutSink::new(job.compression, queue.clone())?;
            let (report, mut sink) = pool::run(job, sink, &queue, progress, cancel)?;
            sink.finish().map_err(pool::from_output)?;
            pool::work_off(job, &queue)?;
            Ok(report)
        }
    }
}

fn run_into_folder(
    job: &Job,
    output: &FolderOutput,
    queue: Arc<Queue>,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<Report, JobError> {
    let sink = FolderSink::create(
        &output.path,
        output.force,
        job.compression,
        job.threads,
        queue.clone(),
        cancel,
    )?;
    let (mut report, sink) = match &output.organize {
        None => pool::run(job, sink, &queue, progress, cancel)?,
        Some(organize) => organize::run_into(job, organize, sink, &queue, progress, cancel)?,
    };
    pool::work_off(job, &queue)?;
    sink.complete(&mut report)?;
    let options = &output.manifest;
    let facts = ManifestFacts {
        generation: options.generation,
        transaction_time: options.transaction_time.clone(),
        request: options.request.clone(),
        requires_access_token: false,
        base_url: options.base_url.clone(),
        output_format: "application/fhir+ndjson".to_owned(),
        organized_by: output.organized_by(),
    };
    sink.commit(&manifest(&report, &facts))?;
    Ok(report)
}
