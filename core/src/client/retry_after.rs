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

/// A wait that cannot be meant as seconds: 2001 as seconds since 1970, and 31 years as a wait.
const FIRST_EPOCH_SECOND: f64 = 1e9;
/// 1973 in milliseconds since 1970; as seconds it would be the year 5138.
const FIRST_EPOCH_MILLI: f64 = 1e11;
const LAST_EPOCH_MILLI: f64 = 1e14;

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
    // `f64` would take "inf" and "NaN" as well.
    let is_number = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E'));
    let number: f64 = text.parse().ok().filter(|_| is_number)?;
    // Casts of floats stop at the ends of the integers.
    let millis = if !(FIRST_EPOCH_SECOND..LAST_EPOCH_MILLI).contains(&number) {
        (number * 1_000.0).ceil() as Millis
    } else if number < FIRST_EPOCH_MILLI {
        ((number * 1_000.0) as Millis).saturating_sub(now)
    } else {
        (number as Millis).saturating_sub(now)
    };
    Some(millis)
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
