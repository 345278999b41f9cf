//! The learned automaton changes nothing: with it and without it the same comes of every block.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fhirehose_core::ids::IdSet;
use fhirehose_core::plan::Plan;
use fhirehose_core::request::{self, Request};
use fhirehose_core::search::table::Registry;
use fhirehose_core::sieve::{self, Batch, Scratch};
use fhirehose_synth::{Lines, Options, Profile};
use fhirehose_tests::data;
use fhirehose_tests::garble::garble;
use fhirehose_tests::random::Random;

/// Requests by which lines are read in many ways: to their end, to a value early or late, with values captured in
/// arrays, with a rest that is trusted, with members left out.
fn requests() -> Vec<Request> {
    let with = |filters: &[&str]| Request {
        type_filters: filters.iter().map(|&filter| filter.to_owned()).collect(),
        ..Request::default()
    };
    vec![
        Request::default(),
        with(&[
            "Observation?date=ge2015",
            "Encounter?date=lt2016",
            "Condition?onset-date=ge2010",
        ]),
        with(&[
            "Observation?category=laboratory&date=ge2015-01-01",
            "Patient?gender=female",
        ]),
        with(&[
            "Observation?status=final&code=http://loinc.org|8302-2,29463-7",
            "Claim?created=ge2014",
        ]),
        with(&[
            "Observation?component-code-value-quantity=8480-6$gt100",
            "Patient?address-city:missing=true",
        ]),
        with(&[
            "Observation?value-quantity=gt70",
            "ExplanationOfBenefit?created=ge2014",
            "Patient?name:contains=er",
        ]),
        Request {
            since: Some("2015-06-01T00:00:00Z".to_owned()),
            ..with(&["Encounter?date=ge2012"])
        },
        Request {
            elements: vec!["Patient.name,Observation.code,status,period".to_owned()],
            ..with(&["Observation?status=final"])
        },
        Request {
            trust: true,
            ..with(&[
                "Observation?status=final",
                "Provenance?patient:missing=false",
                "Patient?active=true",
            ])
        },
        Request {
            max_line: 900,
            ..with(&["Observation?subject:missing=false", "Procedure?status:not=completed"])
        },
    ]
}

/// Patients of a cohort, taken from lines.
fn cohort(text: &[u8]) -> Request {
    let mut patients = IdSet::default();
    for line in text.split(|&byte| byte == b'\n').step_by(3) {
        let subject = memmem(line, b"\"Patient/").map(|at| &line[at + 9..]);
        if let Some(id) = subject.and_then(|rest| rest.split(|&byte| byte == b'"').next()) {
            patients.insert(id);
        }
    }
    Request {
        cohort: Some(request::Cohort {
            patients: Arc::new(patients),
            exclusive: false,
            group: None,
        }),
        ..Request::default()
    }
}

fn memmem(line: &[u8], wanted: &[u8]) -> Option<usize> {
    line.windows(wanted.len()).position(|window| window == wanted)
}

fn plan(request: &Request) -> Plan {
    Plan::compile(request, &Registry::r4()).expect("a valid request")
}

/// What was compared.
#[derive(Debug, Default)]
struct Compared {
    lines: u64,
    mutations: u64,
    known: u64,
}

/// Sieves blocks with the automaton and without it.
struct Pair {
    with: Scratch,
    without: Scratch,
    left: Batch,
    right: Batch,
}

impl Pair {
    fn new() -> Self {
        Pair {
            with: Scratch::default().with_learning(true),
            without: Scratch::default().with_learning(false),
            left: Batch::default(),
            right: Batch::default(),
        }
    }

    fn compare(&mut self, plan: &Plan, block: &[u8], name: &str) {
        sieve::run(plan, block, &mut self.without, &mut self.right);
        sieve::run(plan, block, &mut self.with, &mut self.left);
        if self.left == self.right {
            return;
        }
        // Which line it is, for whoever has to look into it; data in tests is nobody's.
        for line in block.split_inclusive(|&byte| byte == b'\n') {
            sieve::run(plan, line, &mut self.without, &mut self.right);
            sieve::run(plan, line, &mut self.with, &mut self.left);
            assert_eq!(self.left, self.right, "{name}: {}", String::from_utf8_lossy(line));
        }
        panic!("{name}: a block differs, but none of its lines alone");
    }
}

/// Lines of every type, one text for each.
fn synthetic(patients: u64, seed: u64, profile: Profile) -> BTreeMap<String, Vec<u8>> {
    let mut lines = Lines::default();
    let options = Options {
        profile,
        ..Options::new(patients, seed)
    };
    fhirehose_synth::generate(&options, &mut lines).expect("memory takes every line");
    let mut by_type: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (type_name, line) in &lines.0 {
        by_type
            .entry((*type_name).to_owned())
            .or_default()
            .extend_from_slice(line);
    }
    by_type
}

/// Lines of a text in their order, one in five changed at random, in blocks of any size and in any order.
fn mutated(text: &[u8], plans: &[Plan], many: u64, random: &mut Random, found: &mut Compared, name: &str) {
    let lines: Vec<&[u8]> = text
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .collect();
    let mut pairs: Vec<Pair> = plans.iter().map(|_| Pair::new()).collect();
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    let mut wrong: Vec<Vec<u8>> = Vec::new();
    let (mut made, mut at) = (0, 0);
    let mut turn = 0;
    while made < many || !blocks.is_empty() {
        while made < many && blocks.len() < 8 {
            let mut block = Vec::new();
            for _ in 0..1 + random.below(40) {
                at = (at + 1) % lines.len();
                if random.one_in(5) {
                    // Pieces of what was wrong before come again: a wrong line must not have taught them.
                    let other = match random.pick(&wrong) {
                        Some(wrong) if random.one_in(2) => wrong,
                        _ => random.pick(&lines).copied().unwrap_or_default(),
                    };
                    let line = garble(lines[at], other, random);
                    block.extend_from_slice(&line);
                    match wrong.len() {
                        0..32 => wrong.push(line),
                        len => wrong[random.below(len as u64) as usize] = line,
                    }
                    made += 1;
                } else {
                    block.extend_from_slice(lines[at]);
                    if random.one_in(100) {
                        block.push(b'\r');
                    }
                }
                block.push(b'\n');
                found.lines += 1;
            }
            blocks.push(block);
        }
        let block = blocks.swap_remove(random.below(blocks.len() as u64) as usize);
        // By turns, so that each plan sees blocks of all of the text; a scratch that is new now and then.
        turn = (turn + 1) % plans.len();
        if random.one_in(400) {
            found.known += pairs[turn].with.learned().lines;
            pairs[turn] = Pair::new();
        }
        pairs[turn].compare(&plans[turn], &block, name);
    }
    found.mutations += made;
    found.known += pairs.iter().map(|pair| pair.with.learned().lines).sum::<u64>();
}

/// All plans over all types of a data set, so many mutations in all.
fn mutate_all(by_type: &BTreeMap<String, Vec<u8>>, seed: u64, many: u64) -> Compared {
    let mut random = Random::new(seed);
    let mut found = Compared::default();
    let fixed: Vec<Plan> = requests().iter().map(plan).collect();
    for (type_name, text) in by_type {
        let mut plans = fixed.clone();
        plans.push(plan(&cohort(text)));
        let share = many.div_ceil(by_type.len() as u64);
        mutated(text, &plans, share, &mut random, &mut found, type_name);
    }
    eprintln!("{found:?}");
    assert!(found.mutations >= many);
    found
}

#[test]
fn mutated_lines_of_varied_data_get_the_same_verdicts() {
    let found = mutate_all(&synthetic(12, 31, Profile::Varied), 1, 340_000);
    assert!(
        found.known * 4 > found.lines,
        "too few were known for the test to mean anything"
    );
}

#[test]
fn mutated_lines_of_regular_data_get_the_same_verdicts() {
    let found = mutate_all(&synthetic(20, 32, Profile::Regular), 2, 340_000);
    assert!(
        found.known * 2 > found.lines,
        "too few were known for the test to mean anything"
    );
}

/// Lines of all types and of two ways to write them, by turns.
#[test]
fn mutated_lines_of_two_dialects_get_the_same_verdicts() {
    let regular = synthetic(10, 33, Profile::Regular);
    let varied = synthetic(4, 33, Profile::Varied);
    let mut mixed = Vec::new();
    let mut sources: Vec<_> = [&regular, &varied, &regular]
        .iter()
        .flat_map(|by_type| by_type.values())
        .map(|text| text.split_inclusive(|&byte| byte == b'\n'))
        .collect();
    while !sources.is_empty() {
        sources.retain_mut(|lines| lines.next().map(|line| mixed.extend_from_slice(line)).is_some());
    }
    let found = mutate_all(&BTreeMap::from([("mixed".to_owned(), mixed)]), 3, 340_000);
    assert!(
        found.known * 4 > found.lines,
        "too few were known for the test to mean anything"
    );
}

#[test]
fn real_lines_and_mutated_ones_get_the_same_verdicts() {
    let Some(folder) = data::folder() else {
        eprintln!("skipped: FHIREHOSE_DATA is not set");
        return;
    };
    let mut by_type = BTreeMap::new();
    let mut whole = Compared::default();
    for path in data::files(&folder).expect("a readable folder") {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let mut text = data::bytes(&path).expect("a readable file");
        if text.last() != Some(&b'\n') {
            text.push(b'\n');
        }
        // Every line as it is, in blocks as they are read.
        let before = (whole.lines, whole.known);
        let mut plans: Vec<Plan> = requests().iter().map(plan).collect();
        plans.push(plan(&cohort(&text)));
        for plan in &plans {
            let mut pair = Pair::new();
            let mut rest = &text[..];
            while !rest.is_empty() {
                let head = &rest[..rest.len().min(256 << 10)];
                let end = head
                    .iter()
                    .rposition(|&byte| byte == b'\n')
                    .or_else(|| rest.iter().position(|&byte| byte == b'\n'));
                let (block, behind) = rest.split_at(end.map_or(rest.len(), |newline| newline + 1));
                pair.compare(plan, block, &name);
                whole.lines += pair.left.lines;
                rest = behind;
            }
            whole.known += pair.with.learned().lines;
        }
        let (lines, known) = (whole.lines - before.0, whole.known - before.1);
        eprintln!("{name}: {known} of {lines} read without the walker");
        let some = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(2000);
        text.truncate(some.map_or(text.len(), |(newline, _)| newline + 1));
        by_type.insert(name, text);
    }
    eprintln!("unchanged: {whole:?}");
    assert!(whole.known * 10 > whole.lines * 8, "real lines are regular");
    let found = mutate_all(&by_type, 4, 400_000);
    assert!(
        found.known * 2 > found.lines,
        "too few were known for the test to mean anything"
    );
}

/// A scratch that saw one plan and then another must not read lines by what it learned under the first.
#[test]
fn plans_may_take_turns_with_one_scratch() {
    let by_type = synthetic(6, 34, Profile::Regular);
    let plans: Vec<Plan> = requests().iter().map(plan).collect();
    let mut with = Scratch::default().with_learning(true);
    let mut without = Scratch::default().with_learning(false);
    let (mut left, mut right) = (Batch::default(), Batch::default());
    for _ in 0..3 {
        for text in by_type.values() {
            for plan in &plans {
                sieve::run(plan, text, &mut with, &mut left);
                sieve::run(plan, text, &mut without, &mut right);
                assert_eq!(left, right);
            }
        }
    }
}

/// Ways to write lines so that the automaton has as much work and as little use as possible.
fn adversaries() -> Vec<(&'static str, Vec<u8>)> {
    let line = |number: usize, members: &str| {
        format!("{{\"resourceType\":\"Observation\",\"id\":\"{number}\",\"status\":\"final\"{members}}}\n")
    };
    let values: String = (0..60)
        .map(|name| format!(",\"m{name}\":{{\"text\":\"value\",\"n\":[1,null,true]}}"))
        .collect();
    let text = |make: &dyn Fn(usize) -> String| -> Vec<u8> {
        (0..12_000).flat_map(|number| make(number).into_bytes()).collect()
    };
    vec![
        (
            "other names in every line",
            text(&|number| {
                let names: String = (0..60)
                    .map(|name| format!(",\"{number}-{name}\":{{\"text\":\"value\"}}"))
                    .collect();
                line(number, &names)
            }),
        ),
        (
            "unknown at the very end",
            text(&|number| line(number, &format!("{values},\"x{number}\":1"))),
        ),
        (
            "one in five unknown at the very end",
            text(&|number| match number % 5 {
                0 => line(number, &format!("{values},\"x{number}\":1")),
                _ => line(number, &values),
            }),
        ),
        (
            "values that were constant and are no more",
            text(&|number| match number {
                0..500 => line(number, &values),
                _ => line(number, &values.replace("value", &format!("v{}", number % 900))),
            }),
        ),
        (
            "texts that begin alike",
            text(&|number| {
                let nulls = "null,".repeat(300 + number % 300);
                line(number, &format!(",\"a\":[{nulls}1],\"b\":[{nulls}\"x\"]"))
            }),
        ),
        (
            "many small holes",
            text(&|number| line(number, &format!(",\"a\":[{}1]", "\"\",1,".repeat(200 + number % 7)))),
        ),
        (
            "escapes everywhere",
            text(&|number| line(number, &values.replace("value", "\\u00e4\\n\u{e4}"))),
        ),
    ]
}

#[test]
fn an_adversary_gains_no_memory_no_time_and_no_verdict() {
    // Twice the walker's time and no more; the shared machine's noise is in it, so the best of some runs counts.
    const FACTOR: f64 = 2.0;
    let plan = plan(&Request {
        type_filters: vec!["Observation?status=final&date:missing=true".to_owned()],
        ..Request::default()
    });
    for (name, text) in adversaries() {
        let mut best = [Duration::MAX; 2];
        for _ in 0..5 {
            let mut batches = [Batch::default(), Batch::default()];
            for (at, batch) in batches.iter_mut().enumerate() {
                let mut scratch = Scratch::default().with_learning(at == 0);
                let start = Instant::now();
                sieve::run(&plan, &text, &mut scratch, batch);
                best[at] = best[at].min(start.elapsed());
                assert!(scratch.learned().bytes < 1 << 20, "{name}: {:?}", scratch.learned());
            }
            assert_eq!(batches[0], batches[1], "{name}");
            assert!(batches[0].bad.is_empty() && !batches[0].runs.is_empty(), "{name}");
        }
        let factor = best[0].as_secs_f64() / best[1].as_secs_f64();
        eprintln!("{name}: {factor:.2} of the walker's time");
        assert!(factor < FACTOR, "{name}: {factor:.2}");
    }
}

#[test]
fn memory_is_bounded_over_all_types() {
    let registry = Registry::r4();
    let plan = plan(&Request::default());
    let mut scratch = Scratch::default().with_learning(true);
    let mut batch = Batch::default();
    for round in 0..40 {
        for type_name in registry.types() {
            let block: String = (0..10)
                .map(|number| {
                    let names: String = (0..150)
                        .map(|name| {
                            format!(
                                ",\"{round}-{number}-{name}\":[\"{}\",null,{{}},{{\"a\":1}}]",
                                "x".repeat(90)
                            )
                        })
                        .collect();
                    format!("{{\"resourceType\":\"{type_name}\"{names}}}\n")
                })
                .collect();
            sieve::run(&plan, block.as_bytes(), &mut scratch, &mut batch);
            assert!(scratch.learned().bytes < 4 << 20, "{:?}", scratch.learned());
        }
    }
}
