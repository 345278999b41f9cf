//! The files of the page, as they are in the binary.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::HeaderMap;

use super::held;
use crate::outcome::Reply;
use crate::reply::Answer;

/// Nothing from elsewhere, nothing inline, no frame around it, and no text that is taken for markup.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
                      object-src 'none'; require-trusted-types-for 'script'";

struct File {
    name: &'static str,
    media_type: &'static str,
    text: &'static str,
    tag: LazyLock<String>,
}

macro_rules! file {
    ($name:literal, $media_type:literal) => {
        File {
            name: $name,
            media_type: $media_type,
            text: include_str!($name),
            tag: LazyLock::new(|| held::tag(include_bytes!($name))),
        }
    };
}

static FILES: [File; 12] = [
    file!("index.html", "text/html; charset=utf-8"),
    file!("style.css", "text/css; charset=utf-8"),
    file!("icon.svg", "image/svg+xml"),
    file!("api.js", "text/javascript; charset=utf-8"),
    file!("app.js", "text/javascript; charset=utf-8"),
    file!("data.js", "text/javascript; charset=utf-8"),
    file!("dom.js", "text/javascript; charset=utf-8"),
    file!("filters.js", "text/javascript; charset=utf-8"),
    file!("form.js", "text/javascript; charset=utf-8"),
    file!("format.js", "text/javascript; charset=utf-8"),
    file!("jobs.js", "text/javascript; charset=utf-8"),
    file!("kickoff.js", "text/javascript; charset=utf-8"),
];

pub(super) async fn index(headers: HeaderMap) -> Answer {
    give("index.html", &headers)
}

pub(super) async fn file(given: Result<Path<String>, PathRejection>, headers: HeaderMap) -> Answer {
    let name = given.map(|Path(name)| name).unwrap_or_default();
    give(&name, &headers)
}

fn give(name: &str, headers: &HeaderMap) -> Answer {
    let file = FILES.iter().find(|file| file.name == name);
    let file = file.ok_or_else(|| Reply::not_found("page"))?;
    let bytes = Bytes::from_static(file.text.as_bytes());
    Ok(held::give(file.media_type, &file.tag, bytes, POLICY, headers))
}
