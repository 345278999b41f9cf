//! What filters may meet occurs in a run of 200 patients: types of choices, forms of references, spellings, decoys.

use std::collections::BTreeSet;

use crate::reading::{paths, run, value};
use fhirehose_synth::{Lines, Options};
use serde_json::Value;

fn lines() -> Lines {
    run(&Options::new(200, 1))
}

fn all_paths(lines: &Lines) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, line) in &lines.0 {
        paths(&value(line), name, &mut found);
    }
    found
}

/// Asserts that each stem occurs with each of its types.
fn assert_choices(found: &BTreeSet<String>, stem: &str, types: &str) {
    for suffix in types.split(' ') {
        assert!(found.contains(&format!("{stem}{suffix}")), "{stem}{suffix}");
    }
}

#[test]
fn choices_occur_in_every_type() {
    let found = all_paths(&lines());
    let onset = "DateTime Age Period Range String";
    for (stem, types) in [
        (
            "Observation.value",
            "Quantity CodeableConcept String Boolean Integer Range Ratio SampledData Time DateTime Period",
        ),
        ("Observation.component.value", "Quantity CodeableConcept String"),
        ("Observation.effective", "DateTime Period Timing Instant"),
        ("Procedure.performed", onset),
        ("Condition.onset", onset),
        ("Condition.abatement", onset),
        ("AllergyIntolerance.onset", onset),
        ("Immunization.occurrence", "DateTime String"),
        ("MedicationRequest.medication", "CodeableConcept Reference"),
        ("MedicationRequest.reported", "Boolean Reference"),
        (
            "MedicationRequest.dosageInstruction.asNeeded",
            "Boolean CodeableConcept",
        ),
        ("MedicationRequest.dosageInstruction.doseAndRate.dose", "Quantity Range"),
        (
            "MedicationRequest.dosageInstruction.doseAndRate.rate",
            "Ratio Range Quantity",
        ),
        ("MedicationRequest.dosageInstruction.timing.", "event repeat"),
        (
            "MedicationRequest.dosageInstruction.timing.repeat.bounds",
            "Period Duration",
        ),
        ("MedicationAdministration.effective", "DateTime Period"),
        ("Medication.ingredient.item", "CodeableConcept Reference"),
        ("Patient.deceased", "Boolean DateTime"),
        ("Patient.multipleBirth", "Boolean Integer"),
        ("Goal.start", "Date CodeableConcept"),
        (
            "Goal.target.detail",
            "Quantity Range CodeableConcept String Boolean Integer Ratio",
        ),
        ("Goal.target.due", "Date Duration"),
        ("CarePlan.activity.detail.scheduled", "Timing Period String"),
        ("DiagnosticReport.effective", "DateTime Period"),
        ("DiagnosticReport.presentedForm.", "data url contentType"),
        ("DocumentReference.content.attachment.", "data url contentType title"),
        ("ServiceRequest.occurrence", "DateTime Period Timing"),
        ("ServiceRequest.quantity", "Quantity Ratio Range"),
        ("Specimen.collection.collected", "DateTime Period"),
        ("Claim.item.location", "Address CodeableConcept Reference"),
        ("Claim.item.serviced", "Date Period"),
        ("Claim.diagnosis.diagnosis", "CodeableConcept Reference"),
        ("ExplanationOfBenefit.supportingInfo.value", "Quantity String Boolean"),
        ("ChargeItem.occurrence", "DateTime Period Timing"),
        ("ChargeItem.product", "CodeableConcept Reference"),
        ("ChargeItem.", "factorOverride"),
        ("RiskAssessment.prediction.probability", "Decimal Range"),
        ("Provenance.occurred", "DateTime Period"),
        (
            "Group.characteristic.value",
            "CodeableConcept Boolean Quantity Range Reference",
        ),
    ] {
        assert_choices(&found, stem, types);
    }
}

#[test]
fn members_that_filters_read_occur() {
    let found = all_paths(&lines());
    for path in [
        "Observation.dataAbsentReason.coding.code",
        "Observation.component.dataAbsentReason.coding.code",
        "Observation.component.valueQuantity.comparator",
        "Observation.valueQuantity.comparator",
        "Observation.hasMember.reference",
        "Patient._birthDate.extension.valueCode",
        "Patient._gender.extension.valueCode",
        "Patient.link.other.reference",
        "Patient.identifier.type.coding.code",
        "Patient.identifier._value.extension.valueString",
        "Patient.name._given.extension.valueCode",
        "Patient.extension.extension.valueCoding.system",
        "Patient.extension.extension.valueIdentifier.value",
        "Patient.contained.birthDate",
        "Condition.contained.code.coding.code",
        "Observation.extension.extension.valueCodeableConcept.coding.code",
        "MedicationRequest.contained.code.coding.code",
        "ExplanationOfBenefit.contained.subject.reference",
        "Claim.item.detail.subDetail.udi.reference",
        "Claim.total.currency",
        "DocumentReference.relatesTo.code",
        "Encounter.hospitalization.dischargeDisposition.coding.code",
        "Encounter.meta.tag.code",
        "Encounter.meta.security.code",
        "Encounter.implicitRules",
        "Encounter.language",
        "Encounter.text.div",
        "Encounter.modifierExtension.url",
        "Group.member.inactive",
        "Group.member.period.end",
    ] {
        assert!(found.contains(path), "{path}");
    }
}

/// One of the values under `path` of some line meets `test`.
fn any(lines: &Lines, type_name: &str, test: impl Fn(&Value) -> bool) -> bool {
    lines.of(type_name).any(|line| test(&value(line)))
}

#[test]
fn members_that_filters_read_are_missing_too() {
    let lines = lines();
    let lacks = |name: &'static str, pointer: &'static str| any(&lines, name, |value| value.pointer(pointer).is_none());
    assert!(lacks("Observation", "/meta"));
    assert!(any(&lines, "Observation", |value| value["meta"].is_object()
        && value["meta"]["lastUpdated"].is_null()));
    for (name, pointer) in [
        ("Patient", "/birthDate"),
        ("Patient", "/gender"),
        ("Patient", "/active"),
        ("Encounter", "/period"),
        ("Condition", "/recordedDate"),
        ("DocumentReference", "/date"),
        ("MedicationRequest", "/authoredOn"),
    ] {
        assert!(lacks(name, pointer), "{name}{pointer}");
        assert!(
            any(&lines, name, |value| value.pointer(pointer).is_some()),
            "{name}{pointer}"
        );
    }
    assert!(any(&lines, "Patient", |value| value["birthDate"].is_null()
        && value["_birthDate"].is_object()));
    for (there, missing) in [("start", "end"), ("end", "start")] {
        assert!(any(&lines, "Encounter", |value| {
            value["period"][there].is_string() && value["period"][missing].is_null()
        }));
    }
    let quantity = |test: &dyn Fn(&Value) -> bool| {
        any(&lines, "Observation", |value| {
            value["valueQuantity"].is_object() && test(&value["valueQuantity"])
        })
    };
    assert!(quantity(&|value| value["code"].is_null() && value["unit"].is_string()));
    assert!(quantity(&|value| value["code"].is_null() && value["unit"].is_null()));
    assert!(quantity(&|value| value["code"].is_string() && value["system"].is_null()));
    assert!(quantity(&|value| value["value"].is_null()));
    let range = |low: bool, high: bool| {
        any(&lines, "Condition", |value| {
            let range = &value["onsetRange"];
            range.is_object() && range["low"].is_object() == low && range["high"].is_object() == high
        })
    };
    assert!(range(true, true) && range(true, false) && range(false, true));
}

#[test]
fn references_occur_in_every_form() {
    let lines = lines();
    let subject = |test: &dyn Fn(&Value) -> bool| any(&lines, "Observation", |value| test(&value["subject"]));
    let text = |test: &dyn Fn(&str) -> bool| subject(&|value| value["reference"].as_str().is_some_and(test));
    assert!(text(&|text| text.starts_with("Patient/") && !text.contains("_history")));
    assert!(text(
        &|text| text.starts_with("Patient/") && text.ends_with("/_history/2")
    ));
    assert!(text(&|text| text.starts_with("https://fhir.example.org/r4/Patient/")));
    assert!(text(&|text| text.starts_with("https://") && text.contains("/_history/")));
    assert!(text(&|text| text.starts_with("http://other.example.net/fhir/Patient/")));
    assert!(text(&|text| text.starts_with("urn:uuid:")));
    assert!(subject(
        &|value| value["reference"].is_null() && value["identifier"]["value"].is_string()
    ));
    assert!(subject(
        &|value| value["reference"].is_null() && value["identifier"].is_null()
    ));
    assert!(subject(
        &|value| value["reference"].is_string() && value["type"] == "Patient"
    ));
    assert!(subject(
        &|value| value["reference"].is_string() && value["extension"].is_array()
    ));
    assert!(any(
        &lines,
        "MedicationRequest",
        |value| value["medicationReference"]["reference"] == "#med1"
    ));
    assert!(any(
        &lines,
        "ExplanationOfBenefit",
        |value| value["referral"]["reference"] == "#referral"
    ));
}

/// Whether some line holds the bytes of `text`.
fn holds(lines: &Lines, text: &str) -> bool {
    let text = text.as_bytes();
    lines
        .0
        .iter()
        .any(|(_, line)| line.windows(text.len()).any(|window| window == text))
}

#[test]
fn text_and_numbers_occur_in_every_spelling() {
    let lines = lines();
    for text in [
        // escapes
        r#"\""#,
        r"\\",
        r"\/",
        r"\n",
        r"\t",
        r"\u00",
        r"\ud83d\ude00",
        r"\uD83D\uDE00",
        // scripts
        "é",
        "e\u{301}",
        "ß",
        "ẞ",
        "Иванова",
        "山田",
        "김",
        "الزهراني",
        "😀",
        "\u{200d}",
        "\u{2028}",
        "ﬁ",
        "İ",
        // characters that a query must escape
        "codes|local",
        "codes,local",
        "codes$local",
        r#""a|b""#,
        r#""x,y""#,
        r#""1$2""#,
        r"back\\slash",
        // numbers
        ":5.40",
        ":1e2",
        ":1.0E-3",
        ":-",
        ":100,",
        "E+1",
        "e-2",
        ":0.5",
        ":-0.5",
        "e0",
        "00000000000000000001",
        // dates
        "-14:00\"",
        "+14:00\"",
        "+05:30\"",
        "Z\"",
        "-03:30\"",
        ":60",
        // media types
        "text/plain; charset=utf-8",
        r#"charset=\"UTF-8\""#,
        "text/html;charset=iso-8859-1",
        // blanks between tokens
        "\": \"",
        "\t",
    ] {
        assert!(holds(&lines, text), "{text:?}");
    }
    let odd = |test: &dyn Fn(&[u8]) -> bool| lines.0.iter().filter(|(_, line)| test(line)).count();
    let count = lines.0.len();
    let type_later = odd(&|line| {
        !line.trim_ascii_start()[1..]
            .trim_ascii_start()
            .starts_with(b"\"resourceType\"")
    });
    assert!(
        (count / 200..count / 10).contains(&type_later),
        "{type_later} of {count} have their type later"
    );
    let escaped_name = odd(&|line| !line.windows(14).any(|window| window == b"\"resourceType\""));
    assert!(escaped_name > 0);
}

/// The shape of a date: digits as `0`, everything else as it stands; fractions of any length as `.0`.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    let mut fraction = false;
    for character in text.chars() {
        if fraction && character.is_ascii_digit() {
            continue;
        }
        fraction = character == '.';
        if fraction {
            shape.push_str(".0");
        } else if character.is_ascii_digit() {
            shape.push('0');
        } else {
            shape.push(character);
        }
    }
    shape
}

#[test]
fn dates_occur_in_every_precision() {
    let lines = lines();
    let shapes: BTreeSet<String> = lines
        .of("Condition")
        .filter_map(|line| value(line)["onsetDateTime"].as_str().map(shape))
        .collect();
    for wanted in [
        "0000",
        "0000-00",
        "0000-00-00",
        "0000-00-00T00:00:00Z",
        "0000-00-00T00:00:00+00:00",
        "0000-00-00T00:00:00-00:00",
        "0000-00-00T00:00:00.0Z",
        "0000-00-00T00:00:00.0+00:00",
    ] {
        assert!(shapes.contains(wanted), "{wanted} not in {shapes:?}");
    }
    assert!(holds(&lines, "T00:00:00"), "midnight");
    let births: BTreeSet<String> = lines
        .of("Patient")
        .filter_map(|line| value(line)["birthDate"].as_str().map(shape))
        .collect();
    assert_eq!(births, ["0000", "0000-00", "0000-00-00"].map(String::from).into());
}

#[test]
fn groups_are_nested_looped_empty_and_mixed() {
    let lines = lines();
    let ids: BTreeSet<String> = lines
        .0
        .iter()
        .filter(|(name, _)| *name == "Patient" || *name == "Group")
        .map(|(name, line)| format!("{name}/{}", value(line)["id"].as_str().expect("an id")))
        .collect();
    let groups: Vec<Value> = lines.of("Group").map(value).collect();
    let entities = |group: &Value| -> Vec<String> {
        let members = group["member"].as_array().into_iter().flatten();
        members
            .filter_map(|member| member["entity"]["reference"].as_str().map(String::from))
            .collect()
    };
    assert!(groups.iter().any(|group| group["member"].is_null()));
    assert!(groups.iter().any(|group| entities(group).len() > 60));
    for kind in ["Practitioner/", "Device/", "Group/"] {
        assert!(
            groups
                .iter()
                .any(|group| entities(group).iter().any(|text| text.starts_with(kind))),
            "{kind}"
        );
    }
    let looped = groups.iter().any(|group| {
        let own = format!("Group/{}", group["id"].as_str().expect("an id"));
        entities(group).iter().any(|text| {
            let other = groups
                .iter()
                .find(|other| text.strip_prefix("Group/") == other["id"].as_str());
            other.is_some_and(|other| entities(other).contains(&own))
        })
    });
    assert!(looped);
    for text in groups.iter().flat_map(entities) {
        if (text.starts_with("Patient/") || text.starts_with("Group/")) && !text.contains("/_history/") {
            assert!(ids.contains(&text), "{text} is a member but not in the run");
        }
    }
}

/// Decoys stand where no filter may look; were one written at a resource's own level, tests that count on them would lie.
#[test]
fn decoys_stand_in_contained_resources_and_extensions_only() {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(object) => {
                object.retain(|name, _| name != "contained" && name != "extension");
                object.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let lines = lines();
    for decoy in ["contained-decoy", "extension-decoy"] {
        assert!(holds(&lines, decoy));
    }
    for (name, line) in &lines.0 {
        let mut value = value(line);
        strip(&mut value);
        let text = value.to_string();
        assert!(
            !text.contains("contained-decoy") && !text.contains("extension-decoy"),
            "{name}"
        );
    }
}
