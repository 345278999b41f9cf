//! Engine against oracle: the same requests over the same lines, and every line on which they differ.

use crate::door;
use crate::oracle::Oracle;
use crate::requests::RequestList;
use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::search::table::Registry;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Most differences that are told of one request and one type.
const MOST_TOLD: usize = 3;

/// Chunk size of the comparison; the properties try others.
const CHUNK: usize = 1 << 20;

/// A request in the hands of both judges.
#[derive(Debug)]
pub struct Judges {
    label: String,
    oracle: Oracle,
    plan: Plan,
    types: BTreeSet<String>,
}

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Compared {
    /// Pairs of request and type.
    pub runs: u64,
    /// Verdicts compared.
    pub verdicts: u64,
    /// Verdicts that were "keep".
    pub kept: u64,
    /// Pairs of request and type that kept some lines and dropped some.
    pub telling: u64,
    /// Differences, each in one line of text: the request, the id of the line, both verdicts.
    pub differences: Vec<String>,
}

impl Compared {
    /// Adds the findings of another comparison.
    pub fn add(&mut self, other: Compared) {
        self.runs += other.runs;
        self.verdicts += other.verdicts;
        self.kept += other.kept;
        self.telling += other.telling;
        self.differences.extend(other.differences);
    }
}

/// Both judges for each request of a list that both accept, and every request that only one of them refuses.
#[must_use]
pub fn judges(registry: &Registry, list: &RequestList) -> (Vec<Judges>, Vec<String>) {
    let mut judges = Vec::new();
    let mut refused = Vec::new();
    for request in &list.request {
        let label = request.label();
        let oracle = Oracle::new(registry, &list.for_oracle(request));
        let plan = Plan::compile(&list.for_engine(request), registry);
        match (oracle, plan) {
            (Ok(oracle), Ok(plan)) => {
                let types = oracle.named_types();
                judges.push(Judges {
                    label,
                    oracle,
                    plan,
                    types,
                });
            }
            (Err(problems), Ok(_)) => {
                refused.push(format!("{label}: only the oracle refuses: {}", problems.join("; ")))
            }
            (Ok(_), Err(problems)) => refused.push(format!("{label}: only the engine refuses: {problems}")),
            (Err(_), Err(_)) => {}
        }
    }
    (judges, refused)
}

/// Compares every request that is about a type over lines of that type.
///
/// # Errors
///
/// A line is no JSON.
pub fn compare(judges: &[Judges], type_name: &str, bytes: &[u8]) -> Result<Compared, String> {
    let lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
    let own: Vec<&Judges> = judges
        .iter()
        .filter(|judge| judge.types.is_empty() || judge.types.contains(type_name))
        .collect();
    let mut kept = vec![vec![false; lines.len()]; own.len()];
    let mut ids = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        let resource: Value = serde_json::from_slice(line).map_err(|error| format!("{type_name} {at}: {error}"))?;
        ids.push(resource["id"].as_str().unwrap_or_default().to_owned());
        for (verdicts, judge) in kept.iter_mut().zip(&own) {
            verdicts[at] = judge.oracle.keeps(&resource);
        }
    }
    let mut found = Compared::default();
    let input = [(type_name.to_owned(), bytes.to_vec())];
    for (judge, verdicts) in own.iter().zip(&kept) {
        let answer = door::push(&judge.plan, Limits::default(), &input, CHUNK).map_err(|error| error.to_string())?;
        found.runs += 1;
        found.verdicts += lines.len() as u64;
        let count = verdicts.iter().filter(|&&kept| kept).count();
        found.kept += count as u64;
        found.telling += u64::from(count > 0 && count < lines.len());
        let output = answer.of_type(type_name);
        let engine = verdicts_of(&lines, &output);
        let different: Vec<usize> = (0..lines.len()).filter(|&at| engine[at] != verdicts[at]).collect();
        for &at in different.iter().take(MOST_TOLD) {
            let word = |kept: bool| if kept { "keep" } else { "drop" };
            found.differences.push(format!(
                "{} [{type_name}/{} line {}]: oracle {}, engine {} ({} of {} lines differ)",
                judge.label,
                ids[at],
                at + 1,
                word(verdicts[at]),
                word(engine[at]),
                different.len(),
                lines.len()
            ));
        }
        if different.is_empty() && output.len() != kept_bytes(&lines, verdicts) {
            found.differences.push(format!(
                "{} [{type_name}]: the engine wrote more than the kept lines",
                judge.label
            ));
        }
        for (kind, count) in &answer.report.bad {
            let line = answer.report.places.first().map_or(0, |place| place.position.line);
            found.differences.push(format!(
                "{} [{type_name}]: the engine calls {count} lines bad ({}), the first is line {line}",
                judge.label,
                kind.code(),
            ));
        }
    }
    Ok(found)
}

/// Which lines stand in the output: kept lines come whole and in order.
fn verdicts_of(lines: &[&[u8]], output: &[u8]) -> Vec<bool> {
    let mut rest = output;
    let mut verdicts = Vec::with_capacity(lines.len());
    for line in lines {
        let kept = rest.starts_with(line);
        if kept {
            rest = &rest[line.len()..];
        }
        verdicts.push(kept);
    }
    verdicts
}

fn kept_bytes(lines: &[&[u8]], verdicts: &[bool]) -> usize {
    let kept = lines.iter().zip(verdicts).filter(|(_, kept)| **kept);
    kept.map(|(line, _)| line.len()).sum()
}

/// Lines of varied synthetic patients, by type, one text for each.
///
/// # Errors
///
/// None in practice: memory takes every line.
pub fn synthetic(patients: u64, seed: u64) -> std::io::Result<BTreeMap<&'static str, Vec<u8>>> {
    let mut lines = fhirehose_synth::Lines::default();
    fhirehose_synth::generate(&fhirehose_synth::Options::new(patients, seed), &mut lines)?;
    let mut by_type: BTreeMap<&'static str, Vec<u8>> = BTreeMap::new();
    for (type_name, line) in &lines.0 {
        by_type.entry(type_name).or_default().extend_from_slice(line);
    }
    Ok(by_type)
}
