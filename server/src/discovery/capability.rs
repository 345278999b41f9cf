//! The CapabilityStatement (SPEC 2.16, 2.20).

use fhirehose_core::profile::{Level, LevelRule, TypeRule, Usable};
use fhirehose_core::search::listing;
use fhirehose_core::search::table::{FhirVersion, Registry};
use serde_json::{Value, json};

use crate::offer::Offer;

/// Where HL7 keeps the definitions of the guide.
const GUIDE: &str = "http://hl7.org/fhir/uv/bulkdata";

/// What is described.
#[derive(Clone, Copy, Debug)]
pub struct Described<'a> {
    /// What is offered.
    pub offer: &'a Offer,
    /// Since when it has been so: an instant.
    pub date: &'a str,
    /// Where tokens are to be had; `None`: no token is needed.
    pub token_url: Option<&'a str>,
}

/// The CapabilityStatement as JSON.
#[must_use]
pub fn capability_statement(described: &Described<'_>) -> String {
    let offer = described.offer;
    let mut rest = json!({
        "mode": "server",
        "security": security(described.token_url),
        "resource": resources(offer),
    });
    if offer.profile.door(Level::System).is_some() {
        rest["operation"] = json!([operation("export", "export")]);
    }
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": described.date,
        "kind": "instance",
        "instantiates": [format!("{GUIDE}/CapabilityStatement/bulk-data")],
        "software": { "name": "fhirehose", "version": env!("CARGO_PKG_VERSION") },
        "implementation": {
            "description": format!("FHIR bulk export ({} profile)", offer.profile.name),
            "url": offer.public_base,
        },
        "fhirVersion": fhir_version(offer.registry.version()),
        "format": ["application/fhir+json", "json"],
        "rest": [rest],
    });
    statement.to_string()
}

/// The version as FHIR numbers it.
#[must_use]
pub const fn fhir_version(version: FhirVersion) -> &'static str {
    match version {
        FhirVersion::R4 => "4.0.1",
        FhirVersion::R4B => "4.3.0",
        FhirVersion::R5 => "5.0.0",
    }
}

fn security(token_url: Option<&str>) -> Value {
    let Some(url) = token_url else {
        return json!({ "description": "open: no token is needed" });
    };
    json!({
        "extension": [{
            "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
            "extension": [{ "url": "token", "valueUri": url }],
        }],
        "service": [{
            "coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                "code": "SMART-on-FHIR",
            }],
        }],
    })
}

fn operation(name: &str, definition: &str) -> Value {
    json!({ "name": name, "definition": format!("{GUIDE}/OperationDefinition/{definition}") })
}

fn resources(offer: &Offer) -> Vec<Value> {
    let names = offer.registry.types().iter();
    names.filter_map(|name| resource(offer, name)).collect()
}

/// A type: how it is exported, and by what its exports can be filtered. `None`: the server has nothing to do with it.
fn resource(offer: &Offer, name: &str) -> Option<Value> {
    let levels = offer.profile.rules.levels;
    let is_exported = levels.iter().any(|level| exports(level, name));
    let operations = operations(offer, name);
    if !is_exported && operations.is_empty() {
        return None;
    }
    let mut resource = json!({ "type": name });
    if name == "Group" {
        resource["interaction"] = json!([{ "code": "read" }, { "code": "search-type" }]);
    }
    let params = search_params(levels, &offer.registry, name, offer.profile.rules.filters.forbidden);
    if !params.is_empty() {
        resource["searchParam"] = Value::Array(params);
    }
    if !operations.is_empty() {
        resource["operation"] = Value::Array(operations);
    }
    Some(resource)
}

fn operations(offer: &Offer, name: &str) -> Vec<Value> {
    let (level, own) = match name {
        "Patient" => (Level::Patient, "patient-export"),
        "Group" => (Level::Group, "group-export"),
        _ => return Vec::new(),
    };
    match offer.profile.door(level) {
        // Clients look for either name.
        Some(_) => vec![operation("export", own), operation(own, own)],
        None => Vec::new(),
    }
}

fn exports(level: &LevelRule, name: &str) -> bool {
    level
        .types
        .is_none_or(|types| types.iter().any(|rule| rule.name == name))
}

/// What filters of the type can use at some level.
fn search_params(levels: &[LevelRule], registry: &Registry, name: &str, forbidden: &[&str]) -> Vec<Value> {
    let rules: Vec<Option<&TypeRule>> = levels
        .iter()
        .filter(|level| exports(level, name))
        .map(|level| {
            level
                .types
                .and_then(|types| types.iter().find(|rule| rule.name == name))
        })
        .collect();
    let is_usable = |code: &str| {
        rules.iter().any(|rule| match rule.map(|rule| &rule.usable) {
            None => true,
            Some(Usable::NoFilter) => false,
            Some(Usable::Only(params)) => params.iter().any(|param| param.code == code),
        })
    };
    let listed = listing::list(registry, name);
    listed
        .iter()
        .filter(|param| param.refused.is_none() && !forbidden.contains(&param.code) && is_usable(param.code))
        .map(|param| json!({ "name": param.code, "type": listing::kind_name(param.kind) }))
        .collect()
}
