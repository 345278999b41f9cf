//! Dates and instants as half-open intervals of nanoseconds since 1970 in UTC, and their prefixes.

use super::query::Prefix;
use serde_json::Value;

const SECOND: i128 = 1_000_000_000;
const MINUTE: i128 = 60 * SECOND;
const DAY: i128 = 24 * 60 * MINUTE;

/// `[low, high)`. The smallest and largest number stand for "since ever" and "for ever".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    /// First nanosecond inside.
    pub(crate) low: i128,
    /// First nanosecond after it.
    pub(crate) high: i128,
}

/// One date of a search, with its prefix.
#[derive(Clone, Debug)]
pub(crate) struct DateSearch {
    prefix: Prefix,
    interval: Interval,
}

impl DateSearch {
    /// Reads `[prefix]date`.
    pub(crate) fn parse(text: &str) -> Result<DateSearch, String> {
        let (prefix, date) = Prefix::split(text);
        match parse_date(date) {
            Some(interval) => Ok(DateSearch { prefix, interval }),
            None => Err(format!("'{text}' is not a date")),
        }
    }

    /// Whether a stored interval satisfies the search. `now` is the instant that `ap` measures its gap to.
    pub(crate) fn matches(&self, target: Interval, now: i128) -> bool {
        let search = self.interval;
        let contained = search.low <= target.low && target.high <= search.high;
        match self.prefix {
            Prefix::Eq => contained,
            Prefix::Ne => !contained,
            Prefix::Gt => target.high > search.high,
            Prefix::Lt => target.low < search.low,
            Prefix::Ge => target.high > search.low,
            Prefix::Le => target.low < search.high,
            Prefix::Sa => target.low >= search.high,
            Prefix::Eb => target.high <= search.low,
            Prefix::Ap => {
                let margin = (now - search.low).abs() / 10;
                target.low < search.high + margin && search.low - margin < target.high
            }
        }
    }
}

/// The interval of a stored element; `None` when it has none or is malformed.
pub(crate) fn stored_interval(leaf: &str, value: &Value) -> Option<Interval> {
    match leaf {
        "date" | "dateTime" | "instant" => parse_date(value.as_str()?),
        "Period" => period(value),
        "Timing" => timing(value),
        _ => None,
    }
}

fn period(value: &Value) -> Option<Interval> {
    let start = value.get("start").filter(|v| !v.is_null());
    let end = value.get("end").filter(|v| !v.is_null());
    if start.is_none() && end.is_none() {
        return None;
    }
    let low = match start {
        Some(start) => parse_date(start.as_str()?)?.low,
        None => i128::MIN,
    };
    let high = match end {
        Some(end) => parse_date(end.as_str()?)?.high,
        None => i128::MAX,
    };
    Some(Interval { low, high })
}

/// The outer limits of the events that can be read, else those of the repetition.
fn timing(value: &Value) -> Option<Interval> {
    let events: Vec<&Value> = match value.get("event") {
        Some(Value::Array(events)) => events.iter().collect(),
        None => Vec::new(),
        Some(single) => vec![single],
    };
    let read: Vec<Interval> = events
        .into_iter()
        .filter_map(|event| parse_date(event.as_str()?))
        .collect();
    let low = read.iter().map(|event| event.low).min();
    let high = read.iter().map(|event| event.high).max();
    match (low, high) {
        (Some(low), Some(high)) => Some(Interval { low, high }),
        _ => period(value.get("repeat")?.get("boundsPeriod")?),
    }
}

/// A full instant (seconds and offset required) as a point.
pub(crate) fn parse_instant(text: &str) -> Option<i128> {
    let (_, time) = text.split_once('T')?;
    let clock_end = time.find(['Z', '+', '-'])?;
    // hh:mm:ss at least.
    if clock_end < 8 {
        return None;
    }
    parse_date(text).map(|interval| interval.low)
}

/// Any FHIR date or dateTime, by its own precision; without an offset it stands in UTC.
pub(crate) fn parse_date(text: &str) -> Option<Interval> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let fields: Vec<&str> = date.split('-').collect();
    let year = digits(fields.first()?, 4)?;
    if year == 0 {
        return None;
    }
    let Some(month_text) = fields.get(1) else {
        return time.is_none().then_some(Interval {
            low: day_number(year, 1, 1) * DAY,
            high: day_number(year + 1, 1, 1) * DAY,
        });
    };
    let month = digits(month_text, 2).filter(|month| (1..=12).contains(month))?;
    let Some(day_text) = fields.get(2) else {
        let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        return time.is_none().then_some(Interval {
            low: day_number(year, month, 1) * DAY,
            high: day_number(next_year, next_month, 1) * DAY,
        });
    };
    let day = digits(day_text, 2).filter(|day| (1..=days_in_month(year, month)).contains(day))?;
    if fields.len() > 3 {
        return None;
    }
    let midnight = day_number(year, month, day) * DAY;
    match time {
        None => Some(Interval {
            low: midnight,
            high: midnight + DAY,
        }),
        Some(time) => {
            let (since_midnight, width) = parse_time(time)?;
            Some(Interval {
                low: midnight + since_midnight,
                high: midnight + since_midnight + width,
            })
        }
    }
}

/// `hh:mm[:ss[.f]][Z|±hh:mm]`: nanoseconds since midnight in UTC, and the width of the last digit.
fn parse_time(text: &str) -> Option<(i128, i128)> {
    let clock_end = text.find(['Z', '+', '-']).unwrap_or(text.len());
    let (clock, offset) = text.split_at(clock_end);
    let fields: Vec<&str> = clock.split(':').collect();
    if fields.len() < 2 || fields.len() > 3 {
        return None;
    }
    let hour = digits(fields[0], 2).filter(|hour| *hour <= 23)?;
    let minute = digits(fields[1], 2).filter(|minute| *minute <= 59)?;
    let start = (hour * 60 + minute) * MINUTE - parse_offset(offset)?;
    let Some(seconds) = fields.get(2) else {
        return Some((start, MINUTE));
    };
    let (whole, fraction) = match seconds.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (*seconds, None),
    };
    // A leap second counts as the last second of its minute.
    let second = digits(whole, 2).filter(|second| *second <= 60)?.min(59);
    let start = start + second * SECOND;
    let Some(fraction) = fraction else {
        return Some((start, SECOND));
    };
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let kept = &fraction[..fraction.len().min(9)];
    let mut unit = SECOND;
    for _ in 0..kept.len() {
        unit /= 10;
    }
    Some((start + digits(kept, kept.len())? * unit, unit))
}

fn parse_offset(text: &str) -> Option<i128> {
    if text.is_empty() || text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    let total = hours * 60 + minutes;
    (minutes <= 59 && total <= 14 * 60 && !text.starts_with('Z')).then_some(sign * total * MINUTE)
}

fn digits(text: &str, count: usize) -> Option<i128> {
    let fits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

fn is_leap(year: i128) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn days_in_month(year: i128, month: i128) -> i128 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01, counted the long way round: whole years since year 1, whole months, days.
fn day_number(year: i128, month: i128, day: i128) -> i128 {
    let years = year - 1;
    let mut days = years * 365 + years / 4 - years / 100 + years / 400;
    for earlier in 1..month {
        days += days_in_month(year, earlier);
    }
    // 719162 days lie between 0001-01-01 and 1970-01-01.
    days + day - 1 - 719_162
}

#[cfg(test)]
#[path = "date_tests.rs"]
mod tests;
