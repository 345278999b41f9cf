//! The date table of the search rules, row by row.

use super::*;
use serde_json::json;

/// A "now" near the dates of the standard's examples.
const NOW: &str = "2013-03-20T00:00:00Z";

fn matches(search: &str, leaf: &str, stored: Value) -> bool {
    let search = DateSearch::parse(search).expect(search);
    let now = parse_instant(NOW).expect("a valid now");
    stored_interval(leaf, &stored).is_some_and(|target| search.matches(target, now))
}

#[track_caller]
fn check(search: &str, leaf: &str, stored: Value, expected: bool) {
    assert_eq!(
        matches(search, leaf, stored.clone()),
        expected,
        "{search} on {leaf} {stored}"
    );
}

fn from_january() -> Value {
    json!({"start": "2013-01-21"})
}

fn from_mid_march() -> Value {
    json!({"start": "2013-03-15"})
}

fn until_january() -> Value {
    json!({"end": "2013-01-21"})
}

#[test]
fn day_numbers_are_civil() {
    assert_eq!(day_number(1970, 1, 1), 0);
    assert_eq!(day_number(1969, 12, 31), -1);
    assert_eq!(day_number(2000, 3, 1), 11_017);
    assert_eq!(day_number(1900, 3, 1) - day_number(1900, 2, 28), 1);
    assert_eq!(day_number(2000, 3, 1) - day_number(2000, 2, 28), 2);
}

#[test]
fn eq_and_ne_contain_the_day() {
    for (stored, inside) in [
        ("2013-01-14T00:00", true),
        ("2013-01-14T10:00", true),
        ("2013-01-14", true),
        ("2013-01-14T23:59:59.999999999Z", true),
        ("2013-01-15T00:00", false),
        ("2013-01-15T00:00:00Z", false),
        ("2013-01-13T23:59:59Z", false),
        ("2013-01", false),
        ("2013", false),
    ] {
        check("eq2013-01-14", "dateTime", json!(stored), inside);
        check("2013-01-14", "dateTime", json!(stored), inside);
        check("ne2013-01-14", "dateTime", json!(stored), !inside);
    }
}

#[test]
fn lt_and_gt_of_a_minute_both_match_the_day_around_it() {
    check("lt2013-01-14T10:00", "date", json!("2013-01-14"), true);
    check("gt2013-01-14T10:00", "date", json!("2013-01-14"), true);
    check("gt2013-01-14", "date", json!("2013-01-14"), false);
    check("lt2013-01-14", "date", json!("2013-01-14"), false);
}

#[test]
fn open_periods_of_the_standard() {
    check("ge2013-03-14", "Period", from_january(), true);
    check("le2013-03-14", "Period", from_january(), true);
    check("sa2013-03-14", "Period", from_mid_march(), true);
    check("sa2013-03-14", "Period", from_january(), false);
    check("sa2013-03-14", "Period", until_january(), false);
    check("eb2013-03-14", "Period", until_january(), true);
    check("eb2013-03-14", "Period", from_january(), false);
    check("eb2013-03-14", "Period", from_mid_march(), false);
    check("2013-03-14", "Period", from_january(), false);
    check("ne2013-03-14", "Period", from_january(), true);
}

#[test]
fn ap_widens_by_a_tenth_of_the_gap_to_now() {
    check("ap2013-03-14", "date", json!("2013-03-14"), true);
    check("ap2013-03-14", "date", json!("2013-01-21"), false);
    check("ap2013-03-14", "date", json!("2015-06-15"), false);
    // The gap of six days gives 14.4 hours.
    check("ap2013-03-14", "dateTime", json!("2013-03-15T14:23:59Z"), true);
    check("ap2013-03-14", "dateTime", json!("2013-03-15T14:24:00Z"), false);
    check("ap2013-03-14", "dateTime", json!("2013-03-13T09:36:00Z"), true);
    check("ap2013-03-14", "dateTime", json!("2013-03-13T09:35:59Z"), false);
}

#[test]
fn six_prefixes_at_the_edges_of_a_day() {
    // before the day, its first second, its last, the next midnight
    let stored = [
        "2013-01-13T23:59:59Z",
        "2013-01-14T00:00:00Z",
        "2013-01-14T23:59:59Z",
        "2013-01-15T00:00:00Z",
    ];
    for (prefix, expected) in [
        ("eq", [false, true, true, false]),
        ("ne", [true, false, false, true]),
        ("gt", [false, false, false, true]),
        ("ge", [false, true, true, true]),
        ("lt", [true, false, false, false]),
        ("le", [true, true, true, false]),
        ("sa", [false, false, false, true]),
        ("eb", [true, false, false, false]),
    ] {
        for (text, expected) in stored.iter().zip(expected) {
            check(&format!("{prefix}2013-01-14"), "dateTime", json!(text), expected);
        }
    }
}

#[test]
fn a_period_that_straddles_the_edge_is_ge_and_le() {
    let straddling = json!({"start": "2013-01-13", "end": "2013-01-14T12:00:00Z"});
    check("ge2013-01-14", "Period", straddling.clone(), true);
    check("eb2013-01-14", "Period", straddling.clone(), false);
    check("gt2013-01-14", "Period", straddling.clone(), false);
    check("lt2013-01-14", "Period", straddling, true);
}

#[test]
fn offsets_are_exact_and_zoneless_values_stand_in_utc() {
    check(
        "2020-01-01T00:00:00Z",
        "dateTime",
        json!("2020-01-01T01:00:00+01:00"),
        true,
    );
    check("2020-01-01", "dateTime", json!("2020-01-01T23:30:00-05:00"), false);
    check("2020-01-02", "dateTime", json!("2020-01-01T23:30:00-05:00"), true);
    check("2020-01-01T12:00:00", "dateTime", json!("2020-01-01T12:00:00Z"), true);
    check(
        "2020-01-01T12:00:00+00:00",
        "instant",
        json!("2020-01-01T12:00:00.000Z"),
        true,
    );
}

#[test]
fn fractions_have_the_width_of_their_last_digit() {
    assert_eq!(
        parse_date("1970-01-01T00:00:00.25Z"),
        Some(Interval {
            low: 250_000_000,
            high: 260_000_000
        })
    );
    assert_eq!(
        parse_date("1970-01-01T00:00:00.1234567899Z"),
        Some(Interval {
            low: 123_456_789,
            high: 123_456_790
        })
    );
    check(
        "2020-01-01T00:00:00",
        "instant",
        json!("2020-01-01T00:00:00.999Z"),
        true,
    );
    check(
        "2020-01-01T00:00:00.9",
        "instant",
        json!("2020-01-01T00:00:00.999Z"),
        true,
    );
    check(
        "2020-01-01T00:00:00.99",
        "instant",
        json!("2020-01-01T00:00:00.9Z"),
        false,
    );
}

#[test]
fn leap_second_is_the_last_and_hour_24_is_none() {
    assert_eq!(parse_date("2016-12-31T23:59:60Z"), parse_date("2016-12-31T23:59:59Z"));
    assert_eq!(parse_date("2016-12-31T24:00:00Z"), None);
}

#[test]
fn malformed_dates_match_nothing_not_even_ne() {
    for text in [
        "",
        "13",
        "2013-1",
        "2013-13",
        "2013-02-29",
        "2013-00-01",
        "0000",
        "2013-01-01T",
        "2013-01-01T10",
        "2013-01-01T10:60",
        "2013-01-01T10:00:61Z",
        "2013-01-01T10:00:00.Z",
        "2013-01-01T10:00:00+25:00",
        "2013-01-01T10:00:00+1:00",
        "2013-01-01T10:00:00z",
        "2013-01-01 10:00",
        "2013-01-01Z",
        "2013-01-01-05:00",
        "2013T10:00",
        "2013-01T10:00",
        "2013-01-01T10:00:00Zx",
        "2013-01-01T10:00:00Z05:00",
    ] {
        assert_eq!(parse_date(text), None, "{text:?}");
        check("ne2013", "dateTime", json!(text), false);
        assert!(DateSearch::parse(text).is_err(), "{text:?}");
    }
    check("ne2013", "Period", json!({"start": "x", "end": "2014"}), false);
    check("ne2013", "Period", json!({}), false);
    check("ne2013", "date", json!(2013), false);
}

#[test]
fn timing_has_outer_limits_only() {
    let events = json!({"event": ["2013-05-01", "2013-03-01", "2013-04-01"]});
    check("sa2013-02", "Timing", events.clone(), true);
    check("eb2013-06", "Timing", events.clone(), true);
    check("2013", "Timing", events.clone(), true);
    check("2013-04", "Timing", events, false);
    check(
        "2013",
        "Timing",
        json!({"repeat": {"boundsPeriod": {"start": "2013-02", "end": "2013-03"}}}),
        true,
    );
    check("ne2013", "Timing", json!({"repeat": {"count": 3}}), false);
    check("ne2013", "Timing", json!({"code": {"text": "BID"}}), false);
}

#[test]
fn instants_need_seconds_and_an_offset() {
    assert_eq!(parse_instant("1970-01-01T00:00:01Z"), Some(SECOND));
    assert_eq!(
        parse_instant("2020-01-01T00:00:00Z"),
        parse_instant("2020-01-01T01:00:00+01:00")
    );
    assert_eq!(parse_instant("1970-01-01T00:00:00.000000001Z"), Some(1));
    for text in [
        "1970-01-01T00:00:01",
        "1970-01-01T00:00Z",
        "1970-01-01",
        "1970-01-01T00:00+01:00",
    ] {
        assert_eq!(parse_instant(text), None, "{text}");
    }
}
