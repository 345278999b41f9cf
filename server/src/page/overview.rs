//! What the server offers and what data is here, for the page.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use fhirehose_core::profile::Level;
use fhirehose_core::search::table::FhirVersion;
use serde_json::{Value, json};

use crate::app::{App, Shared};
use crate::reply::{Answer, body};

/// Most groups that are listed.
const MOST_GROUPS: usize = 200;

pub(super) async fn overview(State(app): State<Shared>, base_path: Arc<str>) -> Answer {
    let told = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "profile": app.offer.profile.name,
        "base": app.offer.public_base,
        "path": &*base_path,
        "hasBrowserPage": !app.browser.is_empty(),
        "open": app.rules.is_open,
        "fhirVersion": match app.offer.registry.version() {
            FhirVersion::R4 => "R4",
            FhirVersion::R4B => "R4B",
            FhirVersion::R5 => "R5",
        },
        "doors": doors(&app),
        "parameters": app.offer.profile.parameters.iter().map(|rule| rule.parameter.name()).collect::<Vec<_>>(),
        "data": data(&app),
    });
    Ok(body(StatusCode::OK, "application/json", told.to_string()))
}

fn doors(app: &App) -> Vec<Value> {
    let doors = app.offer.profile.doors.iter();
    let told = doors.map(|door| {
        let methods: Vec<&str> = door.methods.iter().map(|method| method.name()).collect();
        let (level, path) = match door.level {
            Level::System => ("system", "$export"),
            Level::Patient => ("patient", "Patient/$export"),
            Level::Group => ("group", "Group/{id}/$export"),
        };
        json!({ "level": level, "methods": methods, "path": path })
    });
    told.collect()
}

fn data(app: &App) -> Value {
    let catalogue = app.keeper.current();
    let types = catalogue.types().iter();
    let types: Vec<Value> = types
        .map(|(name, facts)| {
            json!({ "type": name, "resources": facts.resources, "bytes": facts.bytes, "newest": facts.newest })
        })
        .collect();
    let mut groups: Vec<_> = catalogue.groups().collect();
    let groups_in_all = groups.len();
    // Where not all can be shown, the large ones are.
    groups.sort_by(|a, b| b.members.cmp(&a.members).then_with(|| a.id.cmp(&b.id)));
    groups.truncate(MOST_GROUPS);
    let groups: Vec<Value> = groups
        .iter()
        .map(|group| json!({ "id": group.id, "name": group.name, "members": group.members }))
        .collect();
    json!({
        "files": catalogue.files().len(),
        "bytes": catalogue.bytes_stored(),
        "scanned": catalogue.scanned.0,
        "patients": catalogue.patients().len(),
        "types": types,
        "groups": groups,
        "groupsInAll": groups_in_all,
    })
}
