//! Exact decimals of any length: numbers are compared digit by digit, never through a float.

use std::cmp::Ordering;

use smallvec::SmallVec;

/// A decimal number: sign, digits without zeros at either end, and the place of the first digit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// The first digit counts 10^(top-1): 0.5 has top 0, 5 has top 1, 50 has top 2. Zero has no digits.
    top: i64,
    digits: Digits,
}

/// Longer numbers take memory of their own.
type Digits = SmallVec<[u8; 32]>;

/// A number as written: its value, and the place of its last written digit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The value.
    pub value: Decimal,
    /// The last written digit counts 10^`last_place`: 100 has 0, 1.00 has -2, 1e2 has 2.
    pub last_place: i64,
    /// Written with an exponent.
    pub has_exponent: bool,
    /// A digit behind the point that is not zero.
    pub has_fraction: bool,
}

/// Most significant digits of a search value.
const MAX_SEARCH_DIGITS: usize = 64;

impl Decimal {
    /// Reads a JSON number; also `+5` and `.5`, which some write in queries, are refused.
    pub fn read(text: &[u8]) -> Option<Decimal> {
        read(text).map(|written| written.value)
    }

    fn zero() -> Decimal {
        Decimal {
            negative: false,
            top: 0,
            digits: SmallVec::new(),
        }
    }

    /// From digits (values 0-9) of which the last counts 10^`last_place`.
    fn from_digits(negative: bool, digits: &[u8], last_place: i64) -> Decimal {
        let Some(first) = digits.iter().position(|&digit| digit != 0) else {
            return Decimal::zero();
        };
        let last = digits.iter().rposition(|&digit| digit != 0).unwrap_or(first);
        let top = last_place.saturating_add((digits.len() - first) as i64);
        Decimal {
            negative,
            top,
            digits: SmallVec::from_slice(&digits[first..=last]),
        }
    }

    /// The digits from the first one down to 10^`place`, as a plain sequence.
    fn digits_down_to(&self, place: i64) -> Vec<u8> {
        let mut digits = self.digits.to_vec();
        let len = (self.top - place).max(0) as usize;
        digits.resize(len.max(digits.len()), 0);
        digits
    }

    /// `self + 5 * 10^place` or `self - 5 * 10^place`, for numbers of bounded length.
    fn shifted_by_five(&self, place: i64, up: bool) -> Decimal {
        let place_of_five = place.min(self.top - self.digits.len() as i64);
        let mut five = vec![0; (place - place_of_five) as usize + 1];
        five[0] = 5;
        add(self, &Decimal::from_digits(!up, &five, place_of_five))
    }

    /// The tenth part of the absolute value.
    fn tenth(&self) -> Decimal {
        Decimal {
            negative: false,
            top: self.top - i64::from(!self.digits.is_empty()),
            digits: self.digits.clone(),
        }
    }

    fn negated(mut self) -> Decimal {
        self.negative = !self.negative && !self.digits.is_empty();
        self
    }

    fn magnitude_cmp(&self, other: &Decimal) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self.top.cmp(&other.top).then_with(|| self.digits.cmp(&other.digits)),
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.magnitude_cmp(other),
            (true, true) => other.magnitude_cmp(self),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Written {
    /// Reads a search value; bounded in digits and exponent, so that its range can be computed.
    pub fn search_value(text: &str) -> Option<Written> {
        let written = read(text.as_bytes())?;
        let bounded = written.value.digits.len() <= MAX_SEARCH_DIGITS
            && written.last_place.abs() <= 200
            && written.value.top.abs() <= 200;
        bounded.then_some(written)
    }

    /// The implicit range: half a unit of the last written digit on each side, `[lo, hi)`.
    pub fn implicit_range(&self) -> (Decimal, Decimal) {
        let place = self.last_place - 1;
        (
            self.value.shifted_by_five(place, false),
            self.value.shifted_by_five(place, true),
        )
    }

    /// The implicit range, widened on both sides by a tenth of the value: `ap`.
    pub fn approximate_range(&self) -> (Decimal, Decimal) {
        let (lo, hi) = self.implicit_range();
        let tenth = self.value.tenth();
        (add(&lo, &tenth.clone().negated()), add(&hi, &tenth))
    }
}

/// Schoolbook addition; only for search values, which are short.
fn add(a: &Decimal, b: &Decimal) -> Decimal {
    if a.digits.is_empty() || b.digits.is_empty() {
        return if a.digits.is_empty() { b.clone() } else { a.clone() };
    }
    let place = (a.top - a.digits.len() as i64).min(b.top - b.digits.len() as i64);
    let (large, small) = if a.magnitude_cmp(b) == Ordering::Less {
        (b, a)
    } else {
        (a, b)
    };
    let long = large.digits_down_to(place);
    let short = small.digits_down_to(place);
    let mut sum = vec![0u8; long.len() + 1];
    let subtract = large.negative != small.negative;
    let mut carry = 0i8;
    for back in 0..long.len() {
        let upper = long[long.len() - 1 - back] as i8;
        let lower = if back < short.len() {
            short[short.len() - 1 - back] as i8
        } else {
            0
        };
        let mut digit = if subtract {
            upper - lower - carry
        } else {
            upper + lower + carry
        };
        carry = i8::from(if subtract { digit < 0 } else { digit > 9 });
        if carry == 1 {
            digit += if subtract { 10 } else { -10 };
        }
        let at = sum.len() - 1 - back;
        sum[at] = digit as u8;
    }
    sum[0] = if subtract { 0 } else { carry as u8 };
    Decimal::from_digits(large.negative, &sum, place)
}

/// Reads a number by the grammar of JSON.
fn read(text: &[u8]) -> Option<Written> {
    let negative = text.first() == Some(&b'-');
    let body = &text[usize::from(negative)..];
    let (mantissa, exponent) = match body.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&body[..at], Some(read_exponent(&body[at + 1..])?)),
        None => (body, None),
    };
    let (whole, fraction) = match mantissa.iter().position(|&byte| byte == b'.') {
        Some(at) => (&mantissa[..at], Some(&mantissa[at + 1..])),
        None => (mantissa, None),
    };
    let digits_only = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    if !digits_only(whole) || fraction.is_some_and(|part| !digits_only(part)) {
        return None;
    }
    if whole.len() > 1 && whole[0] == b'0' {
        return None;
    }
    let fraction = fraction.unwrap_or_default();
    let last_place = exponent.unwrap_or(0).saturating_sub(fraction.len() as i64);
    let digits: Digits = whole.iter().chain(fraction).map(|byte| byte - b'0').collect();
    Some(Written {
        value: Decimal::from_digits(negative, &digits, last_place),
        last_place,
        has_exponent: exponent.is_some(),
        has_fraction: fraction.iter().any(|&byte| byte != b'0'),
    })
}

fn read_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Exponents beyond any use are held at a bound far outside of every search value.
    let value = digits
        .iter()
        .fold(0i64, |value, byte| (value * 10 + i64::from(byte - b'0')).min(1 << 40));
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Decimal {
        Decimal::read(text.as_bytes()).expect(text)
    }

    #[test]
    fn order_is_exact() {
        let ascending = [
            "-1e3",
            "-10.5",
            "-10.49",
            "-0.1",
            "0",
            "1e-30",
            "0.3",
            "0.30000000000000001",
            "5",
            "5.01",
            "1e2",
            "100.001",
            "1e400",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(number(a).cmp(&number(b)), i.cmp(&j), "{a} {b}");
            }
        }
        for (a, b) in [
            ("1.0", "1"),
            ("100", "1e2"),
            ("0.50e1", "5"),
            ("-0", "0"),
            ("0.0e9", "0"),
        ] {
            assert_eq!(number(a), number(b));
        }
    }

    #[test]
    fn grammar() {
        for bad in [
            "", "-", "+1", ".5", "1.", "1e", "01", "1e+", "1.2.3", "abc", "1 ", "0x1", "--1",
        ] {
            assert!(Decimal::read(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn implicit_ranges_of_the_standard() {
        for (text, lo, hi) in [
            ("100", "99.5", "100.5"),
            ("100.00", "99.995", "100.005"),
            ("5.40e-3", "0.005395", "0.005405"),
            ("2.0", "1.95", "2.05"),
            ("0", "-0.5", "0.5"),
            ("-5", "-5.5", "-4.5"),
            ("0.2", "0.15", "0.25"),
            ("999", "998.5", "999.5"),
            ("1.00e2", "99.5", "100.5"),
            // The standard prints [95,105) for this one, against its own rule of significant digits.
            ("1e2", "50", "150"),
        ] {
            let range = Written::search_value(text).expect(text).implicit_range();
            assert_eq!(range, (number(lo), number(hi)), "{text}");
        }
    }

    #[test]
    fn approximate_ranges() {
        let range = |text: &str| Written::search_value(text).expect(text).approximate_range();
        assert_eq!(range("100"), (number("89.5"), number("110.5")));
        assert_eq!(range("-100"), (number("-110.5"), number("-89.5")));
        assert_eq!(range("0"), (number("-0.5"), number("0.5")));
    }

    #[test]
    fn absurd_numbers_are_bounded() {
        assert!(Written::search_value("1e999999999999999999999").is_none());
        assert!(number("1e99999999999999999999") > number("1e300"));
        assert!(number("1e-99999999999999999999") < number("1e-300"));
        let long = format!("0.{}1", "0".repeat(500));
        assert!(number(&long) > number("0") && Written::search_value(&long).is_none());
    }
}
