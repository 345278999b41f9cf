//! Rules for the files that a manifest lists.

use std::borrow::Cow;
use std::ops::Range;

use super::super::Generation;
use super::super::fields::Fields;
use super::super::finding::{Findings, Place};
use super::super::read::{ITEM_NAMES, LISTS, is_absolute};
use super::{Since, extension, opening, unknown_members};
use crate::client::json::{Kind, Node};
use crate::order;
use crate::search::table::is_type_of_any_version;
use crate::sink::FileKind;

const LATER: &[Since] = &[
    Since("continuesInFile", Generation::V3),
    Since("fileSize", Generation::V4),
    Since("countSeverity", Generation::V4),
];

/// Codes of `OperationOutcome.issue.severity`; `success` came with R5.
const SEVERITIES: [&str; 5] = ["fatal", "error", "warning", "information", "success"];

/// Names in the query of URLs that are signed: such a URL is its own permission.
const SIGNATURES: [&str; 6] = [
    "x-amz-signature",
    "x-goog-signature",
    "signature",
    "sig",
    "x-amz-credential",
    "se",
];

pub(super) fn check(fields: &Fields<'_>, findings: &mut Findings) {
    let mut told = Findings::new(findings.generation());
    let organized = fields
        .get("outputOrganizedBy")
        .and_then(Node::text)
        .is_some_and(|text| !text.is_empty());
    let needs_token = fields.get("requiresAccessToken").and_then(Node::boolean) == Some(true);
    let mut types = Types::default();
    let mut urls: Vec<(Cow<'_, str>, Range<usize>, Place<'_>)> = Vec::new();
    for (list, kind) in LISTS {
        for (index, node) in fields.list(list, &mut told).items() {
            let place = Place::item(list, index);
            let Ok(item) = Fields::of(node, ITEM_NAMES, place, &mut told) else {
                continue;
            };
            if node.kind() != Kind::Object {
                continue;
            }
            unknown_members(node, ITEM_NAMES, LATER, place, findings);
            types.check(&item, kind, organized, place, findings);
            extension(&item, place, findings);
            numbers(&item, kind, place, findings);
            if let Some(value) = item.get("url")
                && let Some(text) = value.text()
            {
                url(&text, value.span(), needs_token, place, findings);
                urls.push((text, value.span(), place.at("url")));
            }
        }
    }
    order::sort_by(&mut urls, |a, b| (&a.0, a.1.start).cmp(&(&b.0, b.1.start)));
    for pair in urls.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        let (_, span, place) = &pair[1];
        let message = "another item has this url already; each file has one item";
        findings.error("url-twice", span.clone(), *place, message);
    }
}

/// Rules for `type`. The names that were found to be types: a manifest has many items of few types.
#[derive(Default)]
struct Types {
    known: Vec<String>,
}

impl Types {
    fn check(&mut self, item: &Fields<'_>, kind: FileKind, organized: bool, place: Place<'_>, findings: &mut Findings) {
        let generation = findings.generation();
        let place = place.at("type");
        let is_output = kind == FileKind::Output;
        let Some(value) = item.get("type") else {
            let is_needed = if is_output {
                !organized
            } else {
                generation != Generation::V4
            };
            if is_needed && item.member("type").is_none() {
                findings.error("type-missing", item.opening(), place, "type is missing");
            }
            return;
        };
        if is_output && organized {
            let message = "type of a file that is organized by resource, where types are mixed";
            match generation {
                Generation::V4 => findings.error("type-present", value.span(), place, message),
                _ => findings.warning("type-present", value.span(), place, message),
            }
        }
        if !is_output && generation == Generation::V4 {
            let message = "STU4 has a type in output only";
            findings.error("type-present", value.span(), place, message);
        }
        let Some(name) = value.text() else { return };
        let expected = match kind {
            FileKind::Deleted => "Bundle",
            FileKind::Error => "OperationOutcome",
            FileKind::Output => {
                self.of_output(&name, value.span(), place, findings);
                return;
            }
        };
        if name != expected {
            let message = format!("files of this list hold {expected} resources");
            findings.error("type-of-list", value.span(), place, message);
        }
    }

    fn of_output(&mut self, name: &str, span: Range<usize>, place: Place<'_>, findings: &mut Findings) {
        if !self.known.iter().any(|known| known == name) {
            if !is_type_of_any_version(name) {
                let message = "no resource type of FHIR R4, R4B or R5";
                findings.error("unknown-type", span, place, message);
                return;
            }
            self.known.push(name.to_owned());
        }
        if name == "OperationOutcome" {
            let right = findings.generation().outcomes();
            let message = format!("messages about the export belong into {right}, not into output");
            findings.warning("outcome-in-output", span, place, message);
        }
    }
}

/// `count` and `countSeverity`; that numbers are numbers has been told by the reader.
fn numbers(item: &Fields<'_>, kind: FileKind, place: Place<'_>, findings: &mut Findings) {
    if let Some(value) = item.get("count")
        && value.whole() == Some(0)
        && kind == FileKind::Output
    {
        let message = "an item for a file without resources; types without data should have none";
        findings.warning("empty-file", value.span(), place.at("count"), message);
    }
    let Some(value) = item.get("countSeverity") else { return };
    let place = place.at("countSeverity");
    if kind != FileKind::Error {
        let message = "countSeverity is for lists of OperationOutcomes only";
        findings.error("count-severity", value.span(), place, message);
    }
    if value.kind() != Kind::List {
        let message = format!("countSeverity is {}, expected an array", value.kind());
        findings.error("count-severity", value.span(), place, message);
    }
    let mut seen: Vec<Cow<'_, str>> = Vec::new();
    for node in value.items() {
        let code = node.get("code").and_then(Node::text).unwrap_or_default();
        if !SEVERITIES.contains(&code.as_ref()) {
            let span = node.get("code").map_or(opening(node), Node::span);
            let message = "code is none of fatal, error, warning, information, success";
            findings.error("count-severity", span, place, message);
        } else if seen.contains(&code) {
            findings.warning(
                "count-severity",
                opening(node),
                place,
                "this severity has a count already",
            );
        } else {
            seen.push(code);
        }
        if node.get("count").and_then(Node::whole).is_none() {
            let span = node.get("count").map_or(opening(node), Node::span);
            findings.error("count-severity", span, place, "count has to be a whole number");
        }
    }
}

/// That it is absolute has been told by the reader.
fn url(text: &str, span: Range<usize>, needs_token: bool, place: Place<'_>, findings: &mut Findings) {
    if !is_absolute(text) {
        return;
    }
    let place = place.at("url");
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    let authority = rest
        .trim_start_matches('/')
        .split(['/', '?', '#'])
        .next()
        .unwrap_or_default();
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let is_here = ["localhost", "127.", "[::1]"].iter().any(|here| host.starts_with(here));
    if scheme.eq_ignore_ascii_case("http") && !is_here {
        let message = "url is not protected by TLS, which exchanges of patient data have to be";
        findings.warning("url-not-https", span.clone(), place, message);
    }
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        let message = "clients cannot be expected to fetch other schemes than https";
        findings.warning("url-scheme", span.clone(), place, message);
    }
    if !user.is_empty() {
        let message = "url holds credentials, which end up in logs";
        findings.warning("url-credentials", span.clone(), place, message);
    }
    if needs_token && is_signed(text) {
        let message = "requiresAccessToken is true, but the url is signed: whoever serves it may refuse a token, or be given one that is not theirs";
        findings.warning("signed-url-with-token", span, place, message);
    }
}

fn is_signed(url: &str) -> bool {
    let Some((_, query)) = url.split_once('?') else {
        return false;
    };
    let mut names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    names.any(|name| SIGNATURES.iter().any(|signature| signature.eq_ignore_ascii_case(name)))
}
