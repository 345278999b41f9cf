//! Conditions against a resource: collect the values, then ask each.

use super::compile::{Condition, Test, ValueTest};
use super::reference::{Targets, target_type};
use super::values::{fits, follow, is_value, narrow};
use super::{date, number, string, token};
use fhirehose_core::search::table::{Param, PathSpec, Registry, Rule, SearchType};
use serde_json::Value;

/// A resource with everything that its judgement needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// The tables.
    pub(crate) registry: &'a Registry,
    /// Its type.
    pub(crate) type_name: &'a str,
    /// The document.
    pub(crate) resource: &'a Value,
    /// The instant that `ap` measures its gap to.
    pub(crate) now: i128,
    /// Base URL of the server whose data this is.
    pub(crate) fhir_base: Option<&'a str>,
}

/// A value of a parameter.
#[derive(Clone, Debug)]
struct Candidate<'a> {
    leaf: &'a str,
    value: &'a Value,
    /// Names from the root of the resource, for the implied system.
    names: Vec<&'a str>,
}

/// Whether a condition holds for a resource.
pub(crate) fn holds(condition: &Condition, record: Record<'_>) -> bool {
    let param = &condition.param;
    if let (Test::Missing(missing), Some(_)) = (&condition.test, param.rule) {
        let mut values = param.paths.iter().flat_map(|path| follow(record.resource, path));
        return values.any(is_value) != *missing;
    }
    if let Some(Rule::ExistsAndNotFalse) = param.rule {
        return holds_computed(&condition.test, exists_and_not_false(param, record));
    }
    match &condition.test {
        Test::Missing(missing) => candidates(param.kind, &param.paths, record).is_empty() == *missing,
        Test::Some(test) => any_matches(test, param, record),
        Test::None(test) => !any_matches(test, param, record),
        Test::Composite(tuples) => composite_matches(tuples, param, record),
    }
}

/// A computed boolean is always there.
fn holds_computed(test: &Test, computed: bool) -> bool {
    let value = Value::Bool(computed);
    let matches = |test: &ValueTest| match test {
        ValueTest::Token(test) => token::matches(test, "boolean", &value, None),
        _ => false,
    };
    match test {
        Test::Missing(missing) => !missing,
        Test::Some(test) => matches(test),
        Test::None(test) => !matches(test),
        Test::Composite(_) => false,
    }
}

fn exists_and_not_false(param: &Param, record: Record<'_>) -> bool {
    param
        .paths
        .iter()
        .flat_map(|path| follow(record.resource, path))
        .any(|value| is_value(value) && *value != Value::Bool(false))
}

fn any_matches(test: &ValueTest, param: &Param, record: Record<'_>) -> bool {
    candidates(param.kind, &param.paths, record)
        .iter()
        .any(|candidate| matches(test, candidate, &param.targets, record))
}

/// A Period without ends and a Timing without limits are no values.
fn has_time(leaf: &str, value: &Value) -> bool {
    let has_end = |period: &Value| is_value(&period["start"]) || is_value(&period["end"]);
    match leaf {
        "Period" => has_end(value),
        "Timing" => {
            let has_event = match &value["event"] {
                Value::Array(events) => events.iter().any(is_value),
                single => is_value(single),
            };
            has_event || has_end(&value["repeat"]["boundsPeriod"])
        }
        _ => true,
    }
}

/// The values that fit a search type, after every test on the paths.
fn candidates<'a>(kind: SearchType, paths: &'a [PathSpec], record: Record<'a>) -> Vec<Candidate<'a>> {
    values_from(record.resource, &[], kind, paths, record)
}

/// The same from a base element that `base_names` lead to.
fn values_from<'a>(
    base: &'a Value,
    base_names: &[&'a str],
    kind: SearchType,
    paths: &'a [PathSpec],
    record: Record<'a>,
) -> Vec<Candidate<'a>> {
    let mut found = Vec::new();
    let mut first_taken = false;
    for path in paths.iter().filter(|path| fits(kind, &path.leaf)) {
        let (start, start_names) = if path.root {
            (record.resource, &[][..])
        } else {
            (base, base_names)
        };
        for element in follow(start, path) {
            let Some((leaf, value)) = narrow(kind, &path.leaf, element) else {
                continue;
            };
            if !is_value(value) || !has_time(leaf, value) || !points_to(path.ref_is.as_deref(), value, record) {
                continue;
            }
            if path.first && first_taken {
                continue;
            }
            first_taken |= path.first;
            let names = start_names.iter().copied().chain(path.names.iter().map(String::as_str));
            found.push(Candidate {
                leaf,
                value,
                names: names.collect(),
            });
        }
    }
    found
}

fn points_to(wanted: Option<&str>, reference: &Value, record: Record<'_>) -> bool {
    match wanted {
        Some(wanted) => target_type(reference, record.resource, record.registry) == Some(wanted),
        None => true,
    }
}

fn matches(test: &ValueTest, candidate: &Candidate<'_>, targets: &[String], record: Record<'_>) -> bool {
    let Candidate { leaf, value, names } = candidate;
    match test {
        ValueTest::Date(searches) => date::stored_interval(leaf, value)
            .is_some_and(|stored| searches.iter().any(|search| search.matches(stored, record.now))),
        ValueTest::Number(searches) => number::stored_number(leaf, value)
            .is_some_and(|stored| searches.iter().any(|search| search.matches(&stored))),
        ValueTest::Quantity(searches) => searches.iter().any(|search| search.matches(leaf, value)),
        ValueTest::String(test) => string::matches(test, leaf, names.last().copied().unwrap_or_default(), value),
        ValueTest::Token(test) => {
            let implied = record.registry.implied_system(record.type_name, &names.join("."));
            token::matches(test, leaf, value, implied)
        }
        ValueTest::Reference(searches) => {
            let targets = Targets {
                types: targets,
                base: record.fhir_base,
            };
            searches.iter().any(|search| search.matches(leaf, value, targets))
        }
        ValueTest::ReferenceIdentifier(test) => value
            .get("identifier")
            .is_some_and(|identifier| token::matches(test, "Identifier", identifier, None)),
        ValueTest::Uri(searches) => value
            .as_str()
            .is_some_and(|stored| searches.iter().any(|search| search.matches(leaf, stored))),
    }
}

/// All parts on one base element; any tuple, any base element.
fn composite_matches(tuples: &[Vec<ValueTest>], param: &Param, record: Record<'_>) -> bool {
    param.paths.iter().any(|base_path| {
        let base_names: Vec<&str> = base_path.names.iter().map(String::as_str).collect();
        follow(record.resource, base_path).iter().any(|base| {
            tuples.iter().any(|tuple| {
                tuple.iter().zip(&param.components).all(|(test, component)| {
                    let values = values_from(base, &base_names, component.kind, &component.paths, record);
                    values.iter().any(|value| matches(test, value, &[], record))
                })
            })
        })
    })
}
