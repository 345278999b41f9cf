//! One module a subject; each handler takes the request apart, asks, and answers.

pub(crate) mod admin;
pub(crate) mod discovery;
pub(crate) mod files;
pub(crate) mod groups;
pub(crate) mod health;
pub(crate) mod here;
pub(crate) mod jobs;
pub(crate) mod kickoff;
pub(crate) mod token;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::HeaderMap;

use crate::app::App;
use crate::kickoff::{Refusal, headers};
use crate::outcome::Reply;
use crate::profile::Route;

/// An id of the path. What cannot be decoded is no id of anything.
type Id = Result<Path<String>, PathRejection>;

fn id(given: Id, what: &str) -> Result<String, Reply> {
    given.map(|Path(id)| id).map_err(|_| Reply::not_found(what))
}

/// Headers as the rules read them. Values that are no text are as good as nothing.
pub(crate) fn plain(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let text = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    text.collect()
}

/// Whether the client can read what the route answers in.
fn acceptable(app: &App, route: Route, headers: &HeaderMap) -> Result<(), Reply> {
    let Some(rule) = app.offer.profile.accept(route) else {
        return Ok(());
    };
    match headers::accept(&plain(headers), rule, app.offer.assume_async) {
        Some(fault) => Err(Refusal::one(fault).into()),
        None => Ok(()),
    }
}
