//! What the server says of itself, which everybody may know.

use axum::extract::State;
use axum::http::StatusCode;

use super::{Id, id};
use crate::app::{App, Shared};
use crate::auth::smart;
use crate::discovery::{Described, capability_statement, openapi, operation_definition};
use crate::offer::instant;
use crate::outcome::{CONTENT_TYPE, Reply};
use crate::reply::{Answer, body};

pub(crate) async fn metadata(State(app): State<Shared>) -> Answer {
    let token_url = token_url(&app);
    let described = Described {
        offer: &app.offer,
        date: &instant(app.keeper.current().scanned),
        token_url: token_url.as_deref(),
    };
    Ok(body(StatusCode::OK, CONTENT_TYPE, capability_statement(&described)))
}

pub(crate) async fn smart_configuration(State(app): State<Shared>) -> Answer {
    if app.rules.is_open {
        return Err(Reply::error(404, "not-found", "the server is open: no token is needed"));
    }
    let catalogue = app.keeper.current();
    let types: Vec<&str> = catalogue.types().keys().map(String::as_str).collect();
    Ok(body(
        StatusCode::OK,
        "application/json",
        smart::configuration(&app.authority, &types),
    ))
}

pub(crate) async fn operation(State(app): State<Shared>, given: Id) -> Answer {
    let id = id(given, "OperationDefinition")?;
    let definition = operation_definition(&app.offer, &id).ok_or_else(|| Reply::not_found("OperationDefinition"))?;
    Ok(body(StatusCode::OK, CONTENT_TYPE, definition))
}

pub(crate) async fn api(State(app): State<Shared>) -> Answer {
    Ok(body(
        StatusCode::OK,
        "application/json",
        openapi(&app.offer, app.rules.is_open),
    ))
}

fn token_url(app: &App) -> Option<String> {
    (!app.rules.is_open).then(|| app.url("auth/token"))
}
