//! For whoever runs the server: reading the data anew.

use axum::extract::{Request, State};
use axum::http::StatusCode;

use super::here::asked_here;
use crate::app::Shared;
use crate::outcome::{self, Issue, Reply, Severity};
use crate::reply::{Answer, body, panicked};

/// `POST /admin/reload`, from this machine only.
pub(crate) async fn reload(State(app): State<Shared>, request: Request) -> Answer {
    asked_here(&request.into_parts().0, &app)?;
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
