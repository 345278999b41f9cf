//! Entries that delete come out as lines that the core reads as deletions, or tells as bad ones.

use fhirehose_core::deletion::{Deletion, Reading, read};
use fhirehose_core::search::kind::date::read_instant;

use super::super::deletion::{MOST_WAITING, Waiting};
use super::super::{UnpackErrorKind, Unpacker};
use super::{failure, lines, unpack_limited};

const DELETE: &str = r#"{"request":{"method":"DELETE","url":"Patient/a"}}"#;

/// `Type/id` and the second of 1970 of each deletion, `bad` for what is malformed, other lines as they are.
fn told(text: &str) -> Vec<String> {
    let name = |one: &Deletion| {
        let second = one.time.map(|time| format!("@{}", time / 1_000_000_000));
        format!("{}/{}{}", one.type_name, one.id, second.unwrap_or_default())
    };
    text.lines()
        .map(|line| match read(line.as_bytes(), Some("http://own")) {
            Reading::Deletions(all) => all.iter().map(name).collect::<Vec<_>>().join("+"),
            Reading::Malformed => "bad".to_owned(),
            Reading::NotDeletions => line.to_owned(),
        })
        .collect()
}

/// Of a Bundle with these members around its entries.
#[track_caller]
fn of(before: &str, entries: &str, behind: &str) -> Vec<String> {
    told(&lines(&format!(
        r#"{{"resourceType":"Bundle",{before} "entry" : [{entries}]{behind}}}"#
    )))
}

fn second(second: u32) -> String {
    format!("1970-01-01T00:00:{second:02}Z")
}

#[test]
fn deletions_come_out_between_the_resources_of_any_bundle() {
    let entries = format!(
        r#"{{"resource":{{"id":1}}, "request":{{"method":"PUT","url":"Patient/1"}}}}, {DELETE},
           {{"fullUrl":"urn:x", "request": {{"ifMatch":"x", "url":"http://own/Observation/b", "method": "DELETE"}}}},
           {{"request":{{"method":"PUT","url":"Patient/2"}}}}, {{"request":{{"method":"GET","url":"Patient"}}}},
           {{"request":null}}, {{"response":{{"status":"204"}}}}, {{}},
           {{"resource":{{"id":3,"request":{{"method":"DELETE","url":"Patient/no"}}}}}}"#
    );
    for bundle_type in ["transaction", "batch", "history"] {
        for (before, behind) in [
            (format!(r#""type":"{bundle_type}","#), String::new()),
            (String::new(), format!(r#","type":"{bundle_type}""#)),
        ] {
            let mut found = of(&before, &entries, &behind);
            // Deletions without a time wait for the end.
            found.sort();
            let own = r#"{"id":3,"request":{"method":"DELETE","url":"Patient/no"}}"#;
            assert_eq!(found, ["Observation/b", "Patient/a", "{\"id\":1}", own]);
        }
    }
}

#[test]
fn the_line_is_one_that_anybody_may_read() {
    let entry = r#"{"request":{"method":"DELETE","url":"Patient\/a"},"response":{"etag":"x","lastModified":"1970-01-01T00:00:01Z"}}"#;
    assert_eq!(
        lines(&format!(r#"{{"resourceType":"Bundle","entry":[{DELETE},{entry}]}}"#)),
        concat!(
            r#"{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Patient\/a"},"response":{"lastModified":"1970-01-01T00:00:01Z"}}]}"#,
            "\n",
            r#"{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Patient/a"}}]}"#,
            "\n"
        )
    );
}

/// The same as when the Bundle is a line, wherever the time stands.
#[test]
fn the_nearest_time_counts_before_the_entries_or_behind_them() {
    let own = DELETE.replace("}}", &format!(r#"}},"response":{{"lastModified":"{}"}}}}"#, second(1)));
    let stamp = format!(r#""timestamp":"{}""#, second(2));
    let meta = format!(r#""meta":{{"versionId":"7","lastUpdated":"{}"}}"#, second(3));
    let bad = r#""timestamp":"soon""#;
    let cases = [
        (own.as_str(), vec![stamp.as_str(), &meta], "Patient/a@1"),
        (DELETE, vec![&stamp, &meta], "Patient/a@2"),
        (DELETE, vec![&meta, &stamp], "Patient/a@2"),
        (DELETE, vec![&meta], "Patient/a@3"),
        (DELETE, vec![bad, &meta], "Patient/a@3"),
        (DELETE, vec![], "Patient/a"),
        (
            DELETE,
            vec![r#""meta":{"extension":[{"lastUpdated":"1970"}]}"#],
            "Patient/a",
        ),
    ];
    for (entry, members, expected) in cases {
        for before in 0..=members.len() {
            let around: Vec<String> = members[..before].iter().map(|member| format!("{member},")).collect();
            let behind: Vec<String> = members[before..].iter().map(|member| format!(",{member}")).collect();
            assert_eq!(of(&around.concat(), entry, &behind.concat()), [expected], "{members:?}");
            let all = format!(
                r#"{{"resourceType":"Bundle","type":"transaction",{}"entry":[{entry}]{}}}"#,
                around.concat(),
                behind.concat()
            );
            assert_eq!(told(&all), [expected], "as one line: {members:?}");
        }
    }
    // A document's time is not the next one's.
    let two = format!(
        r#"{{"resourceType":"Bundle","entry":[{DELETE}],{stamp}}}{{"resourceType":"Bundle","entry":[{DELETE}]}}"#
    );
    assert_eq!(told(&lines(&two)), ["Patient/a@2", "Patient/a"]);
    assert!(read_instant(&second(2)).is_some());
}

#[test]
fn what_cannot_be_applied_is_told() {
    for url in [
        "",
        "Patient",
        "Patient?identifier=x",
        "Patient/a/_history/2",
        "http://other/Patient/a",
        "urn:uuid:0",
    ] {
        let entry = DELETE.replace("Patient/a", url);
        assert_eq!(
            of("", &format!("{entry},{}", DELETE.replace("/a", "/b")), ""),
            ["bad", "Patient/b"],
            "{url}"
        );
    }
    let odd = [
        r#"{"request":{"method":"DELETE"}}"#,
        r#"{"request":{"method":"DELETE","url":["Patient/a"]}}"#,
        r#"{"request":{"method":"PUT","method":"DELETE","url":"Patient/a"}}"#,
        r#"{"request":{"method":"DELETE","url":"Patient/a","url":"Patient/b"}}"#,
        r#"{"request":{"method":"DELETE" "url":"Patient/a"}}"#,
        r#"{"request":{"method":"DELETE","url":"Patient/a","x":tru}}"#,
        r#"{"request":{"method":PUT}}"#,
        r#"{"request":[{"method":"DELETE","url":"Patient/a"}]}"#,
        r#"{"request":{"method":"PUT"},"request":{"method":"DELETE","url":"Patient/a"}}"#,
        r#"{"request":"DELETE Patient/a"}"#,
    ];
    for entry in odd {
        assert_eq!(of("", entry, ""), ["bad"], "{entry}");
    }
    for both in [
        r#"{"resource":{"id":1},"request":{"method":"DELETE","url":"Patient/a"}}"#,
        r#"{"request":{"method":"DELETE","url":"Patient/a"},"resource":{"id":1}}"#,
        r#"{"request":{"method":"DELETE","method":"PUT","url":"Patient/a"},"resource":{"id":1}}"#,
        r#"{"request":{"method":"DELETE"},"request":{"method":"PUT"},"resource":{"id":1}}"#,
    ] {
        assert_eq!(of("", both, ""), ["{\"id\":1}", "bad"], "{both}");
    }
}

#[test]
fn escaped_spellings_count() {
    let entry = r#"{"r\u0065quest":{"m\u0065thod":"D\u0045LETE","ur\u006c":"Pati\u0065nt/a"},"respons\u0065":{"l\u0061stModified":"1970-01-01T00:00:0\u0031Z"}}"#;
    assert_eq!(of("", entry, ""), ["Patient/a@1"]);
    assert_eq!(
        of("", DELETE, r#","tim\u0065stamp":"1970-01-01T00:00:02Z""#),
        ["Patient/a@2"]
    );
}

#[test]
fn a_bundle_whose_type_comes_last_may_delete() {
    let document = format!(
        r#"{{"entry":[{{"fullUrl":"x"}},{DELETE}],"timestamp":"{}","resourceType":"Bundle"}}"#,
        second(4)
    );
    assert_eq!(told(&lines(&document)), ["Patient/a@4"]);
    let (out, kind, _) = failure(&document.replace("Bundle", "List"));
    assert_eq!((out.as_str(), kind), ("", UnpackErrorKind::NotABundle));
    // What may yet be another resource is no deletion, and what cannot be read is told once it is a Bundle.
    for request in ["[]", "{\"method\":PUT}", "\"DELETE\""] {
        let document = format!(r#"{{"entry":[{{"request":{request}}}],"resourceType":"Bundle"}}"#);
        assert_eq!(failure(&document).1, UnpackErrorKind::EntryShape, "{request}");
        let other = document.replace("Bundle", "Other");
        assert_eq!(lines(&other), format!("{other}\n"));
    }
    let put = r#"{"entry":[{"request":{"method":"PUT"}}],"resourceType":"Bundle"}"#;
    assert_eq!(lines(put), "");
}

#[test]
fn bundles_in_arrays_and_in_bundles_are_left_alone() {
    let inner = format!(r#"{{"resourceType":"Bundle","type":"history","entry":[{DELETE}]}}"#);
    assert_eq!(lines(&format!("[{inner}]")), format!("{inner}\n"));
    assert_eq!(of("", &format!(r#"{{"resource":{inner}}}"#), ""), [inner]);
}

#[test]
fn a_small_limit_loses_nothing() {
    let document = format!(
        r#"{{"resourceType":"Bundle","entry":[{DELETE},{{"request":{{"method":"DELETE","ifMatch":"{}","url":"Patient/b"}}}}]}}"#,
        "x".repeat(300)
    );
    let (out, outcome) = unpack_limited(&document, 50);
    outcome.expect("the reader of lines tells what is too long");
    assert_eq!(told(&out), ["Patient/a", "Patient/b"]);
    let long = document.replace(&"x".repeat(300), &"x".repeat(100_000));
    let (out, outcome) = unpack_limited(&long, 50);
    outcome.expect("as before");
    assert_eq!(told(&out), ["bad", "Patient/a"]);
}

#[test]
fn what_waits_is_bounded() {
    let document = format!(r#"{{"resourceType":"Bundle","entry":[{DELETE},"#);
    let mut unpacker = Unpacker::new(100);
    let mut out = Vec::new();
    unpacker.push(document.as_bytes(), &mut out).expect("a Bundle");
    let more = format!("{DELETE},").repeat(1000);
    let mut pushed = 0usize;
    let error = loop {
        match unpacker.push(more.as_bytes(), &mut out) {
            Ok(()) => pushed += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind(), out.len()), (UnpackErrorKind::Deletions, 0));
    assert!((200..MOST_WAITING / 100_000).contains(&pushed), "{pushed}");
    // With a time there is nothing to wait for.
    let mut waiting = Waiting::default();
    waiting.timestamp(b"\"2024-01-01T00:00:00Z\"");
    for _ in 0..1000 {
        assert!(waiting.add(b"\"Patient/a\"", None, &mut out));
    }
    let written = out.len();
    waiting.end(&mut out);
    assert!(written > 1000 && out.len() == written);
}
