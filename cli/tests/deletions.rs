//! `export` of inputs that tell of deletions: what is listed, what is left out, what has returned.

mod binary;

use binary::Folder;

const RECORDS: &str = concat!(
    r#"{"resourceType":"Patient","id":"a","meta":{"lastUpdated":"2024-01-01T00:00:00Z"}}"#,
    "\n",
    r#"{"resourceType":"Patient","id":"b","meta":{"lastUpdated":"2024-01-01T00:00:00Z"}}"#,
    "\n",
    r#"{"resourceType":"Observation","id":"o","subject":{"reference":"Patient/a"}}"#,
    "\n",
    r#"{"resourceType":"Observation","id":"p","subject":{"reference":"Patient/a"},"performer":[{"reference":"Practitioner/d"}]}"#,
    "\n",
    r#"{"resourceType":"Practitioner","id":"d"}"#,
    "\n",
);

fn bundle(time: &str, urls: &[&str]) -> String {
    let entries: Vec<String> = urls
        .iter()
        .map(|url| format!(r#"{{"request":{{"method":"DELETE","url":"{url}"}}}}"#))
        .collect();
    let meta = if time.is_empty() {
        String::new()
    } else {
        format!(r#""meta":{{"lastUpdated":"{time}"}},"#)
    };
    format!(
        "{{\"resourceType\":\"Bundle\",{meta}\"type\":\"transaction\",\"entry\":[{}]}}\n",
        entries.join(",")
    )
}

/// The data in `data/records.ndjson`, the deletions where they are named.
fn folder(place: &str, deletions: &str) -> Folder {
    let folder = Folder::new();
    folder.write("data/records.ndjson", RECORDS);
    folder.write(place, deletions);
    folder
}

/// `Type/id` of every line of output, sorted.
fn kept(folder: &Folder) -> Vec<String> {
    let mut kept = Vec::new();
    for name in folder.files("out") {
        if name.ends_with(".ndjson") && !name.contains('/') {
            for line in folder.read(&format!("out/{name}")).lines() {
                let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
                let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
                kept.push(format!("{}/{}", text("resourceType"), text("id")));
            }
        }
    }
    kept.sort();
    kept
}

/// What the files under `deleted` in the manifest say, in their order.
fn deleted(folder: &Folder) -> Vec<String> {
    let manifest: serde_json::Value = serde_json::from_str(&folder.read("out/manifest.json")).expect("JSON");
    let Some(files) = manifest["deleted"].as_array() else {
        return Vec::new();
    };
    let mut urls = Vec::new();
    for file in files {
        assert_eq!(file["type"], "Bundle");
        let text = folder.read(&format!("out/{}", file["url"].as_str().expect("a URL")));
        assert_eq!(file["count"], text.lines().count());
        for line in text.lines() {
            let bundle: serde_json::Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(bundle["type"], "transaction");
            for entry in bundle["entry"].as_array().expect("entries") {
                assert_eq!(entry["request"]["method"], "DELETE");
                urls.push(entry["request"]["url"].as_str().expect("a URL").to_owned());
            }
        }
    }
    urls
}

#[test]
fn what_was_deleted_is_listed_and_not_exported() {
    // In a folder of deletions they are known beforehand; elsewhere the export begins anew once it has met them.
    for place in ["data/deleted/Bundle.ndjson", "data/zz.ndjson", "data/0.ndjson"] {
        let folder = folder(
            place,
            &bundle("", &["Observation/o", "Observation/gone", "Encounter/e"]),
        );
        let ran = folder.run(&["export", "data", "-o", "out"]).ends(0);
        assert_eq!(
            kept(&folder),
            ["Observation/p", "Patient/a", "Patient/b", "Practitioner/d"],
            "{place}"
        );
        assert_eq!(
            deleted(&folder),
            ["Encounter/e", "Observation/gone", "Observation/o"],
            "{place}"
        );
        let told = "deleted  3 listed in deleted/, 1 left out because they were deleted";
        assert!(ran.err.contains(told), "{}", ran.err);
    }
}

#[test]
fn what_was_changed_after_its_deletion_has_returned() {
    let lines = [
        bundle("2023-12-31T00:00:00Z", &["Patient/a"]),
        bundle("2024-06-01T00:00:00Z", &["Patient/b"]),
    ]
    .concat();
    let folder = folder("data/deleted/Bundle.ndjson", &lines);
    let ran = folder
        .run(&["export", "data", "-o", "out", "--type", "Patient"])
        .ends(0);
    assert_eq!(kept(&folder), ["Patient/a"]);
    assert_eq!(deleted(&folder), ["Patient/b"]);
    assert!(
        ran.err.contains("1 changed after their deletion and exported"),
        "{}",
        ran.err
    );
}

#[test]
fn only_deletions_that_the_request_asks_for_are_listed() {
    let lines = [
        bundle("2023-01-01T00:00:00Z", &["Observation/x1", "Condition/c1", "Patient/b"]),
        bundle("2024-01-01T00:00:00Z", &["Observation/x2"]),
        bundle("", &["Observation/x3", "Patient/z"]),
    ]
    .concat();
    let list = |args: &[&str]| {
        let folder = folder("data/deleted/Bundle.ndjson", &lines);
        folder.run(&[&["export", "data", "-o", "out"], args].concat()).ends(0);
        deleted(&folder)
    };
    assert_eq!(
        list(&["--type", "Observation"]),
        ["Observation/x1", "Observation/x2", "Observation/x3"]
    );
    assert_eq!(
        list(&["--type", "Observation", "--since", "2023-06-01T00:00:00Z"]),
        ["Observation/x2", "Observation/x3"]
    );
    // Of the cohort where that can be told.
    assert_eq!(
        list(&["--patient", "a", "--type", "Patient,Condition"]),
        ["Condition/c1"]
    );
    assert_eq!(list(&["--type", "Encounter"]), Vec::<String>::new());
}

#[test]
fn a_deleted_resource_leads_to_nothing() {
    let folder = folder("data/deleted/Bundle.ndjson", &bundle("", &["Observation/p"]));
    folder.run(&["export", "data", "-o", "out", "--patient", "a"]).ends(0);
    assert_eq!(kept(&folder), ["Observation/o", "Patient/a"]);
}

#[test]
fn a_bundle_of_deletions_and_other_things_is_bad() {
    let mixed = bundle("", &["Observation/o"]).replace("[{", r#"[{"resource":{"resourceType":"Basic"}},{"#);
    let folder = folder("data/deleted/Bundle.ndjson", &mixed);
    let ran = folder.run(&["export", "data", "-o", "out"]).ends(1);
    assert!(ran.err.contains("deletions are expected"), "{}", ran.err);
    assert!(kept(&folder).contains(&"Observation/o".to_owned()));
}

/// A document over several lines, its time where it is asked for.
fn document(bundle_type: &str, time_first: bool, time: &str, entries: &str) -> String {
    let stamp = format!("\"timestamp\": \"{time}\"");
    let (before, behind) = if time_first {
        (format!("  {stamp},\n"), String::new())
    } else {
        (String::new(), format!(",\n  {stamp}"))
    };
    format!(
        "{{\n  \"resourceType\": \"Bundle\",\n  \"type\": \"{bundle_type}\",\n{before}  \"entry\": [\n{entries}\n  ]{behind}\n}}\n"
    )
}

#[test]
fn documents_tell_of_deletions_beside_their_resources() {
    let entries = concat!(
        r#"{"request": {"method": "DELETE", "url": "Observation/o"}}, "#,
        r#"{"resource": {"resourceType": "Basic", "id": "n"}, "request": {"method": "PUT", "url": "Basic/n"}}, "#,
        r#"{"request": {"method": "DELETE", "url": "Patient/a"}, "response": {"lastModified": "2023-01-01T00:00:00Z"}},"#,
        r#"{"request": {"method": "DELETE", "url": "Patient/b"}, "response": {"status": "204"}}"#
    );
    for bundle_type in ["transaction", "batch", "history"] {
        for (place, time_first) in [
            ("data/deleted/b.json", true),
            ("data/zz.json", false),
            ("data/0.json", true),
        ] {
            let folder = folder(
                place,
                &document(bundle_type, time_first, "2024-06-01T00:00:00Z", entries),
            );
            let ran = folder.run(&["export", "data", "-o", "out"]).ends(0);
            // The Patient `a` has been changed after its deletion, `b` before it.
            let expected = ["Basic/n", "Observation/p", "Patient/a", "Practitioner/d"];
            assert_eq!(kept(&folder), expected, "{bundle_type} {place}");
            assert_eq!(
                deleted(&folder),
                ["Observation/o", "Patient/b"],
                "{bundle_type} {place}"
            );
            let told = "2 listed in deleted/, 2 left out because they were deleted, 1 changed after their deletion";
            assert!(ran.err.contains(told), "{}", ran.err);
        }
    }
}

#[test]
fn deletions_of_documents_that_cannot_be_applied_are_told() {
    let entries = concat!(
        r#"{"request": {"method": "DELETE", "url": "Observation?code=x"}}, "#,
        r#"{"request": {"method": "DELETE", "url": "Patient/a"}, "resource": {"resourceType": "Basic", "id": "n"}}, "#,
        r#"{"request": {"method": "DELETE", "url": "Patient/b"}}"#
    );
    let folder = folder("data/x.json", &document("batch", true, "2024-06-01T00:00:00Z", entries));
    let ran = folder.run(&["export", "data", "-o", "out"]).ends(1);
    assert!(ran.err.contains("deletions are expected"), "{}", ran.err);
    let outcomes = folder.read("out/error/OperationOutcome.000.ndjson");
    assert_eq!(outcomes.lines().count(), 2, "{outcomes}");
    assert_eq!(deleted(&folder), ["Patient/b"]);
    assert!(kept(&folder).contains(&"Basic/n".to_owned()) && kept(&folder).contains(&"Patient/a".to_owned()));
}

#[test]
fn what_has_left_cannot_be_taken_back() {
    let lines = bundle("", &["Observation/o"]);
    let known = folder("data/deleted/Bundle.ndjson", &lines);
    let ran = known
        .run(&["export", "data", "-o", "-", "--type", "Observation"])
        .ends(0);
    assert!(
        !ran.out.contains(r#""id":"o""#) && ran.out.contains(r#""id":"p""#),
        "{}",
        ran.out
    );
    let late = folder("data/zz.ndjson", &lines);
    let ran = late
        .run(&["export", "data", "-o", "-", "--type", "Observation"])
        .ends(3);
    assert!(ran.err.contains("the input tells of deletions"), "{}", ran.err);
}

#[test]
fn on_standard_output_deletions_are_applied_and_said_to_be_listed_nowhere() {
    let folder = folder(
        "data/deleted/Bundle.ndjson",
        &bundle("", &["Patient/a", "Patient/gone"]),
    );
    let ran = folder
        .run(&["export", "data", "-o", "-", "--type", "Patient"])
        .ends(0)
        .tells(&["2 listed nowhere, since no files are written, 1 left out because they were deleted"]);
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
}

#[test]
fn an_export_without_deletions_in_place_of_one_with_them_leaves_no_empty_folder() {
    let folder = folder("data/deleted/Bundle.ndjson", &bundle("", &["Patient/a"]));
    folder.run(&["export", "data", "-o", "out"]).ends(0);
    assert_eq!(deleted(&folder), ["Patient/a"]);
    folder
        .run(&["export", "data/records.ndjson", "-o", "out", "--force"])
        .ends(0);
    assert!(!folder.path("out/deleted").exists());
    assert!(deleted(&folder).is_empty());
}
