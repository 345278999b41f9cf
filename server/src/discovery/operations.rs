//! OperationDefinitions of the exports, as this server offers them.

use fhirehose_core::profile::Level;
use serde_json::{Value, json};

use crate::offer::Offer;
use crate::profile::{Kind, Method, ParameterRule};

/// The OperationDefinition of that id: `export`, `patient-export`, `group-export`. `None`: that is not offered.
#[must_use]
pub fn operation_definition(offer: &Offer, id: &str) -> Option<String> {
    let level = match id {
        "export" => Level::System,
        "patient-export" => Level::Patient,
        "group-export" => Level::Group,
        _ => return None,
    };
    let door = offer.profile.door(level)?;
    let methods: Vec<&str> = door.methods.iter().map(|method| method.name()).collect();
    let definition = json!({
        "resourceType": "OperationDefinition",
        "id": id,
        "url": format!("{}/OperationDefinition/{id}", offer.public_base.trim_end_matches('/')),
        "base": format!("http://hl7.org/fhir/uv/bulkdata/OperationDefinition/{id}"),
        "name": name(level),
        "status": "active",
        "kind": "operation",
        "description": format!("Starts an export; by {}, with Prefer: respond-async", methods.join(" or ")),
        "affectsState": door.methods == [Method::Post],
        "code": "export",
        "resource": resource(level),
        "system": level == Level::System,
        "type": level == Level::Patient,
        "instance": level == Level::Group,
        "parameter": parameters(offer, level),
    });
    Some(definition.to_string())
}

fn name(level: Level) -> &'static str {
    match level {
        Level::System => "BulkDataExport",
        Level::Patient => "PatientLevelExport",
        Level::Group => "GroupLevelExport",
    }
}

fn resource(level: Level) -> Value {
    match level {
        Level::System => Value::Null,
        Level::Patient => json!(["Patient"]),
        Level::Group => json!(["Group"]),
    }
}

fn parameters(offer: &Offer, level: Level) -> Vec<Value> {
    let rules = offer.profile.parameters.iter();
    let at_level = rules.filter(|rule| rule.levels.contains(&level));
    at_level.map(|rule| parameter(rule, level, offer)).collect()
}

fn parameter(rule: &ParameterRule, level: Level, offer: &Offer) -> Value {
    let is_patients = rule.kind == Kind::Reference;
    let list = offer.profile.rules.level(level).map(|level| level.list);
    let is_required = is_patients && list == Some(fhirehose_core::profile::PatientList::Required);
    let most = if rule.repeats { "*" } else { "1" };
    let mut parameter = json!({
        "name": rule.parameter.name(),
        "use": "in",
        "min": u8::from(is_required),
        "max": most,
        "type": match rule.kind {
            Kind::Text => "string",
            Kind::Instant => "instant",
            Kind::Boolean => "boolean",
            Kind::Number => "positiveInt",
            Kind::Reference => "Reference",
            Kind::Coding => "code",
        },
    });
    if is_patients {
        parameter["targetProfile"] = json!(["http://hl7.org/fhir/StructureDefinition/Patient"]);
    }
    parameter
}
