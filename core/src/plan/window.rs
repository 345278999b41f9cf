//! `_since`, `_until` and the transaction time: instants, compared as exact points.

use super::gate::Window;
use crate::problem::Problem;
use crate::request::Request;
use crate::search::kind::date::{self, Nanos};

const EXPECTED: &str =
    "malformed instant; expected yyyy-mm-ddThh:mm:ss[.f] with Z or an offset, as in 2024-05-01T00:00:00Z";

/// Reads the window; malformed instants are told.
pub(super) fn read(request: &Request, problems: &mut Vec<Problem>) -> Window {
    let mut read = |option, text: &Option<String>| {
        let text = text.as_deref()?;
        let instant = instant(text);
        if instant.is_none() {
            problems.push(Problem::whole(option, text, EXPECTED));
        }
        instant
    };
    let window = Window {
        since: read("since", &request.since),
        until: read("until", &request.until),
        at_most: read("transaction-time", &request.transaction_time),
    };
    if let (Some(since), Some(until)) = (window.since, window.until)
        && since >= until
    {
        let text = request.until.as_deref().unwrap_or_default();
        problems.push(Problem::whole(
            "until",
            text,
            "the window is empty: `until` is not after `since`",
        ));
    }
    window
}

/// The instant that `ap` measures from, if one is given and well formed.
pub(super) fn now(request: &Request) -> Option<Nanos> {
    request
        .transaction_time
        .as_deref()
        .or(request.now.as_deref())
        .and_then(instant)
}

/// A blank before the offset is a `+` that some client's form encoding lost.
fn instant(text: &str) -> Option<Nanos> {
    date::read_instant(text).or_else(|| {
        let (before, offset) = text.rsplit_once(' ')?;
        date::read_instant(&format!("{before}+{offset}"))
    })
}

/// For `explain`.
pub(super) fn label(request: &Request, window: Window) -> String {
    let part = |sign: &str, bound: Option<Nanos>, text: &Option<String>| {
        let text = bound.and(text.as_ref());
        text.map(|text| format!("{sign} {text}"))
    };
    let parts = [
        part(">", window.since, &request.since),
        part("<", window.until, &request.until),
        part("<=", window.at_most, &request.transaction_time),
    ];
    format!(
        "meta.lastUpdated {}",
        parts.into_iter().flatten().collect::<Vec<_>>().join(" and ")
    )
}
