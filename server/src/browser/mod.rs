//! The demo page at `/browser/`: the engine as WebAssembly, for people. Held in memory, from the program or from a folder.
//!
//! It is built apart (`scripts/wasm-demo`): a server can be compiled without a toolchain for WebAssembly.

pub(crate) mod folder;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path as Step, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;

use crate::app::Shared;
use crate::outcome::Reply;
use crate::page::held;
use crate::reply::{Answer, body, with_header};

/// Scripts and styles are files, the module may be compiled, and the page may ask other servers: that is what it is for.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
                      worker-src 'self'; connect-src *; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      object-src 'none'";
const HOW: &str = "there is no demo page in this server; build it with scripts/wasm-demo, and name its folder: \
                   fhirehose serve --browser-page target/wasm/demo\n";

/// Name, media type and contents of each file.
static EMBEDDED: &[(&str, &str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/browser_page.rs"));

/// A built page in memory; may be none.
#[derive(Clone, Debug, Default)]
pub struct Site(BTreeMap<String, File>);

#[derive(Clone, Debug)]
struct File {
    media_type: &'static str,
    bytes: Bytes,
    tag: String,
}

impl Site {
    /// The page that is part of the program, if it was built with one.
    #[must_use]
    pub fn embedded() -> Site {
        let files = EMBEDDED
            .iter()
            .map(|&(name, media_type, bytes)| (name.to_owned(), File::of(media_type, Bytes::from_static(bytes))));
        Site(files.collect())
    }

    /// The page in a folder, as it is now.
    ///
    /// # Errors
    /// It cannot be read, or holds no page.
    pub fn read(folder: &Path) -> io::Result<Site> {
        let mut files = BTreeMap::new();
        for found in folder::list(folder)? {
            let bytes = fs::read(&found.path)?;
            files.insert(found.name, File::of(found.media_type, bytes.into()));
        }
        Ok(Site(files))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl File {
    fn of(media_type: &'static str, bytes: Bytes) -> File {
        let tag = held::tag(&bytes);
        File { media_type, bytes, tag }
    }
}

/// The routes.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/browser", get(beginning))
        .route("/browser/", get(index))
        .route("/browser/{*name}", get(file))
}

/// What the page asks for lies below it, so the slash matters.
async fn beginning(State(app): State<Shared>) -> Answer {
    if app.browser.is_empty() {
        return Ok(how());
    }
    let response = body(StatusCode::TEMPORARY_REDIRECT, "text/plain; charset=utf-8", "");
    Ok(with_header(response, "location", "browser/"))
}

async fn index(State(app): State<Shared>, headers: HeaderMap) -> Answer {
    give(&app.browser, "index.html", &headers)
}

async fn file(State(app): State<Shared>, given: Result<Step<String>, PathRejection>, headers: HeaderMap) -> Answer {
    let name = given.map(|Step(name)| name).unwrap_or_default();
    give(&app.browser, &name, &headers)
}

/// Names are looked up among those that were read, so no path leads anywhere else.
fn give(site: &Site, name: &str, headers: &HeaderMap) -> Answer {
    if site.is_empty() {
        return Ok(how());
    }
    let file = site.0.get(name).ok_or_else(|| Reply::not_found("page"))?;
    Ok(held::give(
        file.media_type,
        &file.tag,
        file.bytes.clone(),
        POLICY,
        headers,
    ))
}

fn how() -> Response {
    body(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", HOW)
}
