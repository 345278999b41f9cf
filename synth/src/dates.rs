//! Dates and times: civil calendar arithmetic and every way FHIR may spell a moment.

use crate::pen::{Pen, Put};

pub(crate) const DAY: i64 = 86_400;

/// 2025-06-30T00:00:00Z: nothing is recorded after it. A constant, so that a run can be repeated.
pub(crate) const END: i64 = 1_751_241_600;

/// How much of a moment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    Year,
    Month,
    Day,
    /// Not allowed in R4 (seconds are mandatory), yet real servers write it.
    Minute,
    /// As many fraction digits as the number says; 0 for whole seconds.
    Second(u8),
    /// Second 60, which R4's grammar allows.
    Leap,
}

/// A moment and its spelling. Appended without quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) at: i64,
    pub(crate) nanos: u64,
    pub(crate) precision: Precision,
    /// Minutes east of Greenwich; `None` is written `Z`.
    pub(crate) offset: Option<i64>,
}

/// Year, month and day of a day number (days since 1970-01-01), by Howard Hinnant's `civil_from_days`.
pub(crate) fn civil(days: i64) -> (i64, u64, u64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, month as u64, day as u64)
}

fn two(out: &mut Vec<u8>, before: u8, number: u64) {
    out.extend_from_slice(&[before, b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]);
}

impl Put for Stamp {
    fn put(self, out: &mut Vec<u8>) {
        let local = self.at + self.offset.unwrap_or(0) * 60;
        let (year, month, day) = civil(local.div_euclid(DAY));
        let year = year.clamp(1000, 9999) as u64;
        year.put(out);
        if self.precision == Precision::Year {
            return;
        }
        two(out, b'-', month);
        if self.precision == Precision::Month {
            return;
        }
        two(out, b'-', day);
        if self.precision == Precision::Day {
            return;
        }
        let second_of_day = local.rem_euclid(DAY) as u64;
        two(out, b'T', second_of_day / 3600);
        two(out, b':', second_of_day / 60 % 60);
        match self.precision {
            Precision::Leap => two(out, b':', 60),
            Precision::Second(digits) => {
                two(out, b':', second_of_day % 60);
                fraction(out, self.nanos, digits);
            }
            _ => {}
        }
        match self.offset {
            None => out.push(b'Z'),
            Some(minutes) => {
                two(out, if minutes < 0 { b'-' } else { b'+' }, minutes.unsigned_abs() / 60);
                two(out, b':', minutes.unsigned_abs() % 60);
            }
        }
    }
}

fn fraction(out: &mut Vec<u8>, nanos: u64, digits: u8) {
    if digits == 0 {
        return;
    }
    out.push(b'.');
    let mut unit = 100_000_000;
    for _ in 0..digits.min(9) {
        out.push(b'0' + (nanos / unit % 10) as u8);
        unit /= 10;
    }
}

const OFFSETS: [i64; 14] = [
    -840, -720, -480, -300, -300, -240, -210, 60, 60, 120, 330, 345, 600, 840,
];

fn offset(pen: &mut Pen) -> Option<i64> {
    if pen.varied {
        if pen.rng.percent(35) {
            None
        } else {
            Some(pen.rng.pick(&OFFSETS))
        }
    } else {
        Some(-300)
    }
}

/// A `date`: no time of day, sometimes less than a day's precision.
pub(crate) fn date(pen: &mut Pen, at: i64) -> Stamp {
    let precision = match pen.rng.below(40) {
        0 if pen.varied => Precision::Year,
        1 | 2 if pen.varied => Precision::Month,
        _ => Precision::Day,
    };
    Stamp {
        at,
        nanos: 0,
        precision,
        offset: None,
    }
}

/// A `dateTime` of any precision.
pub(crate) fn date_time(pen: &mut Pen, at: i64) -> Stamp {
    let nanos = pen.rng.below(1_000_000_000);
    let precision = match pen.rng.below(100) {
        _ if !pen.varied => Precision::Second(0),
        0..=2 => Precision::Year,
        3..=6 => Precision::Month,
        7..=18 => Precision::Day,
        19 => Precision::Minute,
        20..=34 => Precision::Second(3),
        35..=39 => Precision::Second(1 + (nanos % 9) as u8),
        40 if nanos.is_multiple_of(4) => Precision::Leap,
        _ => Precision::Second(0),
    };
    // Midnight and whole minutes are where comparisons go wrong: they must not be rare.
    let at = if pen.oddly(8) { at - at.rem_euclid(DAY) } else { at };
    Stamp {
        at,
        nanos,
        precision,
        offset: offset(pen),
    }
}

/// An `instant`: always seconds and an offset.
pub(crate) fn instant(pen: &mut Pen, at: i64) -> Stamp {
    let nanos = pen.rng.below(1_000_000_000);
    let precision = match pen.rng.below(10) {
        0 | 1 if pen.varied => Precision::Second(0),
        2 if pen.varied => Precision::Second(6),
        _ => Precision::Second(3),
    };
    Stamp {
        at,
        nanos,
        precision,
        offset: offset(pen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(at: i64, precision: Precision, offset: Option<i64>) -> String {
        let mut out = Vec::new();
        Stamp {
            at,
            nanos: 12_345_678,
            precision,
            offset,
        }
        .put(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn moments_are_spelled_by_precision_and_offset() {
        assert_eq!(text(END, Precision::Second(0), None), "2025-06-30T00:00:00Z");
        assert_eq!(
            text(END, Precision::Second(3), Some(-840)),
            "2025-06-29T10:00:00.012-14:00"
        );
        assert_eq!(text(END, Precision::Minute, Some(330)), "2025-06-30T05:30+05:30");
        assert_eq!(text(-1, Precision::Day, None), "1969-12-31");
        assert_eq!(text(951_782_400, Precision::Day, None), "2000-02-29");
        assert_eq!(text(0, Precision::Month, None), "1970-01");
        assert_eq!(text(0, Precision::Year, None), "1970");
    }
}
