//! A whole export over files: what it allocates depends on blocks and files, not on records.
//!
//! The counter counts all threads, so this file has one test.

use std::alloc::System;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use fhirehose_core::manifest::Generation;
use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::request::Request;
use fhirehose_core::search::table::Registry;
use fhirehose_native::cancel::Cancel;
use fhirehose_native::codec_out::Compression;
use fhirehose_native::inputs::InputPlace;
use fhirehose_native::job::{FolderOutput, Job, ManifestOptions, Output, Progress};
use fhirehose_synth::{Lines, Options};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CHUNK: usize = 256 << 10;

/// Allocations that a block may cost: it waits in a map for its turn, and steps of write-back are started.
const A_BLOCK: u64 = 2;

/// Allocations that come earlier or later with the turns of the threads: each learns by itself.
const BY_CHANCE: u64 = 1500;

fn job(request: &Request, input: &Path, output: &Path, compression: Compression) -> Job {
    Job {
        request: request.clone(),
        plan: Plan::compile(request, &Registry::r4()).expect("valid request"),
        cohort: None,
        inputs: vec![InputPlace::File(input.to_owned())],
        output: Output::Folder(FolderOutput {
            path: output.to_owned(),
            force: false,
            is_durable: true,
            manifest: ManifestOptions {
                generation: Generation::V2V3,
                transaction_time: "2024-05-01T00:00:00Z".into(),
                request: "$export".into(),
                base_url: None,
            },
            organize: None,
        }),
        limits: Limits::default(),
        compression,
        threads: 2,
        chunk: CHUNK,
    }
}

/// Lines in the order of their types, as servers write them: where the type changes, its name is taken down.
fn texts() -> Vec<Vec<u8>> {
    let mut lines = Lines::default();
    fhirehose_synth::generate(&Options::new(4, 5), &mut lines).expect("memory takes every line");
    let mut texts: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for (type_name, line) in &lines.0 {
        texts.entry(type_name).or_default().extend_from_slice(line);
    }
    // Of a type with few lines the threads would learn to the end.
    texts.retain(|_, text| text.split(|&byte| byte == b'\n').count() > 12);
    texts.into_values().collect()
}

/// Allocations of an export of so many copies of the lines, and the lines.
fn cost(request: &Request, texts: &[Vec<u8>], copies: usize, compression: Compression) -> (u64, u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("in.ndjson");
    let lines: Vec<u8> = texts.iter().flat_map(|text| text.repeat(copies)).collect();
    fs::write(&input, lines).expect("writes");
    let job = job(request, &input, &folder.path().join("out"), compression);
    let (progress, cancel) = (Progress::default(), Cancel::default());
    let region = Region::new(COUNTED);
    let exported = fhirehose_native::run(&job, &progress, &cancel).expect("exports");
    let change = region.change();
    (
        (change.allocations + change.reallocations) as u64,
        exported.report.lines,
    )
}

#[test]
fn four_times_the_records_cost_only_what_their_blocks_do() {
    let texts = texts();
    let filtered = Request {
        type_filters: vec![
            "Observation?category=laboratory&date=ge2015".into(),
            "Patient?name=a".into(),
        ],
        elements: vec!["Encounter.status".into()],
        ..Request::default()
    };
    let provenance = Request {
        associated_data: vec!["RelevantProvenanceResources".into()],
        ..Request::default()
    };
    for (name, request, compression) in [
        ("all", Request::default(), Compression::None),
        ("filtered", filtered.clone(), Compression::None),
        ("filtered, gzip", filtered, Compression::GZIP),
        ("Provenance", provenance, Compression::None),
    ] {
        let (few, few_lines) = cost(&request, &texts, 120, compression);
        let (many, many_lines) = cost(&request, &texts, 480, compression);
        let more_lines = many_lines - few_lines;
        let more_blocks = (360 * texts.concat().len()).div_ceil(CHUNK) as u64;
        eprintln!("{name}: {few} for {few_lines} lines, {many} for {many_lines} lines; {more_blocks} blocks more");
        let growth = A_BLOCK * more_blocks + BY_CHANCE;
        assert!(
            more_lines > 15 * growth,
            "too few lines for the test to mean anything: {more_lines}"
        );
        assert!(
            many <= few + growth,
            "{name}: {few}, then {many}; so many more are allowed: {growth}"
        );
    }
}
