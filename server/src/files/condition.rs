//! Conditional requests: what a client has already, and what it wants only if it is still the same (RFC 9110, 13).

use std::time::SystemTime;

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};

/// What tells a representation from others.
pub(super) struct Validators {
    /// Strong, in its quotes.
    pub(super) etag: String,
    /// In whole seconds.
    pub(super) modified: Option<SystemTime>,
    /// Whether no other representation of the file has this date.
    pub(super) is_date_strong: bool,
}

/// What the conditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Go on.
    Send,
    /// 304: the client has it.
    NotModified,
    /// 412: it is not what the client wants.
    Failed,
}

/// Judges the conditions of a GET or HEAD, in the order of RFC 9110, 13.2.2. A date counts only where no tag is given.
pub(super) fn judge(headers: &HeaderMap, validators: &Validators) -> Verdict {
    let is_fine = match tags(headers, IF_MATCH) {
        Some(tags) => tags.iter().any(|tag| *tag == "*" || *tag == validators.etag),
        None => date(headers, IF_UNMODIFIED_SINCE).is_none_or(|date| validators.modified <= Some(date)),
    };
    if !is_fine {
        return Verdict::Failed;
    }
    let is_had = match tags(headers, IF_NONE_MATCH) {
        Some(tags) => tags.iter().any(|tag| {
            let opaque = tag.strip_prefix("W/").unwrap_or(tag);
            *tag == "*" || opaque == validators.etag
        }),
        None => date(headers, IF_MODIFIED_SINCE)
            .is_some_and(|date| validators.modified.is_some_and(|modified| modified <= date)),
    };
    if is_had { Verdict::NotModified } else { Verdict::Send }
}

/// All tags of a header; nothing where there is none. A comma may stand within a tag.
fn tags(headers: &HeaderMap, name: HeaderName) -> Option<Vec<&str>> {
    let mut out = None;
    for line in headers.get_all(name) {
        let out = out.get_or_insert_with(Vec::new);
        let line = line.to_str().unwrap_or_default();
        let (mut start, mut is_quoted) = (0, false);
        for (at, byte) in line.bytes().enumerate() {
            match byte {
                b'"' => is_quoted = !is_quoted,
                b',' if !is_quoted => {
                    out.push(line[start..at].trim());
                    start = at + 1;
                }
                _ => {}
            }
        }
        out.push(line[start..].trim());
    }
    out
}

/// A date; nothing where there is none that can be read, or several.
fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().filter(|_| lines.next().is_none())?;
    httpdate::parse_http_date(line.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const EXACTLY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn judged(given: &[(HeaderName, &str)]) -> Verdict {
        let validators = Validators {
            etag: "\"a,b\"".into(),
            modified: Some(UNIX_EPOCH + Duration::from_secs(784_111_777)),
            is_date_strong: true,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(name, value.parse().expect("a header value"));
        }
        judge(&headers, &validators)
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        for given in [
            &[(IF_NONE_MATCH, "\"a,b\"")][..],
            &[(IF_NONE_MATCH, "W/\"a,b\"")],
            &[(IF_NONE_MATCH, "*")],
            &[(IF_NONE_MATCH, "\"x\", \"y\",\"a,b\"")],
            &[(IF_NONE_MATCH, "\"x\""), (IF_NONE_MATCH, "\"a,b\"")],
            &[(IF_MODIFIED_SINCE, EXACTLY)],
            &[(IF_MODIFIED_SINCE, AFTER)],
        ] {
            assert_eq!(judged(given), Verdict::NotModified, "{given:?}");
        }
        for given in [
            &[][..],
            &[(IF_NONE_MATCH, "\"a\"")],
            &[(IF_NONE_MATCH, "")],
            &[(IF_NONE_MATCH, "a,b")],
            &[(IF_MODIFIED_SINCE, BEFORE)],
            &[(IF_MODIFIED_SINCE, "yesterday")],
            &[(IF_MODIFIED_SINCE, EXACTLY), (IF_MODIFIED_SINCE, EXACTLY)],
            &[(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, AFTER)],
        ] {
            assert_eq!(judged(given), Verdict::Send, "{given:?}");
        }
    }

    #[test]
    fn what_is_not_as_the_client_wants_it_is_not_sent() {
        for given in [
            &[(IF_MATCH, "\"x\"")][..],
            &[(IF_MATCH, "W/\"a,b\"")],
            &[(IF_UNMODIFIED_SINCE, BEFORE)],
            &[(IF_MATCH, "\"x\""), (IF_NONE_MATCH, "*")],
        ] {
            assert_eq!(judged(given), Verdict::Failed, "{given:?}");
        }
        for given in [
            &[(IF_MATCH, "\"x\", \"a,b\"")][..],
            &[(IF_MATCH, "*")],
            &[(IF_UNMODIFIED_SINCE, EXACTLY)],
            &[(IF_UNMODIFIED_SINCE, "never")],
            &[(IF_MATCH, "*"), (IF_UNMODIFIED_SINCE, BEFORE)],
        ] {
            assert_eq!(judged(given), Verdict::Send, "{given:?}");
        }
    }
}
