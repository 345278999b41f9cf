//! The manifest of an export (Bulk Data guide, "Response - Complete Status"; SPEC 2.12).

use crate::quote::quoted;
use crate::report::{FileEntry, Report};
use crate::request::{Cohort, Request};
use crate::sink::FileKind;

/// Generation of the Bulk Data guide that a manifest is shaped by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Generation {
    /// STU2 and STU3: `request`, `error`.
    #[default]
    V2V3,
    /// STU4 (ballot): no `request`, `outcome` instead of `error`, sizes.
    V4,
}

/// What a manifest says besides the report.
#[derive(Clone, Debug)]
pub struct ManifestFacts {
    /// Shape.
    pub generation: Generation,
    /// The instant of the snapshot.
    pub transaction_time: String,
    /// The kick-off URL.
    pub request: String,
    /// Whether files need an access token.
    pub requires_access_token: bool,
    /// Put before each file's path, with one `/` between; without it paths are relative to the manifest.
    pub base_url: Option<String>,
    /// Media type of the files.
    pub output_format: String,
    /// The type that output is organized by (`organizeOutputBy`): then files hold blocks, and items of `output` have no
    /// type.
    pub organized_by: Option<String>,
    /// Items say how many resources there are in the file.
    pub has_counts: bool,
    /// The URL of the page that comes after this one.
    pub next: Option<String>,
}

/// Writes the manifest as JSON, with a newline at the end.
pub fn manifest(report: &Report, facts: &ManifestFacts) -> String {
    let of_kind = |kind: FileKind| report.files.iter().filter(move |file| file.name.kind == kind);
    let list = |kind: FileKind| {
        let items: Vec<String> = of_kind(kind).map(|file| item(file, facts)).collect();
        if items.is_empty() {
            "[]".to_owned()
        } else {
            format!("[\n    {}\n  ]", items.join(",\n    "))
        }
    };
    let time = format!("\"transactionTime\": {}", quoted(&facts.transaction_time));
    let token = format!("\"requiresAccessToken\": {}", facts.requires_access_token);
    let organized = facts.organized_by.as_ref();
    let organized = organized.map(|name| format!("\"outputOrganizedBy\": {}", quoted(name)));
    let output = format!("\"output\": {}", list(FileKind::Output));
    // Where nothing is known to be deleted the key is left out: an empty list would say that nothing was.
    let has_deleted = of_kind(FileKind::Deleted).next().is_some();
    let deleted = has_deleted.then(|| format!("\"deleted\": {}", list(FileKind::Deleted)));
    let mut members: Vec<String> = match facts.generation {
        Generation::V2V3 => {
            let request = format!("\"request\": {}", quoted(&facts.request));
            let error = format!("\"error\": {}", list(FileKind::Error));
            let head = [time, request, token].into_iter().chain(organized);
            head.chain([output]).chain(deleted).chain([error]).collect()
        }
        Generation::V4 => {
            let kind = "\"manifestType\": \"http://hl7.org/fhir/uv/bulkdata/StructureDefinition/BulkDataManifest\"";
            let format = format!("\"outputFormat\": {}", quoted(&facts.output_format));
            let outcome = format!("\"outcome\": {}", list(FileKind::Error));
            let head = [kind.to_owned(), time, token, format].into_iter().chain(organized);
            head.chain([output]).chain(deleted).chain([outcome]).collect()
        }
    };
    let next = facts.next.as_ref();
    members.extend(next.map(|url| format!("\"link\": [{{ \"relation\": \"next\", \"url\": {} }}]", quoted(url))));
    format!("{{\n  {}\n}}\n", members.join(",\n  "))
}

fn item(file: &FileEntry, facts: &ManifestFacts) -> String {
    let url = url(&file.path, facts);
    let mut members = Vec::new();
    let v4 = facts.generation == Generation::V4;
    let is_output = file.name.kind == FileKind::Output;
    let has_type = if is_output { facts.organized_by.is_none() } else { !v4 };
    if has_type {
        members.push(format!("\"type\": {}", quoted(&file.name.type_name)));
    }
    members.push(format!("\"url\": {}", quoted(&url)));
    if let Some(next) = &file.continues_in {
        members.push(format!("\"continuesInFile\": {}", quoted(&self::url(next, facts))));
    }
    if facts.has_counts {
        members.push(format!("\"count\": {}", file.resources));
    }
    if v4 {
        members.push(format!("\"fileSize\": {}", file.size));
    }
    format!("{{ {} }}", members.join(", "))
}

fn url(path: &str, facts: &ManifestFacts) -> String {
    match &facts.base_url {
        Some(base) => format!("{}/{path}", base.trim_end_matches('/')),
        None => path.to_owned(),
    }
}

/// The kick-off URL that asks a server for the same: `$export?_type=…`, relative unless a base is given.
pub fn kick_off_url(request: &Request, base: Option<&str>) -> String {
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    pairs.extend(request.types.iter().map(|text| ("_type", text.as_str())));
    pairs.extend(request.since.iter().map(|text| ("_since", text.as_str())));
    pairs.extend(request.until.iter().map(|text| ("_until", text.as_str())));
    pairs.extend(request.elements.iter().map(|text| ("_elements", text.as_str())));
    pairs.extend(request.type_filters.iter().map(|text| ("_typeFilter", text.as_str())));
    let associated = request.associated_data.iter();
    pairs.extend(associated.map(|text| ("includeAssociatedData", text.as_str())));
    pairs.extend(
        request
            .organize_by
            .iter()
            .map(|text| ("organizeOutputBy", text.as_str())),
    );
    let query: Vec<String> = pairs
        .iter()
        .map(|(name, text)| format!("{name}={}", percent_encoded(text)))
        .collect();
    let prefix = base
        .map(|base| format!("{}/", base.trim_end_matches('/')))
        .unwrap_or_default();
    let level = match &request.cohort {
        None => String::new(),
        Some(Cohort { group: Some(group), .. }) => format!("Group/{group}/"),
        Some(Cohort { group: None, .. }) => "Patient/".to_owned(),
    };
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{prefix}{level}$export{mark}{}", query.join("&"))
}

/// Encodes a value of a query string; commas and colons may stay.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b',' | b':' | b'/' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::FileName;

    fn report() -> Report {
        let file = |kind, type_name: &str, path: &str| FileEntry {
            name: FileName {
                kind,
                type_name: type_name.into(),
                sequence: 0,
            },
            path: path.into(),
            resources: 3,
            bytes: 100,
            size: 40,
            continues_in: None,
        };
        let files = vec![
            file(FileKind::Output, "Patient", "Patient.000.ndjson.gz"),
            file(
                FileKind::Error,
                "OperationOutcome",
                "error/OperationOutcome.000.ndjson.gz",
            ),
        ];
        Report {
            files,
            ..Report::default()
        }
    }

    fn facts(generation: Generation) -> ManifestFacts {
        ManifestFacts {
            generation,
            transaction_time: "2024-05-01T00:00:00Z".into(),
            request: "$export".into(),
            requires_access_token: false,
            base_url: Some("https://example.org/files/".into()),
            output_format: "application/fhir+ndjson".into(),
            organized_by: None,
            has_counts: true,
            next: None,
        }
    }

    #[test]
    fn all_five_keys_always() {
        let text = manifest(&Report::default(), &facts(Generation::V2V3));
        let value: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
        let keys: Vec<_> = value.as_object().expect("object").keys().cloned().collect();
        assert_eq!(
            keys,
            ["transactionTime", "request", "requiresAccessToken", "output", "error"]
        );
        assert_eq!(value["requiresAccessToken"], false);
    }

    #[test]
    fn items_by_generation() {
        let read = |generation| -> serde_json::Value {
            serde_json::from_str(&manifest(&report(), &facts(generation))).expect("valid JSON")
        };
        let three = read(Generation::V2V3);
        assert_eq!(
            three["output"][0]["url"],
            "https://example.org/files/Patient.000.ndjson.gz"
        );
        assert_eq!(three["output"][0]["count"], 3);
        assert_eq!(three["error"][0]["type"], "OperationOutcome");
        let four = read(Generation::V4);
        assert!(four.get("request").is_none() && four.get("error").is_none());
        assert_eq!(four["output"][0]["fileSize"], 40);
        assert!(four["outcome"][0].get("type").is_none());
        assert_eq!(four["outcome"][0]["count"], 3);
    }

    #[test]
    fn a_page_says_where_the_next_one_is() {
        let facts = ManifestFacts {
            next: Some("https://x/jobs/1?after=7".into()),
            has_counts: false,
            ..facts(Generation::V2V3)
        };
        let value: serde_json::Value = serde_json::from_str(&manifest(&report(), &facts)).expect("valid JSON");
        let link = serde_json::json!([{ "relation": "next", "url": "https://x/jobs/1?after=7" }]);
        assert_eq!(value["link"], link);
        assert!(value["output"][0].get("count").is_none());
    }

    #[test]
    fn deletions_have_a_list_of_their_own() {
        let mut report = report();
        report.files[0].name.kind = FileKind::Deleted;
        report.files[0].name.type_name = "Bundle".into();
        let value = |generation| -> serde_json::Value {
            serde_json::from_str(&manifest(&report, &facts(generation))).expect("valid JSON")
        };
        let three = value(Generation::V2V3);
        assert_eq!(three["output"].as_array().map(Vec::len), Some(0));
        assert_eq!(three["deleted"][0]["type"], "Bundle");
        assert!(value(Generation::V4)["deleted"][0].get("type").is_none());
    }

    #[test]
    fn organized_output_has_no_types_and_may_go_on_in_another_file() {
        let mut report = report();
        report.files[0].continues_in = Some("Patient.001.ndjson.gz".into());
        let facts = ManifestFacts {
            organized_by: Some("Patient".into()),
            ..facts(Generation::V2V3)
        };
        let value: serde_json::Value = serde_json::from_str(&manifest(&report, &facts)).expect("valid JSON");
        assert_eq!(value["outputOrganizedBy"], "Patient");
        assert!(value["output"][0].get("type").is_none());
        assert_eq!(value["error"][0]["type"], "OperationOutcome");
        let next = "https://example.org/files/Patient.001.ndjson.gz";
        assert_eq!(value["output"][0]["continuesInFile"], next);
    }

    #[test]
    fn the_kick_off_url_is_encoded_once() {
        let request = Request {
            types: vec!["Patient,Observation".into()],
            type_filters: vec!["Observation?date=ge2020-01-01T00:00:00+01:00&code=a|b".into()],
            ..Request::default()
        };
        assert_eq!(
            kick_off_url(&request, Some("https://x/fhir/")),
            "https://x/fhir/$export?_type=Patient,Observation&_typeFilter=Observation%3Fdate%3Dge2020-01-01T00:00:00%2B01:00%26code%3Da%7Cb"
        );
        assert_eq!(kick_off_url(&Request::default(), None), "$export");
        let organized = Request {
            organize_by: Some("Patient".into()),
            ..Request::default()
        };
        assert_eq!(kick_off_url(&organized, None), "$export?organizeOutputBy=Patient");
    }
}
