//! What can be asked of a type, for those who offer it: names of types, and search parameters as the compiler takes them.

use fhirehose_core::quote::Tree;
use fhirehose_core::search::listing;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::fault;
use crate::tables::{self, NoTables};

/// The types of a version of FHIR, as a JSON list.
///
/// # Errors
///
/// The version is not known, or not loaded.
#[wasm_bindgen(js_name = resourceTypes)]
pub fn types(version: &str) -> Result<String, String> {
    let registry = tables::registry(version).map_err(|why| told(version, why))?;
    Ok(Tree::texts(registry.types().iter().map(String::as_str)).pretty())
}

/// The search parameters of a type, as `fhirehose params` lists them for programs.
///
/// # Errors
///
/// The version is not known, or not loaded.
#[wasm_bindgen(js_name = searchParameters)]
pub fn of_type(version: &str, type_name: &str) -> Result<String, String> {
    let registry = tables::registry(version).map_err(|why| told(version, why))?;
    Ok(listing::json(type_name, &listing::list(&registry, type_name)))
}

fn told(version: &str, why: NoTables) -> String {
    match why {
        NoTables::Unknown => fault::plain("tables", "expected 4.0, 4.3 or 5.0"),
        NoTables::NotLoaded => fault::plain("tables", &tables::not_loaded(version)),
    }
}
