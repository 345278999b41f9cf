//! For whoever runs the server: reading the data anew.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};

use crate::app::Shared;
use crate::outcome::{self, Issue, Reply, Severity};
use crate::reply::{Answer, body, panicked};

/// `POST /admin/reload`, from this machine only.
pub(crate) async fn reload(
    State(app): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Answer {
    // A proxy on this machine speaks for others.
    let is_forwarded = ["forwarded", "x-forwarded-for", "origin"]
        .iter()
        .any(|name| headers.contains_key(*name));
    if is_forwarded || !peer.ip().to_canonical().is_loopback() {
        return Err(Reply::forbidden("this is answered to the server's own machine only"));
    }
    let now = app.now();
    let keeper = app.keeper.clone();
    let reloaded = tokio::task::spawn_blocking(move || keeper.reload(now))
        .await
        .map_err(panicked)?;
    let reloaded = reloaded.map_err(|error| {
        tracing::error!(%error, "the data cannot be read anew");
        Reply::error(
            500,
            "exception",
            "the data cannot be read anew; what was read before stays; the log says why",
        )
    })?;
    let text = if reloaded.changed {
        "the data have changed and were read anew"
    } else {
        "the data are as they were"
    };
    let issue = Issue::new(Severity::Information, "informational", text);
    Ok(body(StatusCode::OK, outcome::CONTENT_TYPE, outcome::json(&[issue])))
}
