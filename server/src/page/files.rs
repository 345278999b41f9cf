//! The files of the page, as they are in the binary, with what a browser has to know to keep them and to hold them in.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use sha2::{Digest as _, Sha256};

use crate::outcome::Reply;
use crate::reply::{Answer, with_header};

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
            tag: LazyLock::new(|| tag(include_str!($name))),
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

/// Changes with the contents: a newer server's page is never mixed with an older one's.
fn tag(text: &str) -> String {
    let mut tag = "\"".to_owned();
    for byte in &Sha256::digest(text)[..12] {
        // Writing to a string cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

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
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut known = known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','));
    let is_known = known.any(|tag| tag.trim().trim_start_matches("W/") == *file.tag);
    let mut response = Response::new(if is_known { "".into() } else { file.text.into() });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    for (name, value) in [
        ("content-type", file.media_type),
        ("cache-control", "no-cache"),
        ("etag", &file.tag),
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        response = with_header(response, name, value);
    }
    Ok(response)
}
