//! `_elements` only removes members and adds one tag; what is not JSON does not panic.

use std::collections::HashSet;

use arbitrary::{Arbitrary, Unstructured};
use fhirehose_core::error::BadLine;
use fhirehose_core::plan::elements::Elements;
use fhirehose_core::project::project;
use fhirehose_core::scan::json::Json;
use serde_json::{Map, Value};

/// Sorted, as the plan makes them.
const KEYS: [&str; 7] = ["a", "gender", "id", "meta", "name", "resourceType", "valueString"];

#[derive(Arbitrary)]
struct Input<'a> {
    /// Which of the keys stay.
    keys: u8,
    bytes: &'a [u8],
}

pub fn check(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let stays = |key: &&str| matches!(*key, "id" | "meta" | "resourceType");
    let chosen = KEYS
        .iter()
        .enumerate()
        .filter(|(index, key)| input.keys >> index & 1 == 1 || stays(key));
    let keys = chosen.map(|(_, key)| (*key).to_owned()).collect();
    let elements = Elements {
        type_name: "Patient".to_owned(),
        keys,
    };
    let mut out = Vec::new();
    let made = project(&elements, input.bytes, &mut out);
    // Everything else than an accepted line comes from `--trust` alone and must only not panic.
    let Ok(Value::Object(before)) = serde_json::from_slice(input.bytes) else {
        return;
    };
    let names = names(input.bytes);
    let twice = names.len() > before.len();
    match made {
        Err(kind) => assert!(kind == BadLine::DuplicateName && twice),
        Ok(changed) => {
            assert!(!twice, "a name that stands twice is told");
            let leaves = before.keys().any(|name| !elements.keeps(name));
            assert_eq!(changed, leaves, "a line stays as it is if nothing is left out");
            if changed {
                let after = serde_json::from_slice(&out).expect("what is written is JSON");
                compare(&elements, before, after);
                assert!(!out.contains(&b'\n') || input.bytes.contains(&b'\n'), "one line");
                assert_eq!(self::names(&out).len(), distinct(&out), "no name twice");
            }
        }
    }
}

fn names(object: &[u8]) -> Vec<String> {
    Json::new(object.trim_ascii())
        .members()
        .map(|(name, _)| name.decode().into_owned())
        .collect()
}

fn distinct(object: &[u8]) -> usize {
    names(object).into_iter().collect::<HashSet<_>>().len()
}

/// The same members in the same order, but for those that are left out and for the tag.
fn compare(elements: &Elements, mut before: Map<String, Value>, mut after: Map<String, Value>) {
    let (meta, tagged) = (before.shift_remove("meta"), after.shift_remove("meta"));
    before.retain(|name, _| elements.keeps(name));
    assert!(before.iter().eq(after.iter()), "members stay as they were");
    let anchored = before.contains_key("id") || before.contains_key("resourceType");
    let mut tagged = match (meta, tagged) {
        (None, None) => return assert!(!anchored, "the tag is told"),
        (None, Some(tagged)) => {
            assert_eq!(tags(&tagged).len(), 1);
            return assert!(is_subsetted(&tags(&tagged)[0]));
        }
        (Some(Value::Object(meta)), Some(Value::Object(tagged))) => (meta, tagged),
        (meta, tagged) => return assert_eq!(meta, tagged, "a meta that is none stays"),
    };
    let (old, new) = (tagged.0.shift_remove("tag"), tagged.1.shift_remove("tag"));
    assert!(tagged.0.iter().eq(tagged.1.iter()), "the rest of meta stays");
    let (old, new) = (
        old.as_ref().map_or(Vec::new(), tags),
        new.as_ref().map_or(Vec::new(), tags),
    );
    let added = usize::from(!old.iter().any(is_subsetted));
    assert!(new.iter().any(is_subsetted) && new.len() == old.len() + added && new.starts_with(&old));
}

/// The tags of a `meta`, or of the value of its `tag`.
fn tags(value: &Value) -> Vec<Value> {
    match value {
        Value::Object(meta) if meta.contains_key("tag") => meta.get("tag").map_or(Vec::new(), tags),
        Value::Array(tags) => tags.clone(),
        Value::Null => Vec::new(),
        // No value for FHIR; a list of tags takes its place.
        Value::Object(members) if members.keys().all(|name| matches!(name.as_str(), "id" | "extension")) => Vec::new(),
        one => vec![one.clone()],
    }
}

fn is_subsetted(tag: &Value) -> bool {
    tag["code"] == "SUBSETTED" && tag["system"] == "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
}
