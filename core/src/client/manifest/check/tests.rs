//! A table of manifests and what is found in them.

use super::*;

const OLD: &str = r#"{
  "transactionTime": "2021-01-01T00:00:00Z",
  "request": "https://example.org/fhir/$export",
  "requiresAccessToken": true,
  "output": [
    { "type": "Patient", "url": "https://example.org/1.ndjson", "count": 3 },
    { "type": "Observation", "url": "https://example.org/2.ndjson" }
  ],
  "deleted": [{ "type": "Bundle", "url": "https://example.org/d.ndjson" }],
  "error": [{ "type": "OperationOutcome", "url": "https://example.org/e.ndjson" }]
}"#;

const ORGANIZED: &str = r#"{
  "transactionTime": "2021-01-01T00:00:00Z",
  "request": "https://example.org/fhir/$export",
  "requiresAccessToken": false,
  "outputOrganizedBy": "Patient",
  "output": [
    { "url": "https://example.org/1", "continuesInFile": "https://example.org/2" },
    { "url": "https://example.org/2" },
    { "url": "https://example.org/3" }
  ],
  "error": [],
  "extension": { "a": 1 }
}"#;

const BALLOT: &str = r#"{
  "manifestType": "http://hl7.org/fhir/uv/bulkdata/StructureDefinition/BulkDataManifest",
  "transactionTime": "2021-01-01T00:00:00Z",
  "requiresAccessToken": true,
  "outputFormat": "application/fhir+ndjson",
  "output": [{ "type": "Patient", "url": "https://example.org/1.ndjson", "count": 3, "fileSize": 1024 }],
  "deleted": [{ "url": "https://example.org/d.ndjson" }],
  "outcome": [{ "url": "https://example.org/e.ndjson", "countSeverity": [{ "code": "error", "count": 1 }] }],
  "link": [{ "relation": "next", "url": "https://example.org/p2" }],
  "extension": [{ "url": "http://example.org/x", "valueBoolean": true }]
}"#;

/// What is replaced by what, and all that is found then.
type Row = (&'static str, &'static str, &'static [&'static str]);

const ROOT_ROWS: &[Row] = &[
    (
        r#""transactionTime": "2021-01-01T00:00:00Z","#,
        "",
        &["error transaction-time-missing transactionTime"],
    ),
    (
        "2021-01-01T00:00:00Z",
        "2021-01-01T00:00:00",
        &["error not-an-instant transactionTime"],
    ),
    (
        r#""request": "https://example.org/fhir/$export","#,
        "",
        &["error request-missing request"],
    ),
    (
        "https://example.org/fhir/$export",
        "$export",
        &["error request-not-absolute request"],
    ),
    (
        r#""requiresAccessToken": true,"#,
        "",
        &["error requires-access-token-missing requiresAccessToken"],
    ),
    (
        r#": true"#,
        r#": "true""#,
        &["error boolean-as-string requiresAccessToken"],
    ),
    (r#": true"#, r#": null"#, &["error null requiresAccessToken"]),
    (
        r#""error""#,
        r#""errors""#,
        &["error error-missing error", "note unknown-member errors"],
    ),
    (
        r#""error""#,
        r#""outcome""#,
        &["error error-missing error", "error list-name outcome"],
    ),
    (
        r#""request""#,
        r#""resourceType": "Parameters", "request""#,
        &["warning resource-type resourceType"],
    ),
    (
        r#""request""#,
        r#""extension": [], "request""#,
        &["error extension-shape extension"],
    ),
    (
        r#""request""#,
        r#""manifestType": "x", "request""#,
        &["note later-generation manifestType"],
    ),
    (
        r#""request""#,
        r#""link": [], "request""#,
        &["note later-generation link", "note empty-array link"],
    ),
    (
        r#""request""#,
        r#""jobId": 5, "request""#,
        &["note unknown-member jobId"],
    ),
    (
        r#""request""#,
        r#""x": 1, "x": 2, "request""#,
        &["note unknown-member x", "error repeated-name ", "note unknown-member x"],
    ),
];

const ORGANIZED_ROOT_ROWS: &[Row] = &[
    (
        r#""Patient""#,
        r#""""#,
        &[
            "error organized-by-empty outputOrganizedBy",
            "error type-missing output[0].type",
            "error type-missing output[1].type",
            "error type-missing output[2].type",
        ],
    ),
    (
        r#""Patient""#,
        r#""Patients""#,
        &["error unknown-type outputOrganizedBy"],
    ),
    (
        r#""error""#,
        r#""link": {"relation":"next","url":"https://example.org/p"}, "error""#,
        &["error single-object link"],
    ),
    (
        r#""error""#,
        r#""link": [{"url":"https://example.org/p"}], "error""#,
        &["error relation-missing link[0].relation"],
    ),
    (
        r#""error""#,
        r#""link": [{"relation":"next"}], "error""#,
        &["error url-missing link[0].url"],
    ),
    (
        r#""error""#,
        r#""link": [{"relation":"next","url":"https://example.org/p"},{"relation":"self","url":"https://example.org/q"}], "error""#,
        &["warning several-links link", "note relation link[1].relation"],
    ),
];

const ITEMS_ROWS: &[Row] = &[
    (r#""type": "Patient", "#, "", &["error type-missing output[0].type"]),
    (r#""Patient""#, r#""Patiant""#, &["error unknown-type output[0].type"]),
    (r#""Patient""#, r#""patient""#, &["error unknown-type output[0].type"]),
    (
        r#""Patient""#,
        r#""OperationOutcome""#,
        &["warning outcome-in-output output[0].type"],
    ),
    (r#""Bundle""#, r#""Patient""#, &["error type-of-list deleted[0].type"]),
    (r#""type": "Bundle", "#, "", &["error type-missing deleted[0].type"]),
    (
        r#""OperationOutcome""#,
        r#""Bundle""#,
        &["error type-of-list error[0].type"],
    ),
    (
        "https://example.org/1.ndjson",
        "1.ndjson",
        &["error url-not-absolute output[0].url"],
    ),
    (
        "https://example.org/1.ndjson",
        "https://example.org/2.ndjson",
        &["error url-twice output[1].url"],
    ),
    (
        "https://example.org/1.ndjson",
        "https://example.org/e.ndjson",
        &["error url-twice error[0].url"],
    ),
    (
        "https://example.org/1.ndjson",
        "http://example.org/1.ndjson",
        &["warning url-not-https output[0].url"],
    ),
    ("https://example.org/1.ndjson", "http://127.0.0.1:80/1.ndjson", &[]),
    (
        "https://example.org/1.ndjson",
        "s3://bucket/1.ndjson",
        &["warning url-scheme output[0].url"],
    ),
    (
        "https://example.org/1.ndjson",
        "https://a:b@example.org/1",
        &["warning url-credentials output[0].url"],
    ),
    (
        "1.ndjson",
        "1?X-Amz-Signature=abc",
        &["warning signed-url-with-token output[0].url"],
    ),
    ("\"count\": 3", "\"count\": 0", &["warning empty-file output[0].count"]),
    (
        "\"count\": 3",
        "\"count\": \"3\"",
        &["error number-as-string output[0].count"],
    ),
    (
        "\"count\": 3",
        "\"count\": 0.5",
        &["error not-a-whole-number output[0].count"],
    ),
    (
        "\"count\": 3",
        "\"count\": -1",
        &["error not-a-whole-number output[0].count"],
    ),
    (
        "\"count\": 3",
        "\"fileSize\": 3",
        &["note later-generation output[0].fileSize"],
    ),
    ("\"count\": 3", "\"size\": 3", &["note unknown-member output[0].size"]),
    ("\"count\": 3", "\"extension\": {}", &[]),
    (
        "\"count\": 3",
        "\"extension\": []",
        &["error extension-shape output[0].extension"],
    ),
    (
        "\"count\": 3",
        "\"continuesInFile\": \"https://example.org/2.ndjson\"",
        &[
            "note later-generation output[0].continuesInFile",
            "warning continues output[0].continuesInFile",
        ],
    ),
];

const BALLOTS_ROWS: &[Row] = &[
    (
        "\"outputFormat\"",
        "\"request\": \"https://example.org/$export\", \"outputFormat\"",
        &["warning request-present request"],
    ),
    ("\"outcome\"", "\"error\"", &["error list-name error"]),
    (
        "http://hl7.org/fhir/uv/bulkdata/StructureDefinition/BulkDataManifest",
        "BulkDataManifest",
        &["error manifest-type manifestType"],
    ),
    (
        "http://hl7.org/fhir/uv/bulkdata/StructureDefinition/BulkDataManifest",
        "https://example.org/m",
        &["note manifest-type manifestType"],
    ),
    (
        "application/fhir+ndjson",
        "application/parquet",
        &["note output-format outputFormat"],
    ),
    ("\"application/fhir+ndjson\"", "7", &["error not-a-string outputFormat"]),
    (
        "\"outputFormat\"",
        "\"outputOrganizedByDetail\": \"x\", \"outputFormat\"",
        &["error organized-by-detail outputOrganizedByDetail"],
    ),
    (
        "\"outputFormat\"",
        "\"outputOrganizedBy\": \"Patient\", \"outputFormat\"",
        &["error type-present output[0].type"],
    ),
    (
        "{ \"url\": \"https://example.org/d",
        "{ \"type\": \"Bundle\", \"url\": \"https://example.org/d",
        &["error type-present deleted[0].type"],
    ),
    (
        "{ \"url\": \"https://example.org/e",
        "{ \"type\": \"OperationOutcome\", \"url\": \"https://example.org/e",
        &["error type-present outcome[0].type"],
    ),
    (
        "\"fileSize\": 1024",
        "\"fileSize\": \"1024\"",
        &["error number-as-string output[0].fileSize"],
    ),
    (
        "\"fileSize\": 1024",
        "\"countSeverity\": []",
        &["error count-severity output[0].countSeverity"],
    ),
    (
        "\"code\": \"error\"",
        "\"code\": \"Error\"",
        &["error count-severity outcome[0].countSeverity"],
    ),
    (
        ", \"count\": 1 }",
        " }",
        &["error count-severity outcome[0].countSeverity"],
    ),
    (
        "}] }]",
        "}, { \"code\": \"error\", \"count\": 2 }] }]",
        &["warning count-severity outcome[0].countSeverity"],
    ),
    (", \"valueBoolean\": true", "", &["error extension-shape extension"]),
    (
        "\"url\": \"http://example.org/x\", ",
        "",
        &["error extension-shape extension"],
    ),
    (
        "[{ \"url\": \"http://example.org/x\", \"valueBoolean\": true }]",
        "{}",
        &["error extension-shape extension"],
    ),
    (
        "[{ \"url\": \"http://example.org/x\", \"valueBoolean\": true }]",
        "[]",
        &["note empty-array extension"],
    ),
];

fn found(text: &str, generation: Option<Generation>) -> Vec<String> {
    let asked = Asked {
        generation,
        stored: false,
    };
    let checked = check(text.as_bytes(), asked);
    for finding in &checked.findings {
        assert!(
            finding.span.start < finding.span.end && finding.span.end <= text.len(),
            "{finding:?}"
        );
        assert!(
            !finding.message.ends_with('.') && !finding.message.contains("example.org"),
            "{finding:?}"
        );
        assert!(!finding.section.is_empty());
    }
    let shown = |finding: &Finding| format!("{} {} {}", finding.severity, finding.rule, finding.path);
    checked.findings.iter().map(shown).collect()
}

#[test]
fn what_keeps_to_the_guide_has_no_finding() {
    for (text, generation) in [
        (OLD, None),
        (OLD, Some(Generation::V1)),
        (OLD, Some(Generation::V2)),
        (OLD, Some(Generation::V3)),
        (ORGANIZED, None),
        (BALLOT, None),
    ] {
        assert!(
            found(text, generation).is_empty(),
            "{generation:?} {:?}",
            found(text, generation)
        );
    }
    let guessed = [OLD, ORGANIZED, BALLOT].map(|text| check(text.as_bytes(), Asked::default()).generation);
    assert_eq!(guessed, [Generation::V2, Generation::V3, Generation::V4]);
}

/// Each row: what is replaced by what, and all that is found.
fn table(text: &str, generation: Option<Generation>, rows: &[Row]) {
    for (from, to, expected) in rows {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, *text, "{from}");
        assert_eq!(found(&changed, generation), *expected, "{from} -> {to}");
    }
}

#[test]
fn the_root_up_to_stu3() {
    table(OLD, Some(Generation::V2), ROOT_ROWS);
    table(ORGANIZED, None, ORGANIZED_ROOT_ROWS);
}

#[test]
fn items_up_to_stu3() {
    table(OLD, Some(Generation::V2), ITEMS_ROWS);
    let relative = OLD.replacen("https://example.org/1", "1", 1);
    assert_eq!(
        found(&relative, Some(Generation::V1)),
        ["note url-not-absolute output[0].url"]
    );
    let stored = Asked {
        stored: true,
        ..Asked::default()
    };
    let relative = relative.replace("https://example.org/fhir/", "");
    assert!(check(relative.as_bytes(), stored).findings.is_empty());
    assert!(check(relative.as_bytes(), Asked::default()).has_errors());
}

#[test]
fn files_that_go_on_in_others() {
    let third = r#"{ "url": "https://example.org/3" }"#;
    let goes_on_in = |target: &str| format!(r#"{{ "url": "https://example.org/3", "continuesInFile": "{target}" }}"#);
    let rows: [(String, &[&str]); 4] = [
        (
            goes_on_in("https://example.org/4"),
            &["error continues-nowhere output[2].continuesInFile"],
        ),
        (
            goes_on_in("https://example.org/3"),
            &["error continues-in-itself output[2].continuesInFile"],
        ),
        (
            goes_on_in("https://example.org/2"),
            &["warning continues-twice output[2].continuesInFile"],
        ),
        (
            r#"{ "type": "Patient", "url": "https://example.org/3" }"#.into(),
            &["warning type-present output[2].type"],
        ),
    ];
    for (to, expected) in rows {
        let text = ORGANIZED.replacen(third, &to, 1);
        assert_eq!(found(&text, None), expected, "{to}");
    }
    let second = r#"{ "url": "https://example.org/2" }"#;
    let back = r#"{ "url": "https://example.org/2", "continuesInFile": "https://example.org/1" }"#;
    let circle = ORGANIZED.replacen(second, back, 1);
    assert_eq!(
        found(&circle, None),
        ["error continues-in-a-circle output[1].continuesInFile"]
    );
    let page = ORGANIZED.replacen(
        "\"error\"",
        r#""link": [{"relation":"next","url":"https://example.org/p"}], "error""#,
        1,
    );
    let on_the_next_page = page.replacen(third, &goes_on_in("https://example.org/4"), 1);
    assert!(found(&on_the_next_page, None).is_empty());
}

#[test]
fn the_ballot() {
    table(BALLOT, Some(Generation::V4), BALLOTS_ROWS);
}

#[test]
fn rules_of_another_generation_can_be_asked_for() {
    let found = found(OLD, Some(Generation::V4));
    let expected = [
        "warning request-present request",
        "error type-present deleted[0].type",
        "error list-name error",
        "error type-present error[0].type",
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_cannot_be_read_is_one_finding() {
    for (text, rule) in [
        ("", "empty"),
        ("{", "not-json"),
        ("[]", "not-a-manifest"),
        ("{\"output\":1}", "output-not-an-array"),
    ] {
        let checked = check(text.as_bytes(), Asked::default());
        assert_eq!(
            checked.findings.iter().map(|finding| finding.rule).collect::<Vec<_>>(),
            [rule]
        );
        assert!(checked.manifest.is_none() && checked.has_errors());
    }
    let twice = OLD.replacen("\"error\"", "\"output\": [], \"error\"", 1);
    let checked = check(twice.as_bytes(), Asked::default());
    assert_eq!(
        checked
            .findings
            .iter()
            .filter(|finding| finding.rule == "repeated-name")
            .count(),
        1
    );
    assert!(checked.manifest.is_none());
}
