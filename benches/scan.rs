//! Cases for the scan alone: lines and requests by which much or little of each line has to be read.

use std::ops::Range;
use std::sync::Arc;

use fhirehose_core::plan::Plan;
use fhirehose_core::request::Request;
use fhirehose_core::search::table::Registry;
use fhirehose_core::sieve::{self, Batch, Scratch};

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
        .map(|(name, text, filters)| case(name, text, filters))
        .collect()
}

fn case(name: &'static str, text: &Arc<Vec<u8>>, filters: Vec<String>) -> Case {
    let request = Request {
        type_filters: filters,
        ..Request::default()
    };
    let plan = Plan::compile(&request, &Registry::r4()).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
    let blocks = blocks(text);
    let mut scratch = Scratch::default().with_learning(false);
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
