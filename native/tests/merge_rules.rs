//! What stands after a merge, and what a diff says, rule by rule.

mod exports;

use std::fs;

use exports::{Exports, run_diff, run_merge};
use fhirehose_native::job::JobError;
use fhirehose_native::snapshot::tally::{Finding, Numbers};
use fhirehose_native::snapshot::task::{Outcome, Task};

type Run = fn(&Task) -> Result<Outcome, JobError>;

/// A Patient whose content is `text`, changed in that second of a minute; `-`: at no known time.
fn patient(id: &str, second: &str, text: &str) -> String {
    let meta = match second {
        "-" => String::new(),
        _ => format!(r#""meta":{{"lastUpdated":"2024-01-01T00:00:{second}Z"}},"#),
    };
    format!(r#"{{"resourceType":"Patient","id":"{id}",{meta}"text":"{text}"}}"#)
}

fn deletions(targets: &[&str], more: &str) -> String {
    let entry = |target: &&str| format!(r#"{{"request":{{"method":"DELETE","url":"{target}"}}}}"#);
    let entries: Vec<String> = targets.iter().map(entry).collect();
    format!(
        r#"{{"resourceType":"Bundle","type":"transaction"{more},"entry":[{}]}}"#,
        entries.join(",")
    )
}

fn merged(parts: &[&[&str]]) -> (Vec<String>, Outcome) {
    let exports = Exports::new();
    let names: Vec<String> = (0..parts.len()).map(|number| format!("part-{number}")).collect();
    for (name, lines) in names.iter().zip(parts) {
        exports.lines(name, lines);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let outcome = run_merge(&exports.task(&names, "out")).expect("merges");
    (exports.texts("out"), outcome)
}

fn codes(outcome: &Outcome) -> Vec<(&'static str, u64)> {
    outcome
        .findings
        .iter()
        .map(|(finding, count)| (finding.code(), *count))
        .collect()
}

#[test]
fn the_newest_version_stands_byte_for_byte_in_the_order_of_inputs() {
    let (old, new) = (patient("a", "05", "old"), patient("a", "06", "new"));
    let spaced = r#" {"id":"\u0062", "resourceType":"Patient"}"#;
    let (found, outcome) = merged(&[&[&old, spaced], &[&new, &patient("c", "-", "x")]]);
    assert_eq!(found, [spaced, &new, &patient("c", "-", "x")]);
    assert_eq!(
        outcome.numbers,
        Numbers {
            replaced: 1,
            ..Numbers::default()
        }
    );
    let (found, outcome) = merged(&[&[&new], &[&old]]);
    assert_eq!(found, [new.as_str()]);
    assert_eq!(outcome.numbers.outdated, 1);
}

#[test]
fn ids_are_of_a_type_and_escapes_are_no_difference() {
    let group = r#"{"resourceType":"Group","id":"a"}"#;
    let (found, _) = merged(&[&[&patient("a", "-", "1"), group], &[&patient("\\u0061", "-", "2")]]);
    assert_eq!(found, [group, &patient("\\u0061", "-", "2")]);
}

#[test]
fn deletions_are_applied_and_told() {
    let gone = deletions(&["Patient/a", "Patient/b", "Patient/nobody", "Patiant/x"], "");
    let back = patient("b", "01", "back");
    let parts: [&[&str]; 3] = [
        &[
            &patient("a", "05", "x"),
            &patient("b", "05", "x"),
            &patient("c", "05", "x"),
        ],
        &[&gone],
        &[&back],
    ];
    let (found, outcome) = merged(&parts);
    assert_eq!(found, [patient("c", "05", "x"), back]);
    assert_eq!(codes(&outcome), [("resurrected", 1)]);
    assert_eq!((outcome.numbers.deleted, outcome.numbers.deleted_nothing), (2, 1));
    assert_eq!((outcome.arguments[1].resources, outcome.arguments[1].deletions), (0, 4));
    assert!(!outcome.has_faults());
    let place = &outcome.places[0];
    assert_eq!((place.finding, place.line), (Finding::Resurrected, 1));
    assert!(place.input.contains("part-2"), "{place:?}");
}

#[test]
fn a_version_newer_than_its_deletion_stays() {
    let gone = deletions(&["Patient/a"], r#","timestamp":"2024-01-01T00:00:04Z""#);
    let (found, outcome) = merged(&[&[&patient("a", "05", "x")], &[&gone]]);
    assert_eq!(found.len(), 1);
    assert_eq!(codes(&outcome), [("newer-than-deletion", 1)]);
}

/// Documents say the same as lines, whether a folder or a manifest says what they are, and wherever their time stands.
#[test]
fn documents_delete_as_lines_do() {
    let entries = format!(
        r#"{{"request": {{"method": "DELETE", "url": "Patient/a"}}}},
           {{"request": {{"method": "DELETE", "url": "Patient/b"}}}},
           {{"resource": {}, "request": {{"method": "PUT", "url": "Patient/d"}}}}"#,
        patient("d", "05", "new")
    );
    let stamp = r#""timestamp": "2024-01-01T00:00:04Z""#;
    let document = |entries: &str| {
        format!("{{\"resourceType\": \"Bundle\",\n\"type\": \"history\", \"entry\": [{entries}],\n{stamp}}}")
    };
    let manifest = r#"{"output":[{"type":"Bundle","url":"b.json"}]}"#;
    for has_manifest in [false, true] {
        let exports = Exports::new();
        let held = [
            patient("a", "03", "x"),
            patient("b", "05", "x"),
            patient("c", "05", "x"),
        ];
        exports.lines("old", &held.each_ref().map(String::as_str));
        exports.write("new/b.json", document(&entries));
        if has_manifest {
            exports.write("new/manifest.json", manifest);
        }
        let outcome = run_merge(&exports.task(&["old", "new"], "out")).expect("merges");
        let mut found = exports.texts("out");
        found.sort();
        assert_eq!(
            found,
            [
                patient("b", "05", "x"),
                patient("c", "05", "x"),
                patient("d", "05", "new")
            ]
        );
        assert_eq!((outcome.arguments[1].resources, outcome.arguments[1].deletions), (1, 2));
        assert_eq!(codes(&outcome), [("newer-than-deletion", 1)]);
    }
    // In `deleted/` nothing else may stand.
    let exports = Exports::new();
    exports.lines("old", &[&patient("a", "03", "x"), &patient("b", "03", "x")]);
    exports.write("new/deleted/b.json", document(&entries));
    let outcome = run_merge(&exports.task(&["old", "new"], "out")).expect("merges");
    assert_eq!((exports.texts("out").len(), outcome.report.bad_lines()), (0, 1));
    exports.write(
        "new/deleted/b.json",
        document(r#"{"request":{"method":"DELETE","url":"Patient/a"}}"#),
    );
    let outcome = run_merge(&exports.task(&["old", "new"], "again")).expect("merges");
    assert_eq!((exports.texts("again").len(), outcome.report.bad_lines()), (1, 0));
}

#[test]
fn contradictions_within_one_export_are_told() {
    let parts: [&[&str]; 2] = [
        &[
            &patient("a", "05", "1"),
            &patient("a", "05", "2"),
            &patient("a", "05", "2"),
        ],
        &[&patient("b", "05", "x"), &deletions(&["Patient/b"], "")],
    ];
    let (found, outcome) = merged(&parts);
    assert_eq!(found, [patient("a", "05", "2")]);
    assert_eq!(codes(&outcome), [("conflict", 1), ("deleted-and-present", 1)]);
    assert_eq!(outcome.numbers.repeated, 1);
    assert!(outcome.has_faults());
}

#[test]
fn resources_without_an_id_are_kept_as_often_as_the_export_has_that_holds_most() {
    let (one, respelled, other) = (
        r#"{"resourceType":"Basic","x":1,"y":2}"#,
        r#"{"resourceType":"Basic","y":2,"x":1}"#,
        r#"{"resourceType":"Basic","x":2}"#,
    );
    let (found, outcome) = merged(&[&[one, one, other], &[respelled, other, other], &[one, one, one]]);
    let count = |line: &str| found.iter().filter(|found| *found == line).count();
    assert_eq!((count(one), count(respelled), count(other)), (3, 0, 2));
    assert_eq!(outcome.numbers.nameless, 9);
}

#[test]
fn bad_lines_are_told_and_left_out() {
    let mixed = r#"{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Patient/a"}},{"request":{"method":"PUT","url":"Patient/b"}}]}"#;
    let lines = [
        &patient("a", "05", "x"),
        "{\"resourceType\":",
        mixed,
        &deletions(&["Patient?x=y"], ""),
    ];
    let (found, outcome) = merged(&[&lines, &[]]);
    assert_eq!(found.len(), 1);
    let bad: Vec<_> = outcome
        .report
        .bad
        .iter()
        .map(|(kind, count)| (kind.code(), *count))
        .collect();
    assert_eq!(bad, [("syntax", 1), ("deletions", 2)]);
    let lines: Vec<u64> = outcome.report.places.iter().map(|place| place.position.line).collect();
    assert_eq!(lines, [2, 3, 4]);
    assert!(outcome.has_faults());
}

#[test]
fn what_a_manifest_lists_as_output_holds_resources_only() {
    let exports = Exports::new();
    let bundle = deletions(&["Patient/a"], r#","id":"b""#);
    exports.write("full/Patient.ndjson", patient("a", "05", "x"));
    exports.write("full/Bundle.ndjson", &bundle);
    exports.write("full/gone.ndjson", "");
    exports.write(
        "full/manifest.json",
        r#"{"output":[{"url":"Patient.ndjson","count":1},{"url":"Bundle.ndjson","count":1}],"deleted":[{"url":"gone.ndjson"}]}"#,
    );
    exports.write("delta/deleted/lines.ndjson", patient("z", "05", "x"));
    let outcome = run_merge(&exports.task(&["full", "delta"], "out")).expect("merges");
    assert_eq!(exports.texts("out"), [bundle, patient("a", "05", "x")]);
    let bad: Vec<_> = outcome.report.bad.iter().map(|(kind, _)| kind.code()).collect();
    assert_eq!(bad, ["deletions"], "a resource in a folder of deletions");
}

#[test]
fn an_export_that_is_not_what_its_manifest_counts_is_refused() {
    let exports = Exports::new();
    exports.write("full/Patient.ndjson", format!("{}\n\n", patient("a", "05", "x")));
    exports.lines("delta", &[]);
    for (count, is_right) in [(0, false), (1, true), (2, false)] {
        let manifest = format!(r#"{{"output":[{{"url":"Patient.ndjson","count":{count}}}]}}"#);
        exports.write("full/manifest.json", manifest);
        let done = run_merge(&exports.task(&["full", "delta"], &format!("out-{count}")));
        match done {
            Ok(_) => assert!(is_right, "{count}"),
            Err(error) => {
                assert!(!is_right && matches!(error, JobError::Mismatch { .. }), "{error}");
                let text =
                    format!("Patient.ndjson: the export is incomplete: its manifest counts {count}, the file has 1");
                assert!(error.to_string().ends_with(&text), "{error}");
                assert!(!exports.path(&format!("out-{count}")).exists());
            }
        }
    }
}

#[test]
fn a_diff_says_what_was_added_changed_and_deleted() {
    let exports = Exports::new();
    let same = r#"{"resourceType":"Patient","id":"same","a":1,"b":"\u00e9"}"#;
    let respelled = r#"{ "b": "é", "a": 1, "id": "same", "resourceType": "Patient" }"#;
    exports.lines(
        "old",
        &[
            same,
            &patient("a", "05", "x"),
            &patient("gone", "05", "x"),
            &patient("b", "05", "x"),
        ],
    );
    exports.lines(
        "new",
        &[
            respelled,
            &patient("a", "05", "y"),
            &patient("c", "05", "x"),
            &patient("b", "04", "y"),
        ],
    );
    let outcome = run_diff(&exports.task(&["old", "new"], "out")).expect("compares");
    assert_eq!(
        exports.texts("out"),
        [
            patient("a", "05", "y"),
            patient("c", "05", "x"),
            patient("b", "04", "y")
        ]
    );
    assert_eq!(
        exports.read("out/deleted/Bundle.000.ndjson"),
        format!("{}\n", deletions(&["Patient/gone"], ""))
    );
    let changes = outcome.changes[0].1;
    let numbers = [changes.added, changes.changed, changes.deleted, changes.unchanged];
    assert_eq!((outcome.changes[0].0.as_str(), numbers), ("Patient", [1, 2, 1, 1]));
    assert_eq!(codes(&outcome), [("back-in-time", 1)]);
    assert!(
        exports
            .read("out/manifest.json")
            .contains("\"urn:fhirehose:replaces\": true")
    );
    let mut task = exports.task(&["old", "new"], "by-bytes");
    task.by_bytes = true;
    assert_eq!(run_diff(&task).expect("compares").changes[0].1.changed, 3);
    // The whole way round: NEW, but for the spelling of what is unchanged.
    run_merge(&exports.task(&["old", "by-bytes"], "again")).expect("merges");
    assert_eq!(exports.sorted("again"), exports.sorted("new"));
}

#[test]
fn a_diff_tells_what_it_cannot_say() {
    let exports = Exports::new();
    let nameless = r#"{"resourceType":"Basic","x":1}"#;
    let odd = r#"{"resourceType":"Patient","id":"a/b c"}"#;
    exports.lines("old", &[nameless, nameless, odd]);
    exports.lines("new", &[nameless]);
    let outcome = run_diff(&exports.task(&["old", "new"], "out")).expect("compares");
    assert_eq!(codes(&outcome), [("not-deletable", 1), ("nameless-gone", 1)]);
    assert!(outcome.has_faults());
    let outcome = run_diff(&exports.task(&["new", "old"], "other")).expect("compares");
    assert!(!outcome.has_faults());
    run_merge(&exports.task(&["new", "other"], "again")).expect("merges");
    assert_eq!(exports.sorted("again"), exports.sorted("old"));
}

#[test]
fn nothing_changed_gives_an_empty_delta() {
    let exports = Exports::new();
    exports.lines("old", &[&patient("a", "05", "x")]);
    let outcome = run_diff(&exports.task(&["old", "old"], "out")).expect("compares");
    assert!(outcome.report.files.is_empty() && !outcome.has_faults());
    run_merge(&exports.task(&["old", "out"], "again")).expect("merges");
    assert_eq!(exports.sorted("again"), exports.sorted("old"));
}

#[test]
fn the_output_is_the_same_for_any_threads_chunks_and_memory() {
    let exports = Exports::new();
    let line = |number: u32, text: &str| patient(&format!("p{}", number % 700), &format!("{:02}", number % 60), text);
    let full: Vec<String> = (0..2000)
        .map(|number| line(number, &format!("full {number}")))
        .collect();
    let delta: Vec<String> = (300..1500)
        .map(|number| line(number * 7, &format!("delta {number}")))
        .collect();
    let texts = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    exports.write("full/a.ndjson", texts(&full));
    exports.write("delta/a.ndjson", texts(&delta));
    let mut expected = None;
    for (threads, chunk, memory) in [(1, 256 << 10, 1 << 30), (3, 1000, 0), (2, 77, 64 << 20)] {
        let mut found = Vec::new();
        for (run, name) in [(run_merge as Run, "merged"), (run_diff, "delta")] {
            let name = format!("{name}-{threads}");
            let mut task = exports.task(&["full", "delta"], &name);
            (task.threads, task.chunk, task.memory) = (threads, chunk, memory);
            let outcome: Outcome = run(&task).expect("runs");
            assert_eq!(outcome.runs_on_disk > 0, memory == 0);
            let files = ["Patient.000.ndjson", "deleted/Bundle.000.ndjson", "manifest.json"];
            found.extend(files.map(|file| exports.read(&format!("{name}/{file}"))));
            found.push(format!(
                "{:?} {:?} {:?}",
                outcome.numbers, outcome.findings, outcome.places
            ));
        }
        assert!(!found[0].is_empty() && !found[5].is_empty());
        assert!(
            *expected.get_or_insert_with(|| found.clone()) == found,
            "{threads} threads by {chunk}"
        );
    }
}

#[test]
fn a_file_that_cannot_be_read_to_its_end_leaves_nothing() {
    let exports = Exports::new();
    let lines = format!("{}\n", patient("a", "05", "x")).repeat(1000);
    let mut cut = exports::gzip(lines.as_bytes());
    cut.truncate(cut.len() - 5);
    exports.write("full/a.ndjson", &lines);
    exports.write("delta/a.ndjson.gz", cut);
    let error = run_merge(&exports.task(&["full", "delta"], "out")).expect_err("truncated");
    assert!(matches!(error, JobError::Input(_)), "{error}");
    assert!(!exports.path("out").exists());
}

/// Whatever else is in the hidden folder goes with it, the runs of a killed merge too.
#[test]
fn runs_of_a_merge_that_was_killed_are_cleaned_up() {
    let exports = Exports::new();
    exports.lines("full", &[&patient("a", "05", "x")]);
    exports.write("out/.fhirehose-partial/run.1", "half");
    run_merge(&exports.task(&["full", "full"], "out")).expect("merges");
    let left = fs::read_dir(exports.path("out")).expect("a folder").count();
    assert_eq!(left, 2, "a file and the manifest");
}
