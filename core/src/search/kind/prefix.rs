//! The prefixes of number, date and quantity: `ge2020`.

/// A comparison (FHIR search, "Prefixes").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// The search range contains the target.
    Eq,
    /// It does not.
    Ne,
    /// The target reaches above the search range.
    Gt,
    /// The target reaches below it.
    Lt,
    /// Above, or in it.
    Ge,
    /// Below, or in it.
    Le,
    /// The target starts after the search range.
    Sa,
    /// The target ends before it.
    Eb,
    /// About the same: overlap, after widening by a tenth.
    Ap,
}

impl Prefix {
    /// Splits the prefix off. Two lower-case letters in front of a digit or sign; without any it is `eq`.
    pub fn split(value: &str) -> Option<(Prefix, &str)> {
        let rest = value.trim_start_matches(|c: char| c.is_ascii_lowercase());
        let prefix = match &value[..value.len() - rest.len()] {
            "" | "eq" => Prefix::Eq,
            "ne" => Prefix::Ne,
            "gt" => Prefix::Gt,
            "lt" => Prefix::Lt,
            "ge" => Prefix::Ge,
            "le" => Prefix::Le,
            "sa" => Prefix::Sa,
            "eb" => Prefix::Eb,
            "ap" => Prefix::Ap,
            _ => return None,
        };
        Some((prefix, rest))
    }

    /// The two letters.
    pub fn letters(self) -> &'static str {
        match self {
            Prefix::Eq => "eq",
            Prefix::Ne => "ne",
            Prefix::Gt => "gt",
            Prefix::Lt => "lt",
            Prefix::Ge => "ge",
            Prefix::Le => "le",
            Prefix::Sa => "sa",
            Prefix::Eb => "eb",
            Prefix::Ap => "ap",
        }
    }
}

/// Message for a value with letters in front that are no prefix.
pub const NO_PREFIX: &str = "no such prefix; expected one of eq ne gt lt ge le sa eb ap";
