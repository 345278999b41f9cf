//! Files that are held in memory, with what a browser has to know to keep them and to hold them in.

use std::fmt::Write as _;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use sha2::{Digest as _, Sha256};

use crate::reply::with_header;

/// Changes with the contents: a newer server's page is never mixed with an older one's.
pub(crate) fn tag(bytes: &[u8]) -> String {
    let mut tag = "\"".to_owned();
    for byte in &Sha256::digest(bytes)[..12] {
        // Writing to a string cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// The file, or that the browser has it.
pub(crate) fn give(media_type: &str, tag: &str, bytes: Bytes, policy: &str, headers: &HeaderMap) -> Response {
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut known = known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','));
    let is_known = known.any(|known| known.trim().trim_start_matches("W/") == tag);
    let mut response = Response::new(if is_known { Body::empty() } else { bytes.into() });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    for (name, value) in [
        ("content-type", media_type),
        ("cache-control", "no-cache"),
        ("etag", tag),
        ("content-security-policy", policy),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        response = with_header(response, name, value);
    }
    response
}
