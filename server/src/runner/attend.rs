//! One attempt as the store sees it: begun, heard of, settled or given back.

use std::sync::Arc;
use std::time::Duration;

use fhirehose_native::cancel::Cancel;
use fhirehose_store::{Claimed, Kind, Lease, Reply, StoredFile};
use tokio::sync::{mpsc, oneshot};

use super::failure::Failure;
use super::files::Ids;
use super::work::{Attempt, Done, Ended, Gauge};
use super::{Inner, Running, stopped};

/// How often a word to the store is said again before the job is left to its lease, and how long the first wait is. Together
/// they take less time than a lease.
const TRIES: u32 = 14;
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// However it is set, the store has other things to do.
const SHORTEST_BEAT: Duration = Duration::from_millis(1);

/// Files that are handed over at once.
const MOST_FILES: usize = 2000;

/// Lets a claimed job run. It is counted and shown from now on.
pub(super) fn begin(inner: &Arc<Inner>, claimed: Claimed, ids: &Ids) {
    let gauge = Arc::new(Gauge::default());
    let cancel = Cancel::default();
    let running = Running {
        owner: claimed.job.owner.clone(),
        started: claimed.job.since,
        lease: claimed.lease.clone(),
        gauge: gauge.clone(),
        cancel: cancel.clone(),
    };
    inner.running().insert(key(&claimed.lease), running);
    inner.counts.send_modify(|counts| counts.begun += 1);
    tokio::spawn(attend(inner.clone(), claimed, ids.clone(), gauge, cancel));
}

/// Ends the count of a job, whatever happens.
struct Counted<'i> {
    inner: &'i Inner,
    key: (String, u32),
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.inner.running().remove(&self.key);
        self.inner.counts.send_modify(|counts| counts.ended += 1);
        self.inner.wake.notify_one();
    }
}

async fn attend(inner: Arc<Inner>, claimed: Claimed, ids: Ids, gauge: Arc<Gauge>, cancel: Cancel) {
    let lease = claimed.lease.clone();
    let profile = claimed.job.profile.clone();
    let owner = claimed.job.owner.clone();
    let _counted = Counted {
        inner: &inner,
        key: key(&lease),
    };
    let (job, attempt) = (lease.job.as_str(), lease.attempt);
    tracing::info!(job, attempt, "the job runs");
    forget_earlier(&inner, &lease).await;
    let ended = match start(&inner, claimed, ids, gauge.clone(), cancel.clone()) {
        Ok(thread) => watch(&inner, &lease, &gauge, &cancel, thread).await,
        Err(failure) => Err(Ended::Failed(failure)),
    };
    match ended {
        Ok(done) => complete(&inner, &lease, &profile, &owner, done).await,
        Err(Ended::Failed(failure)) => {
            let client = client_of(&owner);
            tracing::info!(target: "audit", event = "failed", job, client, code = failure.code);
            fail(&inner, &lease, &profile, &failure).await;
        }
        Err(Ended::Stopped) => give_back(&inner, &lease).await,
    }
}

/// Removes what earlier attempts left, in the folder and in the store: their files have the same ids.
async fn forget_earlier(inner: &Inner, lease: &Lease) {
    let Some(last) = lease.attempt.checked_sub(1).filter(|last| *last > 0) else {
        return;
    };
    let setting = &*inner.setting;
    match setting.outputs.remove(&lease.job, 1..=last).await {
        Ok(()) => {
            let _ = persist(inner.setting.lease, "cannot forget an earlier attempt", || {
                setting.store.mark_purged(&lease.job, last)
            })
            .await;
        }
        Err(error) => tracing::warn!(job = lease.job, %error, "cannot remove an earlier attempt"),
    }
}

/// What comes from the thread of an attempt.
struct Thread {
    ended: oneshot::Receiver<Result<Done, Ended>>,
    early: mpsc::UnboundedReceiver<StoredFile>,
}

/// Starts the thread of an attempt.
fn start(inner: &Inner, claimed: Claimed, ids: Ids, gauge: Arc<Gauge>, cancel: Cancel) -> Result<Thread, Failure> {
    let setting = &inner.setting;
    let folder = setting
        .outputs
        .attempt_folder(&claimed.lease.job, claimed.lease.attempt);
    let (sender, early) = mpsc::unbounded_channel();
    let attempt = Attempt {
        early: sender,
        setting: setting.clone(),
        folder: folder.map_err(|_| Failure::internal("the id of the job is none"))?,
        claimed,
        ids,
        gauge,
        cancel,
    };
    let (sender, ended) = oneshot::channel();
    let thread = std::thread::Builder::new().name("export".to_owned());
    let spawned = thread.spawn(move || {
        let done = attempt.run();
        drop(attempt);
        let _ = sender.send(done);
    });
    match spawned {
        Ok(_) => Ok(Thread { ended, early }),
        Err(error) => Err(Failure::internal(&format!("it has no thread left: {}", error.kind()))),
    }
}

/// Tells the store that the worker is alive, until it ends. A job that is lost is stopped.
async fn watch(
    inner: &Inner,
    lease: &Lease,
    gauge: &Gauge,
    cancel: &Cancel,
    mut thread: Thread,
) -> Result<Done, Ended> {
    let setting = &*inner.setting;
    let mut stopping = inner.stopping.subscribe();
    let mut beats = tokio::time::interval(setting.beat.max(SHORTEST_BEAT));
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            done = &mut thread.ended => {
                return done.unwrap_or_else(|_| Err(Failure::internal("the export has lost its thread").into()));
            }
            () = stopped(&mut stopping), if !cancel.is_stopped() => cancel.stop(),
            Some(file) = thread.early.recv() => {
                // At the end all files are added, those of which this was not heard too.
                if let Err(error) = setting.store.add_file(lease, &file).await {
                    tracing::warn!(job = lease.job, %error, "a file is not listed before the job is complete");
                }
            }
            _ = beats.tick() => {
                let told = setting.store.heartbeat(lease, gauge.progress(), setting.lease, inner.now());
                match told.await {
                    Ok(()) => {}
                    Err(error) if error.kind() == Kind::Lost => cancel.stop(),
                    // The lease is longer than many beats.
                    Err(error) => tracing::warn!(job = lease.job, %error, "a heartbeat was not heard"),
                }
            }
        }
    }
}

/// The client's id in the name of an owner.
fn client_of(owner: &str) -> &str {
    owner.split('@').next().unwrap_or_default()
}

async fn complete(inner: &Inner, lease: &Lease, profile: &str, owner: &str, done: Done) {
    let setting = &*inner.setting;
    let report = match serde_json::to_string(&done.report) {
        Ok(report) => report,
        Err(_) => return fail(inner, lease, profile, &Failure::internal("it cannot write its report")).await,
    };
    let what = "a job cannot be settled";
    for files in done.files.chunks(MOST_FILES) {
        match persist(inner.setting.lease, what, || setting.store.add_files(lease, files)).await {
            Ok(()) => {}
            Err(Kind::Lost) => return give_back(inner, lease).await,
            Err(_) => return,
        }
    }
    let settled = persist(inner.setting.lease, what, || {
        let now = inner.now();
        setting
            .store
            .complete(lease, &report, setting.expires(profile, now), now)
    });
    match settled.await {
        Ok(()) => {
            let (files, kept) = (done.files.len(), done.report.resources);
            let (job, client) = (lease.job.as_str(), client_of(owner));
            tracing::info!(job, files, kept, "the job is complete");
            tracing::info!(target: "audit", event = "complete", job, client, files, resources = kept);
            metrics::counter!("fhirehose_jobs_complete_total").increment(1);
            metrics::counter!("fhirehose_resources_exported_total").increment(kept);
        }
        Err(Kind::Lost) => give_back(inner, lease).await,
        // Its lease runs out; the next attempt finds another folder.
        Err(_) => {}
    }
}

async fn fail(inner: &Inner, lease: &Lease, profile: &str, failure: &Failure) {
    let setting = &*inner.setting;
    remove(inner, lease).await;
    tracing::warn!(job = lease.job, code = failure.code, "the job has failed");
    metrics::counter!("fhirehose_jobs_failed_total").increment(1);
    let text = failure.text();
    let failed = persist(inner.setting.lease, "a job cannot be settled", || {
        let now = inner.now();
        setting.store.fail(lease, &text, setting.expires(profile, now), now)
    });
    if failed.await == Err(Kind::Lost) {
        release(inner, lease).await;
    }
}

/// The job is another's, or nobody's, or waits again: nothing of this attempt stays.
async fn give_back(inner: &Inner, lease: &Lease) {
    remove(inner, lease).await;
    release(inner, lease).await;
    tracing::info!(job = lease.job, attempt = lease.attempt, "the job was stopped");
}

async fn remove(inner: &Inner, lease: &Lease) {
    let attempts = lease.attempt..=lease.attempt;
    if let Err(error) = inner.setting.outputs.remove(&lease.job, attempts).await {
        // It is swept later.
        tracing::warn!(job = lease.job, %error, "the files of an attempt cannot be removed yet");
    }
}

async fn release(inner: &Inner, lease: &Lease) {
    // If it was lost to another worker there is nothing to give back.
    let _ = persist(inner.setting.lease, "a job cannot be given back", || {
        inner.setting.store.release(lease, inner.now())
    })
    .await;
}

/// Says a word until the store takes or refuses it.
async fn persist<'s, T>(lease: Duration, what: &str, mut say: impl FnMut() -> Reply<'s, T>) -> Result<T, Kind> {
    let mut wait = FIRST_WAIT;
    let mut tries = TRIES;
    loop {
        let error = match say().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        tries -= 1;
        let may_pass = matches!(
            error.kind(),
            Kind::Locked | Kind::Full | Kind::Io | Kind::Access | Kind::Other
        );
        if !may_pass || tries == 0 {
            if error.kind() != Kind::Lost {
                tracing::error!(%error, "{what}");
            }
            return Err(error.kind());
        }
        tokio::time::sleep(wait.min(lease / TRIES)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// A job that was lost and claimed again may still be on its way out.
fn key(lease: &Lease) -> (String, u32) {
    (lease.job.clone(), lease.attempt)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use fhirehose_store::Error;

    use super::*;

    /// Says a word that fails so many times; returns the answer and how often it was said.
    fn said(failures: u32, kind: Kind) -> (Result<(), Kind>, u32) {
        let count = Cell::new(0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let answer = runtime.expect("a runtime").block_on(persist(LEASE, "a test fails", || {
            count.set(count.get() + 1);
            let answer = if count.get() > failures {
                Ok(())
            } else {
                Err(Error::new(kind, "no"))
            };
            Box::pin(std::future::ready(answer))
        }));
        (answer, count.get())
    }

    /// So short that nobody waits.
    const LEASE: Duration = Duration::from_micros(14);

    #[test]
    fn what_may_pass_is_said_again_and_not_for_ever() {
        assert_eq!(said(0, Kind::Locked), (Ok(()), 1));
        for kind in [Kind::Locked, Kind::Full, Kind::Io, Kind::Access, Kind::Other] {
            assert_eq!(said(5, kind), (Ok(()), 6));
            assert_eq!(said(99, kind), (Err(kind), TRIES));
        }
        for kind in [Kind::Lost, Kind::Exists, Kind::Invalid, Kind::Corrupt, Kind::ReadOnly] {
            assert_eq!(said(99, kind), (Err(kind), 1));
        }
    }
}
