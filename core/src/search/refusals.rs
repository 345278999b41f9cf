//! What a filter may not use, each with its reason. A refused filter is an error, never ignored.

use super::leaf::Leaf;
use super::table::{Param, SearchType};

/// Why chains are refused.
pub const CHAIN: &str = "chained parameters need the other resource, which a filter over single lines does not have";

/// Why a name cannot stand in a filter at all.
pub fn name(name: &str) -> Option<&'static str> {
    Some(match name {
        "_has" => "reverse chaining needs other resources, which a filter over single lines does not have",
        "_filter" => "`_filter` expressions are not supported",
        "_text" | "_content" => "full-text search is not supported",
        "_list" | "_in" => {
            "membership in a list or group needs that resource, which a filter over single lines does not have"
        }
        "_query" => "named queries belong to one server; none is known here",
        "_type" => "a type filter is about one type, which stands before the `?`",
        "_sort" | "_count" | "_include" | "_revinclude" | "_summary" | "_total" | "_elements" | "_contained"
        | "_containedType" | "_format" | "_pretty" | "_maxresults" | "_score" | "_graph" => {
            "parameters that shape a search result are not allowed in a type filter"
        }
        _ => return None,
    })
}

/// Why a parameter of the tables cannot be used. `None`: it can.
pub fn param(param: &Param) -> Option<String> {
    if let Some(reason) = name(&param.code) {
        return Some(reason.to_owned());
    }
    if param.code == "phonetic" {
        return Some("phonetic search depends on an algorithm that the standard leaves open".to_owned());
    }
    if param.kind == SearchType::Special {
        return Some(format!(
            "`{}` is a special parameter with rules of its own, which are not supported",
            param.code
        ));
    }
    if let Some(reason) = &param.unresolved {
        return Some(format!(
            "`{}` has no path in this version of FHIR: {reason}",
            param.code
        ));
    }
    let fits = |kind: SearchType, leaf: &str| Leaf::named(leaf).fits(kind);
    if param.kind == SearchType::Composite {
        let empty = param
            .components
            .iter()
            .find(|part| !part.paths.iter().any(|spec| fits(part.kind, &spec.leaf)));
        return match (empty, param.components.is_empty()) {
            (Some(part), _) => Some(format!("part `{}` of `{}` reaches no value", part.code, param.code)),
            (None, true) => Some(format!("`{}` has no parts in this version of FHIR", param.code)),
            (None, false) => None,
        };
    }
    let reads_one = param.rule.is_some() || param.paths.iter().any(|spec| fits(param.kind, &spec.leaf));
    (!reads_one).then(|| format!("`{}` leads to no datatype that its search type reads", param.code))
}

/// The modifiers that a search type takes here.
pub fn modifiers(kind: SearchType) -> &'static [&'static str] {
    match kind {
        SearchType::String => &["exact", "contains", "missing"],
        SearchType::Token => &["not", "text", "in", "not-in", "of-type", "missing"],
        SearchType::Reference => &["identifier", "missing"],
        SearchType::Uri => &["below", "above", "missing"],
        SearchType::Number | SearchType::Date | SearchType::Quantity => &["missing"],
        SearchType::Composite | SearchType::Special => &[],
    }
}

/// Why a modifier of the standard is not supported on a search type. `None`: the standard does not have it.
pub fn modifier(kind: SearchType, modifier: &str) -> Option<&'static str> {
    Some(match (kind, modifier) {
        (SearchType::Token, "above" | "below") => "subsumption needs a terminology server",
        (SearchType::Token, "of-type") => "only identifiers have a type",
        (SearchType::Reference, "above" | "below") => "hierarchies of references need the other resources",
        (SearchType::Reference, "identifier") => "the values are canonicals, which have no identifier",
        (SearchType::String, "text") => "advanced text search is not supported",
        (_, "text-advanced" | "code-text" | "contains") => "the modifier came after FHIR R4",
        (_, "iterate") => "`:iterate` belongs to includes",
        _ => return None,
    })
}
