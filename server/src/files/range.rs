//! `Range` and `If-Range`: which part of a representation is asked for (RFC 9110, section 14).

use std::time::SystemTime;

use axum::http::HeaderMap;
use axum::http::header::{IF_RANGE, RANGE};

use super::condition::Validators;

/// What is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it: no part was asked for, or in a way that is not answered with parts.
    Whole,
    /// From the first byte on so many, at least one.
    Bytes { first: u64, count: u64 },
    /// There is nothing in what was asked for.
    Nothing,
}

/// The part of a representation of so many bytes. Several ranges at once, other units and what cannot be read are
/// answered with the whole, as RFC 9110 lets a server do.
pub(super) fn part(headers: &HeaderMap, validators: &Validators, total: u64) -> Part {
    let mut lines = headers.get_all(RANGE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Part::Whole;
    };
    if !is_unchanged(headers, validators) {
        return Part::Whole;
    }
    line.to_str()
        .ok()
        .and_then(|line| read(line, total))
        .unwrap_or(Part::Whole)
}

/// Whether the client's part is of what we have. Only a strong tag says so, and a date where nothing else has it.
fn is_unchanged(headers: &HeaderMap, validators: &Validators) -> bool {
    let mut lines = headers.get_all(IF_RANGE).iter();
    let Some(line) = lines.next() else {
        return true;
    };
    let Some(text) = line.to_str().ok().filter(|_| lines.next().is_none()) else {
        return false;
    };
    if text.contains('"') {
        return text == validators.etag;
    }
    let date: Option<SystemTime> = httpdate::parse_http_date(text).ok();
    validators.is_date_strong && date.is_some() && date == validators.modified
}

fn read(line: &str, total: u64) -> Option<Part> {
    let (unit, set) = line.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    // Empty members of a list are none.
    let mut ranges = set.split(',').map(|range| range.trim_matches([' ', '\t']));
    let mut ranges = ranges.by_ref().filter(|range| !range.is_empty());
    let (Some(range), None) = (ranges.next(), ranges.next()) else {
        return None;
    };
    let (first, last) = range.split_once('-')?;
    if first.is_empty() {
        // The last so many bytes; all where there are fewer.
        let count = number(last)?.min(total);
        return Some(between(total - count, total));
    }
    let first = number(first)?;
    if last.is_empty() {
        return Some(between(first, total));
    }
    let last = number(last)?;
    (first <= last).then(|| between(first, total.min(last.saturating_add(1))))
}

fn between(first: u64, end: u64) -> Part {
    match end.checked_sub(first) {
        None | Some(0) => Part::Nothing,
        Some(count) => Part::Bytes { first, count },
    }
}

/// Digits only. What is too large to be counted is beyond every end.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn validators(is_date_strong: bool) -> Validators {
        Validators {
            etag: "\"tag\"".into(),
            modified: Some(UNIX_EPOCH + Duration::from_secs(784_111_777)),
            is_date_strong,
        }
    }

    fn asked(range: &str, total: u64) -> Part {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, range.parse().expect("a header value"));
        part(&headers, &validators(true), total)
    }

    #[test]
    fn one_range_is_one_part() {
        let bytes = |first, count| Part::Bytes { first, count };
        for (range, expected) in [
            ("bytes=0-0", bytes(0, 1)),
            ("bytes=0-99", bytes(0, 100)),
            ("bytes=10-", bytes(10, 90)),
            ("bytes=10-1000", bytes(10, 90)),
            ("bytes=99-", bytes(99, 1)),
            ("bytes=-1", bytes(99, 1)),
            ("bytes=-100", bytes(0, 100)),
            ("bytes=-101", bytes(0, 100)),
            ("bytes=-99999999999999999999999", bytes(0, 100)),
            ("bytes=5-99999999999999999999999", bytes(5, 95)),
            ("BYTES = 5-6", bytes(5, 2)),
            ("bytes=, 5-6 ,", bytes(5, 2)),
        ] {
            assert_eq!(asked(range, 100), expected, "{range}");
        }
    }

    #[test]
    fn ranges_beyond_the_end_are_unsatisfiable() {
        for range in [
            "bytes=100-",
            "bytes=100-200",
            "bytes=-0",
            "bytes=99999999999999999999999-",
        ] {
            assert_eq!(asked(range, 100), Part::Nothing, "{range}");
        }
        for range in ["bytes=0-", "bytes=0-0", "bytes=-5"] {
            assert_eq!(asked(range, 0), Part::Nothing, "{range} of nothing");
        }
    }

    #[test]
    fn what_is_not_one_readable_range_is_answered_with_the_whole() {
        for range in [
            "bytes=0-1,5-6",
            "bytes=5-4",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=1 - 2",
            "bytes=--1",
            "bytes=1-2-3",
            "bytes 0-1",
            "lines=0-1",
            "0-1",
            "",
        ] {
            assert_eq!(asked(range, 100), Part::Whole, "{range:?}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(part(&headers, &validators(true), 100), Part::Whole);
        headers.append(RANGE, "bytes=0-1".parse().expect("a header value"));
        headers.append(RANGE, "bytes=0-1".parse().expect("a header value"));
        assert_eq!(part(&headers, &validators(true), 100), Part::Whole, "two lines");
    }

    #[test]
    fn a_part_of_something_else_is_answered_with_the_whole() {
        let held = |value: &str, is_date_strong| {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, "bytes=0-1".parse().expect("a header value"));
            headers.insert(IF_RANGE, value.parse().expect("a header value"));
            part(&headers, &validators(is_date_strong), 100) != Part::Whole
        };
        assert!(held("\"tag\"", true));
        assert!(held("\"tag\"", false));
        assert!(held("Sun, 06 Nov 1994 08:49:37 GMT", true));
        for value in [
            "W/\"tag\"",
            "\"other\"",
            "Sun, 06 Nov 1994 08:49:38 GMT",
            "Sun, 06 Nov 1994 08:49:36 GMT",
            "tag",
            "*",
            "",
        ] {
            assert!(!held(value, true), "{value:?}");
        }
        assert!(!held("Sun, 06 Nov 1994 08:49:37 GMT", false), "two have this date");
    }
}
