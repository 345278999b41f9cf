//! The search tables: R4 is in the module, R4B and R5 are files of their own that are handed in when somebody needs them.

use std::sync::OnceLock;

use fhirehose_core::search::table::{FhirVersion, Registry};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::fault;

static R4B: OnceLock<Registry> = OnceLock::new();
static R5: OnceLock<Registry> = OnceLock::new();

/// Why there is no registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTables {
    /// There is no such version.
    Unknown,
    /// Its tables have not been handed in.
    NotLoaded,
}

/// The registry of `4.0` (US Core included), `4.3` or `5.0`.
///
/// # Errors
///
/// The version is not known, or not loaded.
pub fn registry(version: &str) -> Result<Registry, NoTables> {
    match version {
        // Only R4's own function is named, so the module is linked without the other tables.
        "4.0" => Ok(Registry::r4().with_us_core()),
        "4.3" => R4B.get().cloned().ok_or(NoTables::NotLoaded),
        "5.0" => R5.get().cloned().ok_or(NoTables::NotLoaded),
        _ => Err(NoTables::Unknown),
    }
}

/// Takes in the tables of `4.3` or `5.0`, as they lie beside the module. Doing it again changes nothing.
///
/// # Errors
///
/// These are not the tables of that version which belong to this module.
#[wasm_bindgen(js_name = loadTables)]
pub fn load(version: &str, text: &[u8]) -> Result<(), String> {
    let (cell, version) = match version {
        "4.0" => return Ok(()),
        "4.3" => (&R4B, FhirVersion::R4B),
        "5.0" => (&R5, FhirVersion::R5),
        _ => return Err(fault::plain("tables", "expected 4.0, 4.3 or 5.0")),
    };
    let loaded = Registry::from_table(version, text).map_err(|error| fault::plain("tables", &error.to_string()))?;
    cell.get_or_init(|| loaded);
    Ok(())
}

/// What to do about tables that have not been handed in.
pub(crate) fn not_loaded(version: &str) -> String {
    format!("the tables of FHIR {version} have to be loaded first: loadTables(\"{version}\")")
}

/// Whether the tables of a version are there.
#[wasm_bindgen(js_name = hasTables)]
#[must_use]
pub fn has(version: &str) -> bool {
    registry(version).is_ok()
}

/// Whether R4, or a version whose tables are there, has a type of that name.
#[must_use]
pub fn knows(type_name: &str) -> bool {
    let versions = ["4.0", "4.3", "5.0"].into_iter();
    let mut there = versions.filter_map(|version| registry(version).ok());
    there.any(|registry| registry.type_index(type_name).is_some())
}
