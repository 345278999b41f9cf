//! Tokens: codes, identifiers, booleans, and their modifiers.

use super::query::{split, unescape};
use super::text::{equal_ignoring_case, fold, starts_with, strip_ignoring_case};
use fhirehose_core::search::table::ImpliedSystem;
use serde_json::Value;
use std::collections::BTreeSet;

/// What a token condition asks of one value. Negation is the caller's.
#[derive(Clone, Debug)]
pub(crate) enum TokenTest {
    /// `[system|]code`.
    Equals(Vec<TokenSearch>),
    /// `:text`, folded.
    Text(Vec<String>),
    /// `:of-type`: system and code of the type, value.
    OfType(Vec<(String, String, String)>),
    /// `:in`: system and code of every member.
    In(BTreeSet<(String, String)>),
    /// `:below` on a MIME type.
    MimeBelow(Vec<String>),
}

/// One token of a search.
#[derive(Clone, Debug)]
pub(crate) struct TokenSearch {
    /// `None`: no bar, any system. Empty: `|code`, no system.
    system: Option<String>,
    /// `None`: `system|`, any code.
    code: Option<String>,
}

impl TokenSearch {
    /// Reads `code`, `system|code`, `|code` or `system|`.
    pub(crate) fn parse(item: &str) -> Result<TokenSearch, String> {
        let pieces: Vec<String> = split(item, '|').iter().map(|piece| unescape(piece)).collect();
        match pieces.as_slice() {
            [code] => Ok(TokenSearch {
                system: None,
                code: Some(code.clone()),
            }),
            [system, code] if system.is_empty() && code.is_empty() => {
                Err("a token needs a system or a code".to_owned())
            }
            [system, code] => Ok(TokenSearch {
                system: Some(system.clone()),
                code: Some(code.clone()).filter(|code| !code.is_empty()),
            }),
            _ => Err(format!("'{item}' has more than one '|'")),
        }
    }

    /// A coded value: an absent system is none.
    fn matches_coding(&self, system: Option<&str>, code: Option<&str>) -> bool {
        let Some(wanted_system) = &self.system else {
            return match (&self.code, code) {
                (Some(wanted), Some(code)) => equal_ignoring_case(wanted, code),
                _ => false,
            };
        };
        let system_fits = if wanted_system.is_empty() {
            system.is_none()
        } else {
            system == Some(wanted_system.as_str())
        };
        let code_fits = match &self.code {
            Some(wanted) if wanted_system.is_empty() => code.is_some_and(|code| equal_ignoring_case(wanted, code)),
            Some(wanted) => code == Some(wanted.as_str()),
            // `system|` asks for the system alone.
            None => true,
        };
        system_fits && code_fits
    }

    /// An identifier: like a coded value, but its value is always exact.
    fn matches_identifier(&self, system: Option<&str>, value: Option<&str>) -> bool {
        let value_fits = match &self.code {
            Some(wanted) => value == Some(wanted.as_str()),
            None => true,
        };
        let system_fits = match self.system.as_deref() {
            None => true,
            Some("") => system.is_none(),
            Some(wanted) => system == Some(wanted),
        };
        value_fits && system_fits
    }

    /// A plain value that has no system: only a search without a bar can match.
    pub(crate) fn plain(&self) -> Option<&str> {
        match self.system {
            None => self.code.as_deref(),
            Some(_) => None,
        }
    }
}

/// Reads the three parts of `:of-type`.
pub(crate) fn parse_of_type(item: &str) -> Result<(String, String, String), String> {
    let pieces: Vec<String> = split(item, '|').iter().map(|piece| unescape(piece)).collect();
    match pieces.as_slice() {
        [system, code, value] if ![system, code, value].iter().any(|piece| piece.is_empty()) => {
            Ok((system.clone(), code.clone(), value.clone()))
        }
        _ => Err(format!("'{item}' is not system|code|value")),
    }
}

/// Whether one stored element satisfies the test. `implied` is the system that a `code` element stands for.
pub(crate) fn matches(test: &TokenTest, leaf: &str, value: &Value, implied: Option<&ImpliedSystem>) -> bool {
    match test {
        TokenTest::Equals(searches) => searches.iter().any(|search| equals(search, leaf, value, implied)),
        TokenTest::Text(searches) => texts(leaf, value).iter().any(|text| {
            let folded = fold(text);
            searches.iter().any(|search| starts_with(&folded, search, false))
        }),
        TokenTest::OfType(searches) => leaf == "Identifier" && searches.iter().any(|search| of_type(search, value)),
        TokenTest::In(members) => codings(leaf, value, implied).iter().any(|(system, code)| {
            let system = system.unwrap_or_default().to_owned();
            code.is_some_and(|code| members.contains(&(system, code.to_owned())))
        }),
        TokenTest::MimeBelow(searches) => value
            .as_str()
            .is_some_and(|stored| searches.iter().any(|search| mime_below(stored, search))),
    }
}

fn equals(search: &TokenSearch, leaf: &str, value: &Value, implied: Option<&ImpliedSystem>) -> bool {
    match leaf {
        "Coding" | "CodeableConcept" => codings(leaf, value, implied)
            .iter()
            .any(|(system, code)| search.matches_coding(*system, *code)),
        "code" => code_equals(search, value, implied),
        "Identifier" => search.matches_identifier(member(value, "system"), member(value, "value")),
        "ContactPoint" => match (search.plain(), member(value, "value")) {
            (Some(wanted), Some(stored)) => equal_ignoring_case(wanted, stored),
            _ => false,
        },
        "boolean" => match (search.plain(), value) {
            (Some(wanted), Value::Bool(stored)) => wanted == stored.to_string(),
            _ => false,
        },
        "string" | "markdown" => match (search.plain(), value.as_str()) {
            (Some(wanted), Some(stored)) => equal_ignoring_case(wanted, stored),
            _ => false,
        },
        // id, uri and their like
        _ => search.plain().is_some() && search.plain() == value.as_str(),
    }
}

/// A `code` element. Where several systems share the value set and none claims the code, its system is unknown: such a
/// code matches neither a search with a system nor one for no system.
fn code_equals(search: &TokenSearch, value: &Value, implied: Option<&ImpliedSystem>) -> bool {
    let Some(code) = value.as_str() else {
        return false;
    };
    match implied {
        None => search.matches_coding(None, Some(code)),
        Some(implied) => match system_of(code, implied) {
            Some(system) => search.matches_coding(Some(system), Some(code)),
            None => search.system.is_none() && search.matches_coding(None, Some(code)),
        },
    }
}

fn system_of<'a>(code: &str, implied: &'a ImpliedSystem) -> Option<&'a str> {
    if let [only] = implied.systems.as_slice() {
        return Some(only);
    }
    let (_, index) = implied.codes.iter().find(|(known, _)| known == code)?;
    implied.systems.get(*index).map(String::as_str)
}

/// System and code of everything coded in the element.
fn codings<'a>(
    leaf: &str,
    value: &'a Value,
    implied: Option<&'a ImpliedSystem>,
) -> Vec<(Option<&'a str>, Option<&'a str>)> {
    match leaf {
        "Coding" => vec![(member(value, "system"), member(value, "code"))],
        "CodeableConcept" => list(value, "coding")
            .into_iter()
            .map(|coding| (member(coding, "system"), member(coding, "code")))
            .collect(),
        "code" => {
            let code = value.as_str();
            let system = implied.zip(code).and_then(|(implied, code)| system_of(code, implied));
            vec![(system, code)]
        }
        _ => Vec::new(),
    }
}

/// The words for people that `:text` looks at.
fn texts<'a>(leaf: &str, value: &'a Value) -> Vec<&'a str> {
    match leaf {
        "Coding" => member(value, "display").into_iter().collect(),
        "CodeableConcept" => list(value, "coding")
            .into_iter()
            .filter_map(|coding| member(coding, "display"))
            .chain(member(value, "text"))
            .collect(),
        "Identifier" => value
            .get("type")
            .and_then(|kind| member(kind, "text"))
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

fn of_type(search: &(String, String, String), identifier: &Value) -> bool {
    let (system, code, wanted) = search;
    let type_fits = identifier.get("type").is_some_and(|kind| {
        list(kind, "coding").iter().any(|coding| {
            member(coding, "system") == Some(system.as_str()) && member(coding, "code") == Some(code.as_str())
        })
    });
    type_fits && member(identifier, "value") == Some(wanted.as_str())
}

/// `text/xml` finds `text/xml; charset=…`; `text` finds `text/xml`.
fn mime_below(stored: &str, search: &str) -> bool {
    match strip_ignoring_case(stored, search) {
        Some(rest) => rest.is_empty() || rest.starts_with(';') || (!search.contains('/') && rest.starts_with('/')),
        None => false,
    }
}

fn member<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// The items of a member, whether it is an array or (wrongly) a single object.
fn list<'a>(value: &'a Value, name: &str) -> Vec<&'a Value> {
    match value.get(name) {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(single) => vec![single],
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(search: &str, leaf: &str, stored: Value, expected: bool) {
        check_with(search, leaf, stored, None, expected);
    }

    #[track_caller]
    fn check_with(search: &str, leaf: &str, stored: Value, implied: Option<&ImpliedSystem>, expected: bool) {
        let test = TokenTest::Equals(vec![TokenSearch::parse(search).expect(search)]);
        assert_eq!(matches(&test, leaf, &stored, implied), expected, "{search} on {stored}");
    }

    #[test]
    fn coding_and_concept() {
        let coding = json!({"system": "http://loinc.org", "code": "8867-4a"});
        check("8867-4a", "Coding", coding.clone(), true);
        check("8867-4A", "Coding", coding.clone(), true);
        check("http://loinc.org|8867-4a", "Coding", coding.clone(), true);
        check("http://loinc.org|8867-4A", "Coding", coding.clone(), false);
        check("http://LOINC.org|8867-4a", "Coding", coding.clone(), false);
        check("|8867-4a", "Coding", coding.clone(), false);
        check("http://loinc.org|", "Coding", coding.clone(), true);
        check("http://other|", "Coding", coding.clone(), false);
        let concept = json!({"text": "x", "coding": [{"code": "A"}, coding]});
        check("8867-4a", "CodeableConcept", concept.clone(), true);
        check("|A", "CodeableConcept", concept.clone(), true);
        check("|a", "CodeableConcept", concept.clone(), true);
        check("x", "CodeableConcept", concept, false);
    }

    #[test]
    fn parts_are_unescaped_system_too() {
        let odd = json!({"system": "http://x|y,z", "code": r"a\b$c"});
        check(r"http://x\|y\,z|a\\b\$c", "Coding", odd, true);
    }

    #[test]
    fn identifiers_are_exact() {
        let identifier = json!({"system": "urn:mrn", "value": "Ab1"});
        check("Ab1", "Identifier", identifier.clone(), true);
        check("ab1", "Identifier", identifier.clone(), false);
        check("urn:mrn|Ab1", "Identifier", identifier.clone(), true);
        check("urn:mrn|", "Identifier", identifier.clone(), true);
        check("|Ab1", "Identifier", identifier, false);
        check("|Ab1", "Identifier", json!({"value": "Ab1"}), true);
    }

    #[test]
    fn plain_values() {
        check("TRUE", "boolean", json!(true), false);
        check("true", "boolean", json!(true), true);
        check("false", "boolean", json!(true), false);
        check("abc", "id", json!("abc"), true);
        check("ABC", "id", json!("abc"), false);
        check("HELLO", "string", json!("hello"), true);
        check("555-1", "ContactPoint", json!({"value": "555-1"}), true);
        check("A@B.C", "ContactPoint", json!({"value": "a@b.c"}), true);
        check(
            "phone|555-1",
            "ContactPoint",
            json!({"system": "phone", "value": "555-1"}),
            false,
        );
        check("http://x/A", "uri", json!("http://x/a"), false);
    }

    #[test]
    fn code_elements_have_the_system_of_their_binding() {
        let gender = ImpliedSystem {
            systems: vec!["http://hl7.org/fhir/administrative-gender".to_owned()],
            codes: vec![],
        };
        let code = |search: &str, expected: bool| {
            check_with(search, "code", json!("female"), Some(&gender), expected);
        };
        code("female", true);
        code("FEMALE", true);
        code("http://hl7.org/fhir/administrative-gender|female", true);
        code("http://hl7.org/fhir/administrative-gender|Female", false);
        code("http://hl7.org/fhir/administrative-gender|", true);
        code("|female", false);
        check("|female", "code", json!("female"), true);
        check("http://x|female", "code", json!("female"), false);
    }

    #[test]
    fn several_systems_share_a_value_set() {
        let shared = ImpliedSystem {
            systems: vec!["a".to_owned(), "b".to_owned()],
            codes: vec![("one".to_owned(), 0), ("two".to_owned(), 1)],
        };
        check_with("a|one", "code", json!("one"), Some(&shared), true);
        check_with("b|one", "code", json!("one"), Some(&shared), false);
        check_with("b|two", "code", json!("two"), Some(&shared), true);
        check_with("a|three", "code", json!("three"), Some(&shared), false);
        check_with("|three", "code", json!("three"), Some(&shared), false);
        check_with("three", "code", json!("three"), Some(&shared), true);
    }

    #[test]
    fn text_of_type_in_and_mime() {
        let concept = json!({"text": "Body Weight", "coding": [{"system": "s", "code": "c", "display": "Poids"}]});
        let text = |search: &str| TokenTest::Text(vec![fold(search)]);
        assert!(matches(&text("body w"), "CodeableConcept", &concept, None));
        assert!(matches(&text("POIDS"), "CodeableConcept", &concept, None));
        assert!(!matches(&text("weight"), "CodeableConcept", &concept, None));
        let identifier = json!({"type": {"coding": [{"system": "s", "code": "MR"}], "text": "Record"}, "value": "7"});
        assert!(matches(&text("rec"), "Identifier", &identifier, None));
        let of_type = |item: &str| TokenTest::OfType(vec![parse_of_type(item).expect(item)]);
        assert!(matches(&of_type("s|MR|7"), "Identifier", &identifier, None));
        assert!(!matches(&of_type("s|mr|7"), "Identifier", &identifier, None));
        assert!(!matches(&of_type("s|MR|8"), "Identifier", &identifier, None));
        let members = TokenTest::In(BTreeSet::from([("s".to_owned(), "c".to_owned())]));
        assert!(matches(&members, "CodeableConcept", &concept, None));
        assert!(!matches(&members, "Coding", &json!({"code": "c"}), None));
        let below = |search: &str, stored: &str| {
            matches(
                &TokenTest::MimeBelow(vec![search.to_owned()]),
                "code",
                &json!(stored),
                None,
            )
        };
        assert!(below("text/xml", "text/xml; charset=UTF-8"));
        assert!(below("text/xml", "TEXT/XML"));
        assert!(below("text", "text/xml"));
        assert!(!below("text/x", "text/xml"));
        assert!(!below("tex", "text/xml"));
    }

    #[test]
    fn broken_tokens_are_refused() {
        for text in ["|", "a|b|c"] {
            assert!(TokenSearch::parse(text).is_err(), "{text}");
        }
        for text in ["a|b", "a|b|", "|b|c", "a||c", "a|b|c|d", "a"] {
            assert!(parse_of_type(text).is_err(), "{text}");
        }
    }
}
