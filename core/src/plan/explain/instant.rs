//! An instant as text, in UTC.

use crate::search::kind::date::Nanos;

const SECOND: i64 = 1_000_000_000;
const DAY: Nanos = 86_400 * SECOND as Nanos;

/// `2024-05-01T00:00:00Z`, with as many digits of the second as it takes.
pub(super) fn written(at: Nanos) -> String {
    // Of any year that can be written both are far within 64 bits.
    let (year, month, day) = civil(at.div_euclid(DAY) as i64);
    let rest = at.rem_euclid(DAY) as i64;
    let (seconds, nanos) = (rest / SECOND, rest % SECOND);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = match nanos {
        0 => String::new(),
        _ => format!(".{nanos:09}").trim_end_matches('0').to_owned(),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Days since 1970-01-01 to year, month and day. Years are counted from March, so that the leap day stands last.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::kind::date::read_instant;

    #[test]
    fn instants_come_back() {
        for text in [
            "1970-01-01T00:00:00Z",
            "1969-12-31T23:59:59.5Z",
            "2000-02-29T12:34:56.000000001Z",
            "1900-02-28T00:00:00Z",
            "1900-03-01T00:00:00Z",
            "2024-12-31T23:59:59Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.123Z",
        ] {
            assert_eq!(read_instant(text).map(written).as_deref(), Some(text));
        }
        let east = read_instant("2024-01-01T00:30:00+01:00").map(written);
        assert_eq!(east.as_deref(), Some("2023-12-31T23:30:00Z"));
    }

    #[test]
    fn every_day_of_four_hundred_years_has_its_date() {
        for days in 0..146_097 {
            let text = written(days * DAY);
            assert_eq!(read_instant(&text), Some(days * DAY), "{text}");
        }
    }
}
