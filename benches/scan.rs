//! Cases for the scan alone: lines and requests by which much or little of each line has to be read.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use fhirehose_core::plan::Plan;
use fhirehose_core::request::Request;
use fhirehose_core::search::table::Registry;
use fhirehose_core::sieve::{self, Batch, Prefilter, Scratch};

use crate::data::Data;
use crate::shape::{blocks, quantile, shuffled_keys};

/// Bytes of a case: they stay in the caches, so that the scan is measured and not the memory.
const MOST: usize = 4 << 20;

/// Lines and what is asked of them.
#[derive(Debug)]
pub struct Case {
    /// The name.
    pub name: &'static str,
    /// Whole lines.
    pub text: Arc<Vec<u8>>,
    /// The text in blocks.
    pub blocks: Vec<Range<usize>>,
    /// The request.
    pub plan: Plan,
    /// How many lines there are.
    pub lines: u64,
    /// How many of them the strict walker keeps.
    pub kept: u64,
}

/// Name, lines, filters.
type Wanted<'t> = (&'static str, &'t Arc<Vec<u8>>, Vec<String>);

/// All cases over this data, or the one of this name.
///
/// # Panics
/// When the data lacks a type.
pub fn cases(data: &Data, only: Option<&str>) -> Vec<Case> {
    let of = |type_name: &str| Arc::new(whole_lines(data.of(type_name)).to_vec());
    let observations = of("Observation");
    let benefits = of("ExplanationOfBenefit");
    let shuffled = Arc::new(shuffled_keys(&observations));
    let mixed = Arc::new(interleaved(data));
    let by_date = |part: f64| {
        let day = quantile(&observations, "/effectiveDateTime", part);
        vec![format!("Observation?date=ge{day}")]
    };
    let created = quantile(&benefits, "/created", 0.99);
    let updated = quantile(&observations, "/meta/lastUpdated", 0.99);
    let (claims, patients) = (of("Claim"), of("Patient"));
    let wanted: [Wanted<'_>; 13] = [
        ("observation-late-1", &observations, by_date(0.99)),
        ("observation-late-30", &observations, by_date(0.7)),
        ("observation-late-100", &observations, by_date(0.0)),
        (
            "observation-early-1",
            &observations,
            vec![format!("Observation?_lastUpdated=ge{updated}")],
        ),
        (
            "observation-category-late",
            &observations,
            vec!["Observation?category=laboratory&date=ge2015-01-01".into()],
        ),
        ("observation-all", &observations, Vec::new()),
        (
            "benefit-created-1",
            &benefits,
            vec![format!("ExplanationOfBenefit?created=ge{created}")],
        ),
        ("benefit-all", &benefits, Vec::new()),
        ("claim-all", &claims, Vec::new()),
        ("patient-all", &patients, Vec::new()),
        ("mixed-all", &mixed, Vec::new()),
        ("shuffled-late-1", &shuffled, by_date(0.99)),
        ("shuffled-all", &shuffled, Vec::new()),
    ];
    wanted
        .into_iter()
        .filter(|(name, ..)| only.is_none_or(|only| *name == only))
        .map(|(name, text, type_filters)| {
            let request = Request {
                type_filters,
                ..Request::default()
            };
            case(name, text, &request)
        })
        .collect()
}

/// Cases whose lines a look at raw bytes can tell apart, by how many have what is looked for, and one literal of each.
///
/// # Panics
/// When the data lacks Observations.
pub fn literal_cases(data: &Data, only: Option<&str>) -> Vec<(Case, String)> {
    let observations = Arc::new(whole_lines(data.of("Observation")).to_vec());
    let mixed = Arc::new(interleaved(data));
    let codes = shares(&observations, "/code/coding/0/code");
    let at_share = |share: f64| {
        let distance = |code: &&(String, f64)| (code.1 / share).ln().abs();
        let nearest = codes
            .iter()
            .min_by(|one, other| distance(one).total_cmp(&distance(other)));
        nearest.expect("Observations with codes").0.clone()
    };
    let few: Vec<&str> = codes.iter().rev().map(|(code, _)| code.as_str()).take(12).collect();
    let patient = shares(&observations, "/subject/reference").swap_remove(0).0;
    let id = shares(&observations, "/id").swap_remove(0).0;
    let by_code = |code: &str| {
        (
            format!("Observation?code=http://loinc.org|{code}"),
            format!("\"{code}\""),
        )
    };
    let category = "Observation?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory";
    let laboratory = "\"laboratory\"".to_owned();
    let common = by_code(&at_share(0.015));
    let wanted: [(&'static str, _, (String, String)); 9] = [
        ("code-0.02", &observations, by_code(&at_share(0.0002))),
        ("code-1.5", &observations, common.clone()),
        ("code-6", &observations, by_code(&at_share(0.06))),
        ("category-45", &observations, (category.to_owned(), laboratory)),
        ("codes-12-rare", &observations, by_code(&few.join(",http://loinc.org|"))),
        (
            "patient",
            &observations,
            (format!("Observation?subject={patient}"), patient.clone()),
        ),
        ("id", &observations, (format!("Observation?_id={id}"), id.clone())),
        ("mixed-code-1.5", &mixed, common.clone()),
        ("mixed-other-types-whole", &mixed, common),
    ];
    let wanted = wanted
        .into_iter()
        .filter(|(name, ..)| only.is_none_or(|only| *name == only));
    wanted
        .map(|(name, text, (filter, literal))| {
            let types = match name {
                "mixed-other-types-whole" => Vec::new(),
                _ => vec!["Observation".to_owned()],
            };
            let request = Request {
                types,
                type_filters: vec![filter],
                ..Request::default()
            };
            (case(name, text, &request), literal)
        })
        .collect()
}

/// The texts at a place of the lines with the share of lines that have each, the commonest first.
fn shares(lines: &[u8], pointer: &str) -> Vec<(String, f64)> {
    let mut counts = BTreeMap::new();
    let mut all = 0.0;
    for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let line: serde_json::Value = serde_json::from_slice(line).expect("good lines");
        all += 1.0;
        if let Some(text) = line.pointer(pointer).and_then(serde_json::Value::as_str) {
            *counts.entry(text.to_owned()).or_insert(0.0) += 1.0;
        }
    }
    let mut shares: Vec<(String, f64)> = counts.into_iter().map(|(text, count)| (text, count / all)).collect();
    shares.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    shares
}

fn case(name: &'static str, text: &Arc<Vec<u8>>, request: &Request) -> Case {
    let plan = Plan::compile(request, &Registry::r4()).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
    let blocks = blocks(text);
    let mut scratch = Scratch::default().with_learning(false).with_prefilter(Prefilter::Never);
    let mut batch = Batch::default();
    let (mut lines, mut kept) = (0, 0);
    for block in &blocks {
        sieve::run(&plan, &text[block.clone()], &mut scratch, &mut batch);
        lines += batch.lines;
        kept += batch.runs.iter().map(|run| u64::from(run.lines)).sum::<u64>();
    }
    Case {
        name,
        text: text.clone(),
        blocks,
        plan,
        lines,
        kept,
    }
}

/// As many whole lines as there is room for.
fn whole_lines(lines: &[u8]) -> &[u8] {
    let head = &lines[..lines.len().min(MOST)];
    memchr::memrchr(b'\n', head).map_or(&[], |newline| &head[..=newline])
}

/// Lines of all types by turns.
fn interleaved(data: &Data) -> Vec<u8> {
    let (Data::Folder(types) | Data::Synthetic(types)) = data;
    let mut sources: Vec<_> = types
        .iter()
        .map(|(_, lines)| lines.split_inclusive(|&byte| byte == b'\n'))
        .collect();
    let mut out = Vec::new();
    while out.len() < MOST && !sources.is_empty() {
        sources.retain_mut(|lines| lines.next().map(|line| out.extend_from_slice(line)).is_some());
    }
    out
}
