//! Numbers of a search against stored numbers and ranges.

use super::decimal::{Decimal, Written};
use super::query::Prefix;
use serde_json::Value;

/// One number of a search, with its prefix.
#[derive(Clone, Debug)]
pub(crate) struct NumberSearch {
    prefix: Prefix,
    written: Written,
}

/// One end of a stored interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// There is none.
    Infinite,
    /// The end belongs to the interval.
    Closed(Decimal),
    /// The end does not.
    Open(Decimal),
}

/// What is stored, from low to high; a plain number is both ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Lower end.
    pub(crate) low: End,
    /// Upper end.
    pub(crate) high: End,
    /// An integer element: compared exactly by `eq`.
    pub(crate) integer: bool,
}

impl Target {
    /// A single number.
    pub(crate) fn point(value: Decimal) -> Target {
        Target {
            low: End::Closed(value.clone()),
            high: End::Closed(value),
            integer: false,
        }
    }
}

/// A stored JSON number, exactly as written.
pub(crate) fn stored_decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => Written::parse(&number.to_string()).map(|written| written.value),
        _ => None,
    }
}

/// The target of a number parameter.
pub(crate) fn stored_number(leaf: &str, value: &Value) -> Option<Target> {
    match leaf {
        "Range" => stored_range(value),
        "decimal" => Some(Target::point(stored_decimal(value)?)),
        _ => Some(Target {
            integer: true,
            ..Target::point(stored_decimal(value)?)
        }),
    }
}

/// `[low.value, high.value]`; both missing is no value.
pub(crate) fn stored_range(value: &Value) -> Option<Target> {
    let end = |name: &str| {
        value
            .get(name)
            .and_then(|bound| bound.get("value"))
            .and_then(stored_decimal)
            .map_or(End::Infinite, End::Closed)
    };
    let (low, high) = (end("low"), end("high"));
    if low == End::Infinite && high == End::Infinite {
        return None;
    }
    Some(Target {
        low,
        high,
        integer: false,
    })
}

impl NumberSearch {
    /// Reads `[prefix]number`.
    pub(crate) fn parse(text: &str) -> Result<NumberSearch, String> {
        let (prefix, number) = Prefix::split(text);
        match Written::parse(number) {
            Some(written) => Ok(NumberSearch { prefix, written }),
            None => Err(format!("'{text}' is not a number")),
        }
    }

    /// Whether what is stored satisfies the search.
    pub(crate) fn matches(&self, target: &Target) -> bool {
        let s = &self.written.value;
        match self.prefix {
            Prefix::Eq => self.equals(target),
            Prefix::Ne => !self.equals(target),
            Prefix::Gt => match &target.high {
                End::Infinite => true,
                End::Closed(high) | End::Open(high) => high > s,
            },
            Prefix::Ge => match &target.high {
                End::Infinite => true,
                End::Closed(high) => high >= s,
                End::Open(high) => high > s,
            },
            Prefix::Lt => match &target.low {
                End::Infinite => true,
                End::Closed(low) | End::Open(low) => low < s,
            },
            Prefix::Le => match &target.low {
                End::Infinite => true,
                End::Closed(low) => low <= s,
                End::Open(low) => low < s,
            },
            Prefix::Sa => match &target.low {
                End::Infinite => false,
                End::Closed(low) => low > s,
                End::Open(low) => low >= s,
            },
            Prefix::Eb => match &target.high {
                End::Infinite => false,
                End::Closed(high) => high < s,
                End::Open(high) => high <= s,
            },
            Prefix::Ap => {
                let (low, high) = s.approximate_range();
                overlaps(target, &low, &high)
            }
        }
    }

    fn equals(&self, target: &Target) -> bool {
        if target.integer && self.written.has_fraction {
            return false;
        }
        if target.integer && !self.written.has_exponent {
            return target.low == End::Closed(self.written.value.clone());
        }
        let (s0, s1) = self.written.value.implicit_range();
        let low_inside = match &target.low {
            End::Infinite => false,
            End::Closed(low) | End::Open(low) => s0 <= *low,
        };
        let high_inside = match &target.high {
            End::Infinite => false,
            End::Closed(high) => *high < s1,
            End::Open(high) => *high <= s1,
        };
        low_inside && high_inside
    }
}

/// Whether some number of the target lies in `[s0, s1)`.
fn overlaps(target: &Target, s0: &Decimal, s1: &Decimal) -> bool {
    let low_before = match &target.low {
        End::Infinite => true,
        End::Closed(low) | End::Open(low) => low < s1,
    };
    let high_after = match &target.high {
        End::Infinite => true,
        End::Closed(high) => s0 <= high,
        End::Open(high) => s0 < high,
    };
    low_before && high_after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(search: &str, leaf: &str, stored: &str, expected: bool) {
        let value: Value = serde_json::from_str(stored).expect(stored);
        let search_number = NumberSearch::parse(search).expect(search);
        let matched = stored_number(leaf, &value).is_some_and(|target| search_number.matches(&target));
        assert_eq!(matched, expected, "{search} on {leaf} {stored}");
    }

    #[test]
    fn eq_and_ne_take_half_a_unit_to_each_side() {
        for (search, stored, inside) in [
            ("100", "99.5", true),
            ("100", "100.5", false),
            ("100", "100.49999999999999999999", true),
            ("100", "99.49999999999999999999", false),
            ("100.00", "99.995", true),
            ("100.00", "100.005", false),
            ("100.00", "100", true),
            ("5.40e-3", "0.005395", true),
            ("5.40e-3", "0.005405", false),
            ("2.0", "1.95", true),
            ("2.0", "2.05", false),
            ("1.00e2", "99.5", true),
            ("1e2", "149.9", true),
            ("1e2", "50", true),
            ("1e2", "150", false),
            ("-5", "-5.5", true),
            ("-5", "-4.5", false),
        ] {
            check(search, "decimal", stored, inside);
            check(&format!("eq{search}"), "decimal", stored, inside);
            check(&format!("ne{search}"), "decimal", stored, !inside);
        }
    }

    #[test]
    fn the_other_prefixes_are_exact() {
        for (search, below, at, above) in [
            ("gt70", false, false, true),
            ("ge70", false, true, true),
            ("lt70", true, false, false),
            ("le70", true, true, false),
            ("sa70", false, false, true),
            ("eb70", true, false, false),
        ] {
            check(search, "decimal", "69.99999999999999999999", below);
            check(search, "decimal", "70.0", at);
            check(search, "decimal", "70.00000000000000000001", above);
        }
    }

    #[test]
    fn ap_is_a_tenth_around() {
        check("ap100", "decimal", "89.5", true);
        check("ap100", "decimal", "89.4", false);
        check("ap100", "decimal", "110.4", true);
        check("ap100", "decimal", "110.5", false);
    }

    #[test]
    fn integers_are_exact() {
        check("100", "integer", "100", true);
        check("100.0", "integer", "100", true);
        check("100.5", "integer", "100", false);
        check("ne100.5", "integer", "100", true);
        check("1e2", "integer", "120", true);
        check("1e2", "unsignedInt", "150", false);
        check("gt99.5", "positiveInt", "100", true);
        check("ap100", "integer", "109", true);
        check("99.6", "integer", "100", false);
    }

    #[test]
    fn ranges_are_closed_and_may_be_open_ended() {
        let both = r#"{"low":{"value":10},"high":{"value":20}}"#;
        let from = r#"{"low":{"value":10}}"#;
        for (search, expected_both, expected_from) in [
            ("15", false, false),
            ("2e1", false, false),
            ("ne15", true, true),
            ("gt20", false, true),
            ("ge20", true, true),
            ("lt10", false, false),
            ("le10", true, true),
            ("sa9", true, true),
            ("sa10", false, false),
            ("eb21", true, false),
            ("eb20", false, false),
            ("ap25", false, true),
            ("ap22", true, true),
        ] {
            check(search, "Range", both, expected_both);
            check(search, "Range", from, expected_from);
        }
        check("2e1", "Range", r#"{"low":{"value":15},"high":{"value":24.9}}"#, true);
        check("ne1", "Range", "{}", false);
    }

    #[test]
    fn a_stored_text_is_no_number() {
        check("ne1", "decimal", "\"5\"", false);
    }
}
