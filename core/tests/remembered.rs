//! What the gates remember of earlier lines decides nothing that it is not about.

use fhirehose_core::plan::Plan;
use fhirehose_core::request::Request;
use fhirehose_core::search::table::Registry;
use fhirehose_core::sieve::{self, Batch, Scratch};

/// The same bytes may be a date at one member and no period at another.
#[test]
fn a_value_is_judged_by_where_it_stands_whatever_came_before() {
    let request = Request {
        type_filters: vec!["Observation?date=2020".into()],
        ..Request::default()
    };
    let plan = Plan::compile(&request, &Registry::r4()).expect("valid request");
    let observation = |member: &str| format!("{{\"resourceType\":\"Observation\",\"{member}\":\"2020-01-01\"}}\n");
    let [right, wrong] = ["effectiveDateTime", "effectivePeriod"].map(observation);
    for (block, kept) in [
        (format!("{right}{wrong}{right}"), right.repeat(2)),
        (format!("{wrong}{right}{wrong}"), right.clone()),
    ] {
        let mut batch = Batch::default();
        sieve::run(&plan, block.as_bytes(), &mut Scratch::default(), &mut batch);
        let runs = batch
            .runs
            .iter()
            .map(|run| &block[run.start as usize..run.end as usize]);
        assert_eq!(runs.collect::<String>(), kept);
    }
}
