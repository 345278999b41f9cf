//! Documents in, lines out, however the bytes are cut.

mod deletions;

use super::{Layout, UnpackError, UnpackErrorKind, Unpacker};

fn unpack_by(document: &[u8], size: usize, limit: usize) -> (String, Result<(), UnpackError>) {
    let mut unpacker = Unpacker::new(limit);
    let mut out = Vec::new();
    let mut outcome = Ok(());
    for piece in document.chunks(size) {
        outcome = unpacker.push(piece, &mut out);
        if outcome.is_err() {
            break;
        }
    }
    let end = unpacker.finish(&mut out);
    (String::from_utf8_lossy(&out).into_owned(), outcome.and(end))
}

/// Unpacks in one piece, and checks that any other cut gives the same.
#[track_caller]
fn unpack_limited(document: &str, limit: usize) -> (String, Result<(), UnpackError>) {
    let whole = unpack_by(document.as_bytes(), document.len().max(1), limit);
    for size in [1, 2, 3, 5, 7, 64] {
        assert_eq!(
            unpack_by(document.as_bytes(), size, limit),
            whole,
            "pieces of {size} bytes"
        );
    }
    whole
}

#[track_caller]
fn lines(document: &str) -> String {
    let (lines, outcome) = unpack_limited(document, 1 << 20);
    outcome.expect("the document is understood");
    lines
}

#[track_caller]
fn failure(document: &str) -> (String, UnpackErrorKind, u64) {
    let (lines, outcome) = unpack_limited(document, 1 << 20);
    let error = outcome.expect_err("the document is not understood");
    (lines, error.kind(), error.offset())
}

#[test]
fn bundle_becomes_its_resources() {
    let document = r#"{
      "resourceType": "Bundle", "type": "searchset",
      "link": [{"relation": "self", "url": "x", "entry": [{"resource": {"no": 1}}]}],
      "entry": [
        {"fullUrl": "urn:1", "resource": {"resourceType": "Patient", "id": "1", "name": [ {"family": "a  b"} ]}},
        {"search": {"resource": {"no": 2}}},
        {"resource": {"resourceType": "Bundle", "entry": [{"resource": {"id": "inner"}}]}, "response": {"outcome": {}}},
        {"resource": {"resourceType": "X", "contained": [{"entry": [{"resource": {}}]}], "resource": {"q": [1, 2]}}}
      ]
    }"#;
    assert_eq!(
        lines(document),
        concat!(
            r#"{"resourceType":"Patient","id":"1","name":[{"family":"a  b"}]}"#,
            "\n",
            r#"{"resourceType":"Bundle","entry":[{"resource":{"id":"inner"}}]}"#,
            "\n",
            r#"{"resourceType":"X","contained":[{"entry":[{"resource":{}}]}],"resource":{"q":[1,2]}}"#,
            "\n",
        )
    );
}

#[test]
fn bundle_whose_type_comes_last_is_unpacked_in_bounded_memory() {
    let document =
        r#"{"entry":[{"fullUrl":"a"},{"resource":{"id":"1"}},{"resource":{"id":"2"}}],"resourceType":"Bundle"}"#;
    let (out, outcome) = unpack_limited(document, 12);
    outcome.expect("understood");
    assert_eq!(out, "{\"id\":\"1\"}\n{\"id\":\"2\"}\n");
}

#[test]
fn arrays_single_resources_and_several_documents() {
    assert_eq!(
        lines(r#" [ {"id" : 1} , {"resourceType":"Bundle","entry":[{"resource":{}}]} ] "#),
        concat!(
            "{\"id\":1}\n",
            "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{}}]}\n"
        )
    );
    assert_eq!(
        lines("{\n \"resourceType\" : \"Patient\",\r\n\t\"id\":\"x\" }\n"),
        "{\"resourceType\":\"Patient\",\"id\":\"x\"}\n"
    );
    assert_eq!(
        lines(r#"{"id":"untyped", "a": [ ]}"#),
        "{\"id\":\"untyped\",\"a\":[]}\n"
    );
    assert_eq!(
        lines(
            "{\"resourceType\":\"A\"}{\"resourceType\":\"B\"}\n[{\"c\":1}] {\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"d\":1}}]}"
        ),
        "{\"resourceType\":\"A\"}\n{\"resourceType\":\"B\"}\n{\"c\":1}\n{\"d\":1}\n"
    );
    for empty in [
        "",
        "  \n",
        "[]",
        "[ ]",
        r#"{"resourceType":"Bundle"}"#,
        r#"{"resourceType":"Bundle","entry":[]}"#,
    ] {
        assert_eq!(lines(empty), "", "{empty:?}");
    }
}

#[test]
fn bytes_within_a_resource_stay() {
    let resource = r#"{"a":1.10,"b":-0.0E+07,"c":"\u0041\/ \"{[,","d":"é 😀\\","e":[true,null],"a":2}"#;
    assert_eq!(lines(&format!("[{resource}]")), format!("{resource}\n"));
}

#[test]
fn escaped_spellings_of_members_count() {
    let document = r#"{"resourc\u0065Type":"\u0042undle","\u0065ntry":[{"r\u0065source":{"id":1}}]}"#;
    assert_eq!(lines(document), "{\"id\":1}\n");
    let everything: String = "resourceType".bytes().map(|byte| format!("\\u00{byte:02X}")).collect();
    assert_eq!(
        lines(&format!(r#"{{"{everything}":"Bundle","entry":[{{"resource":{{}}}}]}}"#)),
        "{}\n"
    );
    let other = r#"{"resourceType":"List","entr":[{"resource":{}}],"entryy":[{"resource":{}}]}"#;
    assert_eq!(lines(other), format!("{other}\n"));
}

#[test]
fn list_with_entries_before_its_type_is_one_resource() {
    let document = r#"{"entry":[{"item":{"reference":"a"}}],"resourceType":"List"}"#;
    assert_eq!(lines(document), format!("{document}\n"));
    let odd = r#"{"resourceType":"List","entry":[{"resource":{"id":1}}]}"#;
    assert_eq!(lines(odd), format!("{odd}\n"));
    let (out, kind, offset) = failure(r#"{"entry":[{"resource":{"id":1}}],"resourceType":"List"}"#);
    assert_eq!(
        (out.as_str(), kind, offset),
        ("{\"id\":1}\n", UnpackErrorKind::NotABundle, 53)
    );
}

#[test]
fn byte_order_mark_is_skipped() {
    assert_eq!(lines("\u{feff}[{}]"), "{}\n");
    assert_eq!(
        unpack_by(b"\xef\xbb", 1, 9).1.map_err(|e| e.kind()),
        Err(UnpackErrorKind::Truncated)
    );
    assert!(unpack_by(b"\xef[]", 1, 9).1.is_err());
    assert!(unpack_by("[]\u{feff}".as_bytes(), 1, 9).1.is_err());
}

#[test]
fn minifying_makes_nothing_valid_that_was_not() {
    assert_eq!(
        lines(r#"[{"a": 1 2}, {"a":tru e}, {"a":- 1 }]"#),
        "{\"a\":1 2}\n{\"a\":tru e}\n{\"a\":- 1}\n"
    );
    assert_eq!(lines("[{\"a\":\"x\ny\"}]"), "{\"a\":\"x\ty\"}\n");
    assert_eq!(lines("[{\"a\":\"x\\\ny\"}]"), "{\"a\":\"x\\\ty\"}\n");
    assert!(serde_json::from_str::<serde_json::Value>("{\"a\":\"x\ty\"}").is_err());
}

#[test]
fn malformed_resources_and_odd_elements_are_passed_on() {
    assert_eq!(
        lines(r#"[1, "x", null, [{}], {"a" "b"}]"#),
        "1\n\"x\"\nnull\n[{}]\n{\"a\"\"b\"}\n"
    );
    assert_eq!(
        lines(r#"{"id":"1" "resourceType":"Patient"}"#),
        "{\"id\":\"1\"\"resourceType\":\"Patient\"}\n"
    );
    assert_eq!(
        lines(r#"{"resourceType":"Bundle","entry":[null,{"resource":"s"},{"resource":{}}],"entry":{"resource":{}}}"#),
        "null\n\"s\"\n{}\n{\"resource\":{}}\n"
    );
}

#[test]
fn misfits_of_a_bundle_not_yet_known_are_errors() {
    let (out, kind, offset) = failure(r#"{"entry":[null],"resourceType":"Bundle"}"#);
    assert_eq!((out.as_str(), kind, offset), ("", UnpackErrorKind::EntryShape, 10));
    let foreign = r#"{"entry":[null],"resourceType":"Other"}"#;
    assert_eq!(lines(foreign), format!("{foreign}\n"));
}

#[test]
fn broken_documents_deliver_what_is_complete() {
    let bundle = r#"{"resourceType":"Bundle","entry":[{"resource":{"id":1}},"#;
    for (tail, at) in [
        ("{\"resource\":{]", 13),
        ("}", 0),
        (",", 0),
        ("{\"a\" 1", 5),
        ("{\"resource\":{}} {", 16),
    ] {
        let (out, kind, offset) = failure(&format!("{bundle}{tail}"));
        assert!(out.starts_with("{\"id\":1}\n"), "{tail}");
        assert!(matches!(kind, UnpackErrorKind::Unexpected { .. }), "{tail}: {kind:?}");
        assert_eq!(offset, (bundle.len() + at) as u64, "{tail}");
    }
    assert_eq!(failure("[{}] x").2, 5);
    assert_eq!(failure("hello").2, 0);
    assert_eq!(failure("[{} {}]").0, "{}\n");
    assert!(matches!(failure(&"[".repeat(20_000)).1, UnpackErrorKind::TooDeep));
}

#[test]
fn every_truncation_is_an_error_and_keeps_what_is_complete() {
    let whole = r#"{"resourceType":"Bundle","entry":[{"resource":{"id":"1"}},{"resource":{"id":"\u0032"}}]}"#;
    let expected = lines(whole);
    for end in 1..whole.len() {
        let (out, kind, offset) = failure(&whole[..end]);
        assert_eq!((kind, offset), (UnpackErrorKind::Truncated, end as u64));
        assert!(expected.starts_with(&out));
        assert_eq!(out.lines().count(), whole[..end].matches("\"}").count(), "{end}");
    }
}

#[test]
fn resource_over_the_limit_is_one_bad_line() {
    let long = "x".repeat(100);
    let (out, outcome) = unpack_limited(&format!(r#"[{{"id":"{long}"}},{{"id":"b"}},{{"id":"cd"}}]"#), 10);
    outcome.expect("the rest is read");
    assert_eq!(
        out,
        "{\"id\":\"xxxx\n{\"id\":\"b\"}\n{\"id\":\"cd\"\n".replace("\"cd\"\n", "\"cd\"}\n")
    );
    assert_eq!(out.lines().next().map(str::len), Some(11));
}

#[test]
fn layout_is_told_by_name_and_first_byte() {
    for name in [
        "a.json",
        "a.JSON",
        "dir.x/a.json.gz",
        "a.json.zst",
        "a.Json.Br",
        "a.json.bz2",
        "a.json.xz",
    ] {
        assert_eq!(Layout::detect(name, b""), Some(Layout::Documents), "{name}");
    }
    for name in ["a.ndjson", "a.jsonl.gz", "standard input", "a.json.txt", "json"] {
        assert_eq!(Layout::detect(name, b" \r\n\t"), None, "{name}");
        assert_eq!(
            Layout::detect(name, b"\xef\xbb\xbf\n ["),
            Some(Layout::Documents),
            "{name}"
        );
        assert_eq!(
            Layout::detect(name, b" {\"resourceType\":\"Bundle\"}"),
            Some(Layout::Lines),
            "{name}"
        );
    }
}

/// Unpacks with serde_json, the slow way: resources, and then what is deleted.
fn oracle(document: &serde_json::Value) -> String {
    let entries = document["entry"].as_array().cloned().unwrap_or_default();
    let resources = entries.iter().filter_map(|entry| entry.get("resource"));
    let deletions = entries
        .iter()
        .filter(|entry| entry["request"]["method"] == "DELETE")
        .map(|entry| {
            let url = &entry["request"]["url"];
            serde_json::json!({
                "resourceType": "Bundle",
                "type": "transaction",
                "entry": [{"request": {"method": "DELETE", "url": url}}],
            })
        });
    resources
        .cloned()
        .chain(deletions)
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn pretty_printed_bundles_agree_with_serde_json() {
    let mut seed = 7_u64;
    let mut next = move |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    fn value(depth: u32, next: &mut dyn FnMut(u64) -> u64) -> serde_json::Value {
        let words = [
            "entry",
            "resource",
            "resourceType",
            "Bundle",
            "a \"q\" \\",
            "line\nfeed",
            "\u{e9}{[",
            "",
        ];
        match next(if depth == 0 { 4 } else { 7 }) {
            0 => serde_json::json!(next(1000)),
            1 => serde_json::json!(null),
            2 => serde_json::json!(next(2) == 0),
            3 => serde_json::json!(words[next(8) as usize]),
            4 => (0..next(4)).map(|_| value(depth - 1, next)).collect(),
            _ => {
                let count = next(4);
                let members = (0..count).map(|_| (words[next(8) as usize].to_owned(), value(depth - 1, next)));
                serde_json::Value::Object(members.collect())
            }
        }
    }
    for _ in 0..300 {
        let entries: Vec<_> = (0..next(5))
            .map(|_| match next(3) {
                0 => serde_json::json!({"response": value(3, &mut next), "request": {
                    "a": value(2, &mut next), "method": "DELETE", "url": value(0, &mut next).to_string(),
                }}),
                _ => serde_json::json!({"fullUrl": value(2, &mut next), "resource": {"x": value(4, &mut next)}}),
            })
            .collect();
        let document = serde_json::json!({"link": value(3, &mut next), "resourceType": "Bundle", "entry": entries});
        let pretty = serde_json::to_string_pretty(&document).expect("values print");
        assert_eq!(lines(&pretty), oracle(&document));
    }
}

#[test]
fn damaged_documents_never_depend_on_the_pieces() {
    let whole = concat!(
        "{\"id\": \"x\", \"entry\" : [ {\"resource\": {\"id\": \"1\", \"n\": [1, 2.5e3 , tru e]}},\n {\"resource\":",
        "{\"s\":\"q\\\"\\\\ \\u00e9 a string longer than the short ones are\"}},\n {\"request\": {\"method\": \"DELETE\",",
        "\"url\": \"A/b\"}, \"response\" : {\"lastModified\": \"2024-01-01T00:00:00Z\"}}], \"meta\": {\"lastUpdated\": \"2024\"},",
        " \"resourceType\": \"Bundle\"}\n[1 , {}]"
    );
    let insertions = *b"\"\\{}[],: \n1a\t";
    let mut seed = 3_u64;
    let mut next = |below: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for _ in 0..3000 {
        let mut damaged = whole.as_bytes().to_vec();
        for _ in 0..=next(3) {
            let at = next(damaged.len());
            match next(3) {
                0 => damaged[at] = insertions[next(insertions.len())],
                1 => damaged.insert(at, insertions[next(insertions.len())]),
                _ => drop(damaged.remove(at)),
            }
        }
        let text = String::from_utf8(damaged).expect("ASCII stays ASCII");
        let (out, _) = unpack_limited(&text, 1 << 20);
        assert!(out.is_empty() || out.ends_with('\n'));
        assert!(out.lines().all(|line| !line.trim().is_empty()), "no line is blank");
    }
}
