//! Tests of the survey.

use std::cell::Cell;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::*;

const CHUNK: usize = 256 << 10;

fn look(folder: &Path, names: &[&str], threads: usize, chunk: usize) -> Surveyed {
    let places: Vec<InputPlace> = names.iter().map(|name| InputPlace::File(folder.join(name))).collect();
    let registry = Registry::r4();
    let asked = Survey {
        inputs: &places,
        registry: &registry,
        threads,
        max_line: 4096,
        chunk,
    };
    survey(asked, &Progress::default(), &|| ())
}

fn facts(bytes: &[u8]) -> InputFacts {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("in.ndjson"), bytes).expect("writes");
    let surveyed = look(folder.path(), &["in.ndjson"], 1, CHUNK);
    assert!(surveyed.failed.is_none(), "{:?}", surveyed.failed);
    surveyed.inputs.into_iter().next().flatten().expect("read")
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("gzip");
    encoder.finish().expect("gzip")
}

#[test]
fn types_are_counted_with_their_bytes_and_the_latest_change() {
    let lines = [
        r#"{"resourceType":"Patient","id":"a","meta":{"lastUpdated":"2020-01-01T00:00:00+01:00"}}"#,
        r#"{"id":"b","resourceType":"Patient","meta":{"lastUpdated":"2020-01-01T00:00:00Z"}}"#,
        r#"{"resourceType":"Observation","status":"final"}"#,
        r#"{"resourceType":"Patient","id":"\u0063","meta":{"lastUpdated":"soon"}}"#,
        r#"{"resourceType":"Patient"}"#,
    ];
    let found = facts((lines.join("\n") + "\n").as_bytes());
    let patient = found.types["Patient"];
    assert_eq!(patient.resources, 4);
    let bytes = [lines[0], lines[1], lines[3], lines[4]].map(|line| line.len() as u64 + 1);
    assert_eq!(patient.bytes, bytes.iter().sum::<u64>());
    assert_eq!(patient.newest, Some(1_577_836_800_000_000_000));
    assert_eq!(found.types["Observation"].newest, None);
    assert_eq!(found.patients, b"a\nb\nc\n");
    assert_eq!((found.types.len(), found.bad), (2, 0));
}

#[test]
fn groups_are_kept_as_they_are() {
    let found = facts(b" {\"resourceType\":\"Group\",\"id\":\"g\"} \r\n\n{\"resourceType\":\"Group\" }");
    let groups: [&[u8]; 2] = [br#"{"resourceType":"Group","id":"g"}"#, br#"{"resourceType":"Group" }"#];
    assert_eq!(found.groups, groups);
}

#[test]
fn bad_lines_are_counted_and_passed_over() {
    let long = format!("{{\"resourceType\":\"Patient\",\"id\":\"{}\"}}", "x".repeat(5000));
    let lines = [
        r#"{"resourceType":"Patient","id":"a"}{"resourceType":"Patient","id":"b"}"#,
        r#"{"resourceType":"Patient","id":"c","x":tru}"#,
        r#"{"resourceType":"Patiant","id":"d"}"#,
        r#"{"id":"e"}"#,
        &long,
        "",
        r#"{"resourceType":"Patient","id":"f"}"#,
    ];
    let found = facts(lines.join("\n").as_bytes());
    assert_eq!(found.bad, 5);
    assert_eq!(found.patients, b"f\n");
    assert_eq!(found.types["Patient"].resources, 1);
}

#[test]
fn what_is_no_id_is_not_taken_down() {
    let lines = [
        r#"{"resourceType":"Patient","id":"a\nb"}"#.to_owned(),
        format!(r#"{{"resourceType":"Patient","id":"{}"}}"#, "x".repeat(256)),
        r#"{"resourceType":"Patient","id":["c"]}"#.to_owned(),
    ];
    let found = facts(lines.join("\n").as_bytes());
    assert_eq!((found.types["Patient"].resources, found.patients), (3, Vec::new()));
}

#[test]
fn deletions_are_no_bundles() {
    let deletions = fhirehose_core::deletion::lines([("Patient", "a"), ("Patient", "b")]);
    let mixed = r#"{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"x"}}]}"#;
    let other = r#"{"resourceType":"Bundle","type":"collection"}"#;
    let found = facts(format!("{deletions}{mixed}\n{other}\n").as_bytes());
    assert_eq!((found.deletions, found.bad), (2, 1));
    assert_eq!(found.types["Bundle"].resources, 1);
}

#[test]
fn an_empty_file_holds_nothing() {
    assert_eq!(facts(b""), InputFacts::default());
}

/// A large plain file, one of many gzip members, and small ones: the same for any number of threads and any chunk.
#[test]
fn threads_and_chunks_do_not_matter() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = |number: usize| match number % 5 {
        0 => format!("{{\"resourceType\":\"Group\",\"id\":\"g-{number}\"}}\n"),
        1 => "{\"resourceType\":\"Patient\",\"id\":\n".to_owned(),
        2 => format!("{{\"resourceType\":\"Observation\",\"id\":\"{number}\"}}\n"),
        _ => format!("{{\"resourceType\":\"Patient\",\"id\":\"p-{number}\"}}\n"),
    };
    let lines = |range: std::ops::Range<usize>| range.map(line).collect::<String>();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("writes");
    write("a.ndjson", lines(0..20_000).as_bytes());
    let members = (0..40).flat_map(|member| gzipped(lines(member * 500..member * 500 + 500).as_bytes()));
    write("b.ndjson.gz", &members.collect::<Vec<u8>>());
    write("c.ndjson.gz", &gzipped(lines(5..9000).as_bytes()));
    write(
        "d.json",
        br#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","id":"z"}}]}"#,
    );
    let names = ["a.ndjson", "b.ndjson.gz", "c.ndjson.gz", "d.json"];
    let one = look(folder.path(), &names, 1, CHUNK);
    let first = one.inputs[0].as_ref().expect("read");
    assert_eq!(first.types["Patient"].resources, 8000);
    assert_eq!((first.bad, first.groups.len()), (4000, 4000));
    assert!(first.patients.starts_with(b"p-3\np-4\np-8\n") && first.patients.ends_with(b"p-19999\n"));
    assert_eq!(one.inputs[1].as_ref(), Some(first));
    assert_eq!(
        one.inputs[3].as_ref().map(|found| &found.patients[..]),
        Some(&b"z\n"[..])
    );
    for threads in [2, 3, 8] {
        for chunk in [700, 16 << 10, CHUNK] {
            let found = look(folder.path(), &names, threads, chunk);
            assert!(found.failed.is_none());
            assert_eq!(found.inputs, one.inputs, "{threads} threads by {chunk}");
        }
    }
}

#[test]
fn an_input_that_cannot_be_read_is_told_and_those_before_it_are_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n".repeat(5000);
    std::fs::write(folder.path().join("a.ndjson"), &lines).expect("writes");
    let stored = gzipped(lines.as_bytes());
    std::fs::write(folder.path().join("b.ndjson.gz"), &stored[..stored.len() - 9]).expect("writes");
    std::fs::write(folder.path().join("c.ndjson"), &lines).expect("writes");
    for threads in [1, 2, 4] {
        let found = look(folder.path(), &["a.ndjson", "b.ndjson.gz", "c.ndjson"], threads, 4096);
        let failed = found.failed.as_ref().map(|(input, _)| *input);
        assert_eq!(failed, Some(1));
        assert_eq!(
            found.inputs[0].as_ref().map(|found| found.types["Patient"].resources),
            Some(5000)
        );
        assert_eq!(found.inputs[1], None);
        let missing = look(folder.path(), &["a.ndjson", "none.ndjson"], threads, 4096);
        assert!(matches!(missing.failed, Some((1, JobError::Input(_)))));
        assert!(missing.inputs[0].is_some() && missing.inputs[1].is_none());
    }
}

#[test]
fn progress_is_told_on_the_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let path: PathBuf = folder.path().join("a.ndjson");
    let bytes = "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n".repeat(1000);
    std::fs::write(&path, &bytes).expect("writes");
    let places = [InputPlace::File(path)];
    let registry = Registry::r4();
    let progress = Progress::default();
    let (ticks, last) = (Cell::new(0), Cell::new(0));
    let asked = Survey {
        inputs: &places,
        registry: &registry,
        threads: 1,
        max_line: 4096,
        chunk: 1000,
    };
    survey(asked, &progress, &|| {
        let read = progress.read.load(std::sync::atomic::Ordering::Relaxed);
        assert!(read >= last.replace(read));
        ticks.set(ticks.get() + 1);
    });
    assert!(ticks.get() > 10, "{ticks:?}");
    assert_eq!(last.get(), bytes.len() as u64);
}
