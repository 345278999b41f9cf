//! Manifests of all kinds, and what is read and found.

use super::*;

fn good() -> String {
    r#"{
  "transactionTime": "2021-01-01T00:00:00Z",
  "request": "https://example.org/fhir/Patient/$export?_type=Patient",
  "requiresAccessToken": true,
  "output": [
    { "type": "Patient", "url": "https://example.org/1.ndjson", "count": 3 },
    { "type": "Patient", "url": "https://example.org/2.ndjson" }
  ],
  "deleted": [{ "type": "Bundle", "url": "https://example.org/d.ndjson" }],
  "error": [{ "type": "OperationOutcome", "url": "https://example.org/e.ndjson", "count": 1 }],
  "extension": { "https://example.org/x": true }
}"#
    .to_owned()
}

fn rules(findings: &[Finding]) -> Vec<String> {
    let shown = |finding: &Finding| format!("{} {}", finding.rule, finding.path);
    findings.iter().map(shown).collect()
}

fn read_well(text: &str) -> Manifest {
    let (manifest, findings) = read(text.as_bytes()).expect("a manifest");
    assert!(findings.is_empty(), "{text} {:?}", rules(&findings));
    manifest
}

#[test]
fn what_is_as_the_guide_has_it_is_read_without_a_finding() {
    let manifest = read_well(&good());
    assert_eq!(manifest.generation, Generation::V2);
    assert_eq!(manifest.transaction_time.as_deref(), Some("2021-01-01T00:00:00Z"));
    assert_eq!(manifest.requires_access_token, Some(true));
    assert!(manifest.request.is_some_and(|url| url.ends_with("_type=Patient")));
    assert_eq!(
        (manifest.next, manifest.organized_by, manifest.unusable),
        (None, None, 0)
    );
    let files: Vec<_> = manifest
        .files
        .iter()
        .map(|item| (item.kind, item.url.as_str(), item.count))
        .collect();
    let expected = [
        (FileKind::Output, "https://example.org/1.ndjson", Some(3)),
        (FileKind::Output, "https://example.org/2.ndjson", None),
        (FileKind::Deleted, "https://example.org/d.ndjson", None),
        (FileKind::Error, "https://example.org/e.ndjson", Some(1)),
    ];
    assert_eq!(files, expected);
    assert_eq!(manifest.files[0].type_name.as_deref(), Some("Patient"));
}

#[test]
fn pages_organized_output_and_the_ballot_are_known_by_what_they_hold() {
    let organized = r#"{"transactionTime":"2021-01-01T00:00:00.5+01:00","request":"x","requiresAccessToken":false,
        "outputOrganizedBy":"Patient","output":[{"url":"https://x/1","continuesInFile":"https://x/2"},{"url":"https://x/2"}],
        "error":[],"link":[{"relation":"next","url":"https://x/p2"}]}"#;
    let manifest = read_well(organized);
    assert_eq!(manifest.generation, Generation::V3);
    assert_eq!(manifest.next.as_deref(), Some("https://x/p2"));
    assert_eq!(manifest.organized_by.as_deref(), Some("Patient"));
    assert_eq!(manifest.files[0].continues_in.as_deref(), Some("https://x/2"));
    assert_eq!(manifest.files[0].type_name, None);
    let ballot = r#"{"transactionTime":"2021-01-01T00:00:00Z","requiresAccessToken":false,
        "output":[{"type":"Patient","url":"https://x/1","fileSize":77}],
        "outcome":[{"url":"https://x/o","countSeverity":[{"code":"error","count":1}]}],"extension":[]}"#;
    let manifest = read_well(ballot);
    assert_eq!(manifest.generation, Generation::V4);
    assert_eq!(manifest.files[0].size, Some(77));
    assert_eq!(manifest.files[1].kind, FileKind::Error);
}

/// What servers do, what is read, and what is told.
#[test]
fn deviations_of_the_field_are_read_and_told() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "requiresAccessToken\": true",
            "requiresAccessToken\": \"True\"",
            &["boolean-as-string requiresAccessToken"],
        ),
        (
            "requiresAccessToken\": true",
            "requiresAccessToken\": 1",
            &["not-a-boolean requiresAccessToken"],
        ),
        ("\"output\": [", "\"OUTPUT\": [", &["wrong-case output"]),
        (
            "\"url\": \"https://example.org/2",
            "\"URL\": \"https://example.org/2",
            &["wrong-case output[1].url"],
        ),
        (
            "\"count\": 3",
            "\"count\": \"3\"",
            &["number-as-string output[0].count"],
        ),
        (
            "\"count\": 3",
            "\"count\": 3.0",
            &["not-a-whole-number output[0].count"],
        ),
        ("\"count\": 3", "\"count\": -3", &["not-a-whole-number output[0].count"]),
        ("\"count\": 3", "\"count\": null", &["null output[0].count"]),
        (
            "https://example.org/1.ndjson",
            "files/1.ndjson",
            &["url-not-absolute output[0].url"],
        ),
        (
            "2021-01-01T00:00:00Z",
            "2021-01-01",
            &["not-an-instant transactionTime"],
        ),
        ("\"2021-01-01T00:00:00Z\"", "17", &["not-a-string transactionTime"]),
    ];
    for (from, to, expected) in cases {
        let text = good().replacen(from, to, 1);
        let (manifest, findings) = read(text.as_bytes()).expect(to);
        assert_eq!(rules(&findings), *expected, "{to}");
        assert_eq!((manifest.files.len(), manifest.unusable), (4, 0), "{to}");
        assert!(
            text.as_bytes()
                .get(findings[0].span.clone())
                .is_some_and(|bytes| !bytes.is_empty()),
            "{to}"
        );
        if !to.contains("https") {
            assert!(findings[0].message.len() < 120 && !findings[0].message.contains("example.org"));
        }
    }
    let text = good()
        .replace("\"count\": 3", "\"count\": \"3\"")
        .replace("true,", "\"FALSE\",");
    let (manifest, _) = read(text.as_bytes()).expect("a manifest");
    assert_eq!(
        (manifest.files[0].count, manifest.requires_access_token),
        (Some(3), Some(false))
    );
}

#[test]
fn lists_that_are_missing_null_or_single_are_taken_as_meant() {
    let head = r#""transactionTime":"2021-01-01T00:00:00Z","request":"https://x","requiresAccessToken":true"#;
    let item = r#"{"type":"Patient","url":"https://x/1"}"#;
    let cases = [
        (
            format!(r#"{{{head}}}"#),
            0,
            vec!["error-missing error", "output-missing output"],
        ),
        (
            format!(r#"{{{head},"output":[{item}]}}"#),
            1,
            vec!["error-missing error"],
        ),
        (
            format!(r#"{{{head},"output":[{item}],"error":null}}"#),
            1,
            vec!["null error"],
        ),
        (
            format!(r#"{{{head},"output":null,"error":[]}}"#),
            0,
            vec!["null output"],
        ),
        (
            format!(r#"{{{head},"output":{item},"error":[]}}"#),
            1,
            vec!["single-object output"],
        ),
    ];
    for (text, files, expected) in cases {
        let (manifest, findings) = read(text.as_bytes()).expect(&text);
        assert_eq!(rules(&findings), expected, "{text}");
        assert_eq!((manifest.files.len(), manifest.unusable), (files, 0), "{text}");
    }
    for (link, expected) in [
        (r#"{"relation":"next","url":"https://x/2"}"#, vec!["single-object link"]),
        (
            r#"[{"relation":"Next","url":"https://x/2"}]"#,
            vec!["wrong-case link[0].relation"],
        ),
        (
            r#"[{"relation":"self","url":"https://x/1"},{"relation":"next","url":"https://x/2"}]"#,
            vec![],
        ),
    ] {
        let text = format!(r#"{{{head},"output":[],"error":[],"link":{link}}}"#);
        let (manifest, findings) = read(text.as_bytes()).expect(link);
        assert_eq!(rules(&findings), expected, "{link}");
        assert_eq!(manifest.next.as_deref(), Some("https://x/2"));
    }
}

/// A client that fetches all that is listed must know that it is not all.
#[test]
fn what_cannot_be_fetched_is_counted() {
    let cases = [
        (
            r#""url": "https://example.org/2.ndjson""#,
            r#""href": "https://example.org/2.ndjson""#,
            "url-missing output[1].url",
        ),
        (
            r#""url": "https://example.org/2.ndjson""#,
            r#""url": " ""#,
            "url-missing output[1].url",
        ),
        (
            r#""url": "https://example.org/2.ndjson""#,
            r#""url": ["https://example.org/2.ndjson"]"#,
            "not-a-string output[1].url",
        ),
        (
            r#"{ "type": "Patient", "url": "https://example.org/2.ndjson" }"#,
            r#""https://example.org/2.ndjson""#,
            "not-an-item output[1]",
        ),
        (
            r#"[{ "type": "Bundle", "url": "https://example.org/d.ndjson" }]"#,
            "7",
            "not-an-array deleted",
        ),
        (
            r#""extension": { "https://example.org/x": true }"#,
            r#""link": [{"relation": "next"}]"#,
            "url-missing link[0].url",
        ),
        (
            r#""extension": { "https://example.org/x": true }"#,
            r#""link": "https://x""#,
            "not-an-array link",
        ),
    ];
    for (from, to, expected) in cases {
        let text = good().replacen(from, to, 1);
        let (manifest, findings) = read(text.as_bytes()).expect(to);
        assert_eq!(rules(&findings), [expected], "{to}");
        assert_eq!(manifest.unusable, 1, "{to}");
    }
}

#[test]
fn lists_and_links_that_nobody_knows_are_not_passed_over() {
    let text = good().replacen("\"output\"", "\"outputs\"", 1);
    assert_eq!(read(text.as_bytes()).expect("a manifest").0.unusable, 1);
    let next = r#""link": [{"rel": "next", "url": "https://x"}]"#;
    let text = good().replacen(r#""extension": { "https://example.org/x": true }"#, next, 1);
    assert_eq!(read(text.as_bytes()).expect("a manifest").0.unusable, 1);
}

#[test]
fn what_is_no_manifest_is_refused_with_the_reason() {
    let cases: &[(&str, &str)] = &[
        ("", "empty"),
        (" \n", "empty"),
        ("<html>", "not-json"),
        ("{\"output\": [", "not-json"),
        ("[]", "not-a-manifest"),
        ("\"x\"", "not-a-manifest"),
        ("{}", "not-a-manifest"),
        (r#"{"error":"invalid_token"}"#, "not-a-manifest"),
        (r#"{"resourceType":"OperationOutcome","issue":[]}"#, "operation-outcome"),
        (r#"{"resourceType":"Patient","id":"a"}"#, "not-a-manifest"),
        (r#"{"transactionTime":"2024-01-01T00:00:00Z"}"#, "not-a-manifest"),
        (
            r#"{"transactionTime":"2024-01-01T00:00:00Z","outputs":[{"url":"a"}]}"#,
            "not-a-manifest",
        ),
        (r#"{"output":"none"}"#, "output-not-an-array"),
        (r#"{"output":[],"output":[]}"#, "repeated-name"),
        (r#"{"output":[],"Output":[]}"#, "repeated-name"),
        (r#"{"output":[{"url":"a","URL":"b"}]}"#, "repeated-name"),
        (r#"{"output":[{"url":"a","\u0075rl":"b"}]}"#, "repeated-name"),
    ];
    for (text, expected) in cases {
        let finding = read(text.as_bytes()).expect_err(text);
        assert_eq!(finding.rule, *expected, "{text}");
        assert_eq!(finding.severity, Severity::Error);
        assert!(
            finding.span.end <= text.len() && finding.span.start <= finding.span.end,
            "{text}"
        );
    }
    let not_utf8 = read(b"{\"output\":[\"\xff\"]}").expect_err("no UTF-8");
    assert_eq!(not_utf8.rule, "not-utf8");
    let marked = read(format!("\u{feff}{}", good()).as_bytes()).expect("a manifest");
    assert_eq!(rules(&marked.1), ["byte-order-mark "]);
}

#[test]
fn a_manifest_that_is_wrong_in_every_item_is_told_in_few_words() {
    let items = vec!["{\"type\":\"Patient\"}"; 50_000].join(",");
    let text = format!("{{\"transactionTime\":\"2021-01-01T00:00:00Z\",\"output\":[{items}]}}");
    let (manifest, findings) = read(text.as_bytes()).expect("a manifest");
    assert_eq!((manifest.files.len(), manifest.unusable), (0, 50_000));
    let missing: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.rule == "url-missing")
        .collect();
    assert_eq!(missing.len() as u64, finding::MOST_OF_A_RULE + 1);
    assert!(
        missing
            .last()
            .is_some_and(|last| last.message.ends_with("; 49979 more like this"))
    );
}

/// Bytes removed, repeated and changed: an answer each time, never a panic, and places that lie in the text.
#[test]
fn there_is_a_bound_of_items() {
    let items = |count: usize| format!(r#"{{"output":[{}]}}"#, vec![r#"{"url":"a"}"#; count].join(","));
    let text = items(1_000_001).replace("{\"output", r#"{"transactionTime":"2021-01-01T00:00:00Z","output"#);
    let refused = read(text.as_bytes()).expect_err("more than a million");
    assert_eq!(refused.rule, "too-long");
    // The same with what is no file, and with what is no item.
    let text = text.replace("{\"url\":\"a\"}", "0");
    assert_eq!(read(text.as_bytes()).expect_err("more than a million").rule, "too-long");
    let text = text.replace("[0,", &format!("[[{}],", vec!["0"; 12_000_000].join(",")));
    let refused = read(text.as_bytes()).expect_err("more than can be meant");
    assert_eq!((refused.rule, refused.section), ("too-long", "RFC 8259"));
}

#[test]
fn any_bytes_have_an_answer() {
    let good = good();
    let mut state = 7u64;
    let mut draw = |most: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % most
    };
    for _ in 0..20_000 {
        let mut text = good.clone().into_bytes();
        for _ in 0..=draw(3) {
            let (at, other) = (draw(text.len()), draw(text.len()));
            match draw(4) {
                0 => drop(text.remove(at)),
                1 => text[at] = b"{}[]\",:0nt\\x\xff"[draw(13)],
                2 => text.swap(at, other),
                _ => drop(text.drain(at.min(other)..at.max(other).min(at.min(other) + 40))),
            }
        }
        let findings = match read(&text) {
            Ok((_, findings)) => findings,
            Err(finding) => vec![finding],
        };
        assert!(findings.iter().all(|finding| finding.span.end <= text.len()));
    }
}
