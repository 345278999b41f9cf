//! What the server would do for a kick-off, or what is wrong with it, without doing it: as somebody fills in the form.
//!
//! The request is the kick-off's own, headers and body included, but for the path: that stands in the query, as `level` and
//! `group`.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{Method as Verb, StatusCode};
use fhirehose_core::plan::Plan;
use fhirehose_core::request::Cohort;
use serde_json::{Value, json};

use super::Seen;
use crate::access::Reach;
use crate::app::{App, Shared};
use crate::handlers::{kickoff as handler, plain};
use crate::job::order::Order;
use crate::kickoff::{self, Call, Door, Fault, Kickoff, Place, Setting};
use crate::net::read_body;
use crate::offer::instant;
use crate::outcome::{Issue, MOST_ISSUES, Reply};
use crate::profile::Method;
use crate::reply::{Answer, body, panicked};

/// A list of 20,000 patients takes two million bytes.
const MOST_BODY: usize = 4 << 20;
const BODY_TIME: Duration = Duration::from_secs(10);

/// Most characters of a message: what the client wrote may be quoted in it.
const MOST_MESSAGE: usize = 400;

pub(super) async fn explain(_: Seen, State(app): State<Shared>, request: Request) -> Answer {
    let (parts, sent) = request.into_parts();
    let sent = read_body(sent, MOST_BODY, BODY_TIME).await;
    let sent = sent.map_err(|fault| fault.reply(MOST_BODY))?;
    let (door, query) = door(parts.uri.query().unwrap_or_default())?;
    let method = if parts.method == Verb::POST {
        Method::Post
    } else {
        Method::Get
    };
    let told = tokio::task::spawn_blocking(move || {
        let headers = plain(&parts.headers);
        let call = Call {
            method,
            door,
            query: Some(&query),
            headers: &headers,
            body: &sent,
        };
        told(&app, &call)
    });
    let told = told.await.map_err(panicked)?;
    Ok(body(StatusCode::OK, "application/json", told.to_string()))
}

/// The door, and what is left of the query.
fn door(query: &str) -> Result<(Door, String), Reply> {
    let mut level = None;
    let mut group = String::new();
    let mut rest = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if let Some(name) = pair.strip_prefix("level=") {
            level = Some(name);
        } else if let Some(id) = pair.strip_prefix("group=") {
            // An id has nothing that is encoded; what has is none, and is told as that.
            group = id.to_owned();
        } else {
            rest.push(pair);
        }
    }
    let door = match level {
        Some("system") => Door::System,
        Some("patient") => Door::Patient,
        Some("group") => Door::Group(group),
        _ => return Err(Reply::error(400, "invalid", "`level` is one of system, patient, group")),
    };
    Ok((door, rest.join("&")))
}

fn told(app: &App, call: &Call<'_>) -> Value {
    let now = app.now();
    let now_text = instant(now);
    let setting = Setting {
        assume_async: true,
        ..app.offer.setting(&now_text)
    };
    let kickoff = match kickoff::read(call, &setting) {
        Ok(kickoff) => kickoff,
        Err(refusal) => return wrong(refusal.faults.iter().map(|fault| of_fault(fault, &call.door))),
    };
    if let Err(reply) = handler::in_the_data(app, &kickoff, now) {
        return wrong(reply.issues.iter().map(|issue| of_issue(issue, &kickoff)));
    }
    let cohort = cohort(app, &kickoff);
    let order = Order {
        kickoff,
        reach: Reach::Everything,
    };
    let request = order.request(cohort, &setting);
    let plan = request.map(|request| Plan::compile(&request, &app.offer.registry));
    match plan {
        Some(Ok(plan)) => json!({ "ok": true, "text": plan.explain() }),
        // The reader has compiled it already.
        _ => wrong([json!({ "text": "this cannot be applied" })]),
    }
}

/// The cohort as the plan tells it: all patients where none are listed. Who is in a Group is found when the job runs.
fn cohort(app: &App, kickoff: &Kickoff) -> Option<Cohort> {
    let cohort = kickoff.cohort()?;
    if kickoff.door == Door::Patient && kickoff.patients.is_none() {
        let patients = app.keeper.current().patients();
        return Some(Cohort { patients, ..cohort });
    }
    Some(cohort)
}

fn wrong(issues: impl IntoIterator<Item = Value>) -> Value {
    let issues: Vec<Value> = issues.into_iter().take(MOST_ISSUES).collect();
    json!({ "ok": false, "issues": issues })
}

/// A fault with its place in the text, in the units that JavaScript counts texts in.
fn of_fault(fault: &Fault, door: &Door) -> Value {
    let problem = &fault.problem;
    let parameter = match (&fault.place, door) {
        (Place::Path, Door::Group(_)) => "group",
        _ => problem.option,
    };
    let mut text: String = problem.message.chars().take(MOST_MESSAGE).collect();
    if let Some(help) = &problem.help {
        text = format!("{text}; {help}");
    }
    let units = |end: usize| problem.text.get(..end).map(|text| text.encode_utf16().count());
    match (units(problem.span.start), units(problem.span.end)) {
        (Some(start), Some(end)) if !problem.text.is_empty() => {
            json!({ "text": text, "parameter": parameter, "value": &*problem.text, "start": start, "end": end })
        }
        _ => json!({ "text": text, "parameter": parameter }),
    }
}

/// What the data says: of the Group, or of patients.
fn of_issue(issue: &Issue, kickoff: &Kickoff) -> Value {
    let is_listed = issue.expression.is_some() || issue.location.is_some();
    let parameter = match kickoff.door {
        Door::Group(_) if !is_listed => "group",
        _ => "patient",
    };
    let text = issue.diagnostics.strip_prefix(&format!("{parameter}: "));
    let text = text.or_else(|| issue.diagnostics.strip_prefix("Group: "));
    json!({ "text": text.unwrap_or(&issue.diagnostics), "parameter": parameter })
}
