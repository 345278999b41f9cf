//! Numbers with prefixes and implicit ranges, against integers, decimals and ranges.

use super::ValueError;
use super::decimal::{Decimal, Written};
use super::prefix::{NO_PREFIX, Prefix};
use crate::scan::json::{Json, Kind};
use crate::search::leaf::Leaf;

/// A number search value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberMatcher {
    prefix: Prefix,
    value: Written,
    /// The range of `eq` and `ne`, or the wider one of `ap`.
    range: (Decimal, Decimal),
}

/// One end of a stored interval: `None` is open for ever.
pub type End = Option<Edge>;

/// A finite end of a stored interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Where.
    pub at: Decimal,
    /// Whether the place itself belongs to the interval.
    pub closed: bool,
}

const OUT_OF_RANGE: &str =
    "the number is out of range; at most 64 digits and a power of ten within 200 can be compared";
const MALFORMED: &str = "malformed number; expected a decimal such as 5, -0.25 or 1.5e3";

impl NumberMatcher {
    /// Reads `[prefix]number`.
    pub fn parse(value: &str) -> Result<NumberMatcher, ValueError> {
        let (prefix, text) = Prefix::split(value).ok_or_else(|| ValueError::whole(value, NO_PREFIX))?;
        let at = value.len() - text.len();
        let message = if Decimal::read(text.as_bytes()).is_some() {
            OUT_OF_RANGE
        } else {
            MALFORMED
        };
        let malformed = || ValueError {
            message: message.to_owned(),
            span: at..value.len(),
        };
        let written = Written::search_value(text).ok_or_else(malformed)?;
        let range = if prefix == Prefix::Ap {
            written.approximate_range()
        } else {
            written.implicit_range()
        };
        Ok(NumberMatcher {
            prefix,
            value: written,
            range,
        })
    }

    /// The comparison asked for.
    pub fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// Whether a stored value matches.
    pub fn matches(&self, leaf: Leaf, json: Json<'_>) -> bool {
        match leaf {
            Leaf::Range => range_ends(json).is_some_and(|(lo, hi)| self.accepts(&lo, &hi)),
            Leaf::Integer => number(json).is_some_and(|target| self.accepts_integer(&target)),
            _ => number(json).is_some_and(|target| self.accepts_point(&target)),
        }
    }

    /// A stored number is an exact point.
    pub fn accepts_point(&self, target: &Decimal) -> bool {
        let exact = &self.value.value;
        let in_range = || self.range.0 <= *target && *target < self.range.1;
        match self.prefix {
            Prefix::Eq | Prefix::Ap => in_range(),
            Prefix::Ne => !in_range(),
            Prefix::Gt | Prefix::Sa => target > exact,
            Prefix::Lt | Prefix::Eb => target < exact,
            Prefix::Ge => target >= exact,
            Prefix::Le => target <= exact,
        }
    }

    /// Integers are compared exactly, unless the search value is written with an exponent.
    fn accepts_integer(&self, target: &Decimal) -> bool {
        // With a fraction nothing can be equal; with an exponent the implicit range counts.
        let equal = || match (self.value.has_fraction, self.value.has_exponent) {
            (true, _) => false,
            (false, false) => *target == self.value.value,
            (false, true) => self.range.0 <= *target && *target < self.range.1,
        };
        match self.prefix {
            Prefix::Eq => equal(),
            Prefix::Ne => !equal(),
            _ => self.accepts_point(target),
        }
    }

    /// A stored interval, by the table of prefixes.
    pub fn accepts(&self, lo: &End, hi: &End) -> bool {
        let exact = &self.value.value;
        let contained = || {
            let above = lo.as_ref().is_some_and(|lo| self.range.0 <= lo.at);
            above
                && hi
                    .as_ref()
                    .is_some_and(|hi| hi.at < self.range.1 || (hi.at == self.range.1 && !hi.closed))
        };
        let reaches_above = |place: &Decimal| hi.as_ref().is_none_or(|hi| hi.at > *place);
        let reaches_below = |place: &Decimal| lo.as_ref().is_none_or(|lo| lo.at < *place);
        let touches = |end: &End| end.as_ref().is_some_and(|end| end.closed && end.at == *exact);
        match self.prefix {
            Prefix::Eq => contained(),
            Prefix::Ne => !contained(),
            Prefix::Gt => reaches_above(exact),
            Prefix::Lt => reaches_below(exact),
            Prefix::Ge => reaches_above(exact) || touches(hi),
            Prefix::Le => reaches_below(exact) || touches(lo),
            Prefix::Sa => lo
                .as_ref()
                .is_some_and(|lo| lo.at > *exact || (lo.at == *exact && !lo.closed)),
            Prefix::Eb => hi
                .as_ref()
                .is_some_and(|hi| hi.at < *exact || (hi.at == *exact && !hi.closed)),
            Prefix::Ap => {
                let from_low = hi
                    .as_ref()
                    .is_none_or(|hi| hi.at > self.range.0 || (hi.at == self.range.0 && hi.closed));
                from_low && reaches_below(&self.range.1)
            }
        }
    }

    /// For `explain`.
    pub fn describe(&self, text: &str) -> String {
        format!("{} {text}", self.prefix.letters())
    }
}

/// The number of a stored value.
pub fn number(json: Json<'_>) -> Option<Decimal> {
    if json.kind() == Kind::Number {
        Decimal::read(json.raw())
    } else {
        None
    }
}

/// The closed interval of a Range; `None` if neither bound has a value.
pub fn range_ends(json: Json<'_>) -> Option<(End, End)> {
    let bound = |name: &str| {
        let at = number(json.get(name)?.get("value")?)?;
        Some(Edge { at, closed: true })
    };
    let (low, high) = (bound("low"), bound("high"));
    (low.is_some() || high.is_some()).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(search: &str, leaf: Leaf, stored: &str) -> bool {
        NumberMatcher::parse(search)
            .expect(search)
            .matches(leaf, Json::new(stored.as_bytes()))
    }

    #[test]
    fn points() {
        for (search, stored, expected) in [
            ("100", "100", true),
            ("100", "99.5", true),
            ("100", "100.5", false),
            ("100.00", "100.004", true),
            ("100.00", "100.005", false),
            ("ne100", "100.2", false),
            ("gt70", "70", false),
            ("gt70", "70.0001", true),
            ("ge70", "70.0", true),
            ("lt0.1", "0.09999999999999999999999", true),
            ("le-1", "-1.0", true),
            ("sa5", "5", false),
            ("eb5", "4.9", true),
            ("ap100", "110.4", true),
            ("ap100", "110.5", false),
            ("1e2", "149", true),
        ] {
            assert_eq!(
                matches(search, Leaf::Decimal, stored),
                expected,
                "{search} against {stored}"
            );
        }
    }

    #[test]
    fn integers_are_exact() {
        assert!(matches("100", Leaf::Integer, "100"));
        assert!(matches("100.0", Leaf::Integer, "100"));
        assert!(!matches("100.2", Leaf::Integer, "100"));
        assert!(matches("ne100.2", Leaf::Integer, "100"));
        assert!(matches("gt2.5", Leaf::Integer, "3"));
        assert!(matches("1e2", Leaf::Integer, "120"));
    }

    #[test]
    fn ranges_have_ends() {
        let stored = r#"{"low":{"value":5},"high":{"value":10}}"#;
        for (search, expected) in [
            ("7", false),
            ("9e0", false),
            ("1e1", true),
            ("gt9", true),
            ("gt10", false),
            ("ge10", true),
            ("lt5", false),
            ("le5", true),
            ("sa4", true),
            ("sa5", false),
            ("eb11", true),
            ("eb10", false),
            ("ap4.6", true),
            ("ne7", true),
        ] {
            assert_eq!(matches(search, Leaf::Range, stored), expected, "{search}");
        }
        assert!(matches("gt1000", Leaf::Range, r#"{"low":{"value":5}}"#));
        assert!(!matches("gt1000", Leaf::Range, "{}"));
    }
}
