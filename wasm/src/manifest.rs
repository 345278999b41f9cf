//! The manifest of an export, from a report in JSON: reports of several workers are put together on the other side.

use fhirehose_core::client::json::{self, Node};
use fhirehose_core::manifest::{Generation, ManifestFacts, kick_off_url, manifest};
use fhirehose_core::report::{FileEntry, Report};
use fhirehose_core::sink::{FileKind, FileName};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::fault;
use crate::plan::Plan;

/// What writes manifests for a plan.
#[wasm_bindgen]
#[derive(Clone, Debug)]
pub struct Manifest {
    facts: ManifestFacts,
}

#[wasm_bindgen]
impl Manifest {
    /// A writer for a plan; the plan may go.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(plan: &Plan) -> Manifest {
        let request = &plan.asked.request;
        let time = request.transaction_time.as_ref().map(|text| text.replace(' ', "+"));
        Manifest {
            facts: ManifestFacts {
                generation: Generation::default(),
                transaction_time: time.or_else(|| request.now.clone()).unwrap_or_default(),
                request: kick_off_url(request, request.fhir_base.as_deref()),
                requires_access_token: false,
                base_url: None,
                output_format: "application/fhir+ndjson".to_owned(),
                organized_by: None,
                has_counts: true,
                next: None,
            },
        }
    }

    /// The manifest for a report: its files, in the order of the report.
    ///
    /// # Errors
    ///
    /// This is no report.
    pub fn text(&self, report: &str) -> Result<String, String> {
        let files = files(report).ok_or_else(|| fault::plain("argument", "this is no report"))?;
        let report = Report {
            files,
            ..Report::default()
        };
        Ok(manifest(&report, &self.facts))
    }
}

fn files(report: &str) -> Option<Vec<FileEntry>> {
    let document = json::parse(report.as_bytes()).ok()?;
    document.root().get("files")?.items().map(file).collect()
}

fn file(node: Node<'_>) -> Option<FileEntry> {
    let text = |name: &str| Some(node.get(name)?.text()?.into_owned());
    let bytes = node.get("bytes")?.whole()?;
    let kind = match &*text("kind")? {
        "output" => FileKind::Output,
        "deleted" => FileKind::Deleted,
        "error" => FileKind::Error,
        _ => return None,
    };
    Some(FileEntry {
        name: FileName {
            kind,
            type_name: text("type")?,
            sequence: 0,
        },
        path: text("path")?,
        resources: node.get("count")?.whole()?,
        bytes,
        size: bytes,
        continues_in: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_becomes_a_manifest() {
        let plan = Plan::compile(r#"{"type":"Patient","now":"2024-01-02T03:04:05Z"}"#).expect("right");
        let writer = Manifest::new(&plan);
        let report =
            r#"{"files":[{"kind":"output","type":"Patient","path":"Patient.000.ndjson","count":2,"bytes":40}]}"#;
        let text = writer.text(report).expect("a report");
        for part in [
            r#""transactionTime": "2024-01-02T03:04:05Z""#,
            r#""request": "$export?_type=Patient""#,
            r#"{ "type": "Patient", "url": "Patient.000.ndjson", "count": 2 }"#,
        ] {
            assert!(text.contains(part), "{text}");
        }
        for broken in ["", "{}", r#"{"files":[{}]}"#, r#"{"files":[{"kind":"x"}]}"#] {
            assert!(writer.text(broken).is_err(), "{broken}");
        }
    }
}
