//! In the steady state a record costs no allocation: blocks that a thread has seen the like of are sieved and routed
//! without asking the allocator once.
//!
//! One thing may: what a pass gathers for those behind it grows by doubling. Bad lines may, too: each is told by itself.
//! The counter counts all threads, so this file has one test.

use std::alloc::System;
use std::collections::BTreeMap;
use std::sync::Arc;

use fhirehose_core::deleted::Deleted;
use fhirehose_core::deletion::Deletion;
use fhirehose_core::error::Error;
use fhirehose_core::ids::IdSet;
use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::plan::associated::{Found, Stage};
use fhirehose_core::request::{self, Request};
use fhirehose_core::router::Router;
use fhirehose_core::search::table::Registry;
use fhirehose_core::sieve::{self, Batch, Scratch};
use fhirehose_core::sink::{FileName, Sink, Stored};
use fhirehose_synth::{Lines, Options, Profile};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Times that a thread sees the lines before it counts, and how many of each type there are at least: the automata learn
/// from the first few hundred lines of a type.
const WARM: usize = 16;
const FEWEST: usize = 64;
const BLOCK: usize = 64 << 10;

/// Times that what is gathered may grow in one round.
const MOST_GROWN: usize = 2;

/// Takes lines and forgets them.
#[derive(Default)]
struct Nowhere {
    bytes: u64,
}

impl Sink for Nowhere {
    type File = ();

    fn create(&mut self, _: &FileName) -> Result<(), Error> {
        Ok(())
    }

    fn write(&mut self, (): &mut (), lines: &[u8]) -> Result<(), Error> {
        self.bytes += lines.len() as u64;
        Ok(())
    }

    fn close(&mut self, (): ()) -> Result<Stored, Error> {
        Ok(Stored::default())
    }
}

/// What a round over all blocks asked of the allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    allocations: usize,
    lines: u64,
    kept: u64,
}

/// One thread with its router, as in an export.
struct Thread {
    plan: Plan,
    scratch: Scratch,
    batch: Batch,
    router: Router<()>,
    sink: Nowhere,
}

impl Thread {
    fn new(plan: Plan) -> Thread {
        let mut router = Router::new(plan.clone(), Limits::default());
        router.begin_input("lines");
        Thread {
            plan,
            scratch: Scratch::default(),
            batch: Batch::default(),
            router,
            sink: Nowhere::default(),
        }
    }

    fn round(&mut self, blocks: &[Vec<u8>]) -> Cost {
        let region = Region::new(COUNTED);
        let before = self.router.kept();
        let mut lines = 0;
        for block in blocks {
            sieve::run(&self.plan, block, &mut self.scratch, &mut self.batch);
            assert!(self.batch.bad.is_empty(), "the lines are good ones");
            lines += self.batch.lines;
            self.router
                .take(block, &self.batch, false, &mut self.sink)
                .expect("takes everything");
        }
        let change = region.change();
        Cost {
            allocations: change.allocations + change.reallocations,
            lines,
            kept: self.router.kept() - before,
        }
    }
}

/// Lines of every type, each type a text: as they are, then with escapes, letters beyond ASCII, and `\r\n`.
fn texts() -> BTreeMap<String, Vec<u8>> {
    let mut texts: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (profile, patients) in [(Profile::Regular, 6), (Profile::Varied, 6)] {
        let mut lines = Lines::default();
        let options = Options {
            profile,
            ..Options::new(patients, 77)
        };
        fhirehose_synth::generate(&options, &mut lines).expect("memory takes every line");
        for (number, (type_name, line)) in lines.0.iter().enumerate() {
            let text = texts.entry((*type_name).to_owned()).or_default();
            let line = respelled(line.trim_ascii_end(), number % 4);
            text.extend_from_slice(&line);
            text.extend_from_slice(if number % 7 == 0 { b"\r\n" } else { b"\n" });
        }
    }
    for text in texts.values_mut() {
        let lines = text.iter().filter(|&&byte| byte == b'\n').count();
        *text = text.repeat(FEWEST.div_ceil(lines));
    }
    texts
}

/// Spells values otherwise, names not: 1 escapes slashes, 2 a letter, 3 brings letters beyond ASCII.
fn respelled(line: &[u8], way: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = line;
    while let Some(quote) = rest.iter().position(|&byte| byte == b'"') {
        out.extend_from_slice(&rest[..=quote]);
        rest = &rest[quote + 1..];
        let mut end = 0;
        while rest[end] != b'"' {
            end += if rest[end] == b'\\' { 2 } else { 1 };
        }
        let (inside, behind) = rest.split_at(end + 1);
        let is_plain = behind.first() != Some(&b':') && !inside.contains(&b'\\');
        let inside = std::str::from_utf8(inside).expect("lines are text");
        // Dates stay: what is no date is passed over.
        let is_plain = is_plain && !inside.starts_with(|first: char| first.is_ascii_digit());
        let spelled = match way {
            1 if is_plain => inside.replace('/', "\\/"),
            2 if is_plain => inside.replacen('a', "\\u0061", 1),
            3 if is_plain && !inside.contains('/') && inside.contains(' ') => inside.replace('o', "\u{f6}"),
            _ => inside.to_owned(),
        };
        out.extend_from_slice(spelled.as_bytes());
        rest = behind;
    }
    out.extend_from_slice(rest);
    out
}

/// Cuts a text into blocks of whole lines.
fn blocks(text: &[u8]) -> Vec<Vec<u8>> {
    let mut blocks = vec![Vec::new()];
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        if blocks
            .last()
            .is_some_and(|block: &Vec<u8>| block.len() + line.len() > BLOCK)
        {
            blocks.push(Vec::new());
        }
        if let Some(block) = blocks.last_mut() {
            block.extend_from_slice(line);
        }
    }
    blocks
}

fn with(filters: &[&str]) -> Request {
    Request {
        type_filters: filters.iter().map(|&filter| filter.to_owned()).collect(),
        fhir_base: Some("https://example.org/fhir".to_owned()),
        ..Request::default()
    }
}

/// Every kind of gate and matcher.
const FILTERS: [(&str, &[&str]); 6] = [
    (
        "token and date",
        &[
            "Observation?category=laboratory&date=ge2015-01-01",
            "Condition?clinical-status=ACTIVE&onset-date=ge2010",
            "Encounter?class=http://terminology.hl7.org/CodeSystem/v3-ActCode|AMB",
            "Patient?gender=female&identifier=x",
            "Patient?active=true",
        ],
    ),
    (
        "token, otherwise",
        &[
            "Observation?code:text=body",
            "Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|1",
            "DocumentReference?contenttype:below=text",
            "Observation?status:not=final",
            "Claim?use:missing=false",
        ],
    ),
    (
        "string",
        &[
            "Patient?name=ma",
            "Patient?family:contains=er",
            "Patient?given:exact=Maria",
            "Patient?address-city=B\u{f6}",
            "Organization?name:contains=hospital",
            "Practitioner?name=a",
            "Location?address:contains=street",
        ],
    ),
    (
        "reference",
        &[
            "Observation?subject=Patient/1",
            "Observation?encounter=1",
            "Encounter?subject:Patient=1",
            "Condition?subject=https://example.org/fhir/Patient/1",
            "Procedure?subject:identifier=http://example.org|1",
            "DiagnosticReport?result:missing=false",
            "Claim?patient=Patient/2",
        ],
    ),
    (
        "quantity, number, uri",
        &[
            "Observation?value-quantity=gt70",
            "Observation?value-quantity=5.4|http://unitsofmeasure.org|mg",
            "Observation?component-value-quantity=ap100||mm[Hg]",
            "Patient?_profile=http://example.org",
            "ImagingStudy?_source:missing=true",
            "Encounter?length=gt1",
            "Condition?_security:missing=true&_tag:missing=true",
        ],
    ),
    (
        "composite",
        &[
            "Observation?component-code-value-quantity=8480-6$gt100",
            "Observation?code-value-quantity=http://loinc.org|8302-2$gt100",
        ],
    ),
];

/// All requests.
fn requests(cohort: &Arc<IdSet>) -> Vec<(&'static str, Request)> {
    let filtered = FILTERS.iter().map(|&(name, filters)| (name, with(filters)));
    let listed = ("token of a list", listed());
    filtered
        .chain([listed])
        .chain(whole())
        .chain(of_cohort(cohort))
        .collect()
}

fn listed() -> Request {
    let codes = [("http://loinc.org".to_owned(), "8302-2".to_owned())];
    let mut listed = with(&[
        "Observation?code:in=http://example.org/codes",
        "Encounter?status:in=http://example.org/codes",
    ]);
    let list = Arc::new(codes.into_iter().collect());
    listed.value_sets.insert("http://example.org/codes".to_owned(), list);
    listed
}

/// What else is done with a line.
fn whole() -> Vec<(&'static str, Request)> {
    vec![
        ("no filter", Request::default()),
        (
            "types",
            Request {
                types: vec!["Observation,Condition,Patient".to_owned()],
                ..Request::default()
            },
        ),
        (
            "window",
            Request {
                since: Some("2015-06-01T00:00:00Z".to_owned()),
                until: Some("2020-06-01T00:00:00Z".to_owned()),
                ..Request::default()
            },
        ),
        (
            "elements",
            Request {
                elements: vec!["Patient.name,Observation.code,status,period".to_owned()],
                ..with(&["Observation?status=final"])
            },
        ),
        (
            "trust",
            Request {
                trust: true,
                ..Request::default()
            },
        ),
        (
            "trust and filters",
            Request {
                trust: true,
                ..with(&["Observation?status=final", "Patient?active=true"])
            },
        ),
        (
            "relevant Provenance",
            Request {
                associated_data: vec!["RelevantProvenanceResources".to_owned()],
                ..Request::default()
            },
        ),
    ]
}

fn of_cohort(cohort: &Arc<IdSet>) -> [(&'static str, Request); 3] {
    let of = |exclusive: bool| {
        Some(request::Cohort {
            patients: cohort.clone(),
            exclusive,
            group: None,
        })
    };
    [
        (
            "cohort",
            Request {
                cohort: of(false),
                ..Request::default()
            },
        ),
        (
            "cohort, exclusive",
            Request {
                cohort: of(true),
                ..Request::default()
            },
        ),
        (
            "cohort and newest Provenance",
            Request {
                cohort: of(false),
                associated_data: vec!["LatestProvenanceResources".to_owned()],
                ..Request::default()
            },
        ),
    ]
}

/// Half of the patients.
fn cohort(texts: &BTreeMap<String, Vec<u8>>) -> Arc<IdSet> {
    let mut patients = IdSet::default();
    for line in texts["Patient"]
        .split(|&byte| byte == b'\n')
        .step_by(2)
        .filter(|line| line.len() > 2)
    {
        let value: serde_json::Value = serde_json::from_slice(line).expect("a line");
        patients.insert(value["id"].as_str().unwrap_or_default().as_bytes());
    }
    Arc::new(patients)
}

/// Deletions of some of the patients, some before their last change and some after it.
fn deleted(cohort: &IdSet, registry: &Registry) -> Deleted {
    let mut deleted = Deleted::default();
    for (number, id) in cohort.iter().enumerate() {
        let deletion = Deletion {
            type_name: "Patient".to_owned(),
            id: String::from_utf8_lossy(id).into_owned(),
            time: (number % 2 == 0).then_some(0),
        };
        deleted.add(&deletion, registry);
    }
    deleted
}

/// Warms a thread up and counts a round. Gives back what it gathered.
fn check(name: &str, plan: Plan, blocks: &[Vec<u8>]) -> (Cost, Scratch) {
    let allowed = if plan.gather().is_some() { MOST_GROWN } else { 0 };
    let mut thread = Thread::new(plan);
    for _ in 0..WARM {
        thread.round(blocks);
    }
    let cost = thread.round(blocks);
    assert!(cost.lines > 2000, "{name}: {cost:?}");
    assert!(cost.allocations <= allowed, "{name}: {cost:?}, allowed are {allowed}");
    (cost, thread.scratch)
}

#[test]
fn a_warm_thread_allocates_nothing_for_a_record() {
    let registry = Registry::r4();
    let texts = texts();
    let cohort = cohort(&texts);
    let by_type: Vec<Vec<u8>> = texts.values().flat_map(|text| blocks(text)).collect();
    let mut kept = 0;
    for (name, request) in requests(&cohort) {
        let mut found = Found {
            deleted: Arc::new(deleted(&cohort, &registry)),
            ..Found::default()
        };
        let compile = |stage, found: &Found| Plan::compile_stage(&request, &registry, stage, found).expect("compiles");
        let plan = compile(Stage::Main, &found);
        let stages = plan.stages().to_vec();
        let (cost, scratch) = check(name, plan, &by_type);
        eprintln!("{name}: {cost:?}");
        kept += cost.kept;
        found.kept = Arc::new(scratch.gathered.kept);
        found.links = Arc::new(scratch.gathered.links);
        for stage in stages {
            let plan = compile(stage, &found);
            let (cost, scratch) = check(&format!("{name}, {stage:?}"), plan, &by_type);
            eprintln!("{name}, {stage:?}: {cost:?}");
            if stage == Stage::Rank {
                found.newest = Arc::new(scratch.gathered.newest);
            }
        }
    }
    assert!(
        kept > 10_000,
        "too little was kept for the test to mean anything: {kept}"
    );
}
