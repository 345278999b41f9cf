//! Pages of other origins, in browsers: which may ask the FHIR routes, and what their browsers have to be told (CORS).
//!
//! Whoever is not listed is answered as if there were none of this: their browser keeps the answer from them. Credentials that
//! a browser would send by itself are never allowed; tokens are sent by the page's own hand.

use std::fmt;
use std::str::FromStr;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::Shared;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, DELETE");
/// What clients send that browsers ask about first.
const TAKEN: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, Accept, Prefer, Range, If-Range, If-None-Match, If-Match, If-Modified-Since, If-Unmodified-Since",
);
/// What the server tells in headers; a page sees no others.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Content-Location, Retry-After, X-Progress, X-Export-Status, Preference-Applied, Expires, Location, ETag, Last-Modified, \
     Content-Length, Content-Encoding, Content-Range, Accept-Ranges, Content-Disposition, Repr-Digest, Allow, WWW-Authenticate, \
     X-Request-Id, Opc-Request-Id, Access-Control-Expose-Headers",
);
/// Two hours: browsers take no more.
const KEPT: HeaderValue = HeaderValue::from_static("7200");

/// An origin as browsers write it, as `https://app.example.org`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// Which origins may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// None but the server's own, which needs no permission.
    #[default]
    None,
    /// Every one.
    Any,
    /// These.
    Listed(Vec<Origin>),
}

/// Why a text is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoOrigin {
    /// Neither `http://` nor `https://` and a host.
    Shape,
    /// More than an origin: a path, or a slash at the end.
    Path,
    /// A port that browsers leave out.
    Port,
    /// What every page in a sandbox and every file on a disk calls itself.
    Null,
    /// `*` beside others.
    Star,
}

impl fmt::Display for NoOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoOrigin::Shape => {
                "expected an origin as browsers send it, as in https://app.example.org or http://localhost:5173, in small letters"
            }
            NoOrigin::Path => "expected an origin: without a path, and without a slash at the end",
            NoOrigin::Port => "browsers leave out the ports 80 of http and 443 of https; leave it out too",
            NoOrigin::Null => "`null` is every page in a sandbox and every file on a disk; it cannot be allowed",
            NoOrigin::Star => "`*` allows every origin; leave out the others",
        })
    }
}

impl std::error::Error for NoOrigin {}

impl FromStr for Origin {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        if text == "null" {
            return Err(NoOrigin::Null);
        }
        let (scheme, rest) = text.split_once("://").ok_or(NoOrigin::Shape)?;
        let usual_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return Err(NoOrigin::Shape),
        };
        if rest.contains(['/', '?', '#']) {
            return Err(NoOrigin::Path);
        }
        let uri: Uri = text.parse().map_err(|_| NoOrigin::Shape)?;
        let authority = uri.authority().ok_or(NoOrigin::Shape)?;
        let host = authority.host();
        let port = rest.strip_prefix(host).ok_or(NoOrigin::Shape)?;
        let is_host = host.starts_with('[')
            || host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if host.is_empty() || !is_host || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(NoOrigin::Shape);
        }
        match (port.strip_prefix(':'), authority.port_u16()) {
            (Some(_), Some(port)) if port == usual_port => return Err(NoOrigin::Port),
            // Nobody writes zeros before a port.
            (Some(written), Some(port)) if written == port.to_string() => {}
            (None, None) if port.is_empty() => {}
            _ => return Err(NoOrigin::Shape),
        }
        HeaderValue::from_str(text).map(Origin).map_err(|_| NoOrigin::Shape)
    }
}

impl Origins {
    /// Those that are named; `*` alone is every one.
    ///
    /// # Errors
    /// The first that is none, and why.
    pub fn of(texts: &[String]) -> Result<Origins, (&str, NoOrigin)> {
        match texts {
            [] => Ok(Origins::None),
            [star] if star == "*" => Ok(Origins::Any),
            _ if texts.iter().any(|text| text == "*") => Err(("*", NoOrigin::Star)),
            _ => {
                let read = texts
                    .iter()
                    .map(|text| text.parse().map_err(|why| (text.as_str(), why)));
                Ok(Origins::Listed(read.collect::<Result<_, _>>()?))
            }
        }
    }

    /// Whether a page of another origin asks that may: what it is to be told.
    fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut given = headers.get_all(ORIGIN).iter();
        let origin = given.next()?;
        // Of two origins none is the one that asks.
        if given.next().is_some() {
            return None;
        }
        match self {
            Origins::None => None,
            Origins::Any => Some(HeaderValue::from_static("*")),
            Origins::Listed(listed) => listed.iter().any(|Origin(one)| one == origin).then(|| origin.clone()),
        }
    }

    /// Whether the request comes from a page of an origin that was named.
    pub(crate) fn names(&self, headers: &HeaderMap) -> bool {
        matches!(self, Origins::Listed(_)) && self.allowed(headers).is_some()
    }
}

/// Answers what browsers ask beforehand, and tells them of the other answers, good and bad, that the page may read them.
pub(crate) async fn told(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let origins = &app.rules.origins;
    if *origins == Origins::None {
        return next.run(request).await;
    }
    let allowed = origins.allowed(request.headers());
    let asks_beforehand =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if allowed.is_some() && asks_beforehand {
        permission()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    // Of one origin's answer nothing is kept for another.
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(allowed) = allowed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if !asks_beforehand {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
    response
}

fn permission() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, TAKEN);
    headers.insert(ACCESS_CONTROL_MAX_AGE, KEPT);
    response
}

#[cfg(test)]
mod tests;
