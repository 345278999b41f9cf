//! Groups, for those who choose one to export (SPEC 2.2: search and read).

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};

use super::{Id, id};
use crate::access::Access;
use crate::app::Shared;
use crate::catalogue::search::search_groups;
use crate::outcome::{self, Reply};
use crate::reply::{Answer, body, panicked};

pub(crate) async fn search(State(app): State<Shared>, RawQuery(query): RawQuery, headers: HeaderMap) -> Answer {
    let access = app.access(&headers).await?;
    may_read(&access)?;
    let work = move || search_groups(&app.keeper.current(), &app.offer.public_base, query.as_deref());
    let bundle = tokio::task::spawn_blocking(work).await.map_err(panicked)??;
    Ok(body(StatusCode::OK, outcome::CONTENT_TYPE, bundle))
}

pub(crate) async fn read(State(app): State<Shared>, given: Id, headers: HeaderMap) -> Answer {
    let access = app.access(&headers).await?;
    may_read(&access)?;
    let id = id(given, "Group")?;
    let catalogue = app.keeper.current();
    let line = catalogue.group(&id).ok_or_else(|| Reply::not_found("Group"))?;
    Ok(body(StatusCode::OK, outcome::CONTENT_TYPE, line.trim_ascii().to_vec()))
}

fn may_read(access: &Access) -> Result<(), Reply> {
    match access.reach.rows("Group") {
        // A condition on Groups cannot be held against a list of them here.
        Some(crate::access::Rows::All) => Ok(()),
        _ => Err(Reply::forbidden("the scopes of the token do not allow reading Group")),
    }
}
