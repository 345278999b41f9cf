//! Expressions of a user's search parameter are lowered or refused, with a place in their text; nothing panics.

use std::ops::Range;

use arbitrary::{Arbitrary, Unstructured};
use fhirehose_core::search::expr;
use fhirehose_core::search::lower;
use fhirehose_core::search::table::SearchType;

const TYPES: [&str; 6] = [
    "Patient",
    "Observation",
    "Encounter",
    "Group",
    "Resource",
    "DomainResource",
];
const KINDS: [SearchType; 6] = [
    SearchType::Token,
    SearchType::Date,
    SearchType::String,
    SearchType::Reference,
    SearchType::Quantity,
    SearchType::Uri,
];

#[derive(Arbitrary)]
struct Input<'a> {
    type_name: u8,
    kind: u8,
    text: &'a [u8],
}

pub fn check(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let Ok(text) = std::str::from_utf8(input.text) else {
        return;
    };
    let type_name = TYPES[usize::from(input.type_name) % TYPES.len()];
    let kind = KINDS[usize::from(input.kind) % KINDS.len()];
    let in_text = |span: &Range<usize>| assert!(text.get(span.clone()).is_some(), "{span:?} is no part of the text");
    match expr::parse(text) {
        Err(error) => in_text(&error.span),
        Ok(parsed) => match lower::lower(&parsed, type_name, kind, super::registry()) {
            Err(error) => in_text(&error.span),
            Ok(paths) => assert!(!paths.is_empty(), "paths or a refusal"),
        },
    }
}
