//! Whether a request comes from the server's own machine, and not on behalf of somebody else.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};

use crate::app::App;
use crate::outcome::Reply;

/// What proxies tell of those they speak for.
const FORWARDED: [&str; 6] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

const SEC_FETCH_SITE: header::HeaderName = header::HeaderName::from_static("sec-fetch-site");

/// Refuses everybody but this machine. A proxy on it speaks for others, and so does a page from elsewhere in a browser on it:
/// under its own name, or under a name of its that leads here.
pub(crate) fn asked_here(parts: &Parts, app: &App) -> Result<(), Reply> {
    may_ask(parts, app, false)
}

/// The same for what pages of some other origins may ask as well: those whose origin was named when the server was started.
pub(crate) fn asked_here_or_by_guest(parts: &Parts, app: &App) -> Result<(), Reply> {
    may_ask(parts, app, app.rules.origins.names(&parts.headers))
}

fn may_ask(parts: &Parts, app: &App, is_guest: bool) -> Result<(), Reply> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let is_local = peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
    let headers = &parts.headers;
    let is_forwarded = FORWARDED.iter().any(|name| headers.contains_key(*name));
    let host = text(headers, header::HOST).or(parts.uri.authority().map(|authority| authority.as_str()));
    // Of two hosts none is the one that was meant.
    let has_one_host = headers.get_all(header::HOST).iter().count() <= 1;
    let is_ours = has_one_host
        && host.is_some_and(|host| is_loopback(host) || Some(host) == authority(&app.offer.public_base).as_deref());
    let has_own_origin = match text(headers, header::ORIGIN) {
        None => !headers.contains_key(header::ORIGIN),
        Some(origin) => authority(origin).as_deref() == host,
    };
    // A link from elsewhere may lead to the pages, and to nothing else.
    let is_from_elsewhere = text(headers, SEC_FETCH_SITE).is_some_and(|site| site == "cross-site");
    let may_come = !is_from_elsewhere || matches!(parts.uri.path(), "/" | "/browser" | "/browser/");
    // A proxy need not say that it is one; whoever has set one up has told the server.
    let is_proxied = app.rules.is_proxied && !app.rules.is_open;
    if is_local && !is_forwarded && !is_proxied && is_ours && (is_guest || (has_own_origin && may_come)) {
        return Ok(());
    }
    Err(Reply::forbidden("this is answered to the server's own machine only"))
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn authority(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    uri.authority().map(|authority| authority.as_str().to_owned())
}

/// Whether a URL leads to this machine by its name.
pub(crate) fn is_of_this_machine(url: &str) -> bool {
    authority(url).is_some_and(|host| is_loopback(&host))
}

fn is_loopback(host: &str) -> bool {
    let Ok(host) = host.parse::<axum::http::uri::Authority>() else {
        return false;
    };
    let name = host.host().trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
