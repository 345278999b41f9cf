//! The list of requests: every one is valid, and most tell lines apart.

use fhirehose_core::search::table::Registry;
use fhirehose_tests::data;
use fhirehose_tests::oracle::Oracle;
use fhirehose_tests::requests::{Counted, RequestList};
use std::collections::BTreeSet;

#[test]
fn every_request_is_valid_and_there_are_many() {
    let list = RequestList::base().expect("the list reads");
    let registry = Registry::r4();
    let refused: Vec<String> = list
        .request
        .iter()
        .filter_map(|request| Oracle::new(&registry, &list.for_oracle(request)).err())
        .flatten()
        .collect();
    assert_eq!(refused, Vec::<String>::new());
    assert!(list.request.len() >= 220, "{} requests", list.request.len());
    let different: BTreeSet<String> = list.request.iter().map(|request| format!("{request:?}")).collect();
    assert_eq!(different.len(), list.request.len(), "no request twice");
}

#[test]
fn most_requests_keep_some_lines_and_drop_some() {
    let Some(folder) = data::folder() else {
        eprintln!("skipped: FHIREHOSE_DATA is not set");
        return;
    };
    let list = RequestList::base().expect("the list reads");
    let counted = Counted::over(&Registry::r4(), &list, &folder).expect("the oracle runs");
    let telling = counted.iter().filter(|count| count.is_telling()).count();
    assert!(telling * 3 >= counted.len() * 2, "{telling} of {}", counted.len());
}
