//! One attempt on its own threads, from the kick-off that the store remembers to files that are summed up. All of it may
//! block; none of it runs on threads of the async runtime.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use fhirehose_native::cancel::Cancel;
use fhirehose_native::job::{Job, JobError, Output, Told};
use fhirehose_native::publish::{Early, Listener};
use fhirehose_native::{Exported, run_for_clients};
use fhirehose_store::{Claimed, Progress, StoredFile};
use tokio::sync::mpsc::UnboundedSender;

use super::Setting;
use super::data::Snapshot;
use super::failure::{self, Failure};
use super::files::{self, Ids, Written};
use super::order::{Prepared, prepare};
use super::report::Report;
use crate::offer::instant;

/// What a complete attempt leaves.
pub(super) struct Done {
    pub(super) files: Vec<StoredFile>,
    pub(super) report: Report,
}

/// Why there is nothing.
#[derive(Debug)]
pub(super) enum Ended {
    /// Somebody stopped it.
    Stopped,
    /// For its client.
    Failed(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Ended::Failed(failure)
    }
}

/// How far an attempt is; shared with whoever shows it.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    pub(super) engine: fhirehose_native::job::Progress,
    total: AtomicU64,
    /// Behind the pass over everything come others.
    has_more_passes: AtomicBool,
}

impl Gauge {
    /// In bytes of the input. Of later passes nobody knows how much they will read: they get what is left of a hundred
    /// percent, which are never reached before the end.
    pub(super) fn progress(&self) -> Progress {
        let total = self.total.load(Ordering::Relaxed);
        let read = self.engine.read.load(Ordering::Relaxed);
        let main = if self.has_more_passes.load(Ordering::Relaxed) {
            0.9
        } else {
            0.98
        };
        let share = if read <= total {
            main * ratio(read, total)
        } else {
            main + (0.99 - main) * ratio(read - total, read)
        };
        // Of a float that lies between 0 and the total.
        let done = (total as f64 * share) as u64;
        Progress { done, total }
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// What an attempt needs.
pub(super) struct Attempt {
    pub(super) setting: Arc<Setting>,
    pub(super) claimed: Claimed,
    pub(super) folder: PathBuf,
    pub(super) ids: Ids,
    pub(super) gauge: Arc<Gauge>,
    pub(super) cancel: Cancel,
    /// Takes files that are complete before the attempt is.
    pub(super) early: UnboundedSender<StoredFile>,
}

impl Attempt {
    /// Runs it. A panic is a failure of this job and of no other.
    pub(super) fn run(&self) -> Result<Done, Ended> {
        let caught = catch_unwind(AssertUnwindSafe(|| self.work()));
        caught.unwrap_or_else(|_| Err(Failure::internal("the export came to an unexpected end").into()))
    }

    fn work(&self) -> Result<Done, Ended> {
        let setting = &*self.setting;
        let begun = (setting.clock)();
        let snapshot = setting.data.snapshot(begun).map_err(|text| {
            tracing::error!(text, "the data cannot be read as it is now");
            Failure::internal("the data cannot be read as it is now; its operator has been told")
        })?;
        let total = snapshot.bytes_stored();
        self.gauge.total.store(total, Ordering::Relaxed);
        let prepared = prepare(&self.claimed, setting, &*snapshot, self.folder.clone())?;
        if prepared.kickoff.partial_manifests {
            self.same_data(&*snapshot)?;
        }
        if self.cancel.is_stopped() {
            return Err(Ended::Stopped);
        }
        let time = instant(self.claimed.job.transaction_time);
        let mut report = Report::new(&prepared.kickoff, time, setting.compression);
        let mut written = Vec::new();
        if let Some(job) = &prepared.job {
            let more = !job.plan.stages().is_empty();
            self.gauge.has_more_passes.store(more, Ordering::Relaxed);
            let done = self.export(job, &prepared);
            let exported = done.map_err(|error| of_engine(&error, &*snapshot))?;
            let is_organized = matches!(&job.output, Output::Folder(folder) if folder.organize.is_some());
            let organized_by = is_organized.then(|| "Patient".to_owned());
            let milliseconds = (setting.clock)().0.saturating_sub(begun.0);
            let milliseconds = u64::try_from(milliseconds).unwrap_or(0);
            report = report.exported(&exported, organized_by, milliseconds);
            let by_engine = &exported.report.files;
            report.outcomes = files::severities(by_engine, report.bad_lines);
            written.extend(by_engine.iter().map(|file| Written::by_engine(file, is_organized)));
        }
        // Before anything of it is told: the files have to be of one state of the data.
        if let Some(what) = snapshot.changed() {
            return Err(Failure::changed(&what).into());
        }
        let files = self.summed(&prepared, written, &mut report);
        let files = files.map_err(|error| Failure::of_file(&error))?;
        Ok(Done { files, report })
    }

    /// What was listed by an earlier attempt was of the data as it was then: of other data there may not be more.
    fn same_data(&self, snapshot: &dyn Snapshot) -> Result<(), Ended> {
        let (job, outputs) = (&self.claimed.lease.job, &self.setting.outputs);
        let fingerprint = snapshot.fingerprint();
        let failed = |error| {
            tracing::error!(job, %error, "what the data was cannot be remembered");
            Failure::internal("its files cannot be written")
        };
        match outputs.marked(job).map_err(failed)? {
            Some(earlier) if earlier == fingerprint => Ok(()),
            Some(_) => Err(Failure::changed("after files of it had been listed").into()),
            None => Ok(outputs.mark(job, &fingerprint).map_err(failed)?),
        }
    }

    /// Lets the engine run. If the kick-off wants it, files are handed over as they are completed.
    fn export(&self, job: &Job, prepared: &Prepared) -> Result<Exported, JobError> {
        let (progress, cancel) = (&self.gauge.engine, &self.cancel);
        if !prepared.kickoff.partial_manifests {
            return run_for_clients(job, &prepared.told, progress, cancel);
        }
        let (completed, files) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| self.hand_over(files));
            let listener = Listener(Arc::new(move |early: Early| {
                // Its other end lives as long as the engine.
                let _ = completed.send(early);
            }));
            let told = Told {
                listener: Some(listener),
                ..prepared.told.clone()
            };
            run_for_clients(job, &told, progress, cancel)
        })
    }

    /// Sums up files that are complete. What cannot be read now is told at the end, or fails there.
    fn hand_over(&self, files: mpsc::Receiver<Early>) {
        for early in files {
            let (job, written) = (&self.claimed.job.id, vec![Written::early(early)]);
            if let Ok(stored) = files::sum(&self.folder, job, written, &self.ids, 1) {
                stored.into_iter().for_each(|file| drop(self.early.send(file)));
            }
        }
    }

    fn summed(
        &self,
        prepared: &Prepared,
        mut written: Vec<Written>,
        report: &mut Report,
    ) -> io::Result<Vec<StoredFile>> {
        let notes = &prepared.kickoff.notes;
        if let Some((file, severities)) = files::write_notes(&self.folder, notes, self.setting.compression)? {
            written.push(file);
            report.outcomes.push(severities);
        }
        let folder: &Path = &self.folder;
        files::sum(folder, &self.claimed.job.id, written, &self.ids, self.setting.threads)
    }
}

fn of_engine(error: &JobError, snapshot: &dyn Snapshot) -> Ended {
    if matches!(error, JobError::Interrupted) {
        return Ended::Stopped;
    }
    // A file that was replaced while it was read looks damaged.
    let changed = failure::is_about_inputs(error).then(|| snapshot.changed()).flatten();
    Ended::Failed(match changed {
        Some(what) => Failure::changed(&what),
        None => Failure::of_engine(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_grows_and_never_reaches_the_end() {
        for has_more in [false, true] {
            let gauge = Gauge::default();
            gauge.has_more_passes.store(has_more, Ordering::Relaxed);
            assert_eq!(gauge.progress(), Progress::default());
            gauge.total.store(1000, Ordering::Relaxed);
            let mut before = 0;
            for read in [0, 1, 500, 999, 1000, 1001, 1500, 4000, u64::MAX] {
                gauge.engine.read.store(read, Ordering::Relaxed);
                let Progress { done, total } = gauge.progress();
                assert!(done >= before && done <= total * 99 / 100, "{read}: {done} of {total}");
                before = done;
            }
            assert!(before >= 980);
        }
    }
}
