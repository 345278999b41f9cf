//! Reads a manifest, and makes sense of what servers get wrong (SPEC 1.10, C47, C48); each time that is a finding.

use std::ops::Range;

use super::fields::{Fields, Listed};
use super::finding::{Finding, Findings, Place, Severity};
use super::{Generation, Item, Manifest};
use crate::client::json::{self, FaultKind, Kind, Node};
use crate::search::kind::date::read_instant;
use crate::sink::FileKind;

/// Members of the root that are read.
pub(super) const ROOT_NAMES: &[&str] = &[
    "transactionTime",
    "request",
    "requiresAccessToken",
    "outputOrganizedBy",
    "output",
    "deleted",
    "error",
    "outcome",
    "link",
    "extension",
    "manifestType",
    "outputFormat",
    "outputOrganizedByDetail",
    "resourceType",
];

/// Members of an item that are read.
pub(super) const ITEM_NAMES: &[&str] = &[
    "type",
    "url",
    "count",
    "fileSize",
    "continuesInFile",
    "countSeverity",
    "extension",
];

/// Members of a link that are read.
pub(super) const LINK_NAMES: &[&str] = &["relation", "url"];

/// The lists of files, in the order in which they are given.
pub(super) const LISTS: [(&str, FileKind); 4] = [
    ("output", FileKind::Output),
    ("deleted", FileKind::Deleted),
    ("error", FileKind::Error),
    ("outcome", FileKind::Error),
];

/// Most items of a page.
const MOST_ITEMS: usize = 1_000_000;
/// Most values and names of a page: some ten for each item.
const MOST_VALUES: usize = 12_000_000;

/// Reads a manifest of any generation, or one page of it. What deviates from the guide and can be understood is told
/// and read all the same; weights are those of the guide, so an [`Severity::Error`] does not mean that something is lost:
/// that is [`Manifest::unusable`].
///
/// The error: this is no manifest, or one that two readers would not read alike.
///
/// ```
/// # use fhirehose_core::client::manifest::read;
/// let text = br#"{"transactionTime":"2024-05-01T00:00:00Z","requiresAccessToken":"True","output":[{"type":"Patient","url":"1.ndjson"}]}"#;
/// let (manifest, findings) = read(text).expect("a manifest");
/// assert_eq!(manifest.requires_access_token, Some(true));
/// assert!(findings.iter().any(|finding| finding.rule == "boolean-as-string"));
/// ```
pub fn read(text: &[u8]) -> Result<(Manifest, Vec<Finding>), Finding> {
    let document = parsed(text)?;
    let root = document.root();
    let mut findings = Findings::new(guess(root));
    if json::has_mark(text) {
        note_mark(&mut findings);
    }
    let manifest = manifest(root, &mut findings)?;
    if let Some(name) = document.repeated_names().first() {
        return Err(repeated(name.clone(), guess(root)));
    }
    Ok((manifest, findings.finish()))
}

/// The document, where the text is one.
pub(super) fn parsed(text: &[u8]) -> Result<json::Document<'_>, Finding> {
    json::parse_within(text, MOST_VALUES).map_err(|fault| {
        let rule = match fault.kind {
            FaultKind::Empty => "empty",
            FaultKind::Utf8 => "not-utf8",
            FaultKind::Many => "too-long",
            _ => "not-json",
        };
        let end = (fault.at + 1).min(text.len());
        refusal(rule, "RFC 8259", fault.at.min(end)..end, &fault.to_string())
    })
}

pub(super) fn note_mark(findings: &mut Findings) {
    let message = "begins with a byte order mark, which JSON must not";
    findings.warning("byte-order-mark", 0..3, Place::ROOT, message);
}

fn refusal(rule: &'static str, section: &'static str, span: Range<usize>, message: &str) -> Finding {
    Finding {
        severity: Severity::Error,
        rule,
        section,
        span,
        path: String::new(),
        message: message.to_owned(),
    }
}

/// A name that its object had before: readers differ in which one they take, and files could be lost unseen.
pub(super) fn repeated(name: Range<usize>, generation: Generation) -> Finding {
    let message = "this member is there twice; which one counts is uncertain";
    refusal("repeated-name", generation.section(), name, message)
}

/// The generation that fits best. Without a sign it is STU2, which has the shape that most servers have.
pub(super) fn guess(root: Node<'_>) -> Generation {
    let member = |name: &str| {
        let mut members = root.members();
        let found = members.find(|member| member.name.eq_ignore_ascii_case(name));
        found.map(|member| member.value).filter(|value| !value.is_null())
    };
    let has = |name: &str| member(name).is_some();
    let item_has = |name: &str| {
        let lists = LISTS.iter().filter_map(|(list, _)| member(list));
        lists.flat_map(Node::items).any(|item| item.get(name).is_some())
    };
    let is_list = |name: &str| member(name).is_some_and(|value| value.kind() == Kind::List);
    let marks = ["manifestType", "outcome", "outputFormat", "outputOrganizedByDetail"];
    let new = marks.iter().filter(|name| has(name)).count()
        + usize::from(item_has("countSeverity"))
        + usize::from(item_has("fileSize"))
        + usize::from(is_list("extension"));
    let old = usize::from(has("request")) + usize::from(has("error"));
    if new > old || (new == old && new > 0 && has("outcome")) {
        return Generation::V4;
    }
    if has("link") || has("outputOrganizedBy") || item_has("continuesInFile") {
        return Generation::V3;
    }
    Generation::V2
}

/// Members of which a manifest without output has at least one.
const OTHERS: [&str; 5] = ["request", "requiresAccessToken", "error", "outcome", "deleted"];

/// Lists that no generation has; where there is no output one of them may be meant for it.
fn strange_lists(root: Node<'_>) -> usize {
    let is_known = |name: &str| ROOT_NAMES.iter().any(|known| known.eq_ignore_ascii_case(name));
    let strange = root.members().filter(|member| {
        member.value.kind() == Kind::List && member.value.items().next().is_some() && !is_known(&member.name)
    });
    strange.count()
}

/// Refuses what is something else.
fn refuse_what_is_none(fields: &Fields<'_>, generation: Generation, whole: Range<usize>) -> Result<(), Finding> {
    let refuse = |rule, span, message: &str| Err(refusal(rule, generation.section(), span, message));
    match fields.get("output").map(|value| (value.kind(), value.span())) {
        None | Some((Kind::Null, _)) => {}
        Some((Kind::List | Kind::Object, _)) => return Ok(()),
        Some((_, span)) => return refuse("output-not-an-array", span, "not a manifest: output is no array"),
    }
    let resource = fields.get("resourceType").and_then(Node::text);
    if resource.is_some_and(|name| name == "OperationOutcome") {
        return refuse("operation-outcome", whole, "an OperationOutcome instead of a manifest");
    }
    if fields.get("transactionTime").is_none() {
        let message = "not a manifest: neither output nor transactionTime is there";
        return refuse("not-a-manifest", whole, message);
    }
    // Servers leave out lists that are empty, but not all that makes it a manifest.
    if OTHERS.iter().all(|name| fields.get(name).is_none()) {
        let message = "not a manifest: nothing of it is there but transactionTime";
        return refuse("not-a-manifest", whole, message);
    }
    Ok(())
}

/// Reads the document.
pub(super) fn manifest(root: Node<'_>, findings: &mut Findings) -> Result<Manifest, Finding> {
    let generation = findings.generation();
    let whole = root.span().start..root.span().start + 1;
    if root.kind() != Kind::Object {
        let message = format!("{} instead of a manifest", root.kind());
        return Err(refusal("not-a-manifest", generation.section(), whole, &message));
    }
    let uncertain = |name| repeated(name, generation);
    let fields = Fields::of(root, ROOT_NAMES, Place::ROOT, findings).map_err(uncertain)?;
    refuse_what_is_none(&fields, generation, whole)?;
    let output = fields.list("output", findings);
    let mut manifest = Manifest {
        generation,
        transaction_time: fields.text("transactionTime", Place::ROOT, findings),
        request: fields.text("request", Place::ROOT, findings),
        requires_access_token: requires_access_token(&fields, findings),
        organized_by: fields
            .text("outputOrganizedBy", Place::ROOT, findings)
            .filter(|name| !name.is_empty()),
        files: Vec::new(),
        next: None,
        unusable: if matches!(output, Listed::Missing) {
            strange_lists(root)
        } else {
            0
        },
    };
    if let (Some(text), Some(value)) = (&manifest.transaction_time, fields.get("transactionTime"))
        && read_instant(text).is_none()
    {
        let message = "transactionTime is no instant; expected yyyy-mm-ddThh:mm:ss[.f] with Z or an offset";
        findings.error("not-an-instant", value.span(), Place::list("transactionTime"), message);
    }
    lists_missing(&fields, findings);
    for (name, kind) in LISTS {
        let list = match name {
            "output" => output,
            _ => fields.list(name, findings),
        };
        if let Listed::Other = list {
            manifest.unusable += 1;
        }
        for (index, node) in list.items() {
            if manifest.files.len() + manifest.unusable >= MOST_ITEMS {
                let message = format!("more than {MOST_ITEMS} files on one page");
                return Err(refusal("too-long", generation.section(), node.span(), &message));
            }
            match item(node, kind, Place::item(name, index), findings).map_err(uncertain)? {
                Some(item) => manifest.files.push(item),
                None => manifest.unusable += 1,
            }
        }
    }
    next_page(&fields, &mut manifest, findings).map_err(uncertain)?;
    Ok(manifest)
}

/// Whether it is `true` or `false`, as a boolean or, as some servers have it, as a string (SPEC 1.10, C48).
fn requires_access_token(fields: &Fields<'_>, findings: &mut Findings) -> Option<bool> {
    const NAME: &str = "requiresAccessToken";
    let value = fields.get(NAME)?;
    if let Some(said) = value.boolean() {
        return Some(said);
    }
    let text = value.text().unwrap_or_default();
    let said = match text.trim() {
        text if text.eq_ignore_ascii_case("true") => Some(true),
        text if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    };
    let (rule, message) = match said {
        Some(_) => (
            "boolean-as-string",
            format!("{NAME} is a boolean in quotes, expected true or false"),
        ),
        None => (
            "not-a-boolean",
            format!("{NAME} is {}, expected true or false", value.kind()),
        ),
    };
    findings.error(rule, value.span(), Place::list(NAME), message);
    said
}

/// Lists that are required and not there: some servers leave them out when they are empty (C47).
fn lists_missing(fields: &Fields<'_>, findings: &mut Findings) {
    if findings.generation() == Generation::V4 {
        return;
    }
    if fields.member("output").is_none() {
        let message = "output is missing; an empty array has to be there even if there is nothing";
        findings.error("output-missing", fields.opening(), Place::list("output"), message);
    }
    if fields.member("error").is_none() {
        let message = "error is missing; an empty array has to be there even if nothing went wrong";
        findings.error("error-missing", fields.opening(), Place::list("error"), message);
    }
}

/// Reads an item; `None`: it names no file.
fn item(
    node: Node<'_>,
    kind: FileKind,
    place: Place<'_>,
    findings: &mut Findings,
) -> Result<Option<Item>, Range<usize>> {
    if node.kind() != Kind::Object {
        let message = format!("{} where a file is expected, which is an object", node.kind());
        findings.error("not-an-item", node.span(), place, message);
        return Ok(None);
    }
    let fields = Fields::of(node, ITEM_NAMES, place, findings)?;
    let type_name = fields.text("type", place, findings).filter(|name| !name.is_empty());
    let count = fields.whole("count", place, findings);
    let size = fields.whole("fileSize", place, findings);
    let continues_in = fields
        .text("continuesInFile", place, findings)
        .filter(|url| !url.is_empty());
    let Some(url) = url(&fields, place, findings) else {
        return Ok(None);
    };
    Ok(Some(Item {
        kind,
        type_name,
        url,
        count,
        size,
        continues_in,
    }))
}

/// The URL of an item or link; tells if there is none, or one that is not absolute.
fn url(fields: &Fields<'_>, place: Place<'_>, findings: &mut Findings) -> Option<String> {
    let Some(value) = fields.get("url") else {
        findings.error("url-missing", fields.opening(), place.at("url"), "url is missing");
        return None;
    };
    let url = fields.text("url", place, findings)?;
    if url.trim().is_empty() {
        findings.error("url-missing", value.span(), place.at("url"), "url is empty");
        return None;
    }
    if !is_absolute(&url) {
        // STU1 says "the path to the file".
        let is_path = findings.generation() == Generation::V1;
        let severity = if is_path { Severity::Note } else { Severity::Error };
        let message = "url is relative, expected an absolute one";
        findings.add(severity, "url-not-absolute", value.span(), place.at("url"), message);
    }
    Some(url)
}

/// Whether a URL has a scheme and more (RFC 3986, 4.3).
pub(super) fn is_absolute(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once(':') else {
        return false;
    };
    let mut letters = scheme.bytes();
    letters.next().is_some_and(|letter| letter.is_ascii_alphabetic())
        && letters.all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'+' | b'-' | b'.'))
        && !rest.is_empty()
}

/// The link to the next page.
fn next_page(fields: &Fields<'_>, manifest: &mut Manifest, findings: &mut Findings) -> Result<(), Range<usize>> {
    let list = fields.list("link", findings);
    if let Listed::Other = list {
        manifest.unusable += 1;
    }
    for (index, node) in list.items() {
        let place = Place::item("link", index);
        if node.kind() != Kind::Object {
            let message = format!("{} where a link is expected, which is an object", node.kind());
            findings.error("not-a-link", node.span(), place, message);
            manifest.unusable += 1;
            continue;
        }
        let link = Fields::of(node, LINK_NAMES, place, findings)?;
        let relation = link.text("relation", place, findings).unwrap_or_default();
        // It may be the next page, and nothing may be passed over unseen.
        if relation.trim().is_empty() && link.get("url").is_some() {
            manifest.unusable += 1;
        }
        if !relation.trim().eq_ignore_ascii_case("next") {
            continue;
        }
        if relation != "next"
            && let Some(value) = link.get("relation")
        {
            let message = "relation should be written next";
            findings.error("wrong-case", value.span(), place.at("relation"), message);
        }
        let url = url(&link, place, findings);
        if url.is_none() {
            manifest.unusable += 1;
        }
        if manifest.next.is_some() && url.is_some() {
            let message = "a second link to a next page";
            findings.error("second-next", node.span(), place, message);
            manifest.unusable += 1;
            continue;
        }
        manifest.next = manifest.next.take().or(url);
    }
    Ok(())
}
