//! Answers as HTTP has them: OperationOutcomes, JSON, and what the server says of itself when it fails.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::kickoff::Refusal;
use crate::outcome::{CONTENT_TYPE, Reply};

/// What a handler gives.
pub(crate) type Answer = Result<Response, Reply>;

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body()));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                headers.append(name, value);
            }
        }
        response
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        refusal.reply()
    }
}

impl From<fhirehose_store::Error> for Reply {
    /// The store's own words stay in the log: they may name files of the server.
    fn from(error: fhirehose_store::Error) -> Self {
        tracing::error!(%error, "the store failed");
        metrics::counter!("fhirehose_store_errors_total").increment(1);
        match error.kind() {
            fhirehose_store::Kind::Locked => Reply::unavailable("the server is busy; try again", 5),
            _ => failed(),
        }
    }
}

/// A fault of the server's own; the log has said what it was.
pub(crate) fn failed() -> Reply {
    Reply::error(500, "exception", "the server failed; its log says why")
}

/// Work on another thread ended in a panic, which has been told.
pub(crate) fn panicked(_: tokio::task::JoinError) -> Reply {
    failed()
}

/// A body with its media type, which nobody keeps.
pub(crate) fn body(status: StatusCode, media_type: &'static str, text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The same with a header whose value the server made itself.
pub(crate) fn with_header(mut response: Response, name: &'static str, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().append(HeaderName::from_static(name), value);
    }
    response
}
