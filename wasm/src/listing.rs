//! Manifests of servers, read and checked, as JSON.

use fhirehose_core::client::json::position;
use fhirehose_core::client::manifest::{self as listing, Asked, Checked, Finding, Generation, Manifest};
use fhirehose_core::quote::Tree;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::fault;
use crate::report;

/// A manifest as a client makes something of it, with what is not as the guide has it.
///
/// # Errors
///
/// This is no manifest.
#[wasm_bindgen(js_name = parseManifest)]
pub fn parse(text: &str) -> Result<String, String> {
    match listing::read(text.as_bytes()) {
        Ok((manifest, findings)) => Ok(tree(Some(&manifest), &findings, text, manifest.generation).pretty()),
        Err(finding) => Err(fault::plain("manifest", &finding.message)),
    }
}

/// A manifest held against the rules of a generation, 1 to 4; 0: of the one that fits best. `stored`: it lies beside its files.
#[wasm_bindgen(js_name = checkManifest)]
#[must_use]
pub fn check(text: &str, generation: usize, stored: bool) -> String {
    let generation = generation
        .checked_sub(1)
        .and_then(|index| Generation::ALL.get(index).copied());
    let Checked {
        generation,
        manifest,
        findings,
    } = listing::check(text.as_bytes(), Asked { generation, stored });
    tree(manifest.as_ref(), &findings, text, generation).pretty()
}

fn tree(manifest: Option<&Manifest>, findings: &[Finding], text: &str, generation: Generation) -> Tree {
    let mut places = Places {
        text,
        byte: 0,
        units: 0,
    };
    let findings = findings.iter().map(|finding| {
        let start = places.units_at(finding.span.start);
        let end = places.units_at(finding.span.end);
        places.back_to(finding.span.start, start);
        let at = position(text.as_bytes(), finding.span.start);
        Tree::Object(vec![
            ("severity", Tree::text(finding.severity.to_string())),
            ("rule", Tree::text(finding.rule)),
            ("section", Tree::text(finding.section)),
            ("path", Tree::text(finding.path.as_str())),
            ("message", Tree::text(finding.message.as_str())),
            ("start", Tree::Number(start)),
            ("end", Tree::Number(end)),
            ("line", Tree::Number(at.line)),
            ("column", Tree::Number(at.column)),
        ])
    });
    Tree::Object(vec![
        ("generation", Tree::text(generation.to_string())),
        ("findings", Tree::List(findings.collect())),
        ("manifest", manifest.map_or(Tree::Null, manifest_tree)),
    ])
}

fn manifest_tree(manifest: &Manifest) -> Tree {
    let number = |number: Option<u64>| number.map_or(Tree::Null, Tree::Number);
    let files = manifest.files.iter().map(|file| {
        Tree::Object(vec![
            ("kind", Tree::text(report::kind(file.kind))),
            ("type", Tree::maybe(file.type_name.as_deref())),
            ("url", Tree::text(file.url.as_str())),
            ("count", number(file.count)),
            ("size", number(file.size)),
            ("continuesIn", Tree::maybe(file.continues_in.as_deref())),
        ])
    });
    Tree::Object(vec![
        ("transactionTime", Tree::maybe(manifest.transaction_time.as_deref())),
        ("request", Tree::maybe(manifest.request.as_deref())),
        (
            "requiresAccessToken",
            manifest.requires_access_token.map_or(Tree::Null, Tree::Boolean),
        ),
        ("organizedBy", Tree::maybe(manifest.organized_by.as_deref())),
        ("files", Tree::List(files.collect())),
        ("next", Tree::maybe(manifest.next.as_deref())),
        ("unusable", Tree::Number(manifest.unusable as u64)),
    ])
}

/// Bytes counted in units of UTF-16, in one walk over the text as long as they come in order.
struct Places<'t> {
    text: &'t str,
    byte: usize,
    units: u64,
}

impl Places<'_> {
    fn units_at(&mut self, byte: usize) -> u64 {
        if byte < self.byte {
            self.back_to(0, 0);
        }
        let end = self.text.floor_char_boundary(byte);
        let between = self.text.get(self.byte..end).unwrap_or_default();
        self.units += between.encode_utf16().count() as u64;
        self.byte = end.max(self.byte);
        self.units
    }

    fn back_to(&mut self, byte: usize, units: u64) {
        self.byte = self.text.floor_char_boundary(byte);
        self.units = units;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_as_javascript_does() {
        let text = "Pä😀x";
        let mut places = Places {
            text,
            byte: 0,
            units: 0,
        };
        for (byte, units) in [(0, 0), (1, 1), (3, 2), (7, 4), (8, 5), (3, 2), (8, 5), (99, 5)] {
            assert_eq!(places.units_at(byte), units, "{byte}");
        }
    }

    #[test]
    fn what_is_no_manifest_is_told() {
        assert!(parse("[]").is_err() && parse("").is_err());
        assert!(check("[]", 9, false).contains("\"manifest\": null"));
    }
}
