//! The raw prefilter drops no line that a request keeps, and whether it looks at a block changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use fhirehose_core::ids::IdSet;
use fhirehose_core::plan::Plan;
use fhirehose_core::request::{Cohort, Request};
use fhirehose_core::roll::Roll;
use fhirehose_core::search::table::Registry;
use fhirehose_core::sieve::{self, BadAt, Batch, Prefilter, Scratch};
use fhirehose_synth::{Lines, Options, Profile};
use fhirehose_tests::data;
use fhirehose_tests::drawn::Drawing;
use fhirehose_tests::garble::garble;
use fhirehose_tests::random::Random;
use fhirehose_tests::respell::respell;

const BASE: &str = "https://fhir.example.org/r4";

/// Requests whose literals are of many kinds, and some without.
fn fixed() -> Vec<Request> {
    let with = |filters: &[&str]| Request {
        type_filters: filters.iter().map(|&filter| filter.to_owned()).collect(),
        ..Request::default()
    };
    vec![
        with(&["Observation?code=http://loinc.org|8302-2"]),
        with(&["Observation?code=8302-2,29463-7&date=ge2010"]),
        with(&[
            "Observation?code=http://loinc.org|8480-6,http://loinc.org|8462-4,39156-5,72514-3,http://loinc.org|2339-0,6690-2",
            "Condition?code=44054006,http://snomed.info/sct|",
            "Procedure?status=completed&code=430193006",
        ]),
        with(&[
            "Observation?component-code-value-quantity=8480-6$gt100",
            "Patient?deceased=true",
        ]),
        with(&["Observation?code:not=8302-2", "Condition?clinical-status=active"]),
        with(&["Patient?deceased:missing=false", "Claim?identifier:missing=false"]),
        Request {
            types: vec!["Observation,Patient".to_owned()],
            trust: true,
            ..with(&["Observation?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory"])
        },
        Request {
            types: vec!["Observation".to_owned()],
            max_line: 900,
            elements: vec!["code,status".to_owned()],
            ..with(&["Observation?code=http://loinc.org|29463-7"])
        },
        Request {
            since: Some("2012-01-01T00:00:00Z".to_owned()),
            ..with(&["Encounter?_profile:missing=false", "Encounter?class=AMB"])
        },
        Request::default(),
    ]
}

/// Requests about what some line says.
fn drawn(type_name: &str, text: &[u8], random: &mut Random) -> Vec<Request> {
    let lines: Vec<serde_json::Value> = text
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .take(200)
        .collect();
    let filters = Drawing::new(&Registry::r4(), type_name, &lines).filters(2, random);
    let mut requests: Vec<Request> = filters
        .chunks(2)
        .map(|filters| Request {
            types: vec![type_name.to_owned()],
            type_filters: filters[..1 + usize::from(random.one_in(3)).min(filters.len() - 1)].to_vec(),
            fhir_base: random.one_in(2).then(|| BASE.to_owned()),
            ..Request::default()
        })
        .collect();
    let id = |line: &serde_json::Value| Some(line.get("id")?.as_str()?.to_owned());
    for exclusive in [false, true] {
        let mut patients = IdSet::default();
        for line in &lines {
            let subject = ["subject", "patient"].iter().find_map(|name| line.get(name));
            let subject = subject.and_then(|subject| subject.get("reference")?.as_str());
            let own = subject.and_then(|text| text.rsplit('/').next().map(str::to_owned));
            if let Some(own) = own.or_else(|| id(line)).filter(|_| patients.len() < 5) {
                patients.insert(own.as_bytes());
            }
        }
        requests.push(Request {
            cohort: Some(Cohort {
                patients: Arc::new(patients),
                exclusive,
                group: exclusive.then(|| "g1".to_owned()),
            }),
            ..Request::default()
        });
    }
    requests
}

/// One request, sieved by three.
struct Three {
    plan: Plan,
    reads_all: Plan,
    literals: Vec<String>,
    /// Looks at every block, at none, where it pays, and at none with a plan that drops nothing unread.
    scratches: [Scratch; 4],
    batches: [Batch; 4],
}

#[derive(Debug, Default)]
struct Compared {
    plans: usize,
    with_literals: usize,
    lines: u64,
    kept: u64,
    untold: usize,
}

impl Three {
    fn new(request: &Request, rolls: bool) -> Option<Three> {
        let plan = Plan::compile(request, &Registry::r4()).ok()?;
        let scratch = |when| {
            let scratch = if rolls {
                Scratch::with_roll(Arc::new(Roll::new(None, None)))
            } else {
                Scratch::default()
            };
            scratch.with_prefilter(when)
        };
        Some(Three {
            literals: plan.literal_texts(),
            reads_all: plan.clone().without_prefilter(),
            plan,
            scratches: [
                scratch(Prefilter::Always),
                scratch(Prefilter::Never),
                scratch(Prefilter::WherePays),
                scratch(Prefilter::Always),
            ],
            batches: Default::default(),
        })
    }

    fn compare(&mut self, block: &[u8], found: &mut Compared) {
        for at in 0..4 {
            let plan = if at == 3 { &self.reads_all } else { &self.plan };
            sieve::run(plan, block, &mut self.scratches[at], &mut self.batches[at]);
        }
        if let Some(wrong) = self.difference() {
            for line in block.split_inclusive(|&byte| byte == b'\n') {
                for at in 0..4 {
                    let plan = if at == 3 { &self.reads_all } else { &self.plan };
                    sieve::run(plan, line, &mut self.scratches[at], &mut self.batches[at]);
                }
                let wrong = self.difference();
                assert_eq!(wrong, None, "{:?}: {}", self.literals, String::from_utf8_lossy(line));
            }
            panic!("{:?}: {wrong}, but in no line alone", self.literals);
        }
        let [_, _, batch, all] = &self.batches;
        found.lines += batch.lines;
        found.kept += batch.runs.iter().map(|run| u64::from(run.lines)).sum::<u64>();
        found.untold += all.bad.len() - batch.bad.len();
    }

    fn difference(&self) -> Option<&'static str> {
        let [always, never, paced, all] = &self.batches;
        let mut read = always.read.clone();
        let untold: Vec<&BadAt> = all.bad.iter().filter(|bad| !always.bad.contains(bad)).collect();
        for bad in &untold {
            // A line that is passed over counts as read.
            let type_index = bad.type_index.map_or(usize::MAX, |index| index as usize);
            match read.get_mut(type_index) {
                Some(count) => *count = count.wrapping_sub(1),
                None => return Some("a bad line of no type was passed over"),
            }
        }
        if always != never || always != paced {
            Some("it matters whether blocks are looked at")
        } else if always.runs != all.runs || always.made != all.made {
            Some("other lines are kept")
        } else if (always.lines, always.bytes, &read) != (all.lines, all.bytes, &all.read) {
            Some("other lines are counted")
        } else if always.bad.len() + untold.len() != all.bad.len() {
            Some("a bad line is told that is none")
        } else {
            None
        }
    }
}

fn synthetic(patients: u64, seed: u64, profile: Profile) -> BTreeMap<String, Vec<u8>> {
    let mut lines = Lines::default();
    let options = Options {
        profile,
        ..Options::new(patients, seed)
    };
    fhirehose_synth::generate(&options, &mut lines).expect("memory takes every line");
    let mut by_type: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (type_name, line) in &lines.0 {
        let text = by_type.entry((*type_name).to_owned()).or_default();
        text.extend_from_slice(line);
    }
    by_type
}

/// Blocks of lines of the text, of which many are changed, for each request in another order.
fn compare_all(requests: &[Request], text: &[u8], blocks: usize, random: &mut Random, found: &mut Compared) {
    let lines: Vec<&[u8]> = text
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .collect();
    for request in requests {
        let Some(mut three) = Three::new(request, random.one_in(3)) else {
            continue;
        };
        found.plans += 1;
        if three.literals.is_empty() {
            continue;
        }
        found.with_literals += 1;
        let holding: Vec<Vec<&[u8]>> = three
            .literals
            .iter()
            .map(|literal| {
                lines
                    .iter()
                    .copied()
                    .filter(|line| holds(line, literal.as_bytes()))
                    .take(9)
                    .collect()
            })
            .collect();
        for _ in 0..blocks {
            let mut block = Vec::new();
            for _ in 0..random.below(60) {
                let line = random.pick(&lines).copied().unwrap_or_default();
                let other = random.pick(&lines).copied().unwrap_or_default();
                let which = random.below(holding.len() as u64) as usize;
                let literal = three.literals[which].as_bytes();
                match random.below(8) {
                    0..3 => block.extend_from_slice(line),
                    3 => block.extend_from_slice(&garble(line, other, random)),
                    4 => {
                        // The literal where another text was, so that it is found where nobody looks for it.
                        let at = random.below(line.len() as u64) as usize;
                        let bare: Vec<u8> = literal.iter().copied().filter(|&byte| byte != b'"').collect();
                        block.extend_from_slice(&[&line[..at], &bare, &line[at..]].concat());
                    }
                    _ => {
                        let with = lines
                            .iter()
                            .filter(|line| holds(line, literal))
                            .nth(random.below(9) as usize);
                        block.extend_from_slice(&respell(with.unwrap_or(&line), literal, other, random));
                    }
                }
                block.push(b'\n');
            }
            three.compare(&block, found);
        }
    }
}

fn holds(line: &[u8], text: &[u8]) -> bool {
    line.windows(text.len()).any(|window| window == text)
}

#[test]
fn lines_of_drawn_requests_are_kept() {
    let mut random = Random::new(71);
    let mut found = Compared::default();
    for profile in [Profile::Varied, Profile::Regular] {
        for (type_name, text) in synthetic(12, 41, profile) {
            let requests = drawn(&type_name, &text, &mut random);
            compare_all(&requests, &text, 5, &mut random, &mut found);
        }
    }
    eprintln!("{found:?}");
    assert!(found.with_literals > 200, "{found:?}");
    assert!(found.kept > 1000 && found.untold > 100, "{found:?}");
}

#[test]
fn lines_of_many_types_are_kept() {
    let mut random = Random::new(72);
    let mut found = Compared::default();
    let mixed: Vec<u8> = synthetic(8, 42, Profile::Varied).into_values().flatten().collect();
    compare_all(&fixed(), &mixed, 150, &mut random, &mut found);
    eprintln!("{found:?}");
    assert!(found.with_literals >= 7, "{found:?}");
    assert!(found.kept > 1000 && found.untold > 100, "{found:?}");
}

#[test]
fn real_lines_are_kept() {
    let Some(folder) = data::folder() else {
        eprintln!("skipped: FHIREHOSE_DATA is not set");
        return;
    };
    let mut random = Random::new(73);
    let mut found = Compared::default();
    for path in data::files(&folder).expect("a readable folder") {
        let mut text = data::bytes(&path).expect("a readable file");
        if text.last() != Some(&b'\n') {
            text.push(b'\n');
        }
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let type_name = name.split('.').next().unwrap_or_default().to_owned();
        let requests: Vec<Request> = drawn(&type_name, &text, &mut random)
            .into_iter()
            .chain(fixed())
            .collect();
        for request in requests.iter().step_by(7) {
            let Some(mut three) = Three::new(request, false).filter(|three| !three.literals.is_empty()) else {
                continue;
            };
            found.with_literals += 1;
            let mut rest = &text[..text.len().min(4 << 20)];
            while let Some(end) = rest[..rest.len().min(256 << 10)]
                .iter()
                .rposition(|&byte| byte == b'\n')
            {
                three.compare(&rest[..=end], &mut found);
                rest = &rest[end + 1..];
            }
        }
        compare_all(&requests, &text[..text.len().min(1 << 20)], 2, &mut random, &mut found);
    }
    eprintln!("{found:?}");
    assert!(found.with_literals > 100 && found.kept > 10_000, "{found:?}");
}

/// Each pair: a request, a line that it keeps although no literal stands in it as such, or that must be told as bad.
#[test]
fn what_is_spelled_otherwise_is_kept_and_what_is_cut_off_is_told() {
    let line = |code: &str| {
        format!(
            "{{\"resourceType\":\"Observation\",\"id\":\"a\",\"code\":{{\"coding\":[{{\"system\":\"http://loinc.org\",\
             \"code\":\"{code}\"}}]}},\"subject\":{{\"reference\":\"Patient/p-1\"}}}}"
        )
    };
    let plain = line("8302-2");
    let late = plain.replacen("\"resourceType\":\"Observation\",", "", 1);
    let late = format!("{},\"resourceType\":\"Observation\"}}", &late[..late.len() - 1]);
    let kept = [
        ("code=http://loinc.org|8302-2", plain.clone()),
        ("code=http://loinc.org|8302-2", line("\\u0038302-2")),
        ("code=http://loinc.org|8302-2", line("8302\\u002d2")),
        (
            "code=http://loinc.org|8302-2",
            plain.replace("{\"resource", " { \"resource"),
        ),
        ("code=http://loinc.org|8302-2", late),
        ("code=E11.9", line("e11.9")),
        ("code=http://loinc.org|", plain.replace("http://", "http:\\/\\/")),
        ("code=http://loinc.org|a/b", line("a\\/b")),
        ("code=http://loinc.org|a%22bcd", line("a\\\"bcd")),
        ("subject=Patient/p-1", plain.replace("Patient/p", "Patient\\/p")),
        ("subject=Patient/p-1", plain.replace("p-1", "p-1/_history/3")),
        ("subject=Patient/p-1", plain.replace("p-1", "p-1\\/_history\\/3")),
        (
            "subject=p-1",
            plain
                .replace("Patient/", "http://x/Patient\\u002f")
                .replace("http://x/", ""),
        ),
        ("_id=abc", plain.replace("\"id\":\"a\"", "\"id\":\"\\u0061bc\"")),
    ];
    for (filter, line) in &kept {
        let request = Request {
            type_filters: vec![format!("Observation?{filter}")],
            ..Request::default()
        };
        let mut three = Three::new(&request, false).expect("a valid request");
        assert!(!three.literals.is_empty(), "{filter}");
        three.compare(format!("{line}\n{line}\r\n\n").as_bytes(), &mut Compared::default());
        let kept: u32 = three.batches[0].runs.iter().map(|run| run.lines).sum();
        assert_eq!(kept, 2, "{filter} {line}");
    }
    let request = Request {
        type_filters: vec!["Observation?code=http://loinc.org|1-8".to_owned()],
        ..Request::default()
    };
    let patient = "{\"resourceType\":\"Patient\"}";
    for bad in [
        plain[..plain.len() - 40].to_owned(),
        format!("{plain}{plain}"),
        format!("{plain}{patient}"),
        "{\"resourceType\":\"Nothing\"}".to_owned(),
    ] {
        let mut three = Three::new(&request, false).expect("a valid request");
        let block = format!("{plain}\n{bad}\n{plain}\n");
        three.compare(block.as_bytes(), &mut Compared::default());
        assert_eq!(three.batches[0].bad.len(), 1, "{bad}");
        assert_eq!(three.batches[0].bad[0].line, 1, "{bad}");
    }
}

/// Lines for which a look at raw bytes takes long and finds nothing, or finds something in each.
fn adversaries() -> Vec<(&'static str, String)> {
    let line = |members: &str| format!("{{\"resourceType\":\"Observation\",\"id\":\"a\"{members}}}\n");
    vec![
        (
            "pairs everywhere",
            line(&format!(",\"a\":[{}0]", "\"7\",77,".repeat(200))),
        ),
        (
            "beginnings of literals everywhere",
            line(&format!(",\"a\":\"{}\"", "7".repeat(1500))),
        ),
        ("a literal in every line", line(",\"code\":{\"text\":\"77770\"}")),
        (
            "escapes everywhere",
            line(&format!(",\"a\":\"{}\"", "\\u00e4\\\\".repeat(200))),
        ),
        ("lines of nothing", "\n".to_owned()),
        ("small lines", "{\"resourceType\":\"Group\"}\n".to_owned()),
        ("other spaces in every line", line(&" ".repeat(300))),
    ]
}

#[test]
fn adversaries_get_the_same_verdicts() {
    const BLOCK: usize = 256 << 10;
    let many: Vec<String> = (0..12).map(|last| format!("http://l|7777{last}")).collect();
    for codes in ["http://l|77770".to_owned(), many.join(",")] {
        let request = Request {
            types: vec!["Observation".to_owned()],
            type_filters: vec![format!("Observation?code={codes}")],
            ..Request::default()
        };
        for (name, line) in adversaries() {
            let mut three = Three::new(&request, false).expect("a valid request");
            let mut found = Compared::default();
            // Two pieces and a bit, so that a block is looked at in several.
            let block = line.repeat(2 * BLOCK / line.len() + 5);
            for _ in 0..3 {
                three.compare(block.as_bytes(), &mut found);
            }
            assert_eq!(found.kept, 0, "{name}");
        }
    }
}
