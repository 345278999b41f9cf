//! The OpenAPI document of the routes under the FHIR base.

use fhirehose_core::profile::Level;
use serde_json::{Map, Value, json};

use crate::offer::Offer;
use crate::profile::{Kind, Method};

/// The OpenAPI document (3.1) as JSON. `is_open`: no token is needed.
#[must_use]
pub fn openapi(offer: &Offer, is_open: bool) -> String {
    let mut paths = Map::new();
    for door in offer.profile.doors {
        paths.insert(path(door.level).to_owned(), kick_offs(offer, door.level, door.methods));
    }
    paths.insert("/bulk-export/jobs/{id}".to_owned(), job());
    paths.insert("/bulk-export/files/{id}".to_owned(), file());
    paths.insert(
        "/metadata".to_owned(),
        read("The CapabilityStatement", "application/fhir+json"),
    );
    paths.insert(
        "/Group".to_owned(),
        read("The groups that can be exported", "application/fhir+json"),
    );
    if !is_open {
        paths.insert("/auth/token".to_owned(), token());
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "FHIR bulk export",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!("{} profile: {}", offer.profile.name, offer.profile.rules.about),
        },
        "servers": [{ "url": offer.public_base }],
        "paths": paths,
    });
    if !is_open {
        let token_url = format!("{}/auth/token", offer.public_base.trim_end_matches('/'));
        let flows = json!({ "clientCredentials": { "tokenUrl": token_url, "scopes": {} } });
        document["components"] = json!({ "securitySchemes": { "backend": { "type": "oauth2", "flows": flows } } });
        document["security"] = json!([{ "backend": [] }]);
    }
    document.to_string()
}

fn path(level: Level) -> &'static str {
    match level {
        Level::System => "/$export",
        Level::Patient => "/Patient/$export",
        Level::Group => "/Group/{id}/$export",
    }
}

fn outcome(text: &str) -> Value {
    json!({ "description": text, "content": { "application/fhir+json": {} } })
}

fn kick_offs(offer: &Offer, level: Level, methods: &[Method]) -> Value {
    let mut item = Map::new();
    if level == Level::Group {
        item.insert("parameters".to_owned(), json!([in_path()]));
    }
    for method in methods {
        let mut operation = json!({
            "summary": "Start an export",
            "parameters": headers(),
            "responses": {
                "202": {
                    "description": "taken on",
                    "headers": { "Content-Location": { "description": "URL of the status", "schema": { "type": "string" } } },
                },
                "default": outcome("not taken on: everything that is wrong"),
            },
        });
        match method {
            Method::Get => {
                let query = query(offer, level);
                if let Some(parameters) = operation["parameters"].as_array_mut() {
                    parameters.extend(query);
                }
            }
            Method::Post => {
                let schema = json!({ "type": "object", "description": "a FHIR Parameters resource" });
                operation["requestBody"] = json!({ "content": { "application/fhir+json": { "schema": schema } } });
            }
        }
        item.insert(method.name().to_ascii_lowercase(), operation);
    }
    Value::Object(item)
}

fn in_path() -> Value {
    json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } })
}

fn headers() -> Value {
    let header = |name: &str, example: &str| json!({ "name": name, "in": "header", "required": true, "schema": { "type": "string" }, "example": example });
    json!([
        header("Accept", "application/fhir+json"),
        header("Prefer", "respond-async")
    ])
}

fn query(offer: &Offer, level: Level) -> Vec<Value> {
    let rules = offer.profile.parameters.iter();
    let rules = rules.filter(|rule| rule.levels.contains(&level) && rule.methods.contains(&Method::Get));
    rules
        .map(|rule| {
            let one = match rule.kind {
                Kind::Boolean => json!({ "type": "boolean" }),
                Kind::Number => json!({ "type": "integer", "minimum": 1 }),
                Kind::Instant => json!({ "type": "string", "format": "date-time" }),
                Kind::Text | Kind::Reference | Kind::Coding => json!({ "type": "string" }),
            };
            let schema = if rule.repeats {
                json!({ "type": "array", "items": one })
            } else {
                one
            };
            json!({ "name": rule.parameter.name(), "in": "query", "schema": schema })
        })
        .collect()
}

fn job() -> Value {
    json!({
        "parameters": [in_path()],
        "get": {
            "summary": "The status of an export",
            "responses": {
                "200": { "description": "complete: the manifest", "content": { "application/json": {} } },
                "202": { "description": "not complete; ask again after Retry-After" },
                "default": outcome("there is no such job, or it failed"),
            },
        },
        "delete": {
            "summary": "Cancel an export, or delete it with its files",
            "responses": { "202": outcome("deleted"), "default": outcome("there is no such job") },
        },
    })
}

fn file() -> Value {
    json!({
        "parameters": [in_path()],
        "get": {
            "summary": "A file of an export",
            "responses": {
                "200": { "description": "the file", "content": { "application/fhir+ndjson": {} } },
                "206": { "description": "a part of it", "content": { "application/fhir+ndjson": {} } },
                "307": { "description": "the file is at Location, which takes no token" },
                "default": outcome("there is no such file"),
            },
        },
    })
}

fn read(summary: &str, media_type: &str) -> Value {
    json!({ "get": { "summary": summary, "responses": { "200": { "description": "found", "content": { media_type: {} } } } } })
}

fn token() -> Value {
    json!({
        "post": {
            "summary": "An access token for a signed assertion (SMART Backend Services)",
            "security": [],
            "requestBody": { "content": { "application/x-www-form-urlencoded": { "schema": { "type": "object" } } } },
            "responses": { "200": { "description": "a token" }, "default": { "description": "why there is none" } },
        },
    })
}
