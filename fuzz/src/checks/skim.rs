//! The raw prefilter keeps what a plan without it keeps, and whether it looks at a block changes nothing.

use std::sync::{Arc, OnceLock};

use arbitrary::{Arbitrary, Unstructured};
use fhirehose_core::ids::IdSet;
use fhirehose_core::plan::Plan;
use fhirehose_core::request::{Cohort, Request};
use fhirehose_core::sieve::{self, Batch, Prefilter, Scratch};

/// One literal, some, more than are looked for one by one; each kind of value.
const FILTERS: [&[&str]; 8] = [
    &["Observation?code=http://loinc.org|8302-2"],
    &["Observation?code=8302-2,1-8", "Patient?_id=abc,a%22bc"],
    &["Observation?subject=Patient/p-1", "Condition?subject=p-1"],
    &["Observation?code=http://l|a1,http://l|b22,http://l|c333,http://l|4444,12-3"],
    &["Patient?deceased:missing=false"],
    &[
        "Patient?identifier=http://a/b|123",
        "Observation?component-code-value-quantity=8480-6$gt1",
    ],
    &[
        "Observation?_profile=http://x/y",
        "Observation?derived-from=http://x/fhir/Observation/1234",
    ],
    &[],
];

#[derive(Arbitrary)]
struct Input<'a> {
    plan: u8,
    bytes: &'a [u8],
}

fn plans() -> &'static [Plan] {
    static PLANS: OnceLock<Vec<Plan>> = OnceLock::new();
    PLANS.get_or_init(|| {
        let cohort = || {
            let mut patients = IdSet::default();
            for id in ["p-1", "abc", "x\"yzz"] {
                patients.insert(id.as_bytes());
            }
            Cohort {
                patients: Arc::new(patients),
                exclusive: false,
                group: None,
            }
        };
        let each = FILTERS.iter().enumerate().map(|(at, filters)| Request {
            types: if at % 2 == 0 {
                Vec::new()
            } else {
                vec!["Observation,Patient".to_owned()]
            },
            type_filters: filters.iter().map(|&filter| filter.to_owned()).collect(),
            fhir_base: Some("http://x/fhir".to_owned()),
            trust: at == 2,
            max_line: if at == 0 { 300 } else { Request::default().max_line },
            cohort: filters.is_empty().then(cohort),
            ..Request::default()
        });
        let plan = |request| Plan::compile(&request, super::registry()).expect("a good request");
        each.map(plan).collect()
    })
}

pub fn check(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let plan = &plans()[usize::from(input.plan) % plans().len()];
    assert!(!plan.literal_texts().is_empty());
    let block = [input.bytes, b"\n"].concat();
    let sieved = |plan: &Plan, when| {
        let mut batch = Batch::default();
        sieve::run(plan, &block, &mut Scratch::default().with_prefilter(when), &mut batch);
        batch
    };
    let with = sieved(plan, Prefilter::Always);
    assert_eq!(with, sieved(plan, Prefilter::Never));
    let all = sieved(&plan.clone().without_prefilter(), Prefilter::Always);
    assert_eq!((&with.runs, &with.made), (&all.runs, &all.made));
    assert_eq!((with.lines, with.bytes), (all.lines, all.bytes));
    assert!(with.bad.iter().all(|bad| all.bad.contains(bad)));
    // What is passed over is counted as read, and of those some were told as bad.
    let read = |batch: &Batch| batch.read.iter().sum::<u64>();
    assert_eq!(read(&with) + with.bad.len() as u64, read(&all) + all.bad.len() as u64);
}
