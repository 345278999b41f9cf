//! Finished files: at once, or by a URL that is good for a while (SPEC 1.1 O4, 2.13).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode};
use fhirehose_store::{Asker, Folder, Job, Listing, StoredFile};

use super::{Id, acceptable, id};
use crate::access::Reach;
use crate::app::{App, Shared};
use crate::files::{Served, SignedFault, Stored, send};
use crate::job::facts::Facts;
use crate::job::order::Types;
use crate::job::shown::{Shown, shown};
use crate::outcome::Reply;
use crate::outputs::OutputsError;
use crate::profile::{Files, Route};
use crate::reply::{Answer, body, failed, with_header};

const CONTENT_TYPE: &str = "application/fhir+ndjson";

pub(crate) async fn file(State(app): State<Shared>, method: Method, given: Id, headers: HeaderMap) -> Answer {
    let access = app.access(&headers).await?;
    let id = id(given, "file")?;
    acceptable(&app, Route::File, &headers)?;
    let (job, file) = find(&app, &id, Asker::Owner(&access.owner)).await?;
    let facts = facts(&app, &job).await?;
    may_have(&file, &access.reach, &facts)?;
    if method == Method::GET {
        audit(&job, &file, &access.client);
    }
    let Files::Redirect(good_for) = app.offer.profile.files else {
        return give(&app, &job, &file, &method, &headers).await;
    };
    redirect(&app, &file, good_for)
}

/// The same by a signed URL: whoever has it may have the file, so nothing else is asked for.
pub(crate) async fn signed(
    State(app): State<Shared>,
    method: Method,
    given: Id,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let id = id(given, "file")?;
    let checked = app.signer.check(&id, query.as_deref(), app.now());
    checked.map_err(SignedFault::reply)?;
    let (job, file) = find(&app, &id, Asker::Server).await?;
    give(&app, &job, &file, &method, &headers).await
}

async fn find(app: &App, id: &str, asker: Asker<'_>) -> Result<(Job, StoredFile), Reply> {
    let found = app.store.file(id, Listing::SoFar, asker).await?;
    let (job, file) = found.ok_or_else(|| Reply::not_found("file"))?;
    if shown(&job, app.now()) == Shown::Gone {
        return Err(Reply::not_found("file"));
    }
    // Files of a running job are there for those who were told of them.
    if job.state == fhirehose_store::State::Running && !facts(app, &job).await?.is_partial {
        return Err(Reply::not_found("file"));
    }
    Ok((job, file))
}

async fn facts(app: &App, job: &Job) -> Result<Arc<Facts>, Reply> {
    let profile = app.offer.profile_of(&job.profile);
    app.remembered.of(job, profile, &*app.store).await?.ok_or_else(failed)
}

/// The token at hand may have less reach than the one that the job was started by: then it does not have what that one
/// could.
fn may_have(file: &StoredFile, reach: &Reach, facts: &Facts) -> Result<(), Reply> {
    let refused = |type_name: &str| {
        let text = format!("the scopes of the token do not allow reading all that this file may hold of {type_name}");
        Err(Reply::forbidden(text))
    };
    let covers = |type_name: &str| reach.covers(type_name, &facts.reach);
    match (file.folder, file.resource_type.as_deref(), &facts.types) {
        // Places of lines that could not be read.
        (Folder::Error, ..) => Ok(()),
        (Folder::Output, Some(type_name), _) if covers(type_name) => Ok(()),
        (Folder::Output, Some(type_name), _) => refused(type_name),
        // Blocks, and deletions: of any type of the job.
        (_, _, Types::Listed(types)) => match types.iter().find(|name| !covers(name)) {
            Some(type_name) => refused(type_name),
            None => Ok(()),
        },
        (..) if *reach == Reach::Everything => Ok(()),
        (..) => refused("every type"),
    }
}

fn redirect(app: &App, file: &StoredFile, good_for: Duration) -> Answer {
    let query = app.signer.sign(&file.id, app.now().plus(good_for));
    let url = app.url(&format!("bulk-export/store/{}?{query}", file.id));
    let mut response = body(StatusCode::TEMPORARY_REDIRECT, "application/json", "");
    response.headers_mut().remove(axum::http::header::CONTENT_TYPE);
    Ok(with_header(response, "location", &url))
}

async fn give(app: &App, job: &Job, file: &StoredFile, method: &Method, headers: &HeaderMap) -> Answer {
    let hold = app.outputs.hold(&job.id);
    let place = app.outputs.place(&job.id, job.attempt, file.folder, &file.name);
    let opened = match place {
        Ok(place) => app.outputs.open_file(&place).await,
        Err(error) => Err(error),
    };
    let opened = opened.map_err(|error| match error {
        // Deleted in this moment.
        OutputsError::NotFound => Reply::not_found("file"),
        error => {
            tracing::error!(job = job.id, file = file.id, %error, "a file cannot be sent");
            failed()
        }
    })?;
    metrics::counter!("fhirehose_files_sent_total").increment(1);
    let is_gzip = file.name.ends_with(".gz");
    let served = Served {
        file: opened.file,
        stored: file,
        coding: if is_gzip { Stored::Gzip } else { Stored::Plain },
        modified: opened.modified,
        content_type: CONTENT_TYPE,
        hold: Box::new(hold),
    };
    send(served, method, headers).await.map_err(|error| {
        tracing::error!(job = job.id, file = file.id, %error, "a file cannot be sent");
        failed()
    })
}

fn audit(job: &Job, file: &StoredFile, client: &str) {
    tracing::info!(
        target: "audit", event = "file", job = job.id, file = file.id, client, count = file.count, bytes = file.bytes,
    );
}
