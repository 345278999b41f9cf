//! What clients of the field send, where it is not what one would write by the guide; `scripts/clients` runs those that
//! registries have.

mod binary;
mod serving;

use binary::Folder;
use serde_json::json;
use serving::Server;

/// smart-on-fhir/bulk-data-client: bodies are `application/json`, every parameter a string, filters joined by commas; files
/// are asked for without `Accept`, whatever the profile, and with three codings.
#[test]
fn what_smarts_reference_client_sends_is_taken() {
    let folder = Folder::new();
    let lines = [
        r#"{"resourceType":"Patient","id":"a","meta":{"lastUpdated":"2024-01-01T00:00:00Z"}}"#,
        r#"{"resourceType":"Condition","id":"c","clinicalStatus":{"coding":[{"code":"active"}]},"subject":{"reference":"Patient/a"}}"#,
        r#"{"resourceType":"Observation","id":"o","status":"final","category":[{"coding":[{"code":"laboratory"}]}],"code":{"text":"x"},"subject":{"reference":"Patient/a"}}"#,
        r#"{"resourceType":"Provenance","id":"p","target":[{"reference":"Condition/c"}],"recorded":"2024-01-01T00:00:00Z","agent":[{"who":{"display":"x"}}]}"#,
    ];
    folder.write("data/all.ndjson", format!("{}\n", lines.join("\n")));
    let body = json!({ "resourceType": "Parameters", "parameter": [
        { "name": "_since", "valueInstant": "2015-01-01T00:00:00.000Z" },
        { "name": "_type", "valueString": "Condition" },
        { "name": "_type", "valueString": "Observation" },
        { "name": "_type", "valueString": "Provenance" },
        { "name": "patient", "valueReference": { "reference": "Patient/a" } },
        { "name": "_typeFilter", "valueString": "Condition?clinical-status=active,Observation?category=laboratory" },
        { "name": "_outputFormat", "valueString": "application/fhir+ndjson" },
        { "name": "includeAssociatedData", "valueString": "LatestProvenanceResources" },
    ] });
    let headers = [
        ("accept", "application/fhir+json"),
        ("prefer", "respond-async, handling=lenient"),
        ("content-type", "application/json"),
    ];
    let json_only = [("accept", "application/json")];
    for profile in ["ig", "oracle"] {
        let state = format!("state-{profile}");
        let server = Server::start(&folder, &["--open", "--profile", profile, "--state", &state]);
        let taken = server
            .request("POST", "Patient/$export", &headers, body.to_string().as_bytes())
            .is(202);
        let manifest = server
            .wait_as(taken.header("content-location"), &json_only)
            .is(200)
            .json();
        let output = manifest["output"].as_array().expect("a list");
        let types: Vec<&str> = output.iter().filter_map(|item| item["type"].as_str()).collect();
        assert_eq!(types, ["Condition", "Observation", "Provenance"], "{profile}");
        for (item, line) in output.iter().zip(&lines[1..]) {
            let url = item["url"].as_str().expect("a URL");
            let mut file = server.get(url, &[("accept-encoding", "identity")]);
            if profile == "oracle" {
                file = server.get(file.is(307).header("location"), &[("accept-encoding", "identity")]);
            }
            assert_eq!(file.is(200).text(), format!("{line}\n"), "{profile}");
        }
        let deleted = server.request("DELETE", taken.header("content-location"), &json_only, b"");
        deleted.is(202);
    }
}
