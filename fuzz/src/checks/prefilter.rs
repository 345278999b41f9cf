//! A line that a cohort keeps is kept whatever a look at its raw bytes says first; `membership` reads it without one.

use std::sync::{Arc, OnceLock};

use arbitrary::{Arbitrary, Unstructured};
use fhirehose_core::ids::IdSet;
use fhirehose_core::membership::{Membership, Patients};
use fhirehose_core::plan::Plan;
use fhirehose_core::request::{Cohort, Request};
use fhirehose_core::sieve::{self, Batch, Scratch};

use super::tree::Tree;

/// Ids as FHIR has them, and others that a Group may bring.
const IDS: [&str; 9] = ["1", "a-1", "a.b", "\u{e9}", "x\"y", "x\\y", "x y", "x\u{1}", "Patient"];
const BASE: &str = "http://x/fhir";

#[derive(Arbitrary)]
struct Input<'a> {
    plan: u8,
    bytes: &'a [u8],
}

struct Pair {
    plan: Plan,
    membership: Membership,
    exclusive: bool,
}

fn ids() -> IdSet {
    let mut ids = IdSet::default();
    for id in IDS {
        ids.insert(id.as_bytes());
    }
    ids
}

fn pairs() -> &'static [Pair] {
    static PAIRS: OnceLock<Vec<Pair>> = OnceLock::new();
    PAIRS.get_or_init(|| {
        let of = |exclusive: bool, base: Option<&str>, trust: bool| {
            let request = Request {
                cohort: Some(Cohort {
                    patients: Arc::new(ids()),
                    exclusive,
                    group: None,
                }),
                fhir_base: base.map(str::to_owned),
                trust,
                ..Request::default()
            };
            Pair {
                plan: Plan::compile(&request, super::registry()).expect("a good request"),
                membership: Membership::new(&request, super::registry()).expect("a good request"),
                exclusive,
            }
        };
        vec![
            of(false, None, false),
            of(false, Some(BASE), false),
            of(true, Some(BASE), false),
            of(false, Some(BASE), true),
        ]
    })
}

pub fn check(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let pair = &pairs()[usize::from(input.plan) % pairs().len()];
    for line in super::lines(input.bytes) {
        one(pair, line);
    }
}

fn one(pair: &Pair, line: &[u8]) {
    let block = [line, b"\n"].concat();
    let mut batch = Batch::default();
    sieve::run(&pair.plan, &block, &mut Scratch::default(), &mut batch);
    let kept = !batch.runs.is_empty();
    let Some(tree @ Tree::Object(_)) = Tree::of(line) else {
        return assert!(
            !kept || pair.plan.trusts() || super::is_json(line),
            "kept what is no JSON"
        );
    };
    let type_index = tree.get("resourceType").and_then(Tree::text);
    let Some(type_index) = type_index.and_then(|name| super::registry().type_index(name)) else {
        return assert!(!kept, "kept what has no type");
    };
    if !batch.bad.is_empty() || pair.plan.type_plan(type_index).is_none() {
        return assert!(!kept);
    }
    let mut patients = Patients::default();
    pair.membership.find(type_index, &block, &mut patients);
    let ids = ids();
    let all: Vec<&[u8]> = patients.own().into_iter().chain(patients.referred()).collect();
    let is_listed = |id: &&[u8]| ids.contains(id);
    let expected = all.iter().any(is_listed) && (!pair.exclusive || all.iter().all(is_listed));
    assert_eq!(kept, expected, "{all:?}");
}
