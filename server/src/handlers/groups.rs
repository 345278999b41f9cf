//! Groups, for those who choose one to export (SPEC 2.2: search and read).

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};

use super::{Id, id};
use crate::access::{Access, Rows};
use crate::app::Shared;
use crate::catalogue::{read_group, search_groups};
use crate::outcome::{self, Reply};
use crate::reply::{Answer, body, panicked};

/// The decoded pairs of a query, in their order.
type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;

pub(crate) async fn search(State(app): State<Shared>, given: Pairs, headers: HeaderMap) -> Answer {
    let access = app.access(&headers).await?;
    let Query(pairs) = given.map_err(|_| Reply::error(400, "invalid", "the query cannot be decoded"))?;
    let may_read = may_read(&access);
    let work = move || search_groups(&app.keeper.current(), &pairs, &app.offer.public_base, may_read);
    let bundle = tokio::task::spawn_blocking(work).await.map_err(panicked)??;
    Ok(body(StatusCode::OK, outcome::CONTENT_TYPE, bundle))
}

pub(crate) async fn read(State(app): State<Shared>, given: Id, headers: HeaderMap) -> Answer {
    let access = app.access(&headers).await?;
    let id = id(given, "Group")?;
    let catalogue = app.keeper.current();
    let line = read_group(&catalogue, &id, may_read(&access))?;
    Ok(body(StatusCode::OK, outcome::CONTENT_TYPE, line.trim_ascii().to_vec()))
}

/// A condition on Groups cannot be held against a list of them here, so with one there are none.
fn may_read(access: &Access) -> bool {
    access.reach.rows("Group") == Some(&Rows::All)
}
