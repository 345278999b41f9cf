//! References found fast are those that a walk over every member finds, however names and texts are spelled.

use arbitrary::{Arbitrary, Unstructured};
use fhirehose_core::links;
use fhirehose_core::search::kind::reference;

use super::tree::Tree;

#[derive(Arbitrary)]
struct Input<'a> {
    /// Whether the line gets an escape that makes the search a slow one.
    slow: bool,
    bytes: &'a [u8],
}

pub fn check(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let mut line = super::lines(input.bytes).first().copied().unwrap_or_default().to_vec();
    if input.slow && line.ends_with(b"}") {
        line.pop();
        line.extend_from_slice(b",\"\\u0078\":1}");
    }
    let found = found(&line);
    let base = "http://x/fhir";
    let mut targets = Vec::new();
    links::targets(&line, Some(base), &mut |type_name, id| {
        targets.push((type_name.to_owned(), id.to_owned()));
    });
    // What is no object must only not panic.
    let Some(tree @ Tree::Object(_)) = Tree::of(&line) else {
        return;
    };
    let mut expected = Vec::new();
    collect(&tree, &mut expected);
    expected.sort();
    assert_eq!(found, expected);
    let target = |text: &String| {
        let (type_name, id) = reference::target_of(text, Some(base))?;
        Some((type_name.to_owned(), id.to_owned()))
    };
    targets.sort();
    let mut expected: Vec<_> = expected.iter().filter_map(target).collect();
    expected.sort();
    assert_eq!(targets, expected);
}

fn found(line: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    links::references(line, &mut |text| found.push(text.decode().into_owned()));
    found.sort();
    found
}

fn collect(tree: &Tree, out: &mut Vec<String>) {
    match tree {
        Tree::Object(members) => {
            for (name, value) in members {
                if let (Tree::Text(text), "reference") = (value, name.as_str()) {
                    out.push(text.clone());
                }
                collect(value, out);
            }
        }
        Tree::Array(items) => items.iter().for_each(|item| collect(item, out)),
        Tree::Text(_) | Tree::Null | Tree::Other => {}
    }
}
