//! Rules for the members of a manifest itself.

use super::super::Generation;
use super::super::fields::Fields;
use super::super::finding::{Findings, Place};
use super::super::read::{LINK_NAMES, ROOT_NAMES, is_absolute};
use super::{Since, extension, opening, unknown_members};
use crate::client::json::{Kind, Node};
use crate::search::table::is_type_of_any_version;

/// What the members of the root came with, where that was not the first generation.
const LATER: &[Since] = &[
    Since("outputOrganizedBy", Generation::V3),
    Since("link", Generation::V3),
    Since("manifestType", Generation::V4),
    Since("outputFormat", Generation::V4),
    Since("outputOrganizedByDetail", Generation::V4),
];

/// Where STU4 keeps its definitions.
const GUIDE: &str = "http://hl7.org/fhir/uv/bulkdata/";

/// Spellings of NDJSON.
const FORMATS: [&str; 3] = ["application/fhir+ndjson", "application/ndjson", "ndjson"];

pub(super) fn check(root: Node<'_>, fields: &Fields<'_>, findings: &mut Findings) {
    unknown_members(root, ROOT_NAMES, LATER, Place::ROOT, findings);
    required(fields, findings);
    request(fields, findings);
    other_name(fields, findings);
    organized_by(fields, findings);
    extension(fields, Place::ROOT, findings);
    links(fields, findings);
    if let Some(member) = fields.member("resourceType") {
        let message = "a manifest is no resource: resourceType does not belong here";
        findings.warning(
            "resource-type",
            member.name_span.clone(),
            Place::list("resourceType"),
            message,
        );
    }
    if findings.generation() == Generation::V4 {
        of_the_ballot(fields, findings);
    }
}

fn required(fields: &Fields<'_>, findings: &mut Findings) {
    let mut missing = |rule, name: &'static str| {
        if fields.member(name).is_none() {
            findings.error(rule, fields.opening(), Place::list(name), format!("{name} is missing"));
        }
    };
    missing("transaction-time-missing", "transactionTime");
    missing("requires-access-token-missing", "requiresAccessToken");
}

fn request(fields: &Fields<'_>, findings: &mut Findings) {
    let place = Place::list("request");
    let generation = findings.generation();
    match fields.member("request") {
        None if generation != Generation::V4 => {
            findings.error("request-missing", fields.opening(), place, "request is missing");
        }
        Some(member) if generation == Generation::V4 => {
            let message = "STU4 has no request any more";
            findings.warning("request-present", member.name_span.clone(), place, message);
        }
        Some(member) if member.value.text().is_some_and(|url| !is_absolute(&url)) => {
            let message = "request is not the full URL of the kick-off";
            findings.error("request-not-absolute", member.value.span(), place, message);
        }
        _ => {}
    }
}

/// `error` until STU3, `outcome` from STU4.
fn other_name(fields: &Fields<'_>, findings: &mut Findings) {
    let generation = findings.generation();
    let right = generation.outcomes();
    let wrong = if right == "error" { "outcome" } else { "error" };
    if let Some(member) = fields.member(wrong) {
        let message = format!("{generation} calls this list {right}; its clients do not look for {wrong}");
        findings.error("list-name", member.name_span.clone(), Place::list(wrong), message);
    }
}

fn organized_by(fields: &Fields<'_>, findings: &mut Findings) {
    let place = Place::list("outputOrganizedBy");
    let name = fields.get("outputOrganizedBy");
    if let Some(value) = name
        && let Some(text) = value.text()
    {
        if text.is_empty() {
            let message = "outputOrganizedBy is empty; leave it out where output is not organized";
            findings.error("organized-by-empty", value.span(), place, message);
        } else if !is_type_of_any_version(&text) {
            let message = "outputOrganizedBy is no resource type of FHIR R4, R4B or R5";
            findings.error("unknown-type", value.span(), place, message);
        }
    }
    if let Some(member) = fields.member("outputOrganizedByDetail")
        && name.is_none()
    {
        let message = "outputOrganizedByDetail without outputOrganizedBy";
        let place = Place::list("outputOrganizedByDetail");
        findings.error("organized-by-detail", member.name_span.clone(), place, message);
    }
}

fn links(fields: &Fields<'_>, findings: &mut Findings) {
    let mut told = Findings::new(findings.generation());
    let list = fields.list("link", &mut told);
    let mut count = 0;
    for (index, node) in list.items() {
        count += 1;
        let place = Place::item("link", index);
        unknown_members(node, LINK_NAMES, &[], place, findings);
        let Ok(link) = Fields::of(node, LINK_NAMES, place, &mut told) else {
            continue;
        };
        let place = place.at("relation");
        match link.get("relation") {
            None if node.kind() == Kind::Object => {
                findings.error("relation-missing", opening(node), place, "relation is missing");
            }
            Some(value)
                if value
                    .text()
                    .is_some_and(|text| !text.trim().eq_ignore_ascii_case("next")) =>
            {
                let message = "the guide knows the relation next only; clients pass over others";
                findings.note("relation", value.span(), place, message);
            }
            _ => {}
        }
    }
    let Some(value) = fields.get("link") else { return };
    if count > 1 && findings.generation() == Generation::V3 {
        let message = "link holds more than the one object that STU3 has there";
        findings.warning("several-links", value.span(), Place::list("link"), message);
    }
    if value.kind() == Kind::List && count == 0 {
        let message = "link is empty; leave it out on the last page";
        findings.note("empty-array", value.span(), Place::list("link"), message);
    }
}

fn of_the_ballot(fields: &Fields<'_>, findings: &mut Findings) {
    if let Some(value) = fields.get("manifestType")
        && let Some(text) = value.text()
    {
        let place = Place::list("manifestType");
        if !is_absolute(&text) {
            let message = "manifestType is a canonical URL, which is absolute";
            findings.error("manifest-type", value.span(), place, message);
        } else if !text.starts_with(GUIDE) {
            let message = "manifestType is none of the guide's own";
            findings.note("manifest-type", value.span(), place, message);
        }
    }
    for name in ["manifestType", "outputFormat", "outputOrganizedByDetail"] {
        fields.text(name, Place::ROOT, findings);
    }
    if let Some(value) = fields.get("outputFormat")
        && let Some(text) = value.text()
        && !FORMATS.iter().any(|format| text.trim().eq_ignore_ascii_case(format))
    {
        let message = "outputFormat is none of the spellings of NDJSON, which is what clients expect";
        findings.note("output-format", value.span(), Place::list("outputFormat"), message);
    }
    if let Some(value) = fields.get("extension")
        && value.kind() == Kind::List
        && value.items().next().is_none()
    {
        let message = "extension is empty; FHIR has no empty arrays";
        findings.note("empty-array", value.span(), Place::list("extension"), message);
    }
}
