//! What a client has to know of URLs: whose they are, what a relative one leads to, and how they are shown (RFC 3986).
//!
//! Only `http` and `https`. Whoever sends the request reads the URL again, with rules of its own (WHATWG): what the two could
//! understand in different ways (backslashes, control characters, odd letters in the host) is no URL here, because the token
//! goes by the host that is read here. The `url` crate is not used: its tables of international host names are larger than
//! the rest of the client, and hosts in URLs of servers are written in ASCII.

use std::fmt::Write;

use memchr::memmem;

/// An absolute URL, taken apart. Nothing is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts<'a> {
    is_secure: bool,
    user: Option<&'a str>,
    /// As written; compared without regard to case.
    host: &'a str,
    port: u16,
    path: &'a str,
    /// From the question mark on, or empty.
    query: &'a str,
}

/// Whether it can be asked for: an absolute URL of `http` or `https` with a host.
pub(super) fn is_absolute(url: &str) -> bool {
    parts(url).is_some()
}

/// Whose it is: `https://host:443`. `None` where it is no URL of `http` or `https`.
pub(super) fn origin(url: &str) -> Option<String> {
    let parts = parts(url)?;
    let scheme = scheme(parts.is_secure);
    Some(format!("{scheme}://{}:{}", parts.host.to_ascii_lowercase(), parts.port))
}

/// Whether it is encrypted on its way.
pub(super) fn is_secure(url: &str) -> bool {
    parts(url).is_some_and(|parts| parts.is_secure)
}

/// Whether it carries a user name or a password.
pub(super) fn has_user(url: &str) -> bool {
    parts(url).is_some_and(|parts| parts.user.is_some())
}

/// Whether it has a query.
pub(super) fn has_query(url: &str) -> bool {
    parts(url).is_some_and(|parts| !parts.query.is_empty())
}

/// Whether its path has a segment that leads elsewhere: `.` or `..`, however they are written.
pub(super) fn has_dots(url: &str) -> bool {
    let path = parts(url).map_or("", |parts| parts.path);
    path.split('/')
        .map(str::to_ascii_lowercase)
        .any(|segment| matches!(segment.as_str(), "." | "%2e" | ".." | ".%2e" | "%2e." | "%2e%2e"))
}

/// Scheme, host, port where it is not the usual one, and path: no user, no query. For messages.
pub(super) fn shown(url: &str) -> String {
    let Some(parts) = parts(url) else {
        return "a URL that cannot be read".to_owned();
    };
    let mut out = format!("{}://{}", scheme(parts.is_secure), parts.host);
    if parts.port != usual_port(parts.is_secure) {
        // Writing to a string cannot fail.
        let _ = write!(out, ":{}", parts.port);
    }
    out.push_str(parts.path);
    out
}

/// The absolute URL that a reference leads to from an absolute one (RFC 3986, 5.2), without a fragment. Blanks and letters
/// beyond ASCII, which servers leave in file names, are encoded.
pub(super) fn resolve(base: &str, reference: &str) -> Option<String> {
    let tidy = tidied(reference)?;
    let reference = tidy.split('#').next().unwrap_or_default();
    if let Some(rest) = after_scheme(reference) {
        // `http:path` and other schemes: nobody writes the one, and nobody can fetch the other.
        return (rest.starts_with("//") && parts(reference).is_some()).then(|| reference.to_owned());
    }
    let from = parts(base)?;
    let scheme = scheme(from.is_secure);
    let resolved = if reference.starts_with("//") {
        format!("{scheme}:{reference}")
    } else {
        // `base` has been read: it holds "://", and its authority ends before the path.
        let authority = authority(base)?;
        let (path, query) = cut_at(reference, '?');
        match path {
            "" if query.is_empty() => format!("{scheme}://{authority}{}{}", from.path, from.query),
            "" => format!("{scheme}://{authority}{}{query}", from.path),
            _ if path.starts_with('/') => format!("{scheme}://{authority}{}{query}", without_dots(path)),
            _ => {
                let folder = from.path.rfind('/').map_or("/", |slash| &from.path[..=slash]);
                format!(
                    "{scheme}://{authority}{}{query}",
                    without_dots(&format!("{folder}{path}"))
                )
            }
        }
    };
    parts(&resolved).is_some().then_some(resolved)
}

/// What a server behind a proxy that ends TLS may say of itself: its own name with `http`, where it was asked with `https`.
/// The same with `https` and the port that it was asked on.
pub(super) fn raised(asked: &str, named: &str) -> Option<String> {
    let (asked, was) = (parts(asked)?, parts(named)?);
    let is_same = asked.host.eq_ignore_ascii_case(was.host) && (was.port == 80 || was.port == asked.port);
    if !asked.is_secure || was.is_secure || !is_same || was.user.is_some() {
        return None;
    }
    let port = match asked.port {
        443 => String::new(),
        port => format!(":{port}"),
    };
    Some(format!("https://{}{port}{}{}", was.host, was.path, was.query))
}

fn parts(url: &str) -> Option<Parts<'_>> {
    let is_clean = url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let (is_secure, rest) = match after_scheme(url)? {
        rest if url.len() - rest.len() == "https:".len() => (true, rest),
        rest => (false, rest),
    };
    let rest = rest.strip_prefix("//").filter(|_| is_clean)?;
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (user, address) = match authority.rsplit_once('@') {
        Some((user, address)) => (Some(user), address),
        None => (None, authority),
    };
    let (host, port) = match address.rfind(']') {
        Some(end) => address.split_at(end + 1),
        None => address.split_at(address.find(':').unwrap_or(address.len())),
    };
    if !is_host(host) {
        return None;
    }
    let (path, query) = cut_at(tail, '?');
    Some(Parts {
        is_secure,
        user,
        host,
        port: port_number(port, is_secure)?,
        path: if path.is_empty() { "/" } else { path },
        query,
    })
}

/// What comes after `http:` or `https:`; of a reference with another scheme the empty text, which is no URL; `None` where
/// there is no scheme.
fn after_scheme(url: &str) -> Option<&str> {
    let colon = url
        .find([':', '/', '?', '#'])
        .filter(|&at| url.as_bytes()[at] == b':')?;
    let (name, rest) = (&url[..colon], &url[colon + 1..]);
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) || !name.bytes().all(is_letter) {
        return None;
    }
    let is_known = name.eq_ignore_ascii_case("http") || name.eq_ignore_ascii_case("https");
    Some(if is_known { rest } else { "" })
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let is_part = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
        return !address.is_empty() && address.bytes().all(is_part);
    }
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !host.is_empty() && host.bytes().all(is_part)
}

fn port_number(port: &str, is_secure: bool) -> Option<u16> {
    match port.strip_prefix(':') {
        None if port.is_empty() => Some(usual_port(is_secure)),
        None => None,
        Some("") => Some(usual_port(is_secure)),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        Some(_) => None,
    }
}

fn usual_port(is_secure: bool) -> u16 {
    if is_secure { 443 } else { 80 }
}

fn scheme(is_secure: bool) -> &'static str {
    if is_secure { "https" } else { "http" }
}

/// What stands between `//` and the path, as written.
fn authority(url: &str) -> Option<&str> {
    let rest = &url[memmem::find(url.as_bytes(), b"://")? + 3..];
    Some(&rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())])
}

/// The text before a letter, and from it on.
fn cut_at(text: &str, letter: char) -> (&str, &str) {
    text.split_at(text.find(letter).unwrap_or(text.len()))
}

/// RFC 3986, 5.2.4. `path` begins with a slash, and so does the answer.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_folder = false;
    for segment in path.split('/').skip(1) {
        ends_in_folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    if ends_in_folder || out.is_empty() {
        out.push('/');
    }
    out
}

/// Without blanks around it, and with those inside it and letters beyond ASCII encoded. `None` where there is what no URL
/// has: control characters, backslashes.
fn tidied(reference: &str) -> Option<String> {
    let mut out = String::with_capacity(reference.len());
    for byte in reference.trim_matches([' ', '\t', '\r', '\n']).bytes() {
        match byte {
            b'\\' | 0..=0x1f | 0x7f => return None,
            b' ' | 0x80.. => {
                // Writing to a string cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
            _ => out.push(char::from(byte)),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests;
