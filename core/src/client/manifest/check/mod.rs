//! Holds a manifest against every rule of one generation of the guide (SPEC 2.12, 2.1).

mod continued;
mod items;
mod root;

use std::ops::Range;

use super::fields::Fields;
use super::finding::{Finding, Findings, Place, Severity, in_order, shown};
use super::read::{self, ROOT_NAMES};
use super::{Generation, Manifest};
use crate::client::json::{self, Kind, Node};

/// How to look at a manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Whose rules hold; by default those of the generation that fits best.
    pub generation: Option<Generation>,
    /// It lies beside its files: URLs relative to it are right.
    pub stored: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Whose rules were applied.
    pub generation: Generation,
    /// What a client makes of it; `None`: nothing.
    pub manifest: Option<Manifest>,
    /// In the order of the text.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// Whether something is against the guide.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// Holds a manifest against the rules. What cannot be read at all is one finding.
///
/// ```
/// # use fhirehose_core::client::manifest::{Asked, check};
/// let text = br#"{"transactionTime":"2024-05-01T00:00:00Z","request":"https://x/$export","output":[],"error":[]}"#;
/// let checked = check(text, Asked::default());
/// assert_eq!(checked.findings[0].rule, "requires-access-token-missing");
/// ```
pub fn check(text: &[u8], asked: Asked) -> Checked {
    let document = match read::parsed(text) {
        Ok(document) => document,
        Err(finding) => {
            return Checked {
                generation: asked.generation.unwrap_or(Generation::V2),
                manifest: None,
                findings: vec![finding],
            };
        }
    };
    let root = document.root();
    let generation = asked.generation.unwrap_or_else(|| read::guess(root));
    let mut findings = Findings::new(generation);
    if json::has_mark(text) {
        read::note_mark(&mut findings);
    }
    let manifest = read::manifest(root, &mut findings);
    let mut refused = None;
    let manifest = match manifest {
        Ok(manifest) => {
            // The reader has told names in another case and nulls already.
            let mut told = Findings::new(generation);
            if let Ok(fields) = Fields::of(root, ROOT_NAMES, Place::ROOT, &mut told) {
                root::check(root, &fields, &mut findings);
                items::check(&fields, &mut findings);
                continued::check(&fields, manifest.next.is_some(), &mut findings);
            }
            Some(manifest)
        }
        Err(finding) => {
            refused = Some(finding);
            None
        }
    };
    let mut findings = findings.finish();
    let repeated = document.repeated_names().iter().take(MOST_REPEATED);
    findings.extend(repeated.map(|name| read::repeated(name.clone(), generation)));
    let is_told = |refusal: &Finding| findings.iter().any(|finding| finding == refusal);
    let refused = refused.filter(|refusal| !is_told(refusal));
    findings.extend(refused);
    if asked.stored {
        findings.retain(|finding| !matches!(finding.rule, "url-not-absolute" | "request-not-absolute"));
    }
    in_order(&mut findings);
    Checked {
        generation,
        // One that two readers would not read alike is not for use.
        manifest: manifest.filter(|_| document.repeated_names().is_empty()),
        findings,
    }
}

/// Names that are there twice, told one by one.
const MOST_REPEATED: usize = 20;

/// A member that a later generation brought.
struct Since(&'static str, Generation);

/// Tells members that no generation knows, and those that came later than the one in force.
fn unknown_members(object: Node<'_>, known: &[&str], later: &[Since], place: Place<'_>, findings: &mut Findings) {
    let generation = findings.generation();
    for member in object.members() {
        let is = |name: &&str| name.eq_ignore_ascii_case(&member.name);
        if let Some(Since(name, since)) = later.iter().find(|since| is(&since.0)) {
            if *since > generation {
                let message = format!("{name} came with {since}; clients of {generation} do not know it");
                findings.note("later-generation", member.name_span, place.at(name), message);
            }
            continue;
        }
        if !known.iter().any(is) {
            let message = format!(
                "the guide does not know {}; what is the server's own belongs into extension",
                shown(&member.name)
            );
            findings.note("unknown-member", member.name_span, place.at(&member.name), message);
        }
    }
}

/// `extension`: an object up to STU3, an array of FHIR Extensions in STU4; at the root and in items.
fn extension(fields: &Fields<'_>, place: Place<'_>, findings: &mut Findings) {
    let Some(value) = fields.get("extension") else { return };
    let generation = findings.generation();
    let place = place.at("extension");
    if generation != Generation::V4 {
        if value.kind() != Kind::Object {
            let message = format!("extension is {}, {generation} has an object there", value.kind());
            findings.error("extension-shape", value.span(), place, message);
        }
        return;
    }
    if value.kind() != Kind::List {
        let message = format!(
            "extension is {}, {generation} has an array of FHIR Extensions there",
            value.kind()
        );
        findings.error("extension-shape", value.span(), place, message);
    }
    for item in value.items() {
        let url = item.get("url").and_then(Node::text);
        if url.is_none_or(|url| url.is_empty()) {
            findings.error(
                "extension-shape",
                opening(item),
                place,
                "an Extension has to have a url",
            );
        }
        let has_more = item
            .members()
            .any(|member| member.name.starts_with("value") || member.name == "extension");
        if item.kind() == Kind::Object && !has_more {
            findings.error(
                "extension-shape",
                opening(item),
                place,
                "an Extension has to have a value or extensions",
            );
        }
    }
}

/// The first byte of a value.
fn opening(node: Node<'_>) -> Range<usize> {
    let start = node.span().start;
    start..start + 1
}

#[cfg(test)]
mod tests;
