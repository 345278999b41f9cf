//! One check for each fuzz target: takes any bytes, panics if the core does something that it must not.
//!
//! A few bytes at the front choose settings, the rest is text, so that seeds can be written by hand.

pub mod deletion;
pub mod export;
pub mod expr;
pub mod frame;
pub mod learned;
pub mod links;
pub mod newest;
pub mod prefilter;
pub mod project;
pub mod query;
pub mod scan;
pub mod skim;
pub mod text;
mod tree;

use std::sync::OnceLock;

use fhirehose_core::search::table::Registry;
use serde::de::IgnoredAny;

/// A check of arbitrary bytes.
pub type Check = fn(&[u8]);

/// Every target with its check.
pub const TARGETS: [(&str, Check); 13] = [
    ("deletion", deletion::check),
    ("export", export::check),
    ("expr", expr::check),
    ("frame", frame::check),
    ("learned", learned::check),
    ("links", links::check),
    ("newest", newest::check),
    ("prefilter", prefilter::check),
    ("project", project::check),
    ("query", query::check),
    ("scan", scan::check),
    ("skim", skim::check),
    ("text", text::check),
];

/// R4 with US Core.
fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| Registry::r4().with_us_core())
}

/// Whether a line is JSON in UTF-8. Lone surrogates in escapes are allowed, as RFC 8259 does.
fn is_json(line: &[u8]) -> bool {
    std::str::from_utf8(line).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

/// Cuts bytes into chunks whose sizes come round and round; a size of 0 is an empty chunk, all 0 is one chunk.
fn chunks<'a>(bytes: &'a [u8], sizes: &[u8]) -> Vec<&'a [u8]> {
    if sizes.iter().all(|&size| size == 0) {
        return vec![bytes];
    }
    let mut rest = bytes;
    let mut out = Vec::new();
    for &size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, behind) = rest.split_at(rest.len().min(size.into()));
        out.push(chunk);
        rest = behind;
    }
    out
}

/// The lines of an input by the plainest rules: no byte order mark at the start, a newline ends each line but the last.
fn lines(input: &[u8]) -> Vec<&[u8]> {
    let text = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let mut lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    lines
}
