//! Lines of deletions mean what `serde_json` reads in them, and what is written is read again.

use arbitrary::{Arbitrary, Unstructured};
use fhirehose_core::deletion::{self, Deletion, Reading};
use fhirehose_core::search::kind::date;

use super::tree::Tree;

#[derive(Arbitrary)]
struct Input<'a> {
    /// Whether the data's own server is known.
    based: bool,
    bytes: &'a [u8],
}

const BASE: &str = "http://x/fhir";

pub fn check(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let base = input.based.then_some(BASE);
    for line in super::lines(input.bytes) {
        let reading = deletion::read(line, base);
        if let Some(tree) = Tree::of(line) {
            assert_eq!(reading, expected(&tree, base));
        }
    }
    round_trip(&String::from_utf8_lossy(input.bytes));
}

fn expected(bundle: &Tree, base: Option<&str>) -> Reading {
    let says = |name: &str, wanted: &str| bundle.get(name).and_then(Tree::text) == Some(wanted);
    if !says("resourceType", "Bundle") || !says("type", "transaction") {
        return Reading::NotDeletions;
    }
    let time = |value: Option<&Tree>| Some(date::read(value?.text()?.as_bytes())?.interval.lo);
    let updated = bundle.get("meta").and_then(|meta| meta.get("lastUpdated"));
    let whole = time(bundle.get("timestamp")).or(time(updated));
    let entries = match bundle.get("entry") {
        Some(Tree::Array(entries)) => entries.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let mut deletions = Vec::new();
    let (mut others, mut unclear) = (0, 0);
    for entry in entries.iter().filter(|entry| **entry != Tree::Null) {
        let request = |name: &str| entry.get("request")?.get(name)?.text();
        if request("method") != Some("DELETE") {
            others += 1;
            continue;
        }
        let own = time(entry.get("response").and_then(|response| response.get("lastModified")));
        match target(request("url").unwrap_or_default(), base) {
            None => unclear += 1,
            Some((type_name, id)) => deletions.push(Deletion {
                type_name,
                id,
                time: own.or(whole),
            }),
        }
    }
    match (deletions.len(), others, unclear) {
        (0, _, 0) => Reading::NotDeletions,
        (_, 0, 0) => Reading::Deletions(deletions),
        _ => Reading::Malformed,
    }
}

/// `Type/id` and nothing else, letter by letter.
fn target(url: &str, base: Option<&str>) -> Option<(String, String)> {
    let own = base.and_then(|base| url.strip_prefix(&format!("{base}/")));
    let parts: Vec<&str> = own.unwrap_or(url).split('/').collect();
    let [type_name, id] = parts[..] else { return None };
    let mut letters = type_name.chars();
    let is_type = letters.next().is_some_and(|first| first.is_ascii_uppercase())
        && letters.all(|letter| letter.is_ascii_alphabetic());
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._~:@|".contains(letter);
    (is_type && !id.is_empty() && id.chars().all(is_plain)).then(|| (type_name.to_owned(), id.to_owned()))
}

/// Writes the words of a text as ids.
fn round_trip(text: &str) {
    let ids: Vec<&str> = text
        .split([' ', '\n', '"', '/'])
        .filter(|id| deletion::is_sayable(id))
        .collect();
    let written = deletion::lines(ids.iter().map(|id| ("Patient", *id)));
    let mut found = Vec::new();
    for line in written.lines() {
        match deletion::read(line.as_bytes(), None) {
            Reading::Deletions(all) => {
                assert!(all.len() <= deletion::MOST_ENTRIES);
                found.extend(all);
            }
            other => panic!("wrote what is read as {other:?}"),
        }
    }
    assert!(found.iter().all(|one| one.type_name == "Patient" && one.time.is_none()));
    assert!(
        found.iter().map(|one| one.id.as_str()).eq(ids),
        "the same ids in the same order"
    );
}
