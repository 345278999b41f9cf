//! References: relative, absolute, versioned, canonical, and what type they point to.

use fhirehose_core::search::table::Registry;
use serde_json::Value;

/// One reference of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReferenceSearch {
    /// As written, unescaped.
    text: String,
    /// What it names on this server, if it does.
    local: Option<Local>,
}

/// A resource of this server, as far as it is named.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Local {
    type_name: Option<String>,
    id: String,
    version: Option<String>,
}

/// What a reference is matched with, besides the reference itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Targets<'a> {
    /// Types that the parameter may point to; empty: any.
    pub(crate) types: &'a [String],
    /// Base URL of the server whose data this is.
    pub(crate) base: Option<&'a str>,
}

impl ReferenceSearch {
    /// Reads a reference; text that names nothing local is compared literally.
    pub(crate) fn parse(text: &str, base: Option<&str>) -> ReferenceSearch {
        ReferenceSearch {
            text: text.to_owned(),
            local: local(text, base),
        }
    }

    /// `name:Type=id`.
    pub(crate) fn typed(type_name: &str, id: &str) -> Result<ReferenceSearch, String> {
        let is_id = !id.is_empty() && !id.contains(['/', '|', '#', '?', ':']);
        if !is_id {
            return Err(format!("'{id}' is not a bare id"));
        }
        Ok(ReferenceSearch {
            text: format!("{type_name}/{id}"),
            local: Some(Local {
                type_name: Some(type_name.to_owned()),
                id: id.to_owned(),
                version: None,
            }),
        })
    }

    /// Whether a stored element of this datatype is meant.
    pub(crate) fn matches(&self, leaf: &str, value: &Value, targets: Targets<'_>) -> bool {
        match leaf {
            "canonical" => value
                .as_str()
                .is_some_and(|stored| canonical_equals(stored, &self.text)),
            "uri" => value.as_str() == Some(self.text.as_str()),
            "Reference" => self.matches_reference(value, targets),
            _ => self.matches_resource(value, targets),
        }
    }

    fn matches_reference(&self, reference: &Value, targets: Targets<'_>) -> bool {
        let Some(stored_text) = reference.get("reference").and_then(Value::as_str) else {
            return false;
        };
        let (Some(wanted), Some(stored)) = (&self.local, local(stored_text, targets.base)) else {
            // A version of a resource on another server is that resource, unless a version was asked for.
            let unversioned = stored_text.split("/_history/").next();
            let absolute = self.text.contains("://");
            return stored_text == self.text || absolute && unversioned == Some(self.text.as_str());
        };
        let stored_type = stored
            .type_name
            .as_deref()
            .or_else(|| reference.get("type").and_then(Value::as_str));
        let version_fits = wanted.version.is_none() || wanted.version == stored.version;
        wanted.id == stored.id && version_fits && type_fits(wanted, stored_type, targets)
    }

    /// The element is the resource itself.
    fn matches_resource(&self, resource: &Value, targets: Targets<'_>) -> bool {
        let Some(wanted) = &self.local else {
            return false;
        };
        let id = resource.get("id").and_then(Value::as_str);
        let type_name = resource.get("resourceType").and_then(Value::as_str);
        wanted.version.is_none() && id == Some(wanted.id.as_str()) && type_fits(wanted, type_name, targets)
    }
}

/// A bare id means any type that the parameter may point to.
fn type_fits(wanted: &Local, stored: Option<&str>, targets: Targets<'_>) -> bool {
    match &wanted.type_name {
        Some(type_name) => stored == Some(type_name.as_str()),
        None => targets.types.is_empty() || stored.is_some_and(|stored| targets.types.iter().any(|one| one == stored)),
    }
}

/// `id`, `Type/id` and `Type/id/_history/v`, also after the server's own base.
fn local(text: &str, base: Option<&str>) -> Option<Local> {
    let relative = match base.map(|base| base.trim_end_matches('/')) {
        Some(base) => text
            .strip_prefix(base)
            .and_then(|rest| rest.strip_prefix('/'))
            .filter(|rest| rest.contains('/'))
            .unwrap_or(text),
        None => text,
    };
    if relative.contains("://") || relative.starts_with('#') || relative.starts_with("urn:") {
        return None;
    }
    let named = |type_name: Option<&str>, id: &str, version: Option<&str>| Local {
        type_name: type_name.map(str::to_owned),
        id: id.to_owned(),
        version: version.map(str::to_owned),
    };
    let segments: Vec<&str> = relative.split('/').collect();
    if segments.iter().any(|segment| segment.is_empty()) {
        return None;
    }
    match segments.as_slice() {
        [id] => Some(named(None, id, None)),
        [type_name, id] => Some(named(Some(type_name), id, None)),
        [type_name, id, "_history", version] => Some(named(Some(type_name), id, Some(version))),
        _ => None,
    }
}

/// Type and id of the resource that a reference names by its text, versioned or not.
///
/// Other servers, `urn:`, fragments and bare ids name nothing here, nor do an identifier or a display alone.
pub(crate) fn target(text: &str, base: Option<&str>) -> Option<(String, String)> {
    let named = local(text, base)?;
    Some((named.type_name?, named.id))
}

/// Canonical URLs: the version counts only if the search gives one, the fragment never.
fn canonical_equals(stored: &str, search: &str) -> bool {
    if stored == search {
        return true;
    }
    let without_fragment = |text: &str| text.split('#').next().unwrap_or_default().to_owned();
    let (stored, search) = (without_fragment(stored), without_fragment(search));
    if search.is_empty() {
        return false;
    }
    match search.split_once('|') {
        Some(_) => stored == search,
        None => stored.split('|').next() == Some(search.as_str()),
    }
}

/// The type that a reference points to: by its text, else by its `type`, else by the contained resource.
///
/// Only the name of a resource type counts in the text: `http://x/1` says nothing about its target.
pub(crate) fn target_type<'a>(reference: &'a Value, resource: &'a Value, registry: &Registry) -> Option<&'a str> {
    let text = reference.get("reference").and_then(Value::as_str).unwrap_or_default();
    if let Some(type_name) = type_in_text(text).filter(|name| registry.is_type(name)) {
        return Some(type_name);
    }
    if let Some(type_name) = reference.get("type").and_then(Value::as_str) {
        return Some(type_name);
    }
    let id = text.strip_prefix('#')?;
    resource
        .get("contained")?
        .as_array()?
        .iter()
        .find(|contained| contained.get("id").and_then(Value::as_str) == Some(id))?
        .get("resourceType")?
        .as_str()
}

/// `Type` of `Type/id` at the end of the text, versioned or not, relative or absolute.
fn type_in_text(text: &str) -> Option<&str> {
    if text.starts_with('#') || text.starts_with("urn:") {
        return None;
    }
    let mut segments: Vec<&str> = text.split('/').collect();
    if segments.len() >= 4 && segments[segments.len() - 2] == "_history" {
        segments.truncate(segments.len() - 2);
    }
    match segments.as_slice() {
        [.., type_name, _] if !type_name.is_empty() => Some(type_name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const BASE: &str = "http://here/fhir";

    #[track_caller]
    fn check(search: &str, leaf: &str, stored: Value, expected: bool) {
        let types = ["Patient".to_owned(), "Group".to_owned()];
        let targets = Targets {
            types: &types,
            base: Some(BASE),
        };
        let search_reference = ReferenceSearch::parse(search, Some(BASE));
        assert_eq!(
            search_reference.matches(leaf, &stored, targets),
            expected,
            "{search} on {stored}"
        );
    }

    fn to(reference: &str) -> Value {
        json!({"reference": reference})
    }

    #[test]
    fn bare_typed_versioned_and_absolute() {
        check("1", "Reference", to("Patient/1"), true);
        check("1", "Reference", to("Device/1"), false);
        check("2", "Reference", to("Patient/1"), false);
        check("Patient/1", "Reference", to("Patient/1"), true);
        check("Group/1", "Reference", to("Patient/1"), false);
        check("Patient/1", "Reference", to("Patient/1/_history/2"), true);
        check("1", "Reference", to("Patient/1/_history/2"), true);
        check("Patient/1/_history/2", "Reference", to("Patient/1/_history/2"), true);
        check("Patient/1/_history/2", "Reference", to("Patient/1/_history/3"), false);
        check("Patient/1/_history/2", "Reference", to("Patient/1"), false);
        check(
            "http://far/fhir/Patient/1",
            "Reference",
            to("http://far/fhir/Patient/1"),
            true,
        );
        check("http://far/fhir/Patient/1", "Reference", to("Patient/1"), false);
        check("Patient/1", "Reference", to("http://far/fhir/Patient/1"), false);
        check("1", "Reference", to("http://far/fhir/Patient/1"), false);
    }

    #[test]
    fn the_own_base_is_the_same_as_none() {
        check("http://here/fhir/Patient/1", "Reference", to("Patient/1"), true);
        check("Patient/1", "Reference", to("http://here/fhir/Patient/1"), true);
        check("1", "Reference", to("http://here/fhir/Patient/1"), true);
        check("http://here/fhirPatient/1", "Reference", to("Patient/1"), false);
    }

    #[test]
    fn fragments_and_uuids_match_literally_only() {
        check("#a", "Reference", to("#a"), true);
        check("a", "Reference", to("#a"), false);
        check("urn:uuid:5", "Reference", to("urn:uuid:5"), true);
        check("5", "Reference", to("urn:uuid:5"), false);
        check("1", "Reference", json!({"display": "1"}), false);
    }

    #[test]
    fn canonical_and_uri() {
        let url = "http://x/Plan";
        check(url, "canonical", json!("http://x/Plan|1.0"), true);
        check("http://x/Plan|1.0", "canonical", json!("http://x/Plan|1.0"), true);
        check("http://x/Plan|2.0", "canonical", json!("http://x/Plan|1.0"), false);
        check("http://x/Plan|1.0", "canonical", json!(url), false);
        check(url, "canonical", json!("http://x/Plan|1.0#part"), true);
        check("http://x/Plan#part", "canonical", json!(url), true);
        check("http://x/Pla", "canonical", json!(url), false);
        check(url, "uri", json!(url), true);
        check(url, "uri", json!("http://x/Plan|1.0"), false);
    }

    #[test]
    fn resources_are_named_by_their_own_type_and_id() {
        let composition = json!({"resourceType": "Patient", "id": "1"});
        check("Patient/1", "Resource", composition.clone(), true);
        check("1", "Resource", composition.clone(), true);
        check("Device/1", "Resource", composition, false);
    }

    #[test]
    fn type_modifier_takes_a_bare_id() {
        assert!(ReferenceSearch::typed("Patient", "23").is_ok());
        for id in ["Patient/23", "", "http://x/1", "#a", "a|b"] {
            assert!(ReferenceSearch::typed("Patient", id).is_err(), "{id}");
        }
    }

    #[test]
    fn target_type_by_text_type_or_contained() {
        let resource = json!({"contained": [{"resourceType": "Device", "id": "d"}]});
        for (reference, expected) in [
            (json!({"reference": "Patient/1"}), Some("Patient")),
            (
                json!({"reference": "http://far/x/Patient/1/_history/4"}),
                Some("Patient"),
            ),
            (json!({"reference": "Patient/1", "type": "Group"}), Some("Patient")),
            (json!({"reference": "urn:uuid:1", "type": "Group"}), Some("Group")),
            (json!({"reference": "http://far/1", "type": "Group"}), Some("Group")),
            (json!({"reference": "Nobody/1"}), None),
            (json!({"reference": "#d"}), Some("Device")),
            (json!({"reference": "#e"}), None),
            (json!({"reference": "urn:uuid:1"}), None),
            (json!({"display": "x"}), None),
            (json!({"display": "x", "type": "Patient"}), Some("Patient")),
        ] {
            assert_eq!(
                target_type(&reference, &resource, &Registry::r4()),
                expected,
                "{reference}"
            );
        }
    }
}
