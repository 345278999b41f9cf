//! The status of a job, and its end by its client's will (SPEC 2.11, 2.14).

use std::time::{Duration, SystemTime};

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use fhirehose_store::{Asker, Cancelled, Job, Listing, Progress, State as JobState, Time};

use super::{Id, acceptable, id};
use crate::app::{App, Shared};
use crate::job::facts::Facts;
use crate::job::shown::{Shown, percent, shown};
use crate::manifest::{View, page};
use crate::outcome::{self, Issue, Reply, Severity};
use crate::polling::retry_after;
use crate::profile::Route;
use crate::reply::{Answer, body, failed, with_header};
use crate::runner::failure::Failure;

pub(crate) async fn status(
    State(app): State<Shared>,
    given: Id,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let access = app.access(&headers).await?;
    let id = id(given, "job")?;
    acceptable(&app, Route::Status, &headers)?;
    let after = after(query.as_deref())?;
    let job = app.store.get(&id, Asker::Owner(&access.owner)).await?;
    let job = job.ok_or_else(|| Reply::not_found("job"))?;
    let seen = shown(&job);
    if seen == Shown::Gone {
        return Err(Reply::not_found("job"));
    }
    let facts = app
        .remembered
        .of(&job, app.offer.profile_of(&job.profile), &*app.store)
        .await?
        .ok_or_else(failed)?;
    let progress = match seen {
        Shown::Done => return complete(&app, &job, &facts, after).await,
        Shown::Broken => return Ok(broken(&job, &facts)),
        Shown::Working(progress) => Some(progress),
        Shown::Queued | Shown::Gone => None,
    };
    not_too_often(&app, &job.id)?;
    working(&app, &job, &facts, after, progress).await
}

pub(crate) async fn delete(State(app): State<Shared>, given: Id, headers: HeaderMap) -> Answer {
    let access = app.access(&headers).await?;
    let id = id(given, "job")?;
    acceptable(&app, Route::Delete, &headers)?;
    let asker = Asker::Owner(&access.owner);
    match app.store.cancel(&id, asker, app.now()).await {
        Ok(Cancelled::Now(state)) => {
            tracing::info!(target: "audit", event = "delete", job = id, client = access.client, state = state.name());
        }
        Ok(Cancelled::Gone) => return Err(Reply::not_found("job")),
        Err(error) if error.kind() == fhirehose_store::Kind::Unknown => return Err(Reply::not_found("job")),
        Err(error) => return Err(error.into()),
    }
    app.polls.forget(&id);
    app.runner.iter().for_each(|runner| runner.stop_job(&id));
    app.wake();
    let issue = Issue::new(
        Severity::Information,
        "informational",
        "the job and its files are deleted",
    );
    Ok(body(
        StatusCode::ACCEPTED,
        outcome::CONTENT_TYPE,
        outcome::json(&[issue]),
    ))
}

/// The number of the last file of the page before.
fn after(query: Option<&str>) -> Result<u32, Reply> {
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let mut number = 0;
    for pair in pairs {
        // Other parameters are none of ours: some clients put `_format` everywhere.
        if let Some(text) = pair.strip_prefix("after=") {
            let wrong = || {
                Reply::error(
                    400,
                    "invalid",
                    "`after` is the number of a file; take the link as it was given",
                )
            };
            number = text.parse().map_err(|_| wrong())?;
        }
    }
    Ok(number)
}

fn not_too_often(app: &App, id: &str) -> Result<(), Reply> {
    app.polls.ask(id, app.now()).map_err(|wait: Duration| {
        let text = "the status is asked for too often; wait as long as Retry-After says";
        Reply::throttled(text, wait.as_secs().max(1))
    })
}

async fn working(app: &App, job: &Job, facts: &Facts, after: u32, progress: Option<Progress>) -> Answer {
    let manifest = if facts.is_partial {
        let files = app.store.files(&job.id, Listing::SoFar, 0, u32::MAX).await?;
        page(&view(app, job, facts), &files, after)
    } else {
        None
    };
    let status = if facts.separate_status {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    let mut response = match manifest {
        Some(manifest) => body(status, "application/json", manifest),
        None => {
            let mut response = body(status, "application/json", "");
            response.headers_mut().remove(axum::http::header::CONTENT_TYPE);
            response
        }
    };
    if facts.separate_status {
        response = with_header(response, "x-export-status", "202 Accepted");
    }
    let wait = retry_after(progress, job.since, app.now());
    let response = with_header(response, "x-progress", &told(app, progress));
    Ok(with_header(response, "retry-after", &wait.to_string()))
}

/// How far the job is.
fn told(app: &App, progress: Option<Progress>) -> String {
    if !app.offer.profile.tells_percent {
        return "in-progress".to_owned();
    }
    match progress {
        None => "0% (queued)".to_owned(),
        Some(progress) => format!("{}%", percent(progress)),
    }
}

fn broken(job: &Job, facts: &Facts) -> Response {
    let failure = Failure::read(job.failure.as_deref().unwrap_or_default());
    let reply = failure.reply();
    let text = reply.body();
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if facts.separate_status {
        let response = body(StatusCode::OK, outcome::CONTENT_TYPE, text);
        return with_header(response, "x-export-status", status.as_str());
    }
    body(status, outcome::CONTENT_TYPE, text)
}

async fn complete(app: &App, job: &Job, facts: &Facts, after: u32) -> Answer {
    app.polls.forget(&job.id);
    let files = app.store.files(&job.id, Listing::Settled, 0, u32::MAX).await?;
    let manifest = page(&view(app, job, facts), &files, after).ok_or_else(failed)?;
    let mut response = body(StatusCode::OK, "application/json", manifest);
    if facts.separate_status {
        response = with_header(response, "x-export-status", "200 OK");
    }
    if let Some(expires) = job.expires {
        response = with_header(response, "expires", &http_date(expires));
    }
    let progress = if app.offer.profile.tells_percent {
        "100%"
    } else {
        "completed"
    };
    Ok(with_header(response, "x-progress", progress))
}

fn view<'a>(app: &App, job: &'a Job, facts: &'a Facts) -> View<'a> {
    let profile = app.offer.profile;
    View {
        guide: facts.guide,
        transaction_time: job.transaction_time,
        request: &job.url,
        organized_by: facts.organized_by.as_deref(),
        // As files are given out, no guess (C48).
        requires_access_token: !app.rules.is_open,
        has_counts: profile.counts,
        status_url: app.url(&format!("bulk-export/jobs/{}", job.id)),
        files_url: app.url("bulk-export/files"),
        page: if facts.is_partial {
            app.rules.partial_page
        } else {
            app.rules.page
        }
        .get(),
        is_partial: facts.is_partial,
        is_settled: job.state == JobState::Complete,
    }
}

/// A moment as HTTP's headers have it, to the second; rounded up, so that nothing expires before it is said to.
fn http_date(time: Time) -> String {
    let seconds = u64::try_from(time.0.max(0)).unwrap_or(0).div_ceil(1000);
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}
