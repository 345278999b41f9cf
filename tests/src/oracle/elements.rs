//! What `_elements` leaves of a resource.

use super::values::is_value;
use fhirehose_core::search::table::{Registry, RootElement};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const TAG_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
const TAG_CODE: &str = "SUBSETTED";

/// The entries of `_elements`, understood.
#[derive(Debug)]
pub struct Elements {
    registry: Registry,
    /// Type (`None`: every type) and element.
    entries: BTreeSet<(Option<String>, String)>,
}

impl Elements {
    /// Understands entries of the form `element` and `Type.element`; blanks around and empty entries do not count.
    ///
    /// # Errors
    ///
    /// One text for each entry that is no root element of the type, or of any type.
    pub fn new(registry: &Registry, entries: &[String]) -> Result<Elements, Vec<String>> {
        let mut understood = BTreeSet::new();
        let mut problems = Vec::new();
        for entry in entries
            .iter()
            .map(|entry| entry.trim())
            .filter(|entry| !entry.is_empty())
        {
            let known = match entry.split_once('.') {
                Some((type_name, element)) => {
                    has_element(registry, type_name, element).then(|| (Some(type_name.to_owned()), element.to_owned()))
                }
                None => registry
                    .types()
                    .iter()
                    .any(|type_name| has_element(registry, type_name, entry))
                    .then(|| (None, entry.to_owned())),
            };
            match known {
                Some(known) => {
                    understood.insert(known);
                }
                None => problems.push(format!("'{entry}' is not a root element")),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Elements {
            registry: registry.clone(),
            entries: understood,
        })
    }

    /// The resource as it shall be written.
    #[must_use]
    pub fn apply(&self, resource: &Value) -> Value {
        let (Some(type_name), Some(members)) = (
            resource.get("resourceType").and_then(Value::as_str),
            resource.as_object(),
        ) else {
            return resource.clone();
        };
        let applies = self
            .entries
            .iter()
            .any(|(of_type, _)| of_type.as_deref().is_none_or(|of_type| of_type == type_name));
        if !applies {
            return resource.clone();
        }
        let kept: Map<String, Value> = members
            .iter()
            .filter(|(key, _)| self.keeps(type_name, key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if kept.len() == members.len() {
            return resource.clone();
        }
        Value::Object(with_tag(kept))
    }

    fn keeps(&self, type_name: &str, key: &str) -> bool {
        // `_birthDate` goes where `birthDate` goes.
        let name = key.strip_prefix('_').unwrap_or(key);
        if matches!(name, "resourceType" | "id" | "meta") {
            return true;
        }
        self.registry
            .root_elements(type_name)
            .iter()
            .filter(|element| element.keys.iter().any(|known| known == name))
            .any(|element| element.mandatory || element.modifier || self.lists(type_name, element, name))
    }

    /// An element is listed by its name, also with `[x]`; one JSON key of a choice lists that key only.
    fn lists(&self, type_name: &str, element: &RootElement, key: &str) -> bool {
        self.entries
            .iter()
            .filter(|(of_type, _)| of_type.as_deref().is_none_or(|of_type| of_type == type_name))
            .any(|(_, name)| names_whole(element, name) || name == key)
    }
}

fn names_whole(element: &RootElement, name: &str) -> bool {
    element.name == name || name.strip_suffix("[x]") == Some(&element.name)
}

fn has_element(registry: &Registry, type_name: &str, name: &str) -> bool {
    registry
        .root_elements(type_name)
        .iter()
        .any(|known| names_whole(known, name) || known.keys.iter().any(|key| key == name))
}

/// Adds the tag, unless it is there.
fn with_tag(resource: Map<String, Value>) -> Map<String, Value> {
    let mut tagged = resource;
    let meta = tagged.entry("meta").or_insert_with(|| json!({}));
    if meta.is_null() {
        *meta = json!({});
    }
    if let Some(meta) = meta.as_object_mut() {
        let tags = meta.entry("tag").or_insert_with(|| json!([]));
        if !tags.is_array() {
            // A single tag, where a list belongs, becomes the first of the list.
            let single = Some(tags.take()).filter(is_value);
            *tags = Value::Array(single.into_iter().collect());
        }
        if let Some(tags) = tags.as_array_mut() {
            let present = tags
                .iter()
                .any(|tag| tag["system"] == TAG_SYSTEM && tag["code"] == TAG_CODE);
            if !present {
                tags.push(json!({"system": TAG_SYSTEM, "code": TAG_CODE}));
            }
        }
    }
    tagged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(entries: &[&str], resource: &Value) -> Value {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        Elements::new(&Registry::r4(), &entries)
            .expect("valid entries")
            .apply(resource)
    }

    fn tag() -> Value {
        json!({"system": TAG_SYSTEM, "code": TAG_CODE})
    }

    #[test]
    fn mandatory_and_modifier_elements_stay() {
        let observation = json!({"resourceType": "Observation", "id": "1", "status": "final", "code": {"text": "x"},
            "implicitRules": "r", "language": "en", "valueQuantity": {"value": 1}, "issued": "2020"});
        assert_eq!(
            apply(&["Observation.value"], &observation),
            json!({"resourceType": "Observation", "id": "1", "meta": {"tag": [tag()]}, "status": "final",
                "code": {"text": "x"}, "implicitRules": "r", "valueQuantity": {"value": 1}})
        );
    }

    #[test]
    fn a_choice_by_its_name_or_by_one_key() {
        let patient =
            json!({"resourceType": "Patient", "multipleBirthBoolean": true, "_multipleBirthBoolean": {"id": "x"}});
        for entry in ["multipleBirth", "multipleBirth[x]", "Patient.multipleBirthBoolean"] {
            assert_eq!(apply(&[entry], &patient), patient, "{entry}");
        }
        assert_eq!(
            apply(&["multipleBirthInteger"], &patient),
            json!({"resourceType": "Patient", "meta": {"tag": [tag()]}})
        );
    }

    #[test]
    fn siblings_and_existing_tags_stay() {
        let patient = json!({"resourceType": "Patient", "id": "1", "meta": {"source": "s", "tag": [{"code": "a"}]},
            "birthDate": "2000", "_birthDate": {"id": "b"}, "_gender": {"id": "g"}, "unknown": 1});
        assert_eq!(
            apply(&["birthDate"], &patient),
            json!({"resourceType": "Patient", "id": "1", "meta": {"source": "s", "tag": [{"code": "a"}, tag()]},
                "birthDate": "2000", "_birthDate": {"id": "b"}})
        );
        let tagged = json!({"resourceType": "Patient", "meta": {"tag": [tag()]}, "gender": "male"});
        assert_eq!(
            apply(&["birthDate"], &tagged),
            json!({"resourceType": "Patient", "meta": {"tag": [tag()]}})
        );
    }

    #[test]
    fn nothing_removed_means_no_tag_and_other_types_stay_whole() {
        let patient = json!({"resourceType": "Patient", "id": "1", "birthDate": "2000"});
        assert_eq!(apply(&["Patient.birthDate"], &patient), patient);
        assert_eq!(apply(&["Observation.value"], &patient), patient);
        assert_eq!(apply(&[], &patient), patient);
        assert_ne!(apply(&["id"], &patient), patient);
    }

    #[test]
    fn only_known_root_elements() {
        let refused = |entry: &str| Elements::new(&Registry::r4(), &[entry.to_owned()]).is_err();
        for entry in ["value[x]", "Observation.valueQuantity", "Observation.value"] {
            assert!(!refused(entry), "{entry}");
        }
        for entry in [
            "Patient.name.given",
            "name.given",
            "Patient.value",
            "Nothing.id",
            "nothing",
            "Patient.",
        ] {
            assert!(refused(entry), "{entry}");
        }
        assert!(!refused("Patient.name"));
        assert!(!refused(" name "));
    }
}
