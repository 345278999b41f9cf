//! The scan alone beside other readers of JSON: one question, one block of Observations in memory, one thread, in turn.
//!
//! `FHIREHOSE_DATA=DIR cargo run --release -p fhirehose-benches --example peers [repeats]`. The question is T3 of
//! `benches/compare`. Ours checks kept lines to their last byte; each of the others is asked in the fastest way found for it.
#![expect(clippy::print_stdout, reason = "it is a program that prints a table")]

use std::borrow::Cow;
use std::hint::black_box;

use fhirehose_benches::Data;
use fhirehose_benches::scan::{Case, cases};
use fhirehose_core::sieve::{self, Batch, Scratch};
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;
use simd_json::prelude::{ValueAsArray, ValueAsScalar, ValueObjectAccess};
use sonic_rs::{JsonValueTrait, PointerTree};

const LOCK: &str = include_str!("../../Cargo.lock");

/// What the question reads of a line; serde skips the rest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Observation<'line> {
    #[serde(borrow, default)]
    category: Vec<Concept<'line>>,
    #[serde(borrow, default)]
    effective_date_time: Cow<'line, str>,
    #[serde(borrow, default)]
    effective_instant: Cow<'line, str>,
    #[serde(borrow)]
    effective_period: Option<Period<'line>>,
}

#[derive(Deserialize)]
struct Concept<'line> {
    #[serde(borrow, default)]
    coding: Vec<Coding<'line>>,
}

#[derive(Deserialize)]
struct Coding<'line> {
    #[serde(borrow, default)]
    code: Cow<'line, str>,
}

#[derive(Deserialize)]
struct Period<'line> {
    #[serde(borrow, default)]
    start: Cow<'line, str>,
    #[serde(borrow, default)]
    end: Cow<'line, str>,
}

impl Observation<'_> {
    fn is_wanted(&self) -> bool {
        let laboratory = |coding: &Coding<'_>| coding.code.eq_ignore_ascii_case("laboratory");
        self.category
            .iter()
            .any(|concept| concept.coding.iter().any(laboratory))
            && self.is_since_2015()
    }

    fn is_since_2015(&self) -> bool {
        if let Some(period) = &self.effective_period {
            // A period without an end goes on.
            return reaches_2015(&period.end) || period.end.is_empty() && !period.start.is_empty();
        }
        reaches_2015(&self.effective_date_time) || reaches_2015(&self.effective_instant)
    }
}

/// Whether the end of a date or an instant lies in 2015 or later, by UTC.
fn reaches_2015(moment: &str) -> bool {
    if moment.len() <= 10 || !("2014-12-31".."2015-01-02").contains(&moment) {
        return moment >= "2015";
    }
    let number = |from: usize| moment.get(from..from + 2).and_then(|digits| digits.parse::<i32>().ok());
    let minutes = |from: usize| Some(number(from)? * 60 + number(from + 3)?);
    let zone = moment.len() - 6;
    let offset = match moment.as_bytes()[zone] {
        b'+' => minutes(zone + 1),
        b'-' => minutes(zone + 1).map(|offset| -offset),
        _ => Some(0),
    };
    let local = minutes(11).map(|local| if moment < "2015" { local - 24 * 60 } else { local });
    local.zip(offset).is_some_and(|(local, offset)| local >= offset)
}

/// How many lines of the case a method keeps.
type Method<'case> = (&'static str, Box<dyn FnMut() -> u64 + 'case>);

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr::memchr_iter(b'\n', text).map(move |newline| {
        let line = &text[start..newline];
        start = newline + 1;
        line
    })
}

fn count(case: &Case, mut keeps: impl FnMut(&[u8]) -> Option<bool>) -> u64 {
    lines(black_box(&case.text))
        .filter(|line| keeps(line) == Some(true))
        .count() as u64
}

fn sieve_all(case: &Case, scratch: &mut Scratch, batch: &mut Batch) -> u64 {
    let mut kept = 0;
    for block in &case.blocks {
        sieve::run(&case.plan, black_box(&case.text[block.clone()]), scratch, batch);
        kept += batch.runs.iter().map(|run| u64::from(run.lines)).sum::<u64>();
    }
    kept
}

/// The tree of simd-json, which borrows its texts from the line.
fn tree_is_wanted(line: &simd_json::BorrowedValue<'_>) -> Option<bool> {
    let laboratory =
        |coding: &simd_json::BorrowedValue<'_>| coding.get("code")?.as_str().map(|code| code == "laboratory");
    let of_category = line.get("category")?.as_array()?.iter().any(|concept| {
        let codings = concept.get("coding").and_then(|codings| codings.as_array());
        codings.is_some_and(|codings| codings.iter().any(|coding| laboratory(coding) == Some(true)))
    });
    let text =
        |value: Option<&simd_json::BorrowedValue<'_>>| value.and_then(|value| value.as_str()).is_some_and(reaches_2015);
    let period = line.get("effectivePeriod");
    let open = period.is_some_and(|period| period.get("end").is_none());
    let end = period.and_then(|period| period.get("end"));
    Some(
        of_category && (text(line.get("effectiveDateTime")) || text(line.get("effectiveInstant")) || text(end) || open),
    )
}

/// Both members found lazily in one pass; only the category is then read.
fn lazy_is_wanted(tree: &PointerTree, line: &[u8]) -> Option<bool> {
    let found = sonic_rs::get_many(line, tree).ok()?;
    let text = |at: usize| {
        found[at]
            .as_ref()
            .and_then(|value| value.as_str())
            .is_some_and(reaches_2015)
    };
    if !text(1) && !text(2) && found[3].is_none() {
        return Some(false);
    }
    let category: Vec<Concept<'_>> = sonic_rs::from_str(found[0].as_ref()?.as_raw_str()).ok()?;
    let period: Option<Period<'_>> = match &found[3] {
        Some(value) => Some(sonic_rs::from_str(value.as_raw_str()).ok()?),
        None => None,
    };
    let observation = Observation {
        category,
        effective_date_time: found[1]
            .as_ref()
            .and_then(|value| value.as_str())
            .unwrap_or_default()
            .into(),
        effective_instant: found[2]
            .as_ref()
            .and_then(|value| value.as_str())
            .unwrap_or_default()
            .into(),
        effective_period: period,
    };
    Some(observation.is_wanted())
}

fn methods(case: &Case) -> Vec<Method<'_>> {
    let mut with = (Scratch::default().with_learning(true), Batch::default());
    let mut without = (Scratch::default().with_learning(false), Batch::default());
    // simd-json writes into the line, so that it needs a copy of its own.
    let (mut copy, mut typed_copy) = (Vec::new(), Vec::new());
    let mut buffers = simd_json::Buffers::default();
    let mut typed_buffers = simd_json::Buffers::default();
    let mut tree = PointerTree::new();
    for member in ["category", "effectiveDateTime", "effectiveInstant", "effectivePeriod"] {
        tree.add_path(&[member]);
    }
    vec![
        (
            "fhirehose, learned",
            Box::new(move || sieve_all(case, &mut with.0, &mut with.1)),
        ),
        (
            "fhirehose, walker",
            Box::new(move || sieve_all(case, &mut without.0, &mut without.1)),
        ),
        (
            "sonic-rs, get_many",
            Box::new(move || count(case, |line| lazy_is_wanted(&tree, line))),
        ),
        (
            "sonic-rs, typed",
            Box::new(move || {
                count(case, |line| {
                    let read: Observation<'_> = sonic_rs::from_slice(line).ok()?;
                    Some(read.is_wanted())
                })
            }),
        ),
        (
            "simd-json, typed",
            Box::new(move || {
                count(case, |line| {
                    typed_copy.clear();
                    typed_copy.extend_from_slice(line);
                    let read: Observation<'_> =
                        simd_json::serde::from_slice_with_buffers(&mut typed_copy, &mut typed_buffers).ok()?;
                    Some(read.is_wanted())
                })
            }),
        ),
        (
            "simd-json, tree",
            Box::new(move || {
                count(case, |line| {
                    copy.clear();
                    copy.extend_from_slice(line);
                    let read = simd_json::to_borrowed_value_with_buffers(&mut copy, &mut buffers).ok()?;
                    tree_is_wanted(&read)
                })
            }),
        ),
        (
            "serde_json, typed",
            Box::new(move || {
                count(case, |line| {
                    let read: Observation<'_> = serde_json::from_slice(line).ok()?;
                    Some(read.is_wanted())
                })
            }),
        ),
    ]
}

/// Nanoseconds that this thread has run.
fn thread_time() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn time(run: impl FnOnce()) -> u64 {
    let start = thread_time();
    run();
    (thread_time() - start).max(1)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn version(package: &str) -> &'static str {
    let after = LOCK.split(&format!("name = \"{package}\"\nversion = \"")).nth(1);
    after.and_then(|rest| rest.split('"').next()).unwrap_or("?")
}

fn main() {
    let repeats: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(15);
    let data = Data::load();
    let Some(case) = cases(&data, Some("observation-category-late")).pop() else {
        return;
    };
    let mut copy = vec![0; case.text.len()];
    let mut all: Vec<Method<'_>> = methods(&case);
    let mut times = vec![Vec::new(); all.len() + 2];
    for round in 0..repeats {
        // Another one begins each round.
        for turn in 0..all.len() {
            let at = (round + turn) % all.len();
            let (name, keep) = &mut all[at];
            times[at].push(time(|| assert_eq!(keep(), case.kept, "{name}")));
        }
        let [.., memchr, memcpy] = times.as_mut_slice() else {
            return;
        };
        memchr.push(time(|| {
            assert_eq!(lines(black_box(&case.text)).count() as u64, case.lines)
        }));
        memcpy.push(time(|| copy.copy_from_slice(black_box(&case.text))));
        black_box(&copy);
    }
    println!(
        "Observation?category=laboratory&date=ge2015-01-01 over {} lines, {} bytes in memory ({}), {} kept by each; one thread,",
        case.lines,
        case.text.len(),
        data.name(),
        case.kept
    );
    println!("GB/s by its CPU time, median of {repeats} rounds; ratios within a round to the learned automaton");
    for package in ["serde_json", "simd-json", "sonic-rs"] {
        print!("{package} {}  ", version(package));
    }
    println!("\n{:<22}{:>8}{:>10}", "reader", "GB/s", "x time");
    let names = all
        .iter()
        .map(|(name, _)| *name)
        .chain(["floor: memchr", "floor: memcpy"]);
    for (name, own) in names.zip(&times) {
        let mut speeds: Vec<f64> = own.iter().map(|&nanos| case.text.len() as f64 / nanos as f64).collect();
        let mut ratios: Vec<f64> = own.iter().zip(&times[0]).map(|(&a, &b)| a as f64 / b as f64).collect();
        println!("{name:<22}{:>8.2}{:>10.2}", median(&mut speeds), median(&mut ratios));
    }
}
