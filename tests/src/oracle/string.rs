//! Strings: folded starts-with, contains, exact, also over names and addresses.

use super::text::{fold, starts_with};
use serde_json::Value;

/// What a string condition asks of one value.
#[derive(Clone, Debug)]
pub(crate) enum StringTest {
    /// Folded text starts with one of these folded texts.
    Starts(Vec<String>),
    /// Folded text contains one of these folded texts.
    Contains(Vec<String>),
    /// The text is one of these.
    Exact(Vec<String>),
}

/// Folds a search text; one of which nothing is left would match everything.
pub(crate) fn fold_search(text: &str) -> Result<String, String> {
    let folded = fold(text);
    if folded.is_empty() {
        return Err(format!("'{text}' holds nothing to search for"));
    }
    Ok(folded)
}

/// Whether one stored element satisfies the test. `last_name` is the member it was found under.
pub(crate) fn matches(test: &StringTest, leaf: &str, last_name: &str, value: &Value) -> bool {
    texts(leaf, last_name, value)
        .iter()
        .any(|(text, is_family)| match test {
            StringTest::Exact(searches) => searches.iter().any(|search| search == text),
            StringTest::Contains(searches) => {
                let folded = fold(text);
                searches.iter().any(|search| folded.contains(search.as_str()))
            }
            StringTest::Starts(searches) => {
                let folded = fold(text);
                searches.iter().any(|search| starts_with(&folded, search, *is_family))
            }
        })
}

/// The texts of an element, each with whether it is a family name.
fn texts<'a>(leaf: &str, last_name: &str, value: &'a Value) -> Vec<(&'a str, bool)> {
    let members: &[&str] = match leaf {
        "HumanName" => &["family", "given", "prefix", "suffix", "text"],
        "Address" => &["line", "city", "district", "state", "postalCode", "country", "text"],
        "CodeableConcept" => &["text"],
        _ => {
            return value
                .as_str()
                .map(|text| (text, last_name == "family"))
                .into_iter()
                .collect();
        }
    };
    let mut found = Vec::new();
    for name in members {
        let is_family = *name == "family";
        match value.get(*name) {
            Some(Value::String(text)) => found.push((text.as_str(), is_family)),
            Some(Value::Array(items)) => {
                found.extend(items.iter().filter_map(Value::as_str).map(|text| (text, is_family)));
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn starts(search: &str) -> StringTest {
        StringTest::Starts(vec![fold_search(search).expect(search)])
    }

    #[test]
    fn names_and_addresses_are_searched_in_their_parts() {
        let name = json!({"use": "official", "family": "Carreño Quiñones", "given": ["José", "Luis"], "prefix": ["Mr."], "period": {"start": "2001"}});
        for (search, expected) in [
            ("carreno", true),
            ("QUINONES", true),
            ("jose", true),
            ("luis", true),
            ("mr", true),
            ("uis", false),
            ("official", false),
            ("2001", false),
            ("arreno", false),
        ] {
            assert_eq!(
                matches(&starts(search), "HumanName", "name", &name),
                expected,
                "{search}"
            );
        }
        let address = json!({"use": "home", "line": ["1 Nolan Dam", "Apt 2"], "city": "Boston", "postalCode": "02368"});
        for (search, expected) in [
            ("apt", true),
            ("bost", true),
            ("0236", true),
            ("home", false),
            ("dam", false),
        ] {
            assert_eq!(
                matches(&starts(search), "Address", "address", &address),
                expected,
                "{search}"
            );
        }
    }

    #[test]
    fn only_family_names_match_at_every_word() {
        assert!(matches(&starts("cruz"), "string", "family", &json!("de la Cruz")));
        assert!(!matches(&starts("cruz"), "string", "city", &json!("Santa Cruz")));
    }

    #[test]
    fn contains_and_exact() {
        let contains = StringTest::Contains(vec![fold("ÉLÉ")]);
        assert!(matches(&contains, "string", "x", &json!("Télélé")));
        assert!(!matches(&contains, "string", "x", &json!("el e")));
        let exact = StringTest::Exact(vec!["Ann".to_owned()]);
        assert!(matches(&exact, "string", "x", &json!("Ann")));
        assert!(!matches(&exact, "string", "x", &json!("ann")));
        assert!(!matches(&exact, "string", "x", &json!("Anna")));
    }

    #[test]
    fn a_search_of_punctuation_only_is_refused() {
        assert!(fold_search("...").is_err());
        assert!(fold_search(" - ").is_err());
    }
}
