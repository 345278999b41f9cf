//! Jobs as they go, as server-sent events: all that is shown of the newest ones, whenever something of it has changed.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use fhirehose_store::{Asker, Job, State as JobState, Time};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Seen;
use crate::app::{App, Shared};
use crate::outcome::Reply;
use crate::runner::{Failure, LiveJob, Report};

/// Most pages that are told at the same time.
/// Characters of a kick-off that are shown; they come again with every event.
const MOST_REQUEST: usize = 400;

const MOST_STREAMS: usize = 50;

/// Most jobs that are told.
const MOST_JOBS: u32 = 100;

/// How often is looked for changes.
const BEAT: Duration = Duration::from_secs(1);

/// What was read so short a time ago is as good as new: many pages ask the store no oftener than one.
const FRESH_MILLISECONDS: u64 = 500;

/// A word to the connection where nothing changes; one that is silent is taken for dead.
const WORD: Duration = Duration::from_secs(20);

/// The pages that are told of jobs.
pub struct Streams {
    places: Arc<Semaphore>,
    closing: watch::Sender<bool>,
    latest: Mutex<Option<(Time, Arc<str>)>>,
}

impl Default for Streams {
    fn default() -> Self {
        Streams {
            places: Arc::new(Semaphore::new(MOST_STREAMS)),
            closing: watch::Sender::new(false),
            latest: Mutex::default(),
        }
    }
}

impl Streams {
    /// Ends all of them: they would keep a server from ending.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// A future that closes them as soon as another is ready.
    pub(crate) async fn close_after(app: Shared, shutdown: impl Future<Output = ()>) {
        shutdown.await;
        app.streams.close();
    }
}

/// One of them.
struct Telling {
    app: Shared,
    beat: Interval,
    closing: watch::Receiver<bool>,
    told: Arc<str>,
    _place: OwnedSemaphorePermit,
}

pub(super) async fn jobs(_: Seen, State(app): State<Shared>) -> Result<Response, Reply> {
    let place = app.streams.places.clone().try_acquire_owned();
    let place = place.map_err(|_| Reply::throttled("too many pages are open; close some", 10))?;
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let telling = Telling {
        closing: app.streams.closing.subscribe(),
        app,
        beat,
        told: "".into(),
        _place: place,
    };
    let events = stream::unfold(telling, next);
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::new().interval(WORD))
        .into_response())
}

/// Waits for a change. The end: the server closes, or the store fails; the page asks again by itself.
async fn next(mut telling: Telling) -> Option<(Result<Event, Infallible>, Telling)> {
    loop {
        tokio::select! {
            _ = telling.closing.wait_for(|is_closing| *is_closing) => return None,
            _ = telling.beat.tick() => {}
        }
        let text = newest(&telling.app).await.ok()?;
        if text != telling.told {
            telling.told = text.clone();
            return Some((Ok(Event::default().event("jobs").data(&*text)), telling));
        }
    }
}

/// What is told of the newest jobs.
async fn newest(app: &App) -> Result<Arc<str>, Reply> {
    let now = app.now();
    let lock = || app.streams.latest.lock().unwrap_or_else(PoisonError::into_inner);
    let fresh = lock().clone();
    if let Some((when, text)) = fresh
        && when.0.abs_diff(now.0) < FRESH_MILLISECONDS
    {
        return Ok(text);
    }
    let jobs = app.store.list(Asker::Server, MOST_JOBS).await?;
    let live = app.runner.as_ref().map(|runner| runner.live()).unwrap_or_default();
    let told: Vec<Value> = jobs.iter().map(|job| tell(app, job, &live)).collect();
    let text: Arc<str> = json!({ "jobs": told, "scanned": app.keeper.current().scanned.0 })
        .to_string()
        .into();
    *lock() = Some((now, text.clone()));
    Ok(text)
}

fn tell(app: &App, job: &Job, live: &[LiveJob]) -> Value {
    // What this process knows of its own jobs is newer than what it has told the store.
    let running = (job.state == JobState::Running).then(|| live.iter().find(|live| live.id == job.id));
    let running = running.flatten();
    let report = job
        .report
        .as_deref()
        .and_then(|text| serde_json::from_str::<Report>(text).ok());
    let kept = report
        .as_ref()
        .map(|report| report.resources)
        .or(running.map(|live| live.kept));
    let (done, total) = match (&report, running) {
        // A short job may have ended before it told how far it was.
        (Some(report), _) => (report.stored, report.stored),
        (None, Some(live)) => (live.done, live.total),
        (None, None) => (job.progress.done, job.progress.total),
    };
    json!({
        "id": job.id,
        "state": job.state.name(),
        "level": level(app, &job.url),
        "created": job.created.0,
        "since": job.since.0,
        "done": done,
        "total": total,
        "kept": kept,
        "request": job.url.chars().take(MOST_REQUEST).collect::<String>(),
        "url": app.url(&format!("bulk-export/jobs/{}", job.id)),
        "client": job.owner.split('@').next().unwrap_or_default(),
        "expires": job.expires.map(|expires| expires.0),
        "failure": job.failure.as_deref().map(|text| Failure::read(text).diagnostics),
    })
}

/// The level, as the kick-off's URL tells it: the whole kick-off may be long.
fn level(app: &App, url: &str) -> &'static str {
    let base = app.offer.public_base.trim_end_matches('/');
    let path = url.strip_prefix(base).unwrap_or(url);
    let path = path.split('?').next().unwrap_or_default();
    if path.ends_with("/Patient/$export") {
        "patient"
    } else if path.contains("/Group/") {
        "group"
    } else {
        "system"
    }
}
