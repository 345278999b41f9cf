//! Jobs are run: claimed from the store, run by the engine on threads of their own, settled; and what is over is swept.
//!
//! The async side only talks to the store. What a worker says of a job after it has lost it is refused by the store, so a
//! worker may die at any moment, and come back from the dead: its folder goes, and nothing that it wrote is ever listed.

mod attend;
pub mod data;
pub mod failure;
mod files;
mod order;
pub mod report;
pub mod sweep;
mod work;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fhirehose_core::partition::Limits;
use fhirehose_native::cancel::Cancel;
use fhirehose_native::codec_out::Compression;
use fhirehose_store::{Claim, Lease, Secret, Store, Time};
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinHandle};

pub use data::{Data, Snapshot};
pub use failure::Failure;
pub use report::{Report, Severities};

use crate::offer::Offer;
use crate::outputs::Outputs;
use files::Ids;
use work::Gauge;

/// The clock.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// How long the loop waits for somebody to wake it. Other processes do not.
const NAP: Duration = Duration::from_secs(2);

/// A job is given up when it has lost its worker so many times. A machine may be switched off often without a job's being
/// to blame; one that brings the process down each time has to end all the same.
const MOST_ATTEMPTS: u32 = 25;

/// What jobs are run with.
#[derive(Clone)]
pub struct Setting {
    /// Where jobs are kept.
    pub store: Arc<dyn Store>,
    /// Where their files go.
    pub outputs: Arc<Outputs>,
    /// What they export.
    pub data: Arc<dyn Data>,
    /// What was offered when they were taken.
    pub offer: Arc<Offer>,
    /// The time.
    pub clock: Clock,
    /// Unique for each start of each process.
    pub holder: String,
    /// Nobody else runs jobs of this store: leases of other holders are those of the dead, and end when this one starts.
    pub is_alone: bool,
    /// Threads of each job.
    pub threads: usize,
    /// Jobs that run at the same time.
    pub max_running: usize,
    /// How long a job is a worker's that is not heard of.
    pub lease: Duration,
    /// How often a worker is heard of.
    pub beat: Duration,
    /// A job that has lost its worker so many times has failed.
    pub max_attempts: u32,
    /// How files are stored.
    pub compression: Compression,
    /// When a file is full, beside what profile and kick-off say.
    pub limits: Limits,
    /// Bytes of memory that each job may sort in.
    pub sort_memory: u64,
    /// How long results are kept; `None`: as the profile says.
    pub expires: Option<Duration>,
    /// How long a job is remembered that is over.
    pub remembers: Duration,
    /// How often what is over is looked for.
    pub sweeps: Duration,
}

impl Setting {
    /// The usual, for a process of that name that has the store to itself.
    pub fn new(
        store: Arc<dyn Store>,
        outputs: Arc<Outputs>,
        data: Arc<dyn Data>,
        offer: Arc<Offer>,
        clock: Clock,
        holder: String,
    ) -> Setting {
        Setting {
            store,
            outputs,
            data,
            offer,
            clock,
            holder,
            is_alone: true,
            threads: std::thread::available_parallelism().map_or(1, Into::into),
            max_running: 2,
            lease: Duration::from_secs(30),
            beat: Duration::from_secs(2),
            max_attempts: MOST_ATTEMPTS,
            compression: Compression::GZIP,
            limits: Limits::default(),
            sort_memory: 256 << 20,
            expires: None,
            remembers: Duration::from_secs(7 * 24 * 60 * 60),
            sweeps: Duration::from_secs(60),
        }
    }

    fn expires(&self, profile: &str, now: Time) -> Time {
        let profile = self.offer.profile_of(profile);
        now.plus(self.expires.unwrap_or(profile.expires))
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setting")
            .field("holder", &self.holder)
            .field("threads", &self.threads)
            .field("max_running", &self.max_running)
            .finish_non_exhaustive()
    }
}

/// A job that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveJob {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub owner: String,
    /// Bytes of the input that have been read, as [`fhirehose_store::Progress`] counts them.
    pub done: u64,
    /// Bytes of the input.
    pub total: u64,
    /// Resources kept so far.
    pub kept: u64,
    /// When this attempt began.
    pub started: Time,
}

/// A job that runs, for those who stop and show it.
struct Running {
    owner: String,
    started: Time,
    lease: Lease,
    gauge: Arc<Gauge>,
    cancel: Cancel,
}

/// What the tasks share.
struct Inner {
    setting: Arc<Setting>,
    /// By job and attempt.
    running: Mutex<HashMap<(String, u32), Running>>,
    /// Something may be to do.
    wake: Notify,
    stopping: watch::Sender<bool>,
    /// How many attempts have begun and how many have ended.
    counts: watch::Sender<Counts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    begun: u64,
    ended: u64,
}

impl Inner {
    fn running(&self) -> MutexGuard<'_, HashMap<(String, u32), Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Time {
        (self.setting.clock)()
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }
}

/// What runs jobs.
#[derive(Debug)]
pub struct Runner;

/// A hold on what runs jobs. Clones hold the same.
#[derive(Clone)]
pub struct RunnerHandle {
    inner: Arc<Inner>,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl fmt::Debug for RunnerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunnerHandle")
            .field("running", &self.live().len())
            .finish()
    }
}

impl Runner {
    /// Begins to run jobs, and to sweep. To be called on a tokio runtime with its timer enabled.
    pub fn start(setting: Setting) -> RunnerHandle {
        let inner = Arc::new(Inner {
            setting: Arc::new(setting),
            running: Mutex::default(),
            wake: Notify::new(),
            stopping: watch::Sender::new(false),
            counts: watch::Sender::new(Counts::default()),
        });
        let tasks = vec![
            tokio::spawn(run(inner.clone())),
            tokio::spawn(sweep::forever(inner.clone())),
        ];
        RunnerHandle {
            inner,
            tasks: Arc::new(Mutex::new(tasks)),
        }
    }
}

impl RunnerHandle {
    /// A job was handed in: look now.
    pub fn wake(&self) {
        self.inner.wake.notify_one();
    }

    /// A job was cancelled in the store: its threads need not wait until they are told there. If it was not, it waits again.
    pub fn stop_job(&self, id: &str) {
        let running = self.inner.running();
        for (_, running) in running.iter().filter(|((job, _), _)| job == id) {
            running.cancel.stop();
        }
    }

    /// The jobs that this process runs, those first that began first.
    #[must_use]
    pub fn live(&self) -> Vec<LiveJob> {
        let running = self.inner.running();
        let one = |((id, _), running): (&(String, u32), &Running)| {
            let progress = running.gauge.progress();
            LiveJob {
                id: id.clone(),
                owner: running.owner.clone(),
                done: progress.done,
                total: progress.total,
                kept: running.gauge.engine.kept.load(std::sync::atomic::Ordering::Relaxed),
                started: running.started,
            }
        };
        let mut live: Vec<LiveJob> = running.iter().map(one).collect();
        live.sort_by(|a, b| (a.started, &a.id).cmp(&(b.started, &b.id)));
        live
    }

    /// Takes no more jobs, stops those that run, and gives them back to the store: they wait again. Those whose threads do
    /// not end in time are given back all the same; nothing that they still write is ever listed.
    pub async fn stop(&self, deadline: Duration) {
        self.inner.stopping.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let aborts: Vec<_> = tasks.iter().map(JoinHandle::abort_handle).collect();
        let mut counts = self.inner.counts.subscribe();
        let all_ended = async {
            // First the task that claims: what it has just got is stopped, too.
            for task in tasks {
                let _ = task.await;
            }
            let _ = counts.wait_for(|counts| counts.begun == counts.ended).await;
        };
        if tokio::time::timeout(deadline, all_ended).await.is_ok() {
            return;
        }
        aborts.iter().for_each(AbortHandle::abort);
        let left: Vec<(Cancel, Lease)> = {
            let running = self.inner.running();
            let left = running.values().map(|of| (of.cancel.clone(), of.lease.clone()));
            left.collect()
        };
        for (cancel, lease) in left {
            // It waits for a thread that gives files their names; such a job is as good as complete.
            let _ = tokio::task::spawn_blocking(move || cancel.abort()).await;
            let _ = self.inner.setting.store.release(&lease, self.inner.now()).await;
        }
    }
}

/// Returns when the runner is to stop.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // It closes with the runner.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// Claims jobs as long as there are some and they may run.
async fn run(inner: Arc<Inner>) {
    let Some(ids) = begin(&inner).await else { return };
    let mut stopping = inner.stopping.subscribe();
    while !inner.is_stopping() {
        while !inner.is_stopping() && inner.running().len() < inner.setting.max_running.max(1) {
            if !claim(&inner, &ids).await {
                break;
            }
        }
        tokio::select! {
            () = inner.wake.notified() => {}
            () = tokio::time::sleep(NAP) => {}
            () = stopped(&mut stopping) => {}
        }
    }
}

/// What has to be known before the first job; asks until the store answers.
async fn begin(inner: &Inner) -> Option<Ids> {
    let setting = &*inner.setting;
    loop {
        match first_words(setting, inner.now()).await {
            Ok(ids) => return Some(ids),
            Err(error) => tracing::error!(%error, "no job can be run yet"),
        }
        let mut stopping = inner.stopping.subscribe();
        tokio::select! {
            () = tokio::time::sleep(NAP) => {}
            () = stopped(&mut stopping) => return None,
        }
    }
}

async fn first_words(setting: &Setting, now: Time) -> fhirehose_store::Result<Ids> {
    if setting.is_alone {
        let ended = setting.store.abandon(&setting.holder, now).await?;
        if ended > 0 {
            tracing::warn!(jobs = ended, "jobs were running when the server ended; they begin anew");
        }
    }
    let mut fresh = vec![0; 32];
    getrandom::fill(&mut fresh)
        .map_err(|_| fhirehose_store::Error::new(fhirehose_store::Kind::Other, "the system has no random numbers"))?;
    Ok(Ids::new(setting.store.secret("file-ids", &Secret(fresh)).await?))
}

/// Claims the next job and lets it run; whether there was one.
async fn claim(inner: &Arc<Inner>, ids: &Ids) -> bool {
    let setting = &*inner.setting;
    let now = inner.now();
    let claim = Claim {
        now,
        holder: setting.holder.clone(),
        lease: setting.lease,
        max_attempts: setting.max_attempts,
        failed_expires: setting.expires(setting.offer.profile.name, now),
    };
    match setting.store.claim(&claim).await {
        Ok(turn) => {
            for job in &turn.given_up {
                tracing::error!(job, "the job is given up: it lost its worker too often");
            }
            let Some(claimed) = turn.claimed else { return false };
            attend::begin(inner, claimed, ids);
            true
        }
        Err(error) => {
            tracing::warn!(%error, "cannot claim a job; trying again");
            false
        }
    }
}
