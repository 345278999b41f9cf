//! Tests on one value.

use crate::ids::IdSet;
use crate::plan::gate::{Matcher, Path};
use crate::plan::together::Together;
use crate::scan::json::Json;
use crate::search::kind::reference;
use crate::search::leaf::Leaf;
use crate::search::table::WhereTest;

/// Whether a value points to a patient of the set; `None`: to no patient.
pub(super) fn refers_to(path: &Path, value: Json<'_>, ids: &IdSet) -> Option<bool> {
    with_patient(path, value, |id| ids.contains(id.as_bytes()))
}

/// Hands over the id of the patient that a value points to, or that it is; `None`: no patient.
pub(super) fn with_patient<T>(path: &Path, value: Json<'_>, read: impl FnOnce(&str) -> T) -> Option<T> {
    if path.leaf == Leaf::Id {
        return Some(read(&value.text()?.decode()));
    }
    let value = match path.leaf {
        Leaf::CodeableReference => value.get("reference")?,
        _ => value,
    };
    let text = value.get("reference").and_then(Json::text)?.decode();
    let (type_name, id) = reference::target_of(&text, path.reference.base.as_deref())?;
    (type_name == "Patient").then(|| read(id))
}

pub(super) fn shows(value: Json<'_>, test: &WhereTest) -> bool {
    match test {
        WhereTest::Index(_) => true,
        WhereTest::Extension(url) => value.each_of("extension").any(|extension| {
            extension
                .get("url")
                .and_then(Json::text)
                .is_some_and(|text| text.is(url))
        }),
        WhereTest::Member(names, wanted) => member_says(value, names, wanted),
    }
}

fn member_says(value: Json<'_>, names: &[String], wanted: &str) -> bool {
    match names.split_first() {
        None => value.text().is_some_and(|text| text.is(wanted)),
        Some((name, rest)) => value.each_of(name).any(|item| member_says(item, rest, wanted)),
    }
}

pub(super) fn is_present(path: &Path, value: Json<'_>) -> bool {
    let leaf = path.leaf.told_by(value, path.kind);
    value.is_value() && leaf.fits(path.kind) && has_time(leaf, value)
}

/// A Period without ends and a Timing without limits hold no value that a search could see.
fn has_time(leaf: Leaf, value: Json<'_>) -> bool {
    let has_end = |period: Json<'_>| {
        ["start", "end"]
            .iter()
            .any(|name| period.get(name).is_some_and(Json::is_value))
    };
    match leaf {
        Leaf::Period => has_end(value),
        Leaf::Timing => {
            let bounds = value.get("repeat").and_then(|repeat| repeat.get("boundsPeriod"));
            value.each_of("event").any(Json::is_value) || bounds.is_some_and(has_end)
        }
        _ => true,
    }
}

#[cfg_attr(target_arch = "wasm32", inline)]
pub(super) fn accepts_any(matchers: &[Matcher], path: &Path, value: Json<'_>) -> bool {
    matchers.iter().any(|matcher| accepts(matcher, path, value))
}

#[cfg_attr(target_arch = "wasm32", inline)]
pub(super) fn accepts(matcher: &Matcher, path: &Path, value: Json<'_>) -> bool {
    let leaf = path.leaf.told_by(value, path.kind);
    match matcher {
        Matcher::Date(date) => date.matches(leaf, value),
        Matcher::Number(number) => number.matches(leaf, value),
        Matcher::Quantity(quantity) => quantity.matches(leaf, value),
        Matcher::String(string) => string.matches(leaf, value, path.family),
        Matcher::Token(token) => token.matches(leaf, value, &path.token),
        Matcher::Reference(reference) => reference.matches(leaf, value, &path.reference),
        Matcher::Uri(uri) => uri.matches(leaf, value),
    }
}

/// The verdicts of gates that read the same values on one of them.
#[cfg_attr(target_arch = "wasm32", inline)]
pub(super) fn verdicts(together: &Together, value: Json<'_>) -> u64 {
    let path = &together.path;
    let leaf = path.leaf.told_by(value, path.kind);
    let mut verdicts = together.tokens.verdicts(leaf, value, &path.token);
    for (bit, matcher) in &together.others {
        if verdicts & bit == 0 && accepts(matcher, path, value) {
            verdicts |= bit;
        }
    }
    verdicts
}
