//! The codes that a ValueSet resource lists by itself, without a terminology server.

use super::{CodeList, text};
use crate::scan::json::{Json, Kind};

/// Codes in an expansion may nest this deep; each level is read once more for every level above it.
const MAX_DEPTH: usize = 64;

/// Why there may be no list.
const UNLISTED: &str = "cannot be listed without a terminology server; supply its expansion";

/// The codes of the expansion, else those that `compose` names. The error says what is wrong with the value set.
pub(super) fn codes(value_set: Json<'_>) -> Result<CodeList, String> {
    match (value_set.get("expansion"), value_set.get("compose")) {
        (Some(expansion), _) if expansion.kind() == Kind::Object => expanded(expansion),
        (_, Some(compose)) if compose.kind() == Kind::Object => composed(compose),
        _ => Err("has neither an expansion nor a list of codes".to_owned()),
    }
}

fn expanded(expansion: Json<'_>) -> Result<CodeList, String> {
    let number = |name: &str| -> Option<u64> {
        let raw = expansion.get(name)?.raw();
        std::str::from_utf8(raw).ok()?.parse().ok()
    };
    let incomplete = expansion
        .each_of("extension")
        .filter_map(|extension| text(extension, "url"))
        .any(|url| url.ends_with("/valueset-toocostly") || url.ends_with("/valueset-unclosed"));
    let mut codes = CodeList::default();
    let mut entries = 0;
    // A list of its own instead of recursion: its depth comes from the input.
    let mut open = vec![expansion.each_of("contains")];
    while let Some(next) = open.last_mut().map(Iterator::next) {
        let Some(item) = next else {
            open.pop();
            continue;
        };
        entries += 1;
        if open.len() > MAX_DEPTH {
            return Err(format!("has an expansion that nests more than {MAX_DEPTH} levels deep"));
        }
        let is_abstract = item.get("abstract").is_some_and(|value| value.raw() == b"true");
        if let (Some(code), false) = (text(item, "code"), is_abstract) {
            codes.insert(text(item, "system").unwrap_or_default(), code);
        }
        open.push(item.each_of("contains"));
    }
    let is_page = number("offset").is_some_and(|offset| offset > 0) || number("total").is_some_and(|all| all > entries);
    if incomplete || is_page {
        return Err("has an expansion that is only a part; supply it whole".to_owned());
    }
    Ok(codes)
}

fn composed(compose: Json<'_>) -> Result<CodeList, String> {
    let mut codes = CodeList::default();
    for include in compose.each_of("include") {
        codes.extend(concepts(include)?);
    }
    for exclude in compose.each_of("exclude") {
        for (system, code) in concepts(exclude)? {
            codes.remove(&system, &code);
        }
    }
    Ok(codes)
}

/// The concepts that an include or exclude names one by one.
fn concepts(part: Json<'_>) -> Result<Vec<(String, String)>, String> {
    let has = |name: &str| part.each_of(name).next().is_some();
    if has("filter") || has("valueSet") || !has("concept") {
        return Err(UNLISTED.to_owned());
    }
    let system = text(part, "system").ok_or("lists codes without their system")?;
    let pairs = part.each_of("concept").map(|concept| {
        let code = text(concept, "code").ok_or("lists a concept without code")?;
        Ok((system.clone(), code))
    });
    pairs.collect()
}
