//! Kick-offs at every level: read, held against the scopes and the data, compiled, stored (SPEC 2.3).

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method as Verb, StatusCode, request::Parts};
use axum::response::Response;
use fhirehose_core::plan::Plan;
use fhirehose_core::plan::compartment::has_members;
use fhirehose_core::profile::Level;
use fhirehose_core::search::kind::date::Nanos;
use fhirehose_store::{Bounds, NewJob, Submitted, Time};

use super::{Id, id, plain};
use crate::access::{Access, Reach};
use crate::app::{App, Shared};
use crate::job::order::{Order, Types};
use crate::kickoff::found::{self, Found};
use crate::kickoff::{self, Call, Door, Kickoff};
use crate::net::read_body;
use crate::offer::instant;
use crate::outcome::{self, Issue, Reply, Severity};
use crate::profile::{Guide, Method};
use crate::random;
use crate::reply::{Answer, body, failed, panicked, with_header};
use crate::snapshot::fresh;

/// Longest body: a list of 20,000 patients takes two million bytes.
const MOST_BODY: usize = 16 << 20;
const BODY_TIME: Duration = Duration::from_secs(30);

/// Most filters that the client's filters and its scopes' searches become together.
const MOST_CONDITIONS: usize = 2000;

/// What a client is told to wait when there are too many jobs.
const BUSY_SECONDS: u64 = 60;

pub(crate) async fn system(State(app): State<Shared>, request: Request) -> Answer {
    start(app, Door::System, request).await
}

pub(crate) async fn patient(State(app): State<Shared>, request: Request) -> Answer {
    start(app, Door::Patient, request).await
}

pub(crate) async fn group(State(app): State<Shared>, given: Id, request: Request) -> Answer {
    start(app, Door::Group(id(given, "Group")?), request).await
}

async fn start(app: Shared, door: Door, request: Request) -> Answer {
    let (parts, sent) = request.into_parts();
    let access = app.access(&parts.headers).await?;
    let method = method(&app, &door, &parts.method)?;
    not_coded(&parts)?;
    let sent = read(sent).await?;
    let now = app.now();
    let Access { client, owner, reach } = access;
    // So many at once: each may need memory for long lists.
    let _place = app.judging.acquire().await.map_err(|_| failed())?;
    let judged = {
        let app = app.clone();
        tokio::task::spawn_blocking(move || judge(&app, door, method, &parts, &sent, reach, now))
    };
    let order = judged.await.map_err(panicked)??;
    submit(&app, order, client, owner, now).await
}

/// The method, as the profile's doors know them. Of GET and POST the reader of kick-offs tells itself.
fn method(app: &App, door: &Door, verb: &Verb) -> Result<Method, Reply> {
    match (verb, app.offer.profile.door(door.level())) {
        (&Verb::GET, _) | (_, None) => Ok(Method::Get),
        (&Verb::POST, _) => Ok(Method::Post),
        (_, Some(rule)) => {
            let allowed: Vec<&str> = rule.methods.iter().map(|method| method.name()).collect();
            Err(Reply::method_not_allowed(&allowed))
        }
    }
}

/// A body is taken as it is.
fn not_coded(parts: &Parts) -> Result<(), Reply> {
    let coding = parts.headers.get(axum::http::header::CONTENT_ENCODING);
    if coding.is_none_or(|coding| coding == "identity") {
        return Ok(());
    }
    let text = "Content-Encoding: the body is taken as it is only; send it without a coding";
    Err(Reply::error(415, "not-supported", text))
}

async fn read(sent: Body) -> Result<Bytes, Reply> {
    let read = read_body(sent, MOST_BODY, BODY_TIME).await;
    read.map_err(|fault| fault.reply(MOST_BODY))
}

/// Everything that can be known before the job runs. Takes some milliseconds of work for long lists.
fn judge(
    app: &App,
    door: Door,
    method: Method,
    parts: &Parts,
    sent: &[u8],
    reach: Reach,
    now: Time,
) -> Result<Order, Reply> {
    let headers = plain(&parts.headers);
    let now_text = instant(now);
    let setting = app.offer.setting(&now_text);
    let call = Call {
        method,
        door,
        query: parts.uri.query(),
        headers: &headers,
        body: sent,
    };
    let kickoff = kickoff::read(&call, &setting)?;
    let order = Order { kickoff, reach };
    within_reach(&order, app)?;
    in_the_data(app, &order.kickoff, now)?;
    if order.conditions() > MOST_CONDITIONS {
        let text = "the filters and the conditions of the scopes together are more than can be applied";
        return Err(Reply::error(422, "too-costly", text));
    }
    let cohort = order.kickoff.cohort();
    let request = order.request(cohort, &setting).ok_or_else(nothing)?;
    // The reader has compiled what the client wrote; this is with what its scopes demand besides.
    Plan::compile(&request, &app.offer.registry).map_err(|problems| {
        let told = problems.0.first().map(ToString::to_string).unwrap_or_default();
        Reply::error(
            422,
            "processing",
            format!("with what the scopes of the token demand: {told}"),
        )
    })?;
    Ok(order)
}

fn within_reach(order: &Order, app: &App) -> Result<(), Reply> {
    let forbidden = order.forbidden();
    if !forbidden.is_empty() {
        let names = forbidden.join(", ");
        return Err(Reply::forbidden(format!(
            "the scopes of the token do not allow reading {names}"
        )));
    }
    let is_of_patients = |name: &String| has_members(&app.offer.registry, name);
    match order.types(app.offer.profile) {
        Types::Nothing => Err(nothing()),
        // What others refer to is not had alone: with nobody's records there is nothing that could.
        Types::Listed(types) if order.kickoff.door.level() != Level::System && !types.iter().any(is_of_patients) => {
            Err(nothing())
        }
        _ => Ok(()),
    }
}

fn nothing() -> Reply {
    Reply::forbidden("the scopes of the token allow reading none of the types that are exported here")
}

/// Whether the Group and the listed patients are there.
pub(crate) fn in_the_data(app: &App, kickoff: &Kickoff, now: Time) -> Result<(), Reply> {
    let catalogue = fresh(&app.keeper, now).map_err(|error| {
        tracing::error!(%error, "the data cannot be read as it is now");
        Reply::unavailable(
            "the data cannot be read as it is now; its operator has been told",
            BUSY_SECONDS,
        )
    })?;
    let listed = kickoff.patients.as_deref().unwrap_or_default();
    let unknown = catalogue.unknown_patients(listed);
    let mut strangers = Vec::new();
    let mut members = None;
    if let Some(group) = kickoff.group().filter(|group| catalogue.has_group(group)) {
        let at = Nanos::from(now.0) * 1_000_000;
        let base = app.offer.base();
        let resolved = catalogue
            .resolve(group, at, Some(base))
            .map_err(|error| Reply::error(422, "processing", format!("the group cannot be exported: {error}")))?;
        members = Some(resolved.patients.len());
        let is_stranger = |id: &&String| !unknown.contains(id) && !resolved.patients.contains(id.as_bytes());
        strangers.extend(listed.iter().filter(is_stranger).cloned());
    }
    let found = Found {
        members,
        unknown: &unknown,
        strangers: &strangers,
    };
    Ok(found::check(kickoff, &found, app.offer.profile)?)
}

async fn submit(app: &App, order: Order, client: String, owner: String, now: Time) -> Answer {
    let profile = app.offer.profile;
    let job = NewJob {
        id: new_id()?,
        owner,
        profile: profile.name.to_owned(),
        url: order.kickoff.url.clone(),
        kick_off: serde_json::to_string(&order).map_err(|_| failed())?,
        transaction_time: now,
    };
    let bounds = Bounds {
        queued: app.rules.most_queued,
        per_owner: profile.most_jobs_of_a_client.unwrap_or(u32::MAX),
    };
    match app.store.submit(&job, bounds, now).await? {
        Submitted::Accepted => {}
        Submitted::OwnerBusy { active } => {
            let text = format!("{active} export of this client is not finished; wait for it, or delete it");
            return Err(Reply::throttled(text, BUSY_SECONDS));
        }
        Submitted::QueueFull { queued } => {
            return Err(Reply::throttled(format!("{queued} exports wait already"), BUSY_SECONDS));
        }
    }
    app.remembered.remember(&job.id, &order, profile);
    tracing::info!(
        target: "audit", event = "kick-off", job = job.id, client, level = ?order.kickoff.door.level(),
        types = order.kickoff.types.len(), filters = order.kickoff.type_filters.len(),
        patients = order.kickoff.patients.as_ref().map_or(0, Vec::len),
    );
    metrics::counter!("fhirehose_kickoffs_total").increment(1);
    app.wake();
    Ok(accepted(app, &order.kickoff, &job.id))
}

fn accepted(app: &App, kickoff: &Kickoff, job: &str) -> Response {
    let status_url = app.url(&format!("bulk-export/jobs/{job}"));
    let text = format!("the export has been taken on; its status is at {status_url}");
    let issue = Issue::new(Severity::Information, "informational", text);
    let response = body(StatusCode::ACCEPTED, outcome::CONTENT_TYPE, outcome::json(&[issue]));
    let response = with_header(response, "content-location", &status_url);
    if kickoff.separate_status {
        return with_header(response, "preference-applied", "respond-async, separate-export-status");
    }
    // The first generations know nothing of it, and clients of Oracle's do not expect it.
    match kickoff.guide {
        Guide::V4 => with_header(response, "preference-applied", "respond-async"),
        Guide::V1ToV3 => response,
    }
}

/// An id that cannot be guessed: whoever knows it still has to be the job's client.
fn new_id() -> Result<String, Reply> {
    random::hex::<16>().map_err(|error| {
        tracing::error!(%error, "the system gives no random numbers");
        failed()
    })
}
