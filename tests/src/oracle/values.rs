//! Following paths through a resource, and what counts as a value at their end.

use fhirehose_core::search::table::{PathSpec, SearchType, Where, WhereTest};
use serde_json::Value;

/// All elements that a path leads to, in order, after its tests. Tests on the reference's type are not made here.
pub(crate) fn follow<'a>(start: &'a Value, spec: &PathSpec) -> Vec<&'a Value> {
    let mut here = vec![start];
    here = keep_tested(here, &spec.wheres, 0);
    for (step, name) in spec.names.iter().enumerate() {
        let mut next = Vec::new();
        for item in here {
            match item.get(name) {
                Some(Value::Array(members)) => next.extend(members),
                Some(member) => next.push(member),
                None => {}
            }
        }
        here = keep_tested(next, &spec.wheres, step + 1);
    }
    here.retain(|value| !value.is_null());
    here
}

/// All elements that plain names lead to.
pub(crate) fn named<'a>(start: &'a Value, names: &[&str]) -> Vec<&'a Value> {
    let spec = PathSpec {
        names: names.iter().map(|&name| name.to_owned()).collect(),
        leaf: String::new(),
        wheres: Vec::new(),
        ref_is: None,
        first: false,
        root: false,
    };
    follow(start, &spec)
}

fn keep_tested<'a>(items: Vec<&'a Value>, wheres: &[Where], at: usize) -> Vec<&'a Value> {
    let mut kept = items;
    for test in wheres.iter().filter(|test| test.at == at) {
        kept = match &test.test {
            WhereTest::Index(index) => kept.get(*index).copied().into_iter().collect(),
            WhereTest::Member(names, text) => kept
                .into_iter()
                .filter(|item| member_equals(item, names, text))
                .collect(),
            WhereTest::Extension(url) => kept.into_iter().filter(|item| has_extension(item, url)).collect(),
        };
    }
    kept
}

fn member_equals(item: &Value, names: &[String], text: &str) -> bool {
    match names.split_first() {
        Some((name, rest)) => item.get(name).is_some_and(|member| match member {
            Value::Array(members) => members.iter().any(|one| member_equals(one, rest, text)),
            single => member_equals(single, rest, text),
        }),
        None => match item {
            Value::String(found) => found == text,
            Value::Bool(found) => found.to_string() == text,
            Value::Number(found) => found.to_string() == text,
            _ => false,
        },
    }
}

fn has_extension(item: &Value, url: &str) -> bool {
    item.get("extension")
        .and_then(Value::as_array)
        .is_some_and(|extensions| {
            extensions
                .iter()
                .any(|extension| extension.get("url").and_then(Value::as_str) == Some(url))
        })
}

/// A primitive, or an object that holds more than an id and extensions. A list inside a list is no value in FHIR.
pub(crate) fn is_value(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Object(members) => members.keys().any(|name| name != "id" && name != "extension"),
        Value::Array(_) => false,
        _ => true,
    }
}

/// Whether a parameter of this type can compare elements of this datatype. Others are passed over.
pub(crate) fn fits(kind: SearchType, leaf: &str) -> bool {
    match kind {
        SearchType::Number => matches!(
            leaf,
            "decimal" | "integer" | "positiveInt" | "unsignedInt" | "integer64" | "Range"
        ),
        SearchType::Date => matches!(leaf, "date" | "dateTime" | "instant" | "Period" | "Timing"),
        SearchType::String => matches!(
            leaf,
            "string"
                | "markdown"
                | "code"
                | "id"
                | "uri"
                | "url"
                | "canonical"
                | "HumanName"
                | "Address"
                | "CodeableConcept"
        ),
        SearchType::Token => matches!(
            leaf,
            "Coding"
                | "CodeableConcept"
                | "CodeableReference"
                | "Identifier"
                | "ContactPoint"
                | "code"
                | "boolean"
                | "id"
                | "string"
                | "markdown"
                | "uri"
                | "url"
                | "oid"
                | "uuid"
                | "canonical"
        ),
        SearchType::Reference => matches!(
            leaf,
            "Reference" | "CodeableReference" | "canonical" | "uri" | "Resource" | "Composition" | "MessageHeader"
        ),
        SearchType::Quantity => matches!(
            leaf,
            "Quantity"
                | "SimpleQuantity"
                | "Age"
                | "Duration"
                | "Count"
                | "Distance"
                | "MoneyQuantity"
                | "Money"
                | "Range"
        ),
        SearchType::Uri => matches!(leaf, "uri" | "url" | "oid" | "uuid" | "canonical"),
        SearchType::Composite | SearchType::Special => false,
    }
}

/// The part of the element that a search type looks at: of a CodeableReference the concept or the reference.
pub(crate) fn narrow<'a>(kind: SearchType, leaf: &'a str, value: &'a Value) -> Option<(&'a str, &'a Value)> {
    match (kind, leaf) {
        (SearchType::Token, "CodeableReference") => value.get("concept").map(|concept| ("CodeableConcept", concept)),
        (SearchType::Reference, "CodeableReference") => {
            value.get("reference").map(|reference| ("Reference", reference))
        }
        _ => Some((leaf, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec(names: &[&str], wheres: Vec<Where>) -> PathSpec {
        PathSpec {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            leaf: "string".to_owned(),
            wheres,
            ref_is: None,
            first: false,
            root: false,
        }
    }

    #[test]
    fn arrays_stand_for_their_items() {
        let resource = json!({"name": [{"given": ["A", null, "B"]}, {"given": ["C"]}, {}]});
        let found = follow(&resource, &spec(&["name", "given"], vec![]));
        assert_eq!(found, vec![&json!("A"), &json!("B"), &json!("C")]);
    }

    #[test]
    fn member_index_and_extension_tests() {
        let resource = json!({"telecom": [
            {"system": "phone", "value": "1"},
            {"system": "email", "value": "2", "extension": [{"url": "u"}]},
            {"system": "email", "value": "3"}]});
        let member = Where {
            at: 1,
            test: WhereTest::Member(vec!["system".to_owned()], "email".to_owned()),
        };
        let index = Where {
            at: 1,
            test: WhereTest::Index(0),
        };
        let extension = Where {
            at: 1,
            test: WhereTest::Extension("u".to_owned()),
        };
        let values = |wheres: Vec<Where>| {
            follow(&resource, &spec(&["telecom", "value"], wheres))
                .iter()
                .map(|value| value.as_str().unwrap_or_default().to_owned())
                .collect::<String>()
        };
        assert_eq!(values(vec![member.clone()]), "23");
        assert_eq!(values(vec![index.clone()]), "1");
        assert_eq!(values(vec![extension]), "2");
        assert_eq!(values(vec![member, index]), "2");
    }

    #[test]
    fn extensions_alone_are_no_value() {
        assert!(!is_value(&json!(null)));
        assert!(!is_value(&json!({})));
        assert!(!is_value(&json!({"id": "a", "extension": []})));
        assert!(is_value(&json!({"id": "a", "text": "b"})));
        assert!(is_value(&json!(false)));
        assert!(is_value(&json!("")));
    }
}
