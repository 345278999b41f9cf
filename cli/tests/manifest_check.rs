//! `fhirehose manifest check`: what it prints, how it ends, and what it keeps to itself.

mod binary;

use binary::Folder;

const GOOD: &str = r#"{
  "transactionTime": "2021-01-01T00:00:00Z",
  "request": "https://example.org/fhir/$export",
  "requiresAccessToken": true,
  "output": [{ "type": "Patient", "url": "https://example.org/1.ndjson" }],
  "error": []
}
"#;

#[test]
fn a_manifest_that_keeps_to_the_guide() {
    let folder = Folder::new();
    folder.write("manifest.json", GOOD);
    let ran = folder.run(&["manifest", "check", "manifest.json"]).ends(0);
    assert_eq!(
        ran.out,
        "manifest.json: 0 errors, 0 warnings, 0 notes by the rules of STU2, which fits best\n"
    );
    let ran = folder
        .run_with(GOOD.as_bytes(), &["manifest", "check", "-", "--ig", "1"])
        .ends(0);
    assert_eq!(
        ran.out,
        "standard input: 0 errors, 0 warnings, 0 notes by the rules of STU1\n"
    );
    folder.run(&["manifest", "check", "manifest.json", "--ig", "4"]).ends(1);
}

#[test]
fn findings_have_a_place_a_path_and_a_section() {
    let folder = Folder::new();
    let text = GOOD.replace("true", "\"true\"").replace("\"Patient\"", "\"Patiant\"");
    folder.write("m.json", &text);
    let ran = folder.run(&["manifest", "check", "m.json"]).ends(1);
    let expected = "\
error[boolean-as-string]: requiresAccessToken is a boolean in quotes, expected true or false
 --> m.json:4:26  requiresAccessToken
  |
4 | \"true\"
  | ^^^^^^
  = STU2, Response - Complete Status

error[unknown-type]: no resource type of FHIR R4, R4B or R5
 --> m.json:5:24  output[0].type
  |
5 | \"Patiant\"
  | ^^^^^^^^^
  = STU2, Response - Complete Status

m.json: 2 errors, 0 warnings, 0 notes by the rules of STU2, which fits best
";
    assert_eq!(ran.out, expected);
    let ran = folder.run(&["manifest", "check", "m.json", "--report", "json"]).ends(1);
    let report: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(report["errors"], 2);
    assert_eq!(report["generation"], "STU2");
    let finding = &report["findings"][0];
    assert_eq!(finding["rule"], "boolean-as-string");
    assert_eq!((&finding["line"], &finding["column"]), (&4.into(), &26.into()));
    let start = finding["start"].as_u64().expect("a number") as usize;
    assert!(text[start..].starts_with("\"true\""));
}

/// Whoever reads the log of a build must not be able to fetch the files.
#[test]
fn signatures_and_credentials_are_not_printed() {
    let folder = Folder::new();
    let url = "https://user:pass@example.org/1.ndjson?X-Amz-Signature=topsecret#topsecret";
    let text = GOOD.replace("https://example.org/1.ndjson", url);
    folder.write("m.json", &text);
    for report in ["text", "json"] {
        let ran = folder.run(&["manifest", "check", "m.json", "--report", report]).ends(0);
        assert!(ran.out.contains("signed-url-with-token") && ran.out.contains("url-credentials"));
        assert!(
            !ran.out.contains("topsecret") && !ran.out.contains("pass"),
            "{}",
            ran.out
        );
    }
    let ran = folder
        .run(&["manifest", "check", "https://user:pass@example.org/m?topsecret"])
        .ends(2);
    assert!(
        !ran.err.contains("topsecret") && !ran.err.contains("pass@"),
        "{}",
        ran.err
    );
}

#[test]
fn what_cannot_be_read_ends_with_three_and_what_is_no_manifest_with_one() {
    let folder = Folder::new();
    folder
        .run(&["manifest", "check", "missing.json"])
        .ends(3)
        .tells(&["missing.json"]);
    folder.run(&["manifest", "check", "."]).ends(3);
    folder.run(&["manifest", "check"]).ends(2);
    folder.run(&["manifest", "check", "m.json", "--ig", "5"]).ends(2);
    for (text, rule) in [
        ("", "empty"),
        ("<html>", "not-json"),
        ("{}", "not-a-manifest"),
        ("\u{feff}\u{1}", "not-json"),
    ] {
        let ran = folder.run_with(text.as_bytes(), &["manifest", "check", "-"]).ends(1);
        assert!(ran.out.starts_with(&format!("error[{rule}]")), "{}", ran.out);
    }
}

/// What `export` writes is right for a server's client once it has URLs, and right beside its files without them.
#[test]
fn our_own_manifests_have_no_findings() {
    let folder = Folder::with_lines();
    for ig in ["2", "3", "4"] {
        let out = format!("out{ig}");
        let manifest = format!("{out}/manifest.json");
        folder.run(&["export", "data", "-o", &out, "--ig", ig]).ends(0);
        folder.run(&["manifest", "check", &manifest]).ends(1);
        let ran = folder
            .run(&["manifest", "check", &manifest, "--stored", "--ig", ig])
            .ends(0);
        assert!(ran.out.contains(": 0 errors, 0 warnings, 0 notes"), "{}", ran.out);
    }
}
