//! What `Retry-After` asks for, in all the forms that servers give it (RFC 9110, 10.2.3; SPEC 1.7, 2.11, C55).

use super::http_date;
use super::settings::{Millis, Settings};

/// A wait that a server has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// How long, within what the settings allow.
    pub(super) wait: Millis,
    /// Whether the server asked for more than that, or for something that cannot be read.
    pub(super) is_absurd: bool,
}

// In thousandths of what the header says.
/// A wait that cannot be meant as seconds: 2001 as seconds since 1970, and 31 years as a wait.
const FIRST_EPOCH_SECOND: u64 = 1_000_000_000_000;
/// 1973 in milliseconds since 1970; as seconds it would be the year 5138.
const FIRST_EPOCH_MILLI: u64 = 100 * FIRST_EPOCH_SECOND;
const LAST_EPOCH_MILLI: u64 = 100_000 * FIRST_EPOCH_SECOND;

/// The longest wait that the headers ask for; `None` where they say nothing that can be read. Instants are held against the
/// answer's own `Date`, because clocks differ.
pub(super) fn asked(headers: &[(String, String)], now: Millis, settings: &Settings) -> Option<Asked> {
    let named = |name: &'static str| values(headers, name);
    let server_now = named("date")
        .find_map(|text| http_date::parse(text, now))
        .unwrap_or(now);
    let raw = named("retry-after")
        .filter_map(|text| wait(text.trim(), server_now))
        .max()?;
    Some(Asked {
        wait: raw.clamp(
            settings.poll_first.max(1),
            settings.retry_after_most.max(settings.poll_first).max(1),
        ),
        is_absurd: raw > settings.retry_after_most,
    })
}

/// The values of a header, whatever the case of its name.
pub(super) fn values<'h>(headers: &'h [(String, String)], name: &'static str) -> impl Iterator<Item = &'h str> {
    let named = headers
        .iter()
        .filter(move |(found, _)| found.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.as_str())
}

/// What one value asks for, unbounded. What is over is no wait.
fn wait(text: &str, now: Millis) -> Option<Millis> {
    if let Some(instant) = http_date::parse(text, now) {
        return Some(instant.saturating_sub(now));
    }
    let number = thousandths(text)?;
    Some(if !(FIRST_EPOCH_SECOND..LAST_EPOCH_MILLI).contains(&number) {
        number
    } else if number < FIRST_EPOCH_MILLI {
        number.saturating_sub(now)
    } else {
        (number / 1_000).saturating_sub(now)
    })
}

/// A decimal number in thousandths, rounded up; one below zero is 0, and a large one the largest there is. The standard
/// library's floats would bring tables along that are larger than the rest of the client's reading.
fn thousandths(text: &str) -> Option<u64> {
    let (is_negative, number) = match text.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, power) = match number.split_once(['e', 'E']) {
        Some((digits, power)) => (digits, power.parse::<i32>().ok()?),
        None => (number, 0),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let count = whole.len() + part.len();
    if count == 0 {
        return None;
    }
    // So many digits are in front of the point once it has been moved.
    let in_front = whole.len() as i64 + i64::from(power) + 3;
    let (mut value, mut is_more) = (0_u64, false);
    for (at, byte) in (0..).zip(whole.bytes().chain(part.bytes())) {
        let digit = u64::from(byte.wrapping_sub(b'0'));
        match digit {
            0..=9 if at < in_front => value = value.saturating_mul(10).saturating_add(digit),
            0..=9 => is_more |= digit > 0,
            _ => return None,
        }
    }
    // After twenty zeros more it is as large as can be, or 0.
    for _ in 0..(in_front - count as i64).clamp(0, 20) {
        value = value.saturating_mul(10);
    }
    Some(if is_negative {
        0
    } else {
        value.saturating_add(is_more.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_795_667_137_000;

    fn of(lines: &[(&str, &str)]) -> Option<Asked> {
        let headers: Vec<(String, String)> = lines.iter().map(|&(name, text)| (name.into(), text.into())).collect();
        asked(&headers, NOW, &Settings::default())
    }

    fn seconds(text: &str) -> Option<f64> {
        of(&[("Retry-After", text)]).map(|asked| asked.wait as f64 / 1_000.0)
    }

    #[test]
    fn seconds_and_fractions() {
        assert_eq!(seconds("120"), Some(120.0));
        assert_eq!(seconds(" 7 "), Some(7.0));
        assert_eq!(seconds("1.5"), Some(1.5));
        assert_eq!(seconds("2e1"), Some(20.0));
    }

    #[test]
    fn numbers_are_those_of_the_standard_library() {
        let texts = "0 -0 7 007 +1.5 .5 5. -.5 2e1 2E+1 25e-1 1e-9 0e99 0.0001e4 12.3456e1 1e17 123456789.0625 1e-400 1e400 \
                     . e5 5e 1.2.3 +-5 -+5 1e1e1 0x1 1_0 ½ inf NaN -";
        for text in texts.split_ascii_whitespace() {
            let is_number = !text.contains(['i', 'N']);
            let expected = text.parse::<f64>().ok().filter(|_| is_number);
            let expected = expected.map(|number| (number * 1_000.0).ceil() as u64);
            // So small that a float is nothing, but it is something.
            let expected = expected.map(|millis| if text == "1e-400" { 1 } else { millis });
            assert_eq!(thousandths(text), expected, "{text}");
        }
        assert_eq!(thousandths(&format!("1e{}", u64::MAX)), None);
        assert_eq!(thousandths(&"9".repeat(1000)), Some(u64::MAX));
    }

    #[test]
    fn nothing_and_less_than_nothing_is_the_shortest_wait() {
        for text in ["0", "-5", "0.001", "-1e30", "Sun, 06 Nov 1994 08:49:37 GMT"] {
            assert_eq!(seconds(text), Some(1.0), "{text}");
        }
    }

    #[test]
    fn dates_in_all_three_forms() {
        // NOW is 26 November 2026, 04:25:37.
        for text in [
            "Thu, 26 Nov 2026 04:26:37 GMT",
            "Thursday, 26-Nov-26 04:26:37 GMT",
            "Thu Nov 26 04:26:37 2026",
        ] {
            assert_eq!(seconds(text), Some(60.0), "{text}");
        }
    }

    #[test]
    fn instants_are_held_against_the_clock_of_the_server() {
        let date = ("date", "Thu, 26 Nov 2026 03:00:00 GMT");
        let wait = |text| of(&[date, ("RETRY-AFTER", text)]).map(|asked| asked.wait);
        assert_eq!(wait("Thu, 26 Nov 2026 03:02:00 GMT"), Some(120_000));
        assert_eq!(wait("1795662120"), Some(120_000));
        assert_eq!(wait("1795662120000"), Some(120_000));
        assert_eq!(wait("120"), Some(120_000));
    }

    #[test]
    fn seconds_and_milliseconds_since_1970() {
        assert_eq!(seconds("1795667197"), Some(60.0));
        assert_eq!(seconds("1795667197000"), Some(60.0));
        assert_eq!(seconds("1000000000"), Some(1.0));
    }

    #[test]
    fn the_absurd_counts_as_the_most_that_is_believed() {
        for text in [
            "86400",
            "99999999999999999999",
            "999999999",
            "1e300",
            "Fri, 26 Nov 2100 00:00:00 GMT",
            "9999999999999",
        ] {
            let asked = of(&[("retry-after", text)]).expect("a wait");
            assert_eq!((asked.wait, asked.is_absurd), (15 * 60_000, true), "{text}");
        }
        assert!(!of(&[("retry-after", "900")]).expect("a wait").is_absurd);
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        for text in [
            "", "soon", "inf", "NaN", "-", "+", ".", "1 minute", "0x10", "-inf", "+inf",
        ] {
            assert_eq!(of(&[("Retry-After", text)]), None, "{text}");
        }
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn of_several_headers_the_longest_counts() {
        let asked = of(&[
            ("Retry-After", "5"),
            ("retry-after", "x"),
            ("Retry-After", "30"),
            ("Retry-After", "7"),
        ]);
        assert_eq!(asked.map(|asked| asked.wait), Some(30_000));
    }
}
