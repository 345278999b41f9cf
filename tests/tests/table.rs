//! Every row of the tables: a resource that a filter must keep and one that it must drop.

use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::request::Request;
use fhirehose_core::search::table::{Param, Registry};
use fhirehose_tests::door::push;
use fhirehose_tests::example::{Example, of_row};
use std::collections::BTreeMap;

/// Why a row may be refused, in the engine's own words.
const REASONS: [&str; 11] = [
    "full-text search",
    "membership in a list or group",
    "named queries",
    "a type filter is about one type",
    "`_filter` expressions are not supported",
    "phonetic search",
    "a special parameter",
    "has no path in this version",
    "reaches no value",
    "leads to no datatype",
    "reverse chaining",
];

/// What came of a whole table.
#[derive(Debug, Default)]
struct Walked {
    rows: usize,
    covered: usize,
    /// Refused rows by their reason.
    refused: BTreeMap<&'static str, usize>,
    /// Rows that are not refused and have no example: there must be none.
    without: Vec<String>,
    wrong: Vec<String>,
}

fn walk(registry: &Registry) -> Walked {
    let mut walked = Walked::default();
    for type_name in registry.types() {
        for param in registry.params(type_name) {
            walked.rows += 1;
            let row = format!("{type_name}.{}", param.code);
            let examples = of_row(registry, type_name, param);
            if let Some(reason) = refusal(registry, type_name, param) {
                *walked.refused.entry(reason).or_default() += 1;
            } else if examples.is_empty() {
                walked.without.push(row);
            } else {
                // One plan and two lines for each example: what one filter reads cannot help another.
                let wrong = examples.iter().filter_map(|example| check(registry, example).err());
                let wrong: Vec<String> = wrong.map(|text| format!("{row}: {text}")).collect();
                walked.covered += usize::from(wrong.is_empty());
                walked.wrong.extend(wrong);
            }
        }
    }
    walked
}

/// The known reason for which a row is refused, if it is.
fn refusal(registry: &Registry, type_name: &str, param: &Param) -> Option<&'static str> {
    let value = vec!["1"; param.components.len().max(1)].join("$");
    let text = plan_of(registry, &format!("{type_name}?{}={value}", param.code)).err()?;
    REASONS.into_iter().find(|reason| text.contains(reason))
}

fn plan_of(registry: &Registry, filter: &str) -> Result<Plan, String> {
    let request = Request {
        type_filters: vec![filter.to_owned()],
        transaction_time: Some("2025-01-01T00:00:00Z".to_owned()),
        ..Request::default()
    };
    Plan::compile(&request, registry).map_err(|problems| format!("refused: {problems}"))
}

fn check(registry: &Registry, example: &Example) -> Result<(), String> {
    let plan = plan_of(registry, &example.filter)?;
    let lines = format!("{}\n{}\n", example.positive, example.negative);
    let inputs = [("row".to_owned(), lines.into_bytes())];
    let answer = push(&plan, Limits::default(), &inputs, 1 << 16).map_err(|error| error.to_string())?;
    let output: Vec<u8> = answer.files.into_values().flatten().collect();
    let expected = format!("{}\n", example.positive);
    if output == expected.as_bytes() {
        Ok(())
    } else {
        Err(format!("{} does not keep {} alone", example.filter, example.positive))
    }
}

#[track_caller]
fn assert_covered(name: &str, registry: &Registry, least: usize) {
    let walked = walk(registry);
    let refused: usize = walked.refused.values().sum();
    eprintln!(
        "{name}: {} rows, {} covered, {refused} refused: {:?}",
        walked.rows, walked.covered, walked.refused
    );
    assert!(
        walked.wrong.is_empty(),
        "{} wrong:\n{}",
        walked.wrong.len(),
        walked.wrong.join("\n")
    );
    assert!(
        walked.without.is_empty(),
        "no example for {}",
        walked.without.join(", ")
    );
    assert_eq!(walked.rows, walked.covered + refused, "no row is skipped");
    assert!(walked.covered >= least, "{} covered", walked.covered);
}

#[test]
fn every_row_of_r4() {
    assert_covered("R4", &Registry::r4(), 2500);
}

#[test]
fn every_row_of_r4b() {
    assert_covered("R4B", &Registry::r4b(), 2500);
}

#[test]
fn every_row_of_r5() {
    assert_covered("R5", &Registry::r5(), 3000);
}

#[test]
fn every_row_of_us_core() {
    assert_covered("US Core", &Registry::r4().with_us_core(), 2500);
}
