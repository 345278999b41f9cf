//! The answer to a request for a file.

use std::fs::File;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, HeaderName, LAST_MODIFIED, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fhirehose_store::StoredFile;

use super::body::{FileBody, Source};
use super::coding::{self, Coding, Stored};
use super::condition::{self, Validators, Verdict};
use super::range::{self, Part};
use crate::outcome::{self, Reply};

/// The digest of a representation (RFC 9530).
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// A file that is given out.
pub struct Served<'a> {
    /// Open for reading. Where it stands does not matter.
    pub file: File,
    /// What is known of it.
    pub stored: &'a StoredFile,
    /// How it is stored.
    pub coding: Stored,
    /// When it was finished.
    pub modified: SystemTime,
    /// Of what it inflates to, where it is gzip: `application/fhir+ndjson`.
    pub content_type: &'static str,
    /// Dropped when the last byte has been handed to the connection, or the client has gone.
    pub hold: Box<dyn Send>,
}

/// What is sent of a file, and under which name.
struct Representation {
    validators: Validators,
    /// How long it is, where that is known: then it can be had in parts.
    length: Option<u64>,
    headers: HeaderMap,
}

/// Answers a GET or HEAD: 200, 206, 304, 406, 412 or 416, the last three with an OperationOutcome. The first piece of
/// the file is read before the answer is begun.
///
/// # Errors
///
/// Where the file cannot be read, or is not as long as it was stored: a fault of the server, to be told as such.
/// Later faults of that kind end the connection; where an inflated file goes to a client of HTTP/1.0, that end is the
/// only one there is, and the client's check sums have to tell.
pub async fn send(served: Served<'_>, method: &Method, headers: &HeaderMap) -> io::Result<Response<Body>> {
    let Some(coding) = coding::choose(headers, served.coding) else {
        let text = "the file cannot be had in any coding that Accept-Encoding lets through; identity always can";
        let mut response = refusal(&Reply::error(406, "not-supported", text));
        response
            .headers_mut()
            .insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        return Ok(response);
    };
    let representation = Representation::of(&served, coding);
    match condition::judge(headers, &representation.validators) {
        Verdict::Send => {}
        Verdict::NotModified => return Ok(representation.not_modified()),
        Verdict::Failed => {
            let text = "the file is not the one that If-Match or If-Unmodified-Since asks for";
            return Ok(refusal(&Reply::error(412, "conflict", text)));
        }
    }
    if method == Method::HEAD {
        return Ok(representation.head());
    }
    let part = representation.length.map_or(Part::Whole, |length| {
        range::part(headers, &representation.validators, length)
    });
    if part == Part::Nothing {
        let length = served.stored.bytes;
        let text = format!("the range is beyond the end; there are {length} bytes");
        let reply = Reply::error(416, "invalid", text).with_header("Content-Range", format!("bytes */{length}"));
        return Ok(refusal(&reply));
    }
    representation.with_body(served, part).await
}

impl Representation {
    fn of(served: &Served<'_>, coding: Coding) -> Self {
        let is_stored_so = (coding == Coding::Gzip) == (served.coding == Stored::Gzip);
        let suffix = match (coding, is_stored_so) {
            (Coding::Gzip, _) => "-gzip",
            (Coding::Identity, true) => "",
            (Coding::Identity, false) => "-inflated",
        };
        let validators = Validators {
            etag: format!("\"{}{suffix}\"", URL_SAFE_NO_PAD.encode(served.stored.sha256)),
            modified: whole_seconds(served.modified),
            is_date_strong: served.coding == Stored::Plain,
        };
        let mut headers = HeaderMap::with_capacity(16);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(served.content_type));
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        // Data of patients.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if coding == Coding::Gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let ranges = if is_stored_so { "bytes" } else { "none" };
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static(ranges));
        let mut add = |name: HeaderName, value: String| {
            // All of them are made here, of characters that a header can have.
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        };
        add(ETAG, validators.etag.clone());
        if let Some(modified) = validators.modified {
            add(LAST_MODIFIED, httpdate::fmt_http_date(modified));
        }
        if is_stored_so {
            add(
                REPR_DIGEST,
                format!("sha-256=:{}:", STANDARD.encode(served.stored.sha256)),
            );
        }
        if let Some(name) = download_name(&served.stored.name) {
            add(CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""));
        }
        Representation {
            validators,
            length: is_stored_so.then_some(served.stored.bytes),
            headers,
        }
    }

    /// 304, with the headers that RFC 9110 wants there and no others.
    fn not_modified(mut self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        for name in [ETAG, LAST_MODIFIED, VARY, CACHE_CONTROL] {
            if let Some(value) = self.headers.remove(&name) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    /// What a GET would be answered with, without its body.
    fn head(self) -> Response<Body> {
        // Not `empty`, whose length is known to be nothing, which is not what a GET would give.
        let nothing = futures_util::stream::empty::<Result<bytes::Bytes, std::convert::Infallible>>();
        let mut response = Response::new(Body::from_stream(nothing));
        *response.headers_mut() = self.headers;
        if let Some(length) = self.length {
            response.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        response
    }

    async fn with_body(self, served: Served<'_>, part: Part) -> io::Result<Response<Body>> {
        let stored = served.stored.bytes;
        let Served { file, hold, .. } = served;
        let inflates = self.length.is_none();
        let (first, count) = match part {
            Part::Bytes { first, count } => (first, count),
            Part::Whole | Part::Nothing => (0, stored),
        };
        let body = FileBody::begin(&served.stored.id, move || {
            if file.metadata()?.len() != stored {
                return Err(io::Error::other("the file is not as long as it was stored"));
            }
            // No bytes are no gzip, and inflate to none.
            if inflates && stored > 0 {
                Ok(Source::inflated(file, stored, hold))
            } else {
                Source::part(file, first, count, hold)
            }
        });
        let mut response = Response::new(Body::new(body.await?));
        *response.headers_mut() = self.headers;
        if !inflates {
            response.headers_mut().insert(CONTENT_LENGTH, count.into());
        }
        if matches!(part, Part::Bytes { .. }) {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let range = format!("bytes {first}-{}/{stored}", first + count - 1);
            if let Ok(range) = HeaderValue::try_from(range) {
                response.headers_mut().insert(CONTENT_RANGE, range);
            }
        }
        Ok(response)
    }
}

/// As HTTP writes it; nothing for what it cannot write.
fn whole_seconds(time: SystemTime) -> Option<SystemTime> {
    /// The first second of the year 10000.
    const TOO_LATE: u64 = 253_402_300_800;
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    (seconds < TOO_LATE).then(|| UNIX_EPOCH + Duration::from_secs(seconds))
}

/// The name under which a client may keep what it has after taking the coding off.
fn download_name(name: &str) -> Option<&str> {
    let name = name.rsplit('/').next().unwrap_or(name);
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let is_harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_name = !name.is_empty() && !name.starts_with('.') && name.bytes().all(is_harmless);
    is_name.then_some(name)
}

fn refusal(reply: &Reply) -> Response<Body> {
    let mut response = Response::new(Body::from(reply.body()));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(outcome::CONTENT_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in &reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}
