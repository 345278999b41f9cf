//! Any bytes through a fixed set of plans: the promises of the push engine.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use arbitrary::{Arbitrary, Unstructured};
use fhirehose_core::export::Export;
use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::report::Report;
use fhirehose_core::request::Request;
use fhirehose_core::sink::{FileKind, MemorySink};
use serde_json::Value;

type Files = BTreeMap<String, Vec<u8>>;

#[derive(Arbitrary)]
struct Input<'a> {
    plan: u8,
    sizes: [u8; 3],
    bytes: &'a [u8],
}

struct Plans {
    strict: Plan,
    trusting: Plan,
    /// Lines leave as they came.
    whole: bool,
}

fn plans() -> &'static [Plans] {
    static PLANS: OnceLock<Vec<Plans>> = OnceLock::new();
    PLANS.get_or_init(|| {
        let filters = |filters: &[&str]| Request {
            type_filters: filters.iter().map(|&filter| filter.to_owned()).collect(),
            ..Request::default()
        };
        let requests = [
            Request::default(),
            filters(&[
                "Patient?gender=female",
                "Patient?birthdate=ge1980",
                "Observation?status:not=final",
            ]),
            filters(&[
                "Observation?code=http://loinc.org|8867-4,8310-5&date=gt2019-06",
                "Condition?code:text=pain",
            ]),
            filters(&[
                "Observation?value-quantity=gt5.4|http://unitsofmeasure.org|mg",
                "Observation?subject=Patient/1",
            ]),
            filters(&[
                "Patient?name:exact=M\u{fc}ller&active:missing=true",
                "Patient?address-city=berlin,k\u{f6}ln",
            ]),
            filters(&[
                "Observation?component-code-value-quantity=8480-6$gt100",
                "Encounter?date=2020&status=finished",
            ]),
            Request {
                since: Some("2020-01-01T00:00:00Z".to_owned()),
                types: vec!["Patient,Observation".to_owned()],
                ..Request::default()
            },
            Request {
                max_line: 60,
                ..Request::default()
            },
            Request {
                elements: vec!["id,Patient.name,Observation.status".to_owned()],
                ..Request::default()
            },
        ];
        requests.map(both).into()
    })
}

fn both(request: Request) -> Plans {
    let compile = |request: &Request| Plan::compile(request, super::registry()).expect("a good request");
    let whole = request.elements.is_empty();
    Plans {
        strict: compile(&request),
        trusting: compile(&Request { trust: true, ..request }),
        whole,
    }
}

pub fn check(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let plans = &plans()[usize::from(input.plan) % plans().len()];
    let (report, files) = run(&plans.strict, input.bytes, &input);
    counts(&report, &files);
    files.iter().for_each(|(name, file)| content(name, file));
    let (_, trusted) = run(&plans.trusting, input.bytes, &input);
    if plans.whole {
        lines_of_the_input(&plans.strict, &report, &files, input.bytes);
        let trusted = by_type(&trusted);
        for (type_name, kept) in by_type(&files) {
            let more = trusted.get(type_name).map_or(Vec::new(), |kept| super::lines(kept));
            assert!(is_part(&kept, &more), "trust only keeps more");
        }
    }
}

/// The kept lines of each type, its files joined.
fn by_type(files: &Files) -> BTreeMap<&str, Vec<u8>> {
    let mut joined: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for (name, file) in files.iter().filter(|(name, _)| !name.starts_with("error/")) {
        let type_name = name.split('.').next().unwrap_or_default();
        joined.entry(type_name).or_default().extend_from_slice(file);
    }
    joined
}

/// Runs a plan over the input as one chunk and as several, which must not differ.
fn run(plan: &Plan, bytes: &[u8], input: &Input<'_>) -> (Report, Files) {
    let push = |chunks: Vec<&[u8]>| {
        let limits = Limits {
            max_resources: Some(3),
            max_bytes: None,
        };
        let mut export = Export::with_limits(plan.clone(), MemorySink::default(), limits);
        export.begin_input("input").expect("a sink in memory");
        for chunk in chunks {
            export.push(chunk).expect("bad lines are skipped");
        }
        let (report, sink) = export.finish().expect("a sink in memory");
        (report, Files::from_iter(sink.files))
    };
    let whole = push(vec![bytes]);
    let cut = push(super::chunks(bytes, &input.sizes));
    assert_eq!(whole.0, cut.0, "the report depends on the chunks");
    assert!(whole.1 == cut.1, "the files depend on the chunks");
    whole
}

/// The report and the files tell the same.
fn counts(report: &Report, files: &Files) {
    assert_eq!(report.files.len(), files.len());
    let mut kept = 0;
    let mut bad = 0;
    for entry in &report.files {
        let file = &files[&entry.path];
        assert_eq!(entry.bytes, file.len() as u64);
        assert_eq!(entry.resources, super::lines(file).len() as u64);
        assert!((1..=3).contains(&entry.resources), "the limit of a file");
        match entry.name.kind {
            FileKind::Error => bad += entry.resources,
            FileKind::Output => kept += entry.resources,
            FileKind::Deleted => {}
        }
    }
    assert_eq!((kept, bad), (report.kept(), report.bad_lines()));
    assert!(report.types.iter().all(|count| count.kept <= count.read));
    assert_eq!(report.places.len() as u64, bad.min(Report::MOST_PLACES as u64));
    assert!(
        report
            .places
            .iter()
            .all(|place| (1..=report.lines).contains(&place.position.line))
    );
}

/// Every line of a file is a whole resource of the file's type.
fn content(name: &str, file: &[u8]) {
    assert!(file.ends_with(b"\n"));
    let type_name = name.trim_start_matches("error/").split('.').next();
    for line in super::lines(file) {
        assert!(super::is_json(line), "kept what is no JSON");
        // A text with a lone surrogate is JSON, but `serde_json` makes no value of it.
        if let Ok(value) = serde_json::from_slice::<Value>(line) {
            assert_eq!(value["resourceType"].as_str(), type_name);
        }
    }
}

/// Kept lines are lines of the input in its order, and every line is accounted for.
fn lines_of_the_input(plan: &Plan, report: &Report, files: &Files, bytes: &[u8]) {
    let lines = super::lines(bytes);
    let is_blank = |line: &&&[u8]| line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
    let blank = lines
        .iter()
        .filter(|line| line.len() <= plan.max_line())
        .filter(is_blank)
        .count();
    assert_eq!(report.lines, lines.len() as u64);
    assert_eq!(report.lines, blank as u64 + report.read() + report.bad_lines());
    let stripped: Vec<&[u8]> = lines
        .iter()
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .collect();
    for (type_name, kept) in by_type(files) {
        assert!(is_part(&kept, &stripped), "{type_name} is no part of the input");
    }
}

/// Whether the lines of a file are some of these lines, in their order.
pub fn is_part(file: &[u8], lines: &[&[u8]]) -> bool {
    let mut rest = lines.iter();
    super::lines(file)
        .into_iter()
        .all(|kept| rest.any(|line| *line == kept))
}
