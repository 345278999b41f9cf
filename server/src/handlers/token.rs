//! `POST /auth/token`: SMART Backend Services (SPEC 2.15).

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use crate::app::Shared;
use crate::auth::{self, TokenReply};
use crate::net::read_body;
use crate::outcome::Reply;
use crate::reply::Answer;

/// An assertion is some hundred bytes, a list of scopes some thousand.
const MOST_BODY: usize = 256 << 10;
const BODY_TIME: Duration = Duration::from_secs(10);

pub(crate) async fn token(State(app): State<Shared>, request: Request) -> Answer {
    let (parts, sent) = request.into_parts();
    let sent = read_body(sent, MOST_BODY, BODY_TIME).await;
    let sent = sent.map_err(|_| Reply::error(400, "invalid", "the body is too long, or did not come whole"))?;
    let text = |name| {
        parts
            .headers
            .get(name)
            .map(|value: &HeaderValue| value.to_str().unwrap_or_default())
    };
    let reply = auth::token(
        &app.authority,
        text(CONTENT_TYPE),
        text(AUTHORIZATION),
        &sent,
        app.now(),
    )
    .await;
    Ok(response(reply))
}

fn response(reply: TokenReply) -> Response {
    let mut headers = HeaderMap::new();
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
            headers.append(name, value);
        }
    }
    let mut response = Response::new(reply.body.into());
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    response
}
