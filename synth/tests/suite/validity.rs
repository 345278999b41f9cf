//! Every line is one JSON object without repeated names, and has what FHIR R4 makes mandatory.

use std::collections::HashSet;

use crate::reading::{run, value};
use fhirehose_synth::{Options, Profile};
use serde_json::Value;

/// Members that R4 requires at the top level; `x[x]` stands for any of the choice's types.
const MANDATORY: &[(&str, &[&str])] = &[
    ("Encounter", &["status", "class"]),
    ("Condition", &["subject"]),
    ("Observation", &["status", "code"]),
    ("Procedure", &["status", "subject"]),
    ("MedicationRequest", &["status", "intent", "medication[x]", "subject"]),
    (
        "MedicationAdministration",
        &["status", "medication[x]", "subject", "effective[x]"],
    ),
    ("Immunization", &["status", "vaccineCode", "patient", "occurrence[x]"]),
    ("AllergyIntolerance", &["patient"]),
    ("CarePlan", &["status", "intent", "subject"]),
    ("Goal", &["lifecycleStatus", "description", "subject"]),
    ("DiagnosticReport", &["status", "code"]),
    ("DocumentReference", &["status", "content"]),
    ("Coverage", &["status", "beneficiary", "payor"]),
    (
        "Claim",
        &[
            "status",
            "type",
            "use",
            "patient",
            "created",
            "provider",
            "priority",
            "insurance",
        ],
    ),
    (
        "ExplanationOfBenefit",
        &[
            "status",
            "type",
            "use",
            "patient",
            "created",
            "insurer",
            "provider",
            "outcome",
            "insurance",
        ],
    ),
    ("ChargeItem", &["status", "code", "subject"]),
    ("ServiceRequest", &["status", "intent", "subject"]),
    ("RiskAssessment", &["status", "subject"]),
    ("Provenance", &["target", "recorded", "agent"]),
    ("Group", &["type", "actual"]),
    ("RelatedPerson", &["patient"]),
];

fn runs() -> [Options; 2] {
    let varied = Options::new(200, 1);
    [
        varied.clone(),
        Options {
            profile: Profile::Regular,
            ..varied
        },
    ]
}

/// The number of members in all objects of `value`.
fn members(value: &Value) -> usize {
    match value {
        Value::Object(object) => object.len() + object.values().map(members).sum::<usize>(),
        Value::Array(items) => items.iter().map(members).sum(),
        _ => 0,
    }
}

/// The number of colons outside strings: one for every member that was written, repeated or not.
fn colons(line: &[u8]) -> usize {
    let (mut in_string, mut escaped, mut count) = (false, false, 0);
    for &byte in line {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else {
            in_string = byte == b'"';
            count += usize::from(byte == b':');
        }
    }
    count
}

#[test]
fn every_line_is_one_object_without_repeated_names() {
    for options in runs() {
        for (name, line) in &run(&options).0 {
            assert_eq!(line.iter().position(|&byte| byte == b'\n'), Some(line.len() - 1));
            let value = value(line);
            assert_eq!(value["resourceType"], *name);
            assert_eq!(members(&value), colons(line), "{}", String::from_utf8_lossy(line));
        }
    }
}

#[test]
fn ids_are_unique_in_their_type_and_follow_fhir() {
    for options in runs() {
        let mut seen = HashSet::new();
        for (name, line) in &run(&options).0 {
            let value = value(line);
            let id = value["id"].as_str().expect("an id").to_owned();
            assert!((1..=64).contains(&id.len()));
            assert!(
                id.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
            );
            assert!(seen.insert((*name, id)), "{name} twice");
        }
    }
}

#[test]
fn mandatory_members_are_there() {
    for options in runs() {
        let lines = run(&options);
        for (name, required) in MANDATORY {
            for line in lines.of(name) {
                let value = value(line);
                let object = value.as_object().expect("an object");
                for member in *required {
                    let there = match member.strip_suffix("[x]") {
                        Some(stem) => object.keys().filter(|key| key.starts_with(stem)).count() == 1,
                        None => object.contains_key(*member),
                    };
                    assert!(there, "{name} without {member}");
                }
            }
        }
    }
}

#[test]
fn no_value_is_empty() {
    fn walk(value: &Value, path: &str) {
        match value {
            Value::Object(object) => {
                assert!(!object.is_empty(), "{path}");
                object
                    .iter()
                    .for_each(|(name, member)| walk(member, &format!("{path}.{name}")));
            }
            Value::Array(items) => {
                assert!(!items.is_empty(), "{path}");
                items.iter().for_each(|item| walk(item, path));
            }
            Value::String(text) => assert!(!text.is_empty(), "{path}"),
            _ => {}
        }
    }
    for (name, line) in &run(&Options::new(200, 1)).0 {
        walk(&value(line), name);
    }
}

/// A regular run is what one server writes: no blanks between tokens, `resourceType` first, numbers and escapes plain.
#[test]
fn regular_lines_are_compact() {
    let [_, regular] = runs();
    for (name, line) in &run(&regular).0 {
        assert!(line.starts_with(format!("{{\"resourceType\":\"{name}\",\"id\":").as_bytes()));
        let compact = serde_json::to_vec(&value(line)).expect("JSON");
        assert_eq!(
            String::from_utf8_lossy(&compact),
            String::from_utf8_lossy(&line[..line.len() - 1])
        );
    }
}
