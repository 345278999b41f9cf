//! The named shapes: lines and a request, with the number of lines that the oracle keeps.

use std::ops::Range;
use std::sync::Arc;

use fhirehose_core::plan::Plan;
use fhirehose_core::request::Request;
use fhirehose_core::search::table::Registry;
use fhirehose_synth::{Generator, Options, Profile};
use fhirehose_tests::oracle::{Oracle, OracleRequest};
use serde_json::Value;

use crate::data::{Data, is_smoke, target};

/// The bytes of a block, as the native engine reads them.
pub const BLOCK: usize = 256 << 10;

/// Lines, what is asked of them, and the answer.
#[derive(Debug)]
pub struct Shape {
    /// The name, as in the id of a bench.
    pub name: &'static str,
    /// Where the lines are from.
    pub data: &'static str,
    /// Whole lines.
    pub text: Arc<Vec<u8>>,
    /// The request.
    pub request: Request,
    /// The same, compiled.
    pub plan: Plan,
    /// How many lines there are.
    pub lines: u64,
    /// How many of them the oracle keeps.
    pub kept: u64,
}

/// How much of its lines a shape has to keep, so that it measures what its name says.
#[derive(Clone, Copy)]
enum Keeps {
    All,
    Some,
    /// At most a tenth.
    Few,
}

/// What a shape is made of.
struct Make {
    name: &'static str,
    text: Arc<Vec<u8>>,
    types: &'static [&'static str],
    filters: Vec<String>,
    elements: &'static [&'static str],
    trust: bool,
    keeps: Keeps,
}

impl Shape {
    /// All shapes over this data.
    ///
    /// # Panics
    /// When the data lacks a type that a shape stands on.
    pub fn all(data: &Data) -> Vec<Shape> {
        let observations = Arc::new(data.of("Observation").to_vec());
        let date = quantile(&observations, "/effectiveDateTime", 0.5);
        let updated = quantile(&observations, "/meta/lastUpdated", 0.97);
        let by_date = format!("Observation?date=ge{date}");
        let by_both = format!("Observation?category=laboratory&date=ge{date}");
        let over = |name, filters: Vec<String>| Make {
            name,
            text: observations.clone(),
            types: &["Observation"],
            filters,
            elements: &[],
            trust: false,
            keeps: Keeps::Some,
        };
        let mut makes = vec![
            over("observations-many", vec![by_both.clone()]),
            over("typeFilter-date", vec![by_date]),
            over("typeFilter-token", vec!["Observation?category=laboratory".into()]),
        ];
        makes.push(wide_lines(data));
        makes.push(Make {
            keeps: Keeps::Few,
            ..over("mostly-dropped", vec![format!("Observation?_lastUpdated=ge{updated}")])
        });
        makes.push(Make {
            keeps: Keeps::All,
            ..over("all-kept", Vec::new())
        });
        makes.push(Make {
            elements: &["code", "subject"],
            ..over("elements", vec![by_both.clone()])
        });
        makes.push(Make {
            trust: true,
            ..over("trust", vec![by_both.clone()])
        });
        makes.push(Make {
            text: Arc::new(python_style(&observations)),
            ..over("python-style", vec![by_both.clone()])
        });
        makes.push(Make {
            text: Arc::new(shuffled_keys(&observations)),
            ..over("shuffled-keys", vec![by_both])
        });
        let mut shapes: Vec<Shape> = makes.into_iter().map(|make| make.shape(data.name())).collect();
        shapes.push(patients().shape("synthetic"));
        shapes
    }

    /// The text in blocks of whole lines.
    pub fn blocks(&self) -> Vec<Range<usize>> {
        blocks(&self.text)
    }
}

/// A text in blocks of whole lines.
pub(crate) fn blocks(text: &[u8]) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let wanted = (start + BLOCK).min(text.len());
        let end = match memchr::memrchr(b'\n', &text[start..wanted]) {
            Some(newline) => start + newline + 1,
            // A line longer than a block is a block.
            None => memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |at| start + at + 1),
        };
        blocks.push(start..end);
        start = end;
    }
    blocks
}

impl Make {
    fn shape(self, data: &'static str) -> Shape {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let request = Request {
            types: owned(self.types),
            type_filters: self.filters.clone(),
            elements: owned(self.elements),
            trust: self.trust,
            ..Request::default()
        };
        let registry = Registry::r4();
        let plan = Plan::compile(&request, &registry).unwrap_or_else(|problems| panic!("{}: {problems:?}", self.name));
        let asked = OracleRequest {
            types: owned(self.types),
            type_filters: self.filters,
            transaction_time: "9999-12-31T00:00:00Z".to_owned(),
            ..OracleRequest::default()
        };
        let oracle = Oracle::new(&registry, &asked).unwrap_or_else(|problems| panic!("{}: {problems:?}", self.name));
        let mut lines = 0;
        let mut kept = 0;
        for resource in resources(&self.text) {
            lines += 1;
            kept += u64::from(oracle.keeps(&resource));
        }
        let fits = match self.keeps {
            Keeps::All => kept == lines && kept > 0,
            Keeps::Some => 0 < kept && kept < lines,
            Keeps::Few => 0 < kept && kept * 10 <= lines,
        };
        assert!(
            fits,
            "{} over {data} lines keeps {kept} of {lines}: not what it is to measure",
            self.name
        );
        Shape {
            name: self.name,
            data,
            text: self.text,
            request,
            plan,
            lines,
            kept,
        }
    }
}

fn wide_lines(data: &Data) -> Make {
    let half = |type_name: &str| {
        let lines = data.of(type_name);
        let end = memchr::memrchr(b'\n', &lines[..lines.len().min(target() / 2)]).map_or(0, |newline| newline + 1);
        lines[..end].to_vec()
    };
    let mut text = half("ExplanationOfBenefit");
    let created = quantile(&text, "/created", 0.5);
    text.extend(half("Claim"));
    Make {
        name: "wide-lines",
        text: Arc::new(text),
        types: &[],
        filters: vec![
            format!("ExplanationOfBenefit?created=ge{created}"),
            format!("Claim?created=ge{created}"),
        ],
        elements: &[],
        trust: false,
        keeps: Keeps::Some,
    }
}

/// Every line of some of 20,000 patients, as many as there is room for, spread over all of them.
fn patients() -> Make {
    const POPULATION: u64 = 20_000;
    let sampled: u64 = if is_smoke() { 4 } else { 200 };
    let mut generator = Generator::new(&Options {
        profile: Profile::Regular,
        ..Options::new(POPULATION, 1)
    });
    let mut text: Vec<u8> = Vec::new();
    for number in 0..sampled {
        // The sink refuses nothing.
        let _ = generator.patient(number * (POPULATION / sampled), &mut text);
    }
    Make {
        name: "patients-20k",
        text: Arc::new(text),
        types: &["Patient", "Observation", "Condition", "Encounter"],
        filters: vec!["Observation?category=laboratory".into()],
        elements: &[],
        trust: false,
        keeps: Keeps::Some,
    }
}

pub(crate) fn resources(text: &[u8]) -> impl Iterator<Item = Value> {
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap_or_else(|error| panic!("sample line: {error}")))
}

/// The day below which this part of the lines lies.
pub(crate) fn quantile(text: &[u8], pointer: &str, part: f64) -> String {
    let mut days: Vec<String> = resources(text)
        .filter_map(|resource| Some(resource.pointer(pointer)?.as_str()?.get(..10)?.to_owned()))
        .collect();
    days.sort_unstable();
    let at = (days.len() as f64 * part) as usize;
    days.get(at)
        .cloned()
        .unwrap_or_else(|| panic!("no sample line has {pointer}"))
}

/// As Python's `json.dumps` writes: a blank behind each colon and comma.
fn python_style(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() * 11 / 10);
    let mut inside = false;
    let mut escaped = false;
    for &byte in text {
        out.push(byte);
        if inside {
            inside = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if byte == b'"' {
            inside = true;
        } else if matches!(byte, b':' | b',') {
            out.push(b' ');
        }
    }
    out
}

/// The members of every line in another order than in the line before, `resourceType` anywhere.
pub(crate) fn shuffled_keys(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut state = 1u64;
    for resource in resources(text) {
        let Value::Object(members) = resource else { continue };
        let mut members: Vec<(String, Value)> = members.into_iter().collect();
        for last in (1..members.len()).rev() {
            // Knuth's multiplier: any fixed, even spread does.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            members.swap(last, (state >> 33) as usize % (last + 1));
        }
        let members: serde_json::Map<String, Value> = members.into_iter().collect();
        out.extend(Value::Object(members).to_string().into_bytes());
        out.push(b'\n');
    }
    out
}
