//! Dates in headers: the three forms of RFC 9110, 5.6.7.

use super::settings::Millis;

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// The instant of `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` or `Sun Nov  6 08:49:37 1994`. The name of
/// the day is not looked at. Years of two digits are those that lie at most 50 years after `now`.
pub(super) fn parse(text: &str, now: Millis) -> Option<Millis> {
    let words: Vec<&str> = text
        .split([' ', ',', '-', '\t'])
        .filter(|word| !word.is_empty())
        .take(8)
        .collect();
    let (day, month, year, time) = match words[..] {
        [_, day, month, year, time, zone] if is_utc(zone) => (day, month, year, time),
        [_, month, day, time, year] => (day, month, year, time),
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| month.eq_ignore_ascii_case(name))? as u64 + 1;
    let year = match (number(year)?, year.len()) {
        (short, 2) => full_year(short, now),
        (full, 4) if full >= 1970 => full,
        _ => return None,
    };
    let day = number(day).filter(|&day| day >= 1 && day <= days_of(month, year))?;
    let mut clock = time.split(':').map(number);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    // A second 60 is a leap second.
    if clock.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(seconds * 1_000)
}

fn is_utc(zone: &str) -> bool {
    zone.eq_ignore_ascii_case("gmt") || zone.eq_ignore_ascii_case("utc")
}

fn number(text: &str) -> Option<u64> {
    let is_short = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_short)
}

fn full_year(short: u64, now: Millis) -> u64 {
    // Near enough to tell centuries apart.
    let this_year = 1970 + now / 31_556_952_000;
    let year = this_year - this_year % 100 + short;
    let year = if year > this_year + 50 { year - 100 } else { year };
    year.max(1970)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of(month: u64, year: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let leap_days_before = |year: u64| (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    let before_year = (year - 1970) * 365 + leap_days_before(year) - leap_days_before(1970);
    let before_month: u64 = (1..month).map(|month| days_of(month, year)).sum();
    before_year + before_month + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_795_667_137_000;

    #[test]
    fn the_three_forms_say_the_same() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "sun, 6 nov 1994 08:49:37 UTC",
        ] {
            assert_eq!(parse(text, NOW), Some(784_111_777_000), "{text}");
        }
    }

    #[test]
    fn leap_years_and_ends_of_months() {
        assert_eq!(parse("Thu, 01 Jan 1970 00:00:00 GMT", NOW), Some(0));
        assert_eq!(parse("Thu, 29 Feb 2024 23:59:59 GMT", NOW), Some(1_709_251_199_000));
        assert_eq!(parse("Tue, 01 Jan 2030 00:00:00 GMT", NOW), Some(1_893_456_000_000));
        assert_eq!(parse("Sat, 01 Mar 2100 00:00:00 GMT", NOW), Some(4_107_542_400_000));
        for text in [
            "Thu, 29 Feb 2023 00:00:00 GMT",
            "Thu, 31 Apr 2024 00:00:00 GMT",
            "Mon, 29 Feb 2100 00:00:00 GMT",
        ] {
            assert_eq!(parse(text, NOW), None, "{text}");
        }
    }

    #[test]
    fn years_of_two_digits_lie_near_the_present() {
        let at = |text| parse(text, NOW).expect("a date");
        assert_eq!(
            at("Monday, 01-Jan-30 00:00:00 GMT"),
            at("Tue, 01 Jan 2030 00:00:00 GMT")
        );
        assert_eq!(
            at("Monday, 01-Jan-99 00:00:00 GMT"),
            at("Fri, 01 Jan 1999 00:00:00 GMT")
        );
    }

    #[test]
    fn other_texts_are_no_dates() {
        for text in [
            "",
            "120",
            "tomorrow",
            "2024-01-01T00:00:00Z",
            "Sun, 06 Nov 1994 08:49:37 +0200",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 0000 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 99999 08:49:37 GMT",
            "Sun, 06 Nov 1994 +8:49:37 GMT",
        ] {
            assert_eq!(parse(text, NOW), None, "{text}");
        }
    }
}
