//! Exact decimals: a whole number times a power of ten, compared without rounding.

use num_bigint::{BigInt, Sign};
use std::cmp::Ordering;

/// `mantissa * 10^exponent`; not normalised, so the unit of the last written digit stays known.
#[derive(Clone, Debug)]
pub(crate) struct Decimal {
    mantissa: BigInt,
    exponent: i64,
}

/// A decimal as somebody wrote it.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// What it is worth.
    pub(crate) value: Decimal,
    /// Whether it was written with an exponent.
    pub(crate) has_exponent: bool,
    /// Whether a digit other than zero stands after the point.
    pub(crate) has_fraction: bool,
}

/// Beyond this an exponent is a mistake; it also keeps sums of exponents far from overflow.
const LARGEST_EXPONENT: i64 = 1_000_000_000_000;

impl Written {
    /// Reads `[+-]digits[.digits][e[+-]digits]`; anything else is `None`.
    pub(crate) fn parse(text: &str) -> Option<Written> {
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (number, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
            None => (unsigned, None),
        };
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) if is_digits(fraction) => (whole, fraction),
            Some(_) => return None,
            None => (number, ""),
        };
        if !is_digits(whole) {
            return None;
        }
        let power = match exponent {
            Some(digits) => parse_exponent(digits)?,
            None => 0,
        };
        let mantissa: BigInt = format!("{whole}{fraction}").parse().ok()?;
        Some(Written {
            value: Decimal {
                mantissa: if negative { -mantissa } else { mantissa },
                exponent: power - i64::try_from(fraction.len()).ok()?,
            },
            has_exponent: exponent.is_some(),
            has_fraction: fraction.bytes().any(|digit| digit != b'0'),
        })
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !is_digits(digits) {
        return None;
    }
    let power: i64 = text.parse().ok()?;
    (power.abs() <= LARGEST_EXPONENT).then_some(power)
}

impl Decimal {
    /// Half a unit of the last written digit to each side: the range that the writing stands for.
    pub(crate) fn implicit_range(&self) -> (Decimal, Decimal) {
        let tens = &self.mantissa * 10;
        (self.finer(&tens - 5), self.finer(&tens + 5))
    }

    /// The implicit range, widened by a tenth of the value to each side.
    pub(crate) fn approximate_range(&self) -> (Decimal, Decimal) {
        let tens = &self.mantissa * 10;
        // A tenth of the value, in units of the next finer digit, is the mantissa itself.
        let tenth = BigInt::from_biguint(Sign::Plus, self.mantissa.magnitude().clone());
        (self.finer(&tens - 5 - &tenth), self.finer(&tens + 5 + &tenth))
    }

    fn finer(&self, mantissa: BigInt) -> Decimal {
        Decimal {
            mantissa,
            exponent: self.exponent - 1,
        }
    }

    /// Power of ten of the first digit, plus one. Only meaningful when not zero.
    fn magnitude(&self) -> i64 {
        let digits = self.mantissa.magnitude().to_string().len();
        i64::try_from(digits).unwrap_or(i64::MAX / 4) + self.exponent
    }

    fn aligned(&self, exponent: i64) -> BigInt {
        let zeros = u32::try_from(self.exponent - exponent).unwrap_or(0);
        &self.mantissa * BigInt::from(10).pow(zeros)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        let by_sign = self.mantissa.sign().cmp(&other.mantissa.sign());
        if by_sign != Ordering::Equal || self.mantissa.sign() == Sign::NoSign {
            return by_sign;
        }
        // Sizes first: 1e1000000 against 1 must not be written out in full.
        let by_size = self.magnitude().cmp(&other.magnitude());
        if by_size != Ordering::Equal {
            return if self.mantissa.sign() == Sign::Minus {
                by_size.reverse()
            } else {
                by_size
            };
        }
        let exponent = self.exponent.min(other.exponent);
        self.aligned(exponent).cmp(&other.aligned(exponent))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Decimal) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Decimal {
        Written::parse(text).unwrap_or_else(|| panic!("{text}")).value
    }

    #[test]
    fn equal_values_are_equal_however_written() {
        assert_eq!(value("100"), value("1.00e2"));
        assert_eq!(value("-0"), value("0.000"));
        assert_eq!(value("+7"), value("7.0"));
        assert_eq!(value("1E-3"), value("0.001"));
    }

    #[test]
    fn order_is_exact_where_binary_floats_are_not() {
        assert!(value("0.1") < value("0.10000000000000000000001"));
        assert!(value("9007199254740993") > value("9007199254740992"));
        assert!(value("-2") < value("-1"));
        assert!(value("-1e3") < value("-999"));
        assert!(value("1e1000000") > value("9"));
        assert!(value("1e-1000000") > value("0"));
        assert!(value("-1e1000000") < value("0"));
    }

    #[test]
    fn implicit_range_is_half_a_unit_of_the_last_digit() {
        for (text, low, high) in [
            ("100", "99.5", "100.5"),
            ("100.00", "99.995", "100.005"),
            ("5.40e-3", "0.005395", "0.005405"),
            ("2.0", "1.95", "2.05"),
            ("0", "-0.5", "0.5"),
            ("-3", "-3.5", "-2.5"),
            // The standard prints [95,105) here, against its own rule.
            ("1e2", "50", "150"),
        ] {
            assert_eq!(value(text).implicit_range(), (value(low), value(high)), "{text}");
        }
    }

    #[test]
    fn approximate_range_adds_a_tenth_of_the_value() {
        assert_eq!(value("100").approximate_range(), (value("89.5"), value("110.5")));
        assert_eq!(value("-100").approximate_range(), (value("-110.5"), value("-89.5")));
        assert_eq!(value("5.4").approximate_range(), (value("4.81"), value("5.99")));
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        for text in [
            "", "-", ".5", "5.", "1e", "1e+", "0x1", "1 ", "1,0", "--1", "NaN", "1e1.5",
        ] {
            assert!(Written::parse(text).is_none(), "{text:?}");
        }
    }
}
