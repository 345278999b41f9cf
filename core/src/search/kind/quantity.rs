//! Quantities: `number|system|code`, `number||code`, `number`.

use super::ValueError;
use super::number::{Edge, End, NumberMatcher, number, range_ends};
use crate::scan::json::Json;
use crate::search::leaf::Leaf;
use crate::search::query::{split, unescape};

/// System of the currency of a Money.
const CURRENCIES: &str = "urn:iso:std:iso:4217";

/// A quantity search value. Units are compared as codes; nothing is converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuantityMatcher {
    number: NumberMatcher,
    unit: Unit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Unit {
    Any,
    /// `|system|code`
    Coded(String, String),
    /// `||code`: the code or the human unit.
    Named(String),
}

impl QuantityMatcher {
    /// Reads `[prefix]number[|system|code]`, still escaped.
    pub fn parse(value: &str) -> Result<QuantityMatcher, ValueError> {
        let pieces = split(value, '|');
        let text = |index: usize| unescape(value, pieces[index].clone());
        let number = NumberMatcher::parse(&text(0)?)?;
        let unit = match pieces.len() {
            1 => Unit::Any,
            3 => {
                let (system, code) = (text(1)?, text(2)?);
                if code.is_empty() {
                    return Err(ValueError::whole(
                        value,
                        "a unit needs a code: number|system|code or number||code",
                    ));
                }
                if system.is_empty() {
                    Unit::Named(code)
                } else {
                    Unit::Coded(system, code)
                }
            }
            _ => {
                return Err(ValueError::whole(
                    value,
                    "expected number, number|system|code or number||code",
                ));
            }
        };
        Ok(QuantityMatcher { number, unit })
    }

    /// Whether a stored value matches.
    pub fn matches(&self, leaf: Leaf, json: Json<'_>) -> bool {
        match leaf {
            Leaf::Range => {
                // A bound without a number is no bound, whatever else it holds.
                let has_number = |bound: &Json<'_>| bound.get("value").and_then(number).is_some();
                let agrees = |name: &str| {
                    json.get(name)
                        .filter(has_number)
                        .is_none_or(|bound| self.unit.is_of(bound))
                };
                range_ends(json).is_some_and(|(lo, hi)| self.number.accepts(&lo, &hi))
                    && agrees("low")
                    && agrees("high")
            }
            Leaf::Money => {
                let value = json.get("value").and_then(number);
                value.is_some_and(|value| self.number.accepts_point(&value)) && self.unit.is_currency_of(json)
            }
            Leaf::Decimal => self.unit == Unit::Any && self.number.matches(leaf, json),
            _ => self.matches_quantity(json) && self.unit.is_of(json),
        }
    }

    fn matches_quantity(&self, json: Json<'_>) -> bool {
        let Some(value) = json.get("value").and_then(number) else {
            return false;
        };
        let comparator = json.get("comparator").and_then(Json::text);
        let open = |at, closed| -> End { Some(Edge { at, closed }) };
        match comparator.map(|text| text.decode()).as_deref() {
            None => self.number.accepts_point(&value),
            Some("<") => self.number.accepts(&None, &open(value, false)),
            Some("<=") => self.number.accepts(&None, &open(value, true)),
            Some(">") => self.number.accepts(&open(value, false), &None),
            Some(">=") => self.number.accepts(&open(value, true), &None),
            Some(_) => self.number.accepts_point(&value),
        }
    }

    /// For `explain`.
    pub fn describe(&self, text: &str) -> String {
        self.number.describe(text)
    }
}

impl Unit {
    fn is_of(&self, quantity: Json<'_>) -> bool {
        let says = |name: &str, wanted: &str| {
            quantity
                .get(name)
                .and_then(Json::text)
                .is_some_and(|text| text.is(wanted))
        };
        match self {
            Unit::Any => true,
            Unit::Coded(system, code) => says("system", system) && says("code", code),
            Unit::Named(code) => says("code", code) || says("unit", code),
        }
    }

    fn is_currency_of(&self, money: Json<'_>) -> bool {
        let is = |code: &str| {
            money
                .get("currency")
                .and_then(Json::text)
                .is_some_and(|text| text.is(code))
        };
        match self {
            Unit::Any => true,
            Unit::Coded(system, code) => system == CURRENCIES && is(code),
            Unit::Named(code) => is(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(search: &str, leaf: Leaf, stored: &str) -> bool {
        QuantityMatcher::parse(search)
            .expect(search)
            .matches(leaf, Json::new(stored.as_bytes()))
    }

    #[test]
    fn units() {
        let stored = r#"{"value":5.40,"unit":"milligram","system":"http://unitsofmeasure.org","code":"mg"}"#;
        for (search, expected) in [
            ("5.4", true),
            ("5.4|http://unitsofmeasure.org|mg", true),
            ("5.4|http://unitsofmeasure.org|g", false),
            ("5.4|http://example.org|mg", false),
            ("5.4||mg", true),
            ("5.4||milligram", true),
            ("5.4||MG", false),
            ("gt5.4", false),
            ("ge5.4||mg", true),
        ] {
            assert_eq!(matches(search, Leaf::Quantity, stored), expected, "{search}");
        }
        for bad in [
            "5.4|x",
            "5.4|http://unitsofmeasure.org|",
            "5.4||",
            "5|a|b|c",
            "x",
            "",
            "5.4|\\q|mg",
        ] {
            assert!(QuantityMatcher::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_stored_comparator_opens_the_interval() {
        let less = r#"{"value":5,"comparator":"<"}"#;
        assert!(matches("lt5", Leaf::Quantity, less));
        assert!(matches("gt3", Leaf::Quantity, less));
        assert!(!matches("ge5", Leaf::Quantity, less));
        assert!(!matches("5", Leaf::Quantity, less));
        assert!(matches("eb5", Leaf::Quantity, less));
        let more = r#"{"value":5,"comparator":">="}"#;
        assert!(matches("gt1000", Leaf::Quantity, more));
        assert!(matches("le5", Leaf::Quantity, more));
        assert!(!matches("lt5", Leaf::Quantity, more));
    }

    #[test]
    fn money_and_ranges() {
        let money = r#"{"value":129.16,"currency":"USD"}"#;
        assert!(matches("129.16|urn:iso:std:iso:4217|USD", Leaf::Money, money));
        assert!(matches("129.16||USD", Leaf::Money, money));
        assert!(!matches("129.16||EUR", Leaf::Money, money));
        let range = r#"{"low":{"value":1,"code":"a"},"high":{"value":2,"code":"a"}}"#;
        assert!(matches("gt1||a", Leaf::Range, range));
        assert!(!matches("gt1||b", Leaf::Range, range));
        let half = r#"{"low":{"value":1,"code":"a"},"high":{"unit":"x"}}"#;
        assert!(matches("gt1||a", Leaf::Range, half));
    }
}
