//! Quantities: a number with a unit.

use super::number::{End, NumberSearch, Target, stored_decimal, stored_range};
use super::query::{split, unescape};
use serde_json::Value;

const CURRENCIES: &str = "urn:iso:std:iso:4217";

/// One quantity of a search.
#[derive(Clone, Debug)]
pub(crate) struct QuantitySearch {
    number: NumberSearch,
    unit: Unit,
}

#[derive(Clone, Debug)]
enum Unit {
    Any,
    /// `n||code`: the code or the unit for people.
    Named(String),
    /// `n|system|code`.
    Coded(String, String),
}

impl QuantitySearch {
    /// Reads `[prefix]number[|system|code]`.
    pub(crate) fn parse(item: &str) -> Result<QuantitySearch, String> {
        let pieces: Vec<String> = split(item, '|').iter().map(|piece| unescape(piece)).collect();
        let unit = match pieces.as_slice() {
            [_] => Unit::Any,
            [_, _, code] if code.is_empty() => {
                return Err(format!("'{item}' has no code after its system"));
            }
            [_, system, code] if system.is_empty() => Unit::Named(code.clone()),
            [_, system, code] => Unit::Coded(system.clone(), code.clone()),
            _ => return Err(format!("'{item}' is not number|system|code")),
        };
        Ok(QuantitySearch {
            number: NumberSearch::parse(&pieces[0])?,
            unit,
        })
    }

    /// Whether a stored element of this datatype satisfies the search.
    pub(crate) fn matches(&self, leaf: &str, value: &Value) -> bool {
        let (target, unit_fits) = match leaf {
            "Range" => (stored_range(value), self.range_unit_fits(value)),
            "Money" => (point(value), self.currency_fits(value)),
            _ => (point(value), self.unit_fits(value)),
        };
        unit_fits && target.is_some_and(|target| self.number.matches(&target))
    }

    fn unit_fits(&self, quantity: &Value) -> bool {
        let member = |name: &str| quantity.get(name).and_then(Value::as_str);
        match &self.unit {
            Unit::Any => true,
            Unit::Named(name) => member("code") == Some(name.as_str()) || member("unit") == Some(name.as_str()),
            Unit::Coded(system, code) => {
                member("system") == Some(system.as_str()) && member("code") == Some(code.as_str())
            }
        }
    }

    fn currency_fits(&self, money: &Value) -> bool {
        let currency = money.get("currency").and_then(Value::as_str);
        match &self.unit {
            Unit::Any => true,
            Unit::Named(name) => currency == Some(name.as_str()),
            Unit::Coded(system, code) => system == CURRENCIES && currency == Some(code.as_str()),
        }
    }

    fn range_unit_fits(&self, range: &Value) -> bool {
        ["low", "high"]
            .iter()
            .filter_map(|name| range.get(*name))
            .filter(|bound| bound.get("value").and_then(stored_decimal).is_some())
            .all(|bound| self.unit_fits(bound))
    }
}

/// A stored number, or what its comparator makes of it.
fn point(value: &Value) -> Option<Target> {
    let number = stored_decimal(value.get("value")?)?;
    let (low, high) = match value.get("comparator").and_then(Value::as_str) {
        Some("<") => (End::Infinite, End::Open(number)),
        Some("<=") => (End::Infinite, End::Closed(number)),
        Some(">") => (End::Open(number), End::Infinite),
        Some(">=") => (End::Closed(number), End::Infinite),
        _ => return Some(Target::point(number)),
    };
    Some(Target {
        low,
        high,
        integer: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(search: &str, leaf: &str, stored: Value, expected: bool) {
        let quantity = QuantitySearch::parse(search).expect(search);
        assert_eq!(quantity.matches(leaf, &stored), expected, "{search} on {stored}");
    }

    fn dose() -> Value {
        json!({"value": 5.4, "unit": "milligram", "system": "http://unitsofmeasure.org", "code": "mg"})
    }

    #[test]
    fn units() {
        check("5.4", "Quantity", dose(), true);
        check("5.4|http://unitsofmeasure.org|mg", "Quantity", dose(), true);
        check("5.4|http://unitsofmeasure.org|g", "Quantity", dose(), false);
        check("5.4|http://other|mg", "Quantity", dose(), false);
        check("5.4||mg", "Quantity", dose(), true);
        check("5.4||milligram", "Quantity", dose(), true);
        check("5.4||MG", "Quantity", dose(), false);
        check(
            "5.4|http://unitsofmeasure.org|mg",
            "Quantity",
            json!({"value": 5.4, "unit": "mg"}),
            false,
        );
        check("lt5.5||mg", "Age", dose(), true);
        check("ne5.4||g", "Quantity", dose(), false);
        check("ne5.4", "Quantity", json!({"unit": "mg"}), false);
    }

    #[test]
    fn money_and_range() {
        let money = json!({"value": 129.16, "currency": "USD"});
        check("129.16|urn:iso:std:iso:4217|USD", "Money", money.clone(), true);
        check("129.16||USD", "Money", money.clone(), true);
        check("129.16|urn:x|USD", "Money", money.clone(), false);
        check("gt100", "Money", money, true);
        let range = json!({"low": {"value": 1, "code": "a"}, "high": {"value": 2, "code": "a"}});
        check("ge2||a", "Range", range.clone(), true);
        check("ge2||b", "Range", range, false);
        let mixed = json!({"low": {"value": 1, "code": "a"}, "high": {"value": 2, "code": "b"}});
        check("ge2||a", "Range", mixed, false);
        check("ge2||a", "Range", json!({"low": {"value": 1, "code": "a"}}), true);
    }

    #[test]
    fn a_comparator_opens_the_interval() {
        let with = |comparator: &str| json!({"value": 5, "comparator": comparator});
        for (search, less, at_most, more, at_least) in [
            ("5", false, false, false, false),
            ("ne5", true, true, true, true),
            ("gt5", false, false, true, true),
            ("ge5", false, true, true, true),
            ("lt5", true, true, false, false),
            ("le5", true, true, false, true),
            ("sa5", false, false, true, false),
            ("eb5", true, false, false, false),
            ("sa4", false, false, true, true),
            ("eb6", true, true, false, false),
            ("gt4", true, true, true, true),
            ("ap5", true, true, true, true),
            ("ap9", false, false, true, true),
        ] {
            check(search, "Quantity", with("<"), less);
            check(search, "Quantity", with("<="), at_most);
            check(search, "Quantity", with(">"), more);
            check(search, "Quantity", with(">="), at_least);
        }
    }

    #[test]
    fn half_written_units_are_refused() {
        for text in ["5|", "5|mg", "5|http://x|", "5||", "5|a|b|c", "|a|b", "x", "5,4"] {
            assert!(QuantitySearch::parse(text).is_err(), "{text}");
        }
    }
}
