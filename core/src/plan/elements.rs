//! `_elements`: which members of a type's root object stay (Bulk Data guide, `_elements`).

use std::sync::Arc;

use crate::order;
use crate::problem::{Problem, did_you_mean};
use crate::request::Request;
use crate::search::table::{Registry, RootElement};

/// What stays of a resource of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elements {
    /// The type.
    pub type_name: String,
    /// JSON keys that stay, sorted; a `_key` stays with its `key`.
    pub keys: Vec<String>,
}

impl Elements {
    /// Whether the member of that name stays.
    pub fn keeps(&self, key: &str) -> bool {
        self.keeps_bytes(key.as_bytes())
    }

    /// The same of bytes, which nobody has to have looked at as text.
    pub(crate) fn keeps_bytes(&self, key: &[u8]) -> bool {
        let name = key.strip_prefix(b"_").unwrap_or(key);
        self.keys.binary_search_by(|kept| kept.as_bytes().cmp(name)).is_ok()
    }
}

/// One entry as the user wrote it.
struct Entry<'a> {
    type_name: Option<&'a str>,
    element: &'a str,
    text: &'a Arc<str>,
    at: usize,
}

/// Reads the lists. Types without any entry of their own or for all stay whole and have no item here.
pub(super) fn read(request: &Request, registry: &Registry, problems: &mut Vec<Problem>) -> Vec<Elements> {
    let texts: Vec<Arc<str>> = request.elements.iter().map(|text| text.as_str().into()).collect();
    let entries: Vec<Entry<'_>> = texts.iter().flat_map(entries).collect();
    let before = problems.len();
    for entry in &entries {
        problems.extend(check(entry, registry));
    }
    if !request.elements.is_empty() && entries.is_empty() {
        problems.push(Problem::whole(
            "elements",
            &request.elements.join(","),
            "the list of elements is empty",
        ));
    }
    if problems.len() > before {
        return Vec::new();
    }
    registry
        .types()
        .iter()
        .filter_map(|type_name| of_type(type_name, &entries, registry))
        .collect()
}

fn entries(text: &Arc<str>) -> Vec<Entry<'_>> {
    let mut out = Vec::new();
    let mut start = 0;
    for item in text.split(',') {
        let at = start + (item.len() - item.trim_start().len());
        start += item.len() + 1;
        let item = item.trim();
        let (type_name, element) = match item.split_once('.') {
            Some((type_name, element)) => (Some(type_name), element),
            None => (None, item),
        };
        if !item.is_empty() {
            out.push(Entry {
                type_name,
                element,
                text,
                at,
            });
        }
    }
    out
}

fn check(entry: &Entry<'_>, registry: &Registry) -> Option<Problem> {
    let shown = entry
        .type_name
        .map_or(entry.element.len(), |name| name.len() + 1 + entry.element.len());
    let problem = |message: String, help| {
        let span = entry.at..entry.at + shown;
        Some(Problem {
            option: "elements",
            text: entry.text.clone(),
            span,
            message,
            help,
        })
    };
    if let Some(type_name) = entry.type_name
        && !registry.is_type(type_name)
    {
        let help = did_you_mean(type_name, registry.types().iter().map(String::as_str));
        return problem(
            format!("`{type_name}` is not a resource type; only root elements can be named"),
            help,
        );
    }
    if entry.element.is_empty() || entry.element.contains('.') {
        return problem(
            "only root elements can be named: `Type.element` or `element`".to_owned(),
            None,
        );
    }
    let types = registry
        .types()
        .iter()
        .filter(|name| entry.type_name.is_none_or(|own| own == name.as_str()));
    let mut known = types.flat_map(|name| registry.root_elements(name));
    if known.clone().any(|element| names(element, entry.element)) {
        return None;
    }
    let of = entry.type_name.map_or("any type".to_owned(), str::to_owned);
    let help = did_you_mean(entry.element, known.by_ref().map(|element| element.name.as_str()));
    problem(format!("`{}` is not a root element of {of}", entry.element), help)
}

/// Whether an element is meant: by its name, with `[x]`, or by one of its JSON keys.
fn names(element: &RootElement, written: &str) -> bool {
    element.name == written
        || written.strip_suffix("[x]") == Some(&element.name)
        || element.keys.iter().any(|key| key == written)
}

fn of_type(type_name: &str, entries: &[Entry<'_>], registry: &Registry) -> Option<Elements> {
    let own: Vec<_> = entries
        .iter()
        .filter(|entry| entry.type_name.is_none_or(|name| name == type_name))
        .collect();
    if own.is_empty() {
        return None;
    }
    let mut keys: Vec<String> = ["resourceType", "id", "meta"].map(str::to_owned).to_vec();
    for element in registry.root_elements(type_name) {
        if element.mandatory || element.modifier {
            keys.extend(element.keys.iter().cloned());
            continue;
        }
        for entry in own.iter().filter(|entry| names(element, entry.element)) {
            let one_variant = element.keys.iter().any(|key| key == entry.element);
            let kept = element.keys.iter().filter(|key| !one_variant || *key == entry.element);
            keys.extend(kept.cloned());
        }
    }
    order::sort(&mut keys);
    keys.dedup();
    Some(Elements {
        type_name: type_name.to_owned(),
        keys,
    })
}
