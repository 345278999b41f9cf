//! Dates as half-open intervals of nanoseconds: search values, stored dates, periods and timings.
//!
//! A value without zone is placed in UTC, so that two plain dates compare by calendar and a mixed pair by UTC.

use super::ValueError;
use super::prefix::{NO_PREFIX, Prefix};
use crate::scan::json::{Json, Kind};
use crate::search::leaf::Leaf;

/// Nanoseconds since 1970-01-01T00:00:00Z.
pub type Nanos = i128;

const SECOND: Nanos = 1_000_000_000;

/// The time from `lo` up to, not including, `hi`. Open ends are the extremes of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// First instant in it.
    pub lo: Nanos,
    /// First instant after it.
    pub hi: Nanos,
}

/// A date search value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateMatcher {
    prefix: Prefix,
    /// The interval of the value; for `ap` already widened.
    value: Interval,
}

/// What is wrong with a date; the text says what was expected.
const MALFORMED: &str = "malformed date; expected yyyy, yyyy-mm, yyyy-mm-dd or yyyy-mm-ddThh:mm[:ss[.f]][Z|+hh:mm]";

impl DateMatcher {
    /// Reads `[prefix]date`. `now` is the job's transactionTime, the only clock of `ap`.
    pub fn parse(value: &str, now: Option<Nanos>) -> Result<DateMatcher, ValueError> {
        let (prefix, text) = Prefix::split(value).ok_or_else(|| ValueError::whole(value, NO_PREFIX))?;
        let at = value.len() - text.len();
        let malformed = || ValueError {
            message: MALFORMED.to_owned(),
            span: at..value.len(),
        };
        let date = read(text.as_bytes()).ok_or_else(malformed)?;
        let mut interval = date.interval;
        if prefix == Prefix::Ap {
            let now = now.ok_or_else(|| ValueError::whole(value, "`ap` on a date needs the transaction time"))?;
            let gap = (now - interval.lo).abs() / 10;
            interval = Interval {
                lo: interval.lo - gap,
                hi: interval.hi + gap,
            };
        }
        Ok(DateMatcher {
            prefix,
            value: interval,
        })
    }

    /// Whether a stored interval matches (the table of prefixes, range form).
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub fn accepts(&self, target: Interval) -> bool {
        let Interval { lo: s0, hi: s1 } = self.value;
        let Interval { lo: t0, hi: t1 } = target;
        match self.prefix {
            Prefix::Eq => s0 <= t0 && t1 <= s1,
            Prefix::Ne => !(s0 <= t0 && t1 <= s1),
            Prefix::Gt => t1 > s1,
            Prefix::Lt => t0 < s0,
            Prefix::Ge => t1 > s0,
            Prefix::Le => t0 < s1,
            Prefix::Sa => t0 >= s1,
            Prefix::Eb => t1 <= s0,
            Prefix::Ap => t0 < s1 && s0 < t1,
        }
    }

    /// Whether a stored value matches. A malformed date matches nothing.
    #[inline]
    pub fn matches(&self, leaf: Leaf, json: Json<'_>) -> bool {
        // Nothing but digits and signs in their places passes for the common form, so the string need not be searched for
        // its end before.
        if let [b'"', text @ .., b'"'] = json.bytes()
            && let Some(date) = read_common(text)
            && !matches!(leaf, Leaf::Period | Leaf::Timing)
        {
            return self.accepts(date.interval);
        }
        stored(leaf, json).is_some_and(|interval| self.accepts(interval))
    }

    /// For `explain`.
    pub fn describe(&self) -> String {
        format!("{} {}..{} ns", self.prefix.letters(), self.value.lo, self.value.hi)
    }
}

/// The interval of a stored value, or `None` where there is none or it is malformed.
#[cfg_attr(target_arch = "wasm32", inline)]
pub fn stored(leaf: Leaf, json: Json<'_>) -> Option<Interval> {
    match leaf {
        Leaf::Period => period(json),
        Leaf::Timing => timing(json),
        _ => stored_date(json),
    }
}

#[cfg_attr(target_arch = "wasm32", inline)]
fn stored_date(json: Json<'_>) -> Option<Interval> {
    let text = json.text()?;
    match read(text.raw()) {
        Some(date) => Some(date.interval),
        None if text.is_escaped() => read(text.decode().as_bytes()).map(|date| date.interval),
        None => None,
    }
}

fn period(json: Json<'_>) -> Option<Interval> {
    let mut lo = None;
    let mut hi = None;
    for (key, value) in json.members() {
        if value.kind() == Kind::Null {
            continue;
        }
        if key.is("start") {
            lo = Some(stored_date(value)?.lo);
        } else if key.is("end") {
            hi = Some(stored_date(value)?.hi);
        }
    }
    if lo.is_none() && hi.is_none() {
        return None;
    }
    Some(Interval {
        lo: lo.unwrap_or(Nanos::MIN),
        hi: hi.unwrap_or(Nanos::MAX),
    })
}

/// Outer limits only: the events, or else the bounds of the schedule.
fn timing(json: Json<'_>) -> Option<Interval> {
    let events = json.each_of("event").filter_map(stored_date);
    let hull = events.reduce(|a, b| Interval {
        lo: a.lo.min(b.lo),
        hi: a.hi.max(b.hi),
    });
    hull.or_else(|| period(json.get("repeat")?.get("boundsPeriod")?))
}

/// A date as read: its interval, and whether it is a full instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateRead {
    /// From the first instant in it to the first after it, by its precision.
    pub interval: Interval,
    /// Has seconds and an offset.
    pub is_instant: bool,
}

/// Reads a date, dateTime or instant of any precision. Minutes are required after hours; `:60` is the last second,
/// `24:00` is malformed. Digits of a fraction behind the ninth are cut off.
#[cfg_attr(target_arch = "wasm32", inline)]
pub fn read(text: &[u8]) -> Option<DateRead> {
    read_common(text).or_else(|| read_any(text))
}

/// The same, form by form.
fn read_any(text: &[u8]) -> Option<DateRead> {
    let year = digits(text, 0, 4)?;
    if year == 0 {
        return None;
    }
    let plain = |lo: Nanos, hi: Nanos| {
        Some(DateRead {
            interval: Interval { lo, hi },
            is_instant: false,
        })
    };
    if text.len() == 4 {
        return plain(day_start(year, 1, 1), day_start(year + 1, 1, 1));
    }
    let month = field(text, 4, b'-')?;
    if !(1..=12).contains(&month) {
        return None;
    }
    if text.len() == 7 {
        let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        return plain(day_start(year, month, 1), day_start(next_year, next_month, 1));
    }
    let day = field(text, 7, b'-')?;
    if day == 0 || day > days_in(year, month) {
        return None;
    }
    let midnight = day_start(year, month, day);
    if text.len() == 10 {
        return plain(midnight, midnight + 86_400 * SECOND);
    }
    time(text, midnight)
}

/// Reads a full instant: seconds and offset required (FHIR instant).
pub fn read_instant(text: &str) -> Option<Nanos> {
    read(text.as_bytes())
        .filter(|date| date.is_instant)
        .map(|date| date.interval.lo)
}

/// Reads `yyyy-mm-ddThh:mm:ss[.f]` and an offset, the form that nearly all stored times have: the digits of all fields in one
/// pass. `None`: another form, or malformed; [`read_any`] tells.
#[inline]
fn read_common(text: &[u8]) -> Option<DateRead> {
    let head: &[u8; 19] = text.first_chunk()?;
    let (fraction, unit, zone) = common_fraction(&text[19..])?;
    let east = match zone {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let digits = [h1, h2, m1, m2].map(|byte| byte.wrapping_sub(b'0'));
            let minutes = i32::from(digits[0]) * 600
                + i32::from(digits[1]) * 60
                + i32::from(digits[2]) * 10
                + i32::from(digits[3]);
            if digits.iter().any(|&digit| digit > 9) || digits[2] > 5 || minutes > 14 * 60 {
                return None;
            }
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    let [date, time, seconds] = fields(head)?;
    let two = |word: u64, at: usize| (word >> (8 * at) & 0xff) as i32 * 10 + (word >> (8 * at + 8) & 0xff) as i32;
    let year = two(date, 0) * 100 + two(date, 2);
    let (month, day) = (two(date, 5), two(time, 0));
    let (hour, minute, second) = (two(time, 3), two(time, 6), two(seconds, 1));
    let in_range = (1..=12).contains(&month) && (1..=28).contains(&day) && hour < 24 && minute < 60 && second < 60;
    if !in_range || year == 0 {
        return None;
    }
    let seconds =
        common_day_number(year, month, day) * 86_400 + i64::from(hour * 3600 + minute * 60 + second - east * 60);
    let lo = Nanos::from(seconds) * SECOND + Nanos::from(fraction);
    Some(DateRead {
        interval: Interval {
            lo,
            hi: lo + Nanos::from(unit),
        },
        is_instant: true,
    })
}

/// What a fraction of up to nine digits is in nanoseconds, the unit of its last digit, and what follows it.
#[inline]
fn common_fraction(text: &[u8]) -> Option<(u32, u32, &[u8])> {
    let [b'.', rest @ ..] = text else {
        return Some((0, SECOND as u32, text));
    };
    let (mut value, mut unit) = (0, SECOND as u32);
    let mut behind = rest;
    while let [digit @ b'0'..=b'9', rest @ ..] = behind {
        if unit == 1 {
            return None;
        }
        unit /= 10;
        value += u32::from(digit - b'0') * unit;
        behind = rest;
    }
    (behind.len() < rest.len()).then_some((value, unit, behind))
}

/// The values of the digits of `yyyy-mm-`, `ddThh:mm` and `:ss`, zero where a sign stands. `None`: another form.
#[cfg_attr(target_arch = "wasm32", inline)]
fn fields(head: &[u8; 19]) -> Option<[u64; 3]> {
    let read = |at: usize, len: usize, form: &[u8; 8]| {
        let mut bytes = *form;
        bytes[..len].copy_from_slice(&head[at..at + len]);
        let word = u64::from_le_bytes(bytes) ^ u64::from_le_bytes(*form);
        // What is more than 9 in the place of a digit, and more than 0 in that of a sign, reaches the highest bit.
        let room = u64::from_le_bytes(form.map(|byte| if byte == b'0' { 0x76 } else { 0x7f }));
        ((word.wrapping_add(room) | word) & 0x8080_8080_8080_8080 == 0).then_some(word)
    };
    Some([
        read(0, 8, b"0000-00-")?,
        read(8, 8, b"00T00:00")?,
        read(16, 3, b":00:::::")?,
    ])
}

fn time(text: &[u8], midnight: Nanos) -> Option<DateRead> {
    let hour = field(text, 10, b'T')?;
    let minute = field(text, 13, b':')?;
    if hour > 23 || minute > 59 {
        return None;
    }
    let mut lo = midnight + Nanos::from(hour * 3600 + minute * 60) * SECOND;
    let mut width = 60 * SECOND;
    let mut at = 16;
    let has_seconds = text.get(at) == Some(&b':');
    if has_seconds {
        let second = field(text, at, b':')?;
        if second > 60 {
            return None;
        }
        lo += Nanos::from(second.min(59)) * SECOND;
        width = SECOND;
        at += 3;
        if text.get(at) == Some(&b'.') {
            let (fraction, unit, end) = fraction(text, at + 1)?;
            lo += fraction;
            width = unit;
            at = end;
        }
    }
    let offset = offset(&text[at..])?;
    lo -= Nanos::from(offset.unwrap_or(0)) * 60 * SECOND;
    let is_instant = has_seconds && offset.is_some();
    Some(DateRead {
        interval: Interval { lo, hi: lo + width },
        is_instant,
    })
}

/// Digits of a fraction from `from`: its nanoseconds, the unit of its last digit, and where it ends.
fn fraction(text: &[u8], from: usize) -> Option<(Nanos, Nanos, usize)> {
    let mut value = 0;
    let mut unit = SECOND;
    let mut at = from;
    while let Some(digit) = text.get(at).filter(|byte| byte.is_ascii_digit()) {
        if unit > 1 {
            unit /= 10;
            value += Nanos::from(digit - b'0') * unit;
        }
        at += 1;
    }
    (at > from).then_some((value, unit, at))
}

/// Minutes east of UTC: `Z`, `+hh:mm`, or nothing at all (`Some(None)`).
fn offset(text: &[u8]) -> Option<Option<i32>> {
    match text {
        [] => Some(None),
        b"Z" => Some(Some(0)),
        [sign @ (b'+' | b'-'), rest @ ..] if rest.len() == 5 && rest[2] == b':' => {
            let minutes = digits(rest, 0, 2)? * 60 + digits(rest, 3, 2)?;
            let valid = minutes <= 14 * 60 && digits(rest, 3, 2)? < 60;
            valid.then_some(Some(if *sign == b'-' { -minutes } else { minutes }))
        }
        _ => None,
    }
}

/// A separator and two digits.
fn field(text: &[u8], at: usize, separator: u8) -> Option<i32> {
    if text.get(at) == Some(&separator) {
        digits(text, at + 1, 2)
    } else {
        None
    }
}

fn digits(text: &[u8], at: usize, count: usize) -> Option<i32> {
    let part = text.get(at..at + count)?;
    part.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + i32::from(byte - b'0'))
    })
}

fn days_in(year: i32, month: i32) -> i32 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Midnight of a day.
fn day_start(year: i32, month: i32, day: i32) -> Nanos {
    Nanos::from(day_number(year, month, day) * 86_400) * SECOND
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. Counts years from March, so that the leap day comes last.
fn day_number(year: i32, month: i32, day: i32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    i64::from(era) * 146_097 + i64::from(day_of_era) - 719_468
}

/// The same for years from 1 on, where nothing has to be rounded down below zero.
#[inline]
fn common_day_number(year: i32, month: i32, day: i32) -> i64 {
    let is_early = month <= 2;
    let year = (year - i32::from(is_early)) as u32;
    let month_from_march = (month + if is_early { 9 } else { -3 }) as u32;
    let day_of_year = (153 * month_from_march + 2) / 5 + day as u32;
    i64::from(year * 365 + year / 4 - year / 100 + year / 400 + day_of_year) - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_the_same_either_way() {
        for year in (1..=9999).step_by(7).chain([4, 100, 400, 1600, 1900, 2000, 2024]) {
            for month in 1..=12 {
                for day in [1, 28] {
                    assert_eq!(common_day_number(year, month, day), day_number(year, month, day));
                }
            }
        }
    }

    fn interval(text: &str) -> Interval {
        read(text.as_bytes()).expect(text).interval
    }

    fn matches(search: &str, stored: &str) -> bool {
        let now = read_instant("2026-01-01T00:00:00Z");
        let leaf = if stored.starts_with('{') {
            Leaf::Period
        } else {
            Leaf::Date
        };
        let quoted = if leaf == Leaf::Period {
            stored.to_owned()
        } else {
            format!("\"{stored}\"")
        };
        DateMatcher::parse(search, now)
            .expect(search)
            .matches(leaf, Json::new(quoted.as_bytes()))
    }

    #[test]
    fn precision_gives_the_interval() {
        let unix = |seconds: i64| Nanos::from(seconds) * SECOND;
        assert_eq!(interval("1970-01-01T00:00:00Z"), Interval { lo: 0, hi: SECOND });
        assert_eq!(
            interval("1970"),
            Interval {
                lo: 0,
                hi: unix(365 * 86_400)
            }
        );
        assert_eq!(
            interval("2000-02"),
            Interval {
                lo: unix(949_363_200),
                hi: unix(951_868_800)
            }
        );
        assert_eq!(interval("2024-02-29").hi, interval("2024-03-01").lo);
        assert_eq!(interval("1999-12").hi, interval("2000").lo);
        assert_eq!(
            interval("2020-01-01T00:00:00Z").lo,
            interval("2020-01-01T01:00:00+01:00").lo
        );
        assert_eq!(
            interval("2020-01-01T10:00").hi - interval("2020-01-01T10:00").lo,
            60 * SECOND
        );
        assert_eq!(
            interval("2020-01-01T10:00:00.12Z").hi - interval("2020-01-01T10:00:00.12Z").lo,
            SECOND / 100
        );
        assert_eq!(
            interval("2020-01-01T10:00:00.0000000001Z").lo,
            interval("2020-01-01T10:00:00Z").lo
        );
        assert_eq!(interval("2016-12-31T23:59:60Z"), interval("2016-12-31T23:59:59Z"));
        assert_eq!(interval("0001-01-01").lo, unix(-62_135_596_800));
    }

    #[test]
    fn the_common_form_is_read_the_same_either_way() {
        let fractions = ["", ".0", ".5", ".12", ".123", ".000001", ".123456789", ".999999999"];
        let zones = ["Z", "-14:00", "+05:30", "+00:00", "-00:30"];
        for time in ["2020-02-03T04:05:06", "1999-12-28T23:59:59", "0001-01-01T00:00:00"] {
            for text in fractions
                .iter()
                .flat_map(|fraction| zones.map(|zone| format!("{time}{fraction}{zone}")))
            {
                let common = read_common(text.as_bytes());
                assert!(common.is_some_and(|date| date.is_instant), "{text}");
                assert_eq!(common, read_any(text.as_bytes()), "{text}");
            }
        }
        for other in [
            "2020-02-29T04:05:06Z",
            "2020-02-03T04:05:60Z",
            "2020-02-03T04:05:06+14:01",
            "2020-02-03T04:05:0xZ",
            "2020-02-03T04:05:06.Z",
            "2020-02-03T04:05:06.1",
            "2020-02-03T04:05:06.0000000000Z",
        ] {
            assert!(read_common(other.as_bytes()).is_none(), "{other}");
        }
        assert!(read(b"2020-02-29T04:05:06Z").is_some());
    }

    #[test]
    fn malformed_dates_are_refused() {
        for text in [
            "",
            "202",
            "0000",
            "2020-13",
            "2020-00",
            "2020-1",
            "2020-02-30",
            "2023-02-29",
            "2020-01-01T",
            "2020-01-01T10",
            "2020-01-01T24:00",
            "2020-01-01T10:60",
            "2020-01-01T10:00:61",
            "2020-01-01T10:00:00.",
            "2020-01-01T10:00z",
            "2020-01-01T10:00+15:00",
            "2020-01-01T10:00+1:00",
            "2020-01-01 10:00",
            "2020-01-01Z",
            "20200101",
            "2020-01-01T10:00 01:00",
            "2020-01-01T10:00+14:30",
            "2020-01-01T10:00:00Zx",
            "-2020",
        ] {
            assert!(read(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn examples_of_the_standard() {
        for (search, stored, expected) in [
            ("eq2013-01-14", "2013-01-14T00:00", true),
            ("eq2013-01-14", "2013-01-14T10:00", true),
            ("eq2013-01-14", "2013-01-15T00:00", false),
            ("ne2013-01-14", "2013-01-15T00:00", true),
            ("ne2013-01-14", "2013-01-14T00:00", false),
            ("ne2013-01-14", "2013-01-14T10:00", false),
            ("lt2013-01-14T10:00", "2013-01-14", true),
            ("gt2013-01-14T10:00", "2013-01-14", true),
            ("ge2013-03-14", r#"{"start":"2013-01-21"}"#, true),
            ("le2013-03-14", r#"{"start":"2013-01-21"}"#, true),
            ("sa2013-03-14", r#"{"start":"2013-03-15"}"#, true),
            ("sa2013-03-14", r#"{"start":"2013-01-21"}"#, false),
            ("sa2013-03-14", r#"{"end":"2013-01-21"}"#, false),
            ("eb2013-03-14", r#"{"end":"2013-01-21"}"#, true),
            ("eb2013-03-14", r#"{"start":"2013-01-21"}"#, false),
            ("ap2013-03-14", "2013-03-14", true),
            ("ap2025-12-14", "2025-01-21", false),
        ] {
            assert_eq!(matches(search, stored), expected, "{search} against {stored}");
        }
    }

    /// Day precision at both edges, for all six comparisons: the classic mistake (HeliosSoftware/hfs 456).
    #[test]
    fn day_edges() {
        let stored = [
            "2020-05-04T23:59:59Z",
            "2020-05-05T00:00:00Z",
            "2020-05-05T23:59:59.999Z",
            "2020-05-06T00:00:00Z",
        ];
        for (prefix, expected) in [
            ("eq", [false, true, true, false]),
            ("ne", [true, false, false, true]),
            ("gt", [false, false, false, true]),
            ("lt", [true, false, false, false]),
            ("ge", [false, true, true, true]),
            ("le", [true, true, true, false]),
            ("sa", [false, false, false, true]),
            ("eb", [true, false, false, false]),
        ] {
            let got = stored.map(|stored| matches(&format!("{prefix}2020-05-05"), stored));
            assert_eq!(got, expected, "{prefix}");
        }
    }

    #[test]
    fn timings_and_empty_periods() {
        let matcher = DateMatcher::parse("2020-05", None).expect("valid");
        let event = br#"{"event":["2020-05-01","2020-05-03"]}"#;
        assert!(matcher.matches(Leaf::Timing, Json::new(event)));
        let bounds = br#"{"repeat":{"boundsPeriod":{"start":"2020-05-01","end":"2020-06-01"}}}"#;
        assert!(!matcher.matches(Leaf::Timing, Json::new(bounds)));
        assert!(stored(Leaf::Timing, Json::new(br#"{"code":{"text":"daily"}}"#)).is_none());
        assert!(stored(Leaf::Period, Json::new(br#"{"extension":[]}"#)).is_none());
        assert!(
            !DateMatcher::parse("ne2020", None)
                .expect("valid")
                .matches(Leaf::Date, Json::new(b"\"soon\""))
        );
    }
}
