//! The slow, obvious judge of which resources a request keeps.
//!
//! Written for reading, not for speed, and without a line of the fast engine: only the generated tables are shared.
//! Every resource is a parsed document, every condition is looked at in full.

mod associated;
pub mod cohort;
mod compile;
mod date;
mod decimal;
mod elements;
mod evaluate;
pub mod export;
pub mod group;
mod number;
mod provenance;
mod quantity;
mod query;
mod reference;
mod string;
mod text;
mod token;
mod uri;
mod values;

pub use elements::Elements;
pub(crate) use values::follow;

use compile::{Filter, Setting};
use fhirehose_core::search::table::Registry;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What an export asks for, in the words of the user.
#[derive(Clone, Debug, Default)]
pub struct OracleRequest {
    /// `_type`; empty means every type.
    pub types: Vec<String>,
    /// `_typeFilter`, one filter each.
    pub type_filters: Vec<String>,
    /// `_since`, exclusive.
    pub since: Option<String>,
    /// `_until`, exclusive.
    pub until: Option<String>,
    /// Instant of the snapshot, inclusive; also the "now" of `ap`.
    pub transaction_time: String,
    /// Base URL of the server whose data this is, if absolute references to it shall count as relative ones.
    pub fhir_base: Option<String>,
    /// Members (system, code) of the value sets that `:in` and `:not-in` may name, by URL. No system is the empty text.
    pub value_sets: BTreeMap<String, BTreeSet<(String, String)>>,
}

/// A request, understood.
#[derive(Debug)]
pub struct Oracle {
    registry: Registry,
    types: BTreeSet<String>,
    filters: Vec<Filter>,
    since: Option<i128>,
    until: Option<i128>,
    transaction_time: i128,
    fhir_base: Option<String>,
}

impl Oracle {
    /// Understands a request, or says everything that is wrong with it.
    ///
    /// # Errors
    ///
    /// One text for each problem: unknown types and parameters, unsupported modifiers, malformed values.
    pub fn new(registry: &Registry, request: &OracleRequest) -> Result<Oracle, Vec<String>> {
        let mut problems = Vec::new();
        let types = read_types(registry, &request.types, &mut problems);
        let mut instant = |name: &str, text: &str| {
            let read = date::parse_instant(text);
            if read.is_none() {
                problems.push(format!("{name}: '{text}' is not an instant"));
            }
            read
        };
        let since = request.since.as_deref().and_then(|text| instant("_since", text));
        let until = request.until.as_deref().and_then(|text| instant("_until", text));
        let transaction_time = instant("transaction time", &request.transaction_time).unwrap_or_default();
        let setting = Setting {
            registry,
            fhir_base: request.fhir_base.as_deref(),
            value_sets: &request.value_sets,
        };
        let mut filters = Vec::new();
        for text in &request.type_filters {
            match compile::filter(text, setting) {
                Ok(filter) if !types.is_empty() && !types.contains(&filter.type_name) => {
                    problems.push(format!("the filter '{text}' is for a type that is not asked for"));
                }
                Ok(filter) => filters.push(filter),
                Err(found) => problems.extend(found),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Oracle {
            registry: registry.clone(),
            types,
            filters,
            since,
            until,
            transaction_time,
            fhir_base: request.fhir_base.clone(),
        })
    }

    /// Whether the request keeps this resource.
    #[must_use]
    pub fn keeps(&self, resource: &Value) -> bool {
        let Some(type_name) = resource.get("resourceType").and_then(Value::as_str) else {
            return false;
        };
        self.keeps_type(type_name) && self.keeps_time(resource) && self.keeps_content(type_name, resource)
    }

    /// Types that the request names in `_type` or in a filter; empty if it names none.
    #[must_use]
    pub fn named_types(&self) -> BTreeSet<String> {
        let of_filters = self.filters.iter().map(|filter| filter.type_name.clone());
        of_filters.chain(self.types.iter().cloned()).collect()
    }

    fn keeps_type(&self, type_name: &str) -> bool {
        self.types.is_empty() || self.types.contains(type_name)
    }

    fn keeps_time(&self, resource: &Value) -> bool {
        self.in_window(last_updated(resource))
    }

    /// Inside `_since`, `_until` and the snapshot; what has no time is inside.
    fn in_window(&self, updated: Option<i128>) -> bool {
        let Some(updated) = updated else {
            return true;
        };
        self.in_snapshot(Some(updated))
            && self.since.is_none_or(|since| since < updated)
            && self.until.is_none_or(|until| updated < until)
    }

    /// Not changed after the snapshot.
    fn in_snapshot(&self, updated: Option<i128>) -> bool {
        updated.is_none_or(|updated| updated <= self.transaction_time)
    }

    /// Without filters for its type a resource stays; with several, one is enough.
    fn keeps_content(&self, type_name: &str, resource: &Value) -> bool {
        let mut filters = self
            .filters
            .iter()
            .filter(|filter| filter.type_name == type_name)
            .peekable();
        if filters.peek().is_none() {
            return true;
        }
        let record = evaluate::Record {
            registry: &self.registry,
            type_name,
            resource,
            now: self.transaction_time,
            fhir_base: self.fhir_base.as_deref(),
        };
        filters.any(|filter| {
            filter
                .conditions
                .iter()
                .all(|condition| evaluate::holds(condition, record))
        })
    }
}

/// `meta.lastUpdated`; a time that cannot be read is as unknown as one that is absent.
fn last_updated(resource: &Value) -> Option<i128> {
    // A list, where none belongs, stands for its items here as everywhere.
    let stored = values::named(resource, &["meta", "lastUpdated"]);
    let mut times = stored.into_iter().filter_map(|time| date::parse_date(time.as_str()?));
    times.next().map(|updated| updated.low)
}

/// `_type`: trimmed, empty items left out.
fn read_types(registry: &Registry, given: &[String], problems: &mut Vec<String>) -> BTreeSet<String> {
    let mut types = BTreeSet::new();
    for name in given.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        if registry.is_type(name) {
            types.insert(name.to_owned());
        } else {
            problems.push(format!("'{name}' is not a resource type"));
        }
    }
    types
}

#[cfg(test)]
mod tests;
