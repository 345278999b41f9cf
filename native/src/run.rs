//! One job from its inputs to its manifest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fhirehose_core::manifest::manifest;
use fhirehose_core::outcome;
use fhirehose_core::report::Report;
use fhirehose_core::sink::Sink;

use crate::ahead::{Ahead, look_ahead};
use crate::cancel::Cancel;
use crate::cohort::FoundCohort;
use crate::compress::Queue;
use crate::folder::FolderSink;
use crate::inputs::{InputPlace, Stamp};
use crate::job::{FolderOutput, Job, JobError, Organize, Output, Progress, Told};
use crate::organize::Organizer;
use crate::passes::{DeletionFacts, Ended, Exporting, PassFacts, Passes, SetFacts};
use crate::pool;
use crate::publish::Publisher;
use crate::stdout::StdoutSink;

/// What an export did.
#[derive(Clone, Debug)]
pub struct Exported {
    /// Counts and files.
    pub report: Report,
    /// Whose records, where not everybody's.
    pub cohort: Option<FoundCohort>,
    /// What the deletions of the input came to.
    pub deletions: DeletionFacts,
    /// Bytes of the inputs as stored.
    pub stored: u64,
    /// The passes over the inputs, in order; reading ahead for Groups is none of them.
    pub passes: Vec<PassFacts>,
    /// The sets that they needed.
    pub sets: Vec<SetFacts>,
}

/// Runs a job to its end. What it writes is complete under its final names when this returns `Ok`; after an error
/// nothing of it is left.
pub fn run(job: &Job, progress: &Progress, cancel: &Cancel) -> Result<Exported, JobError> {
    run_for_clients(job, &Told::default(), progress, cancel)
}

/// The same where others read the output than have the inputs.
pub fn run_for_clients(job: &Job, told: &Told, progress: &Progress, cancel: &Cancel) -> Result<Exported, JobError> {
    // Lines that have left by standard output cannot be taken back: there nothing may be guessed.
    let is_final = matches!(job.output, Output::Stdout) || job.inputs.contains(&InputPlace::Stdin);
    let mut is_read_again = job.cohort.is_some() || !job.plan.stages().is_empty();
    let stamps: Vec<Stamp> = job.inputs.iter().map(Stamp::of).collect();
    let has_told = Arc::new(AtomicBool::new(false));
    let mut ahead = look_ahead(job, is_final, progress, cancel)?;
    loop {
        let queue = Arc::new(Queue::default());
        let passes = Passes {
            job,
            told,
            queue: &queue,
            progress,
            cancel,
        };
        ahead = match &job.output {
            Output::Folder(output) => {
                let mut sink = folder_sink(job, output, queue.clone(), cancel)?;
                if let (Some(listener), None, false) = (&told.listener, &output.organize, output.force) {
                    sink = sink.with_publisher(Publisher::new(listener, has_told.clone()));
                }
                let ended = match &output.organize {
                    None => into_folder(&passes, &ahead, sink)?,
                    Some(organize) => into_blocks(&passes, &ahead, organize, sink)?,
                };
                match ended {
                    Ok((exported, sink)) => {
                        let is_needed = |input| is_read_again || sink.cloned().contains(&input);
                        same_inputs(job, &stamps, is_needed)?;
                        return commit(exported, sink, job, output, &queue);
                    }
                    Err(seen) => seen,
                }
            }
            Output::Stdout => {
                let sink = StdoutSink::new(job.compression, queue.clone())?;
                match passes.run(&ahead, sink)? {
                    Ended::Done(exporting) => {
                        same_inputs(job, &stamps, |_| is_read_again)?;
                        return flush(*exporting, &passes);
                    }
                    Ended::Again(seen) => *seen,
                }
            }
        };
        if is_final || has_told.load(Ordering::Relaxed) {
            return Err(JobError::LateDeletions);
        }
        // Over inputs that do not stand still there would be no end.
        is_read_again = true;
        same_inputs(job, &stamps, |_| is_read_again)?;
    }
}

/// Inputs that are read more than once have to stay as they are: passes over different bytes would not fit together. So have
/// those that were cloned: what was read and what is in the clone would not be the same.
fn same_inputs(job: &Job, stamps: &[Stamp], is_needed: impl Fn(usize) -> bool) -> Result<(), JobError> {
    let inputs = job.inputs.iter().zip(stamps).enumerate();
    let mut needed = inputs.filter(|(input, _)| is_needed(*input));
    match needed.find(|(_, (place, stamp))| Stamp::of(place) != **stamp) {
        Some((_, (place, _))) => Err(JobError::Changed(place.to_string())),
        None => Ok(()),
    }
}

/// What an attempt gives: an export with its sink, or what has to be known for another attempt.
type Attempt = Result<(Exported, FolderSink), Ahead>;

fn into_folder(passes: &Passes<'_>, ahead: &Ahead, sink: FolderSink) -> Result<Attempt, JobError> {
    Ok(match passes.run(ahead, sink)? {
        Ended::Done(exporting) => Ok(finish(*exporting, passes.told)?),
        Ended::Again(seen) => Err(*seen),
    })
}

/// The same in blocks, one for each patient.
fn into_blocks(passes: &Passes<'_>, ahead: &Ahead, organize: &Organize, sink: FolderSink) -> Result<Attempt, JobError> {
    let found = ahead.cohort.as_ref().map(|found| &found.cohort);
    let cohort = found.or(passes.job.request.cohort.as_ref());
    let patients = cohort.map(|cohort| cohort.patients.clone());
    let organizer = Organizer::new(organize, patients, passes.job, sink, passes.cancel);
    Ok(match passes.run(ahead, organizer)? {
        Ended::Done(exporting) => {
            let (mut exported, organizer) = finish(*exporting, passes.told)?;
            let sink = organizer.finish(&mut exported.report, passes.queue);
            Ok((exported, sink.map_err(pool::from_core)?))
        }
        Ended::Again(seen) => Err(*seen),
    })
}

fn folder_sink(job: &Job, output: &FolderOutput, queue: Arc<Queue>, cancel: &Cancel) -> Result<FolderSink, JobError> {
    let sink = FolderSink::create(&output.path, output.force, job.compression, job.threads, queue, cancel)
        .map(|sink| sink.durable(output.is_durable));
    Ok(sink.map_err(JobError::Output)?.with_inputs(&job.inputs))
}

fn flush(exporting: Exporting<StdoutSink>, passes: &Passes<'_>) -> Result<Exported, JobError> {
    let (exported, mut sink) = finish(exporting, passes.told)?;
    sink.finish().map_err(pool::from_output)?;
    pool::work_off(passes.job, passes.queue)?;
    Ok(exported)
}

fn commit(
    mut exported: Exported,
    sink: FolderSink,
    job: &Job,
    output: &FolderOutput,
    queue: &Queue,
) -> Result<Exported, JobError> {
    pool::work_off(job, queue)?;
    sink.complete(&mut exported.report)?;
    sink.commit(&manifest(&exported.report, &output.facts()))?;
    Ok(exported)
}

/// Completes every file.
fn finish<S: Sink>(exporting: Exporting<S>, told: &Told) -> Result<(Exported, S), JobError> {
    let Exporting {
        mut router,
        mut sink,
        cohort,
        roll,
        deletions,
        stored,
        passes,
        sets,
    } = exporting;
    let unknown = roll.iter().flat_map(|roll| roll.unknown());
    let unknown = unknown.map(|id| outcome::unknown_patient(&String::from_utf8_lossy(id)));
    let strangers = cohort.iter().flat_map(|found| found.strangers.iter());
    let strangers = strangers.map(|id| outcome::no_member(&String::from_utf8_lossy(id)));
    for line in unknown.chain(strangers).chain(told.outcomes.iter().cloned()) {
        router.tell(&line, &mut sink).map_err(pool::from_core)?;
    }
    let report = router.finish(&mut sink).map_err(pool::from_core)?;
    let exported = Exported {
        report,
        cohort,
        deletions,
        stored,
        passes,
        sets,
    };
    Ok((exported, sink))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fhirehose_core::partition::Limits;
    use fhirehose_core::plan::Plan;
    use fhirehose_core::request::Request;
    use fhirehose_core::search::table::Registry;

    use crate::codec_out::Compression;

    #[test]
    fn an_input_that_was_written_to_is_told_if_it_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("in.ndjson");
        std::fs::write(&path, "{}\n").expect("writes");
        let request = Request::default();
        let job = Job {
            plan: Plan::compile(&request, &Registry::r4()).expect("compiles"),
            request,
            cohort: None,
            inputs: vec![InputPlace::File(path.clone())],
            output: Output::Stdout,
            limits: Limits::default(),
            compression: Compression::None,
            threads: 1,
            chunk: 1,
        };
        let stamps = [Stamp::of(&job.inputs[0])];
        assert!(same_inputs(&job, &stamps, |_| true).is_ok());
        std::fs::write(&path, "{}\n{}\n").expect("writes");
        assert!(same_inputs(&job, &stamps, |_| false).is_ok());
        let error = same_inputs(&job, &stamps, |_| true).expect_err("it was changed");
        assert!(
            error.to_string().contains("in.ndjson was changed while it was read"),
            "{error}"
        );
        std::fs::remove_file(&path).expect("removes");
        assert!(same_inputs(&job, &stamps, |_| true).is_err());
    }
}
