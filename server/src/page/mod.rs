//! The page for people at `/`: what data is here, jobs as they go, and a form that starts exports (DESIGN 9).
//!
//! The page itself is a few files without a build step, held in the binary. It asks for nothing from elsewhere, and its
//! policy of contents forbids it to. What it shows comes from three routes of its own, which are no part of the API; what it
//! does it does as any client would.

mod explain;
mod files;
pub(crate) mod held;
mod live;
mod overview;
#[cfg(test)]
pub(crate) mod tests;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::routing::{get, post};

use crate::app::Shared;
use crate::handlers::here;
use crate::outcome::Reply;
pub use live::Streams;

/// The routes. `base_path` is where the FHIR base lies on this server, whatever clients see.
pub(crate) fn routes(base_path: &str) -> Router<Shared> {
    let base_path: std::sync::Arc<str> = base_path.into();
    let overview = move |_: Seen, app| overview::overview(app, base_path.clone());
    Router::new()
        .route("/", get(files::index))
        .route("/page/{name}", get(files::file))
        .route("/page/overview", get(overview))
        .route("/page/jobs", get(live::jobs))
        .route("/page/explain", post(explain::explain).get(explain::explain))
}

/// Shows that whoever asks may see what the page shows: everybody where everything is open, else this machine.
pub(crate) struct Seen;

impl FromRequestParts<Shared> for Seen {
    type Rejection = Reply;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Reply> {
        if app.rules.is_open {
            return Ok(Seen);
        }
        here::asked_here(parts, app).map(|()| Seen)
    }
}
