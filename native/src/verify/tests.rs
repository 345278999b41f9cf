//! Exports that are whole, and exports in which one thing is wrong.

use std::collections::BTreeSet;
use std::fs;

use super::*;
use crate::folder::PARTIAL;

mod odd;

struct Export {
    folder: tempfile::TempDir,
    /// Names of the files, their list, type and lines.
    files: Vec<(String, &'static str, &'static str, Vec<String>)>,
}

fn patient(id: usize) -> String {
    format!(r#"{{"resourceType":"Patient","id":"p{id}","meta":{{"lastUpdated":"2020-01-01T00:00:00Z"}}}}"#)
}

fn observation(id: usize, of: usize) -> String {
    format!(
        r##"{{"resourceType":"Observation","id":"o{id}","subject":{{"reference":"Patient/p{of}"}},"focus":[{{"reference":"#c"}},{{"reference":"https://example.org/Device/1"}}]}}"##
    )
}

impl Export {
    /// Three lists, several files, 60 lines in some.
    fn new() -> Export {
        let observations = |from: usize| (from..from + 60).map(|id| observation(id, id % 10)).collect();
        let deletion = r#"{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Patient/gone1"}},{"request":{"method":"DELETE","url":"Patient/gone2"}}]}"#;
        let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid"}]}"#;
        Export {
            folder: tempfile::tempdir().expect("a folder"),
            files: vec![
                (
                    "Patient.000.ndjson".into(),
                    "output",
                    "Patient",
                    (0..10).map(patient).collect(),
                ),
                (
                    "Observation.000.ndjson".into(),
                    "output",
                    "Observation",
                    observations(0),
                ),
                (
                    "Observation.001.ndjson".into(),
                    "output",
                    "Observation",
                    observations(60),
                ),
                (
                    "deleted/Bundle.000.ndjson".into(),
                    "deleted",
                    "Bundle",
                    vec![deletion.into()],
                ),
                (
                    "error/OperationOutcome.000.ndjson".into(),
                    "error",
                    "OperationOutcome",
                    vec![outcome.into()],
                ),
            ],
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the files as they are, and the manifest.
    fn write(&self) -> &Self {
        for (name, _, _, lines) in &self.files {
            fs::create_dir_all(self.path(name).parent().expect("a parent")).expect("makes");
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            fs::write(self.path(name), text).expect("writes");
        }
        fs::write(self.path("manifest.json"), self.manifest()).expect("writes");
        self
    }

    fn manifest(&self) -> String {
        let list = |wanted: &str| {
            let items = self.files.iter().filter(|(_, list, ..)| *list == wanted);
            let items: Vec<String> = items
                .map(|(name, _, type_name, lines)| {
                    format!(r#"{{"type":"{type_name}","url":"{name}","count":{}}}"#, lines.len())
                })
                .collect();
            items.join(",")
        };
        format!(
            r#"{{"transactionTime":"2024-01-01T00:00:00Z","request":"$export","requiresAccessToken":false,"output":[{}],"deleted":[{}],"error":[{}]}}"#,
            list("output"),
            list("deleted"),
            list("error")
        )
    }

    fn task(&self) -> Task {
        Task {
            folder: self.folder.path().to_owned(),
            manifest: self.path("manifest.json"),
            registry: Registry::r4(),
            references: true,
            threads: 2,
            memory: 64 << 20,
            max_line: 1 << 20,
            chunk: 512,
        }
    }

    fn verify(&self) -> Verified {
        verified(&self.task())
    }

    /// Rule, file and count of everything that is found.
    fn found(&self) -> Vec<String> {
        shown(&self.verify())
    }
}

fn verified(task: &Task) -> Verified {
    verify(task, &Progress::default(), &Cancel::default()).expect("verifies")
}

fn shown(verified: &Verified) -> Vec<String> {
    let finding = |finding: &Finding| {
        let places: Vec<String> = finding.places.iter().map(Spot::to_string).collect();
        let places = places.join(" ");
        format!(
            "{} {} {} {places}",
            finding.rule,
            finding.file.as_deref().unwrap_or("-"),
            finding.count
        )
    };
    let dangling = |dangling: &Dangling| {
        let first = dangling.places.first().map(Spot::to_string).unwrap_or_default();
        format!("dangling {} {} {} {first}", dangling.from, dangling.to, dangling.count)
    };
    let findings = verified.findings.iter().map(finding);
    findings
        .chain(verified.dangling.iter().map(dangling))
        .map(|line| line.trim_end().to_owned())
        .collect()
}

#[test]
fn an_export_that_is_whole() {
    let export = Export::new();
    let verified = export.write().verify();
    assert!(verified.is_well(), "{:?}", shown(&verified));
    assert_eq!(
        (verified.files, verified.lines, verified.resources, verified.deletions),
        (5, 132, 130, 2)
    );
    let written = verified.written.expect("references");
    assert_eq!((written.relative, written.absolute, written.others), (120, 120, 120));
    assert_eq!(verified.sums, None);
}

fn edit(export: &Export, file: &str, change: impl Fn(&mut Vec<String>)) {
    let text = fs::read_to_string(export.path(file)).expect("reads");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    change(&mut lines);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(export.path(file), text).expect("writes");
}

type Change = Box<dyn Fn(&Export)>;

/// Each row: what is done to the files, and all that is found.
fn are_told(rows: Vec<(Change, Vec<&str>)>) {
    for (change, expected) in rows {
        let export = Export::new();
        change(export.write());
        assert_eq!(export.found(), expected);
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let rows: Vec<(Change, Vec<&str>)> = vec![
        (
            Box::new(|export| edit(export, "Observation.001.ndjson", |all| drop(all.remove(7)))),
            vec!["count Observation.001.ndjson 1"],
        ),
        (
            Box::new(|export| edit(export, "Observation.001.ndjson", |all| all[40] = all[20].clone())),
            vec!["duplicate - 1 Observation.001.ndjson:41 Observation.001.ndjson:21"],
        ),
        (
            Box::new(|export| edit(export, "Observation.001.ndjson", |all| all[0] = observation(3, 1))),
            vec!["duplicate - 1 Observation.001.ndjson:1 Observation.000.ndjson:4"],
        ),
        (
            Box::new(|export| edit(export, "Observation.000.ndjson", |all| all[50] = patient(77))),
            vec!["wrong-type Observation.000.ndjson 1 Observation.000.ndjson:51"],
        ),
        (
            Box::new(|export| edit(export, "Observation.000.ndjson", |all| all[50] = "{\"id\":}".into())),
            vec!["syntax Observation.000.ndjson 1 Observation.000.ndjson:51:7"],
        ),
        (
            Box::new(|export| {
                edit(export, "Observation.000.ndjson", |all| {
                    all[50] = r#"{"resourceType":"Observation"}"#.into()
                })
            }),
            vec!["no-id Observation.000.ndjson 1 Observation.000.ndjson:51"],
        ),
        (
            Box::new(|export| edit(export, "Observation.000.ndjson", |all| all.insert(2, " ".into()))),
            vec!["blank-line Observation.000.ndjson 1 Observation.000.ndjson:3"],
        ),
        (
            Box::new(|export| {
                edit(export, "Patient.000.ndjson", |all| {
                    all[4] = all[4].replace("2020", "2025")
                })
            }),
            vec!["newer-than-snapshot Patient.000.ndjson 1 Patient.000.ndjson:5"],
        ),
        (
            Box::new(|export| edit(export, "Patient.000.ndjson", |all| all[4] = patient(11))),
            vec!["dangling Observation Patient 12 Observation.000.ndjson:5"],
        ),
        (
            Box::new(|export| {
                edit(export, "deleted/Bundle.000.ndjson", |all| {
                    all[0] = all[0].replace("gone2", "p3")
                })
            }),
            vec!["deleted-and-present - 1 Patient.000.ndjson:4 deleted/Bundle.000.ndjson:1"],
        ),
        (
            Box::new(|export| {
                edit(export, "deleted/Bundle.000.ndjson", |all| {
                    all[0] = all[0].replace("DELETE", "PUT")
                })
            }),
            vec!["deletions deleted/Bundle.000.ndjson 1 deleted/Bundle.000.ndjson:1"],
        ),
        (
            Box::new(|export| edit(export, "error/OperationOutcome.000.ndjson", |all| all[0] = patient(88))),
            vec!["wrong-type error/OperationOutcome.000.ndjson 1 error/OperationOutcome.000.ndjson:1"],
        ),
    ];
    are_told(rows);
}

#[test]
fn files_that_are_missing_or_too_many_are_told() {
    let rows: Vec<(Change, Vec<&str>)> = vec![
        (
            Box::new(|export| fs::remove_file(export.path("Observation.001.ndjson")).expect("removes")),
            vec!["missing-file Observation.001.ndjson 1"],
        ),
        (
            Box::new(|export| fs::write(export.path("Device.000.ndjson"), "").expect("writes")),
            vec!["unlisted-file Device.000.ndjson 1"],
        ),
        (
            Box::new(|export| fs::write(export.path("notes.txt"), "").expect("writes")),
            vec!["unlisted-file notes.txt 1"],
        ),
        (
            Box::new(|export| fs::create_dir(export.path(PARTIAL)).expect("makes")),
            vec!["unfinished .fhirehose-partial 1"],
        ),
        (
            Box::new(|export| {
                let text = fs::read(export.path("Patient.000.ndjson")).expect("reads");
                fs::write(export.path("Patient.000.ndjson"), &text[..text.len() - 1]).expect("writes");
            }),
            vec!["no-final-newline Patient.000.ndjson 1"],
        ),
    ];
    are_told(rows);
}

fn edit_manifest(export: &Export, from: &str, to: &str) {
    let text = fs::read_to_string(export.path("manifest.json")).expect("reads");
    assert!(text.contains(from), "{from}");
    fs::write(export.path("manifest.json"), text.replacen(from, to, 1)).expect("writes");
}

#[test]
fn what_is_wrong_in_the_manifest_is_told() {
    let rows: &[(&str, &str, &[&str])] = &[
        ("\"count\":10", "\"count\":11", &["count Patient.000.ndjson 1"]),
        (
            "\"count\":10",
            "\"fileSize\":7",
            &["later-generation manifest.json 1 ", "size Patient.000.ndjson 1"],
        ),
        (
            "\"request\":\"$export\",",
            "",
            &["request-missing manifest.json 1 manifest.json:1:1"],
        ),
        (
            "Patient.000.ndjson",
            "../Patient.000.ndjson",
            &[
                "outside ../Patient.000.ndjson 1",
                "unlisted-file Patient.000.ndjson 1",
                "dangling Observation Patient 120 Observation.000.ndjson:1",
            ],
        ),
        ("Patient.000.ndjson", "Patient.000.ndjson?secret", &[]),
        ("Patient.000.ndjson", "https://example.org/x/Patient%2e000.ndjson", &[]),
        (
            "Observation.001.ndjson",
            "Observation.000.ndjson",
            &[
                "url-twice manifest.json 1 ",
                "listed-twice Observation.000.ndjson 1",
                "unlisted-file Observation.001.ndjson 1",
            ],
        ),
        (
            "\"error\":[",
            "\"link\":[{\"relation\":\"next\",\"url\":\"https://x/2\"}],\"error\":[",
            &["more-pages"],
        ),
    ];
    for (from, to, expected) in rows {
        let export = Export::new();
        edit_manifest(export.write(), from, to);
        let found = export.found();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(*expected) {
            assert!(found.starts_with(expected), "{found} is not {expected}");
        }
    }
    let export = Export::new();
    fs::write(export.write().path("manifest.json"), "{").expect("writes");
    assert_eq!(export.found(), ["not-json manifest.json 1 manifest.json:1:2"]);
    fs::remove_file(export.path("manifest.json")).expect("removes");
    let missing = verify(&export.task(), &Progress::default(), &Cancel::default());
    assert!(matches!(missing, Err(VerifyError::Unreadable(path, _)) if path == export.path("manifest.json")));
}

fn sums(export: &Export) -> String {
    use sha2::{Digest, Sha256};
    let sum = |(name, ..): &(String, &str, &str, Vec<String>)| {
        let sum = Sha256::digest(fs::read(export.path(name)).expect("reads"));
        let digits: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{digits}  {name}\n")
    };
    export.files.iter().map(sum).collect()
}

#[test]
fn checksums_are_held_against_the_files() {
    let export = Export::new();
    let text = sums(export.write());
    let with = |text: &str| {
        fs::write(export.path(SUMS), text).expect("writes");
        (export.found(), export.verify().sums)
    };
    assert_eq!(with(&text), (vec![], Some(5)));
    let first = text.lines().next().expect("a line");
    let other = first.replacen(char::is_numeric, "f", 1);
    assert_eq!(
        with(&text.replace(first, &other)),
        (vec!["checksum Patient.000.ndjson 1".to_owned()], Some(4))
    );
    let fewer = text.replace(&format!("{first}\n"), "");
    assert_eq!(
        with(&fewer),
        (vec!["no-checksum Patient.000.ndjson 1".to_owned()], Some(4))
    );
    let more = format!(
        "{text}\n{}  missing.ndjson\n{}  ../x\nnonsense\n",
        &first[..64],
        &first[..64]
    );
    let expected = [
        "missing-file missing.ndjson 1",
        "outside SHA256SUMS 1",
        "checksum-format SHA256SUMS 1",
    ];
    assert_eq!(with(&more), (expected.map(str::to_owned).to_vec(), Some(5)));
    assert_eq!(
        with(&format!("{text}{other}\n")).0,
        ["checksum-twice Patient.000.ndjson 1"]
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    io::Write::write_all(&mut encoder, bytes).expect("writes");
    encoder.finish().expect("ends")
}

/// A file that cannot be read to its end does not hide what is wrong with those behind it, whatever was read of them.
#[test]
fn damaged_files_are_told_and_the_others_read() {
    for threads in [1, 2, 4] {
        let mut export = Export::new();
        for (name, ..) in &mut export.files[..3] {
            name.push_str(".gz");
        }
        export.write();
        for (name, ..) in &export.files[..3] {
            let bytes = gzip(&fs::read(export.path(name)).expect("reads"));
            let cut = if name.starts_with("Patient") || name.contains(".000") {
                bytes.len() - 5
            } else {
                bytes.len()
            };
            fs::write(export.path(name), &bytes[..cut]).expect("writes");
        }
        let duplicated = export.path("Observation.001.ndjson.gz");
        let again: String = (0..60).map(|id| observation(60 + id % 59, 1) + "\n").collect();
        fs::write(duplicated, gzip(again.as_bytes())).expect("writes");
        let task = Task {
            threads,
            references: false,
            ..export.task()
        };
        let verified = verified(&task);
        let expected = [
            "damaged Patient.000.ndjson.gz 1",
            "damaged Observation.000.ndjson.gz 1",
            "duplicate - 1 Observation.001.ndjson.gz:60 Observation.001.ndjson.gz:1",
        ];
        assert_eq!(shown(&verified), expected, "{threads} threads");
        assert_eq!(verified.files, 5);
    }
}

#[test]
fn compression_is_what_the_name_says() {
    let mut export = Export::new();
    export.files[0].0 = "Patient.000.ndjson.gz".into();
    export.write();
    assert_eq!(export.found(), ["codec Patient.000.ndjson.gz 1"]);
    let export = Export::new();
    let bytes = gzip(&fs::read(export.write().path("Patient.000.ndjson")).expect("reads"));
    fs::write(export.path("Patient.000.ndjson"), bytes).expect("writes");
    assert_eq!(export.found(), ["codec Patient.000.ndjson 1"]);
}

/// Places and numbers do not depend on threads, on how blocks are cut, or on what is sorted on disk.
#[test]
fn the_same_is_told_for_any_threads_chunks_and_memory() {
    let mut export = Export::new();
    for (_, _, _, lines) in &mut export.files[1..3] {
        *lines = (0..3_000).map(|id| observation(id % 2_000, id % 13)).collect();
    }
    export.write();
    let expected = export.found();
    let duplicate = expected
        .iter()
        .find(|found| found.starts_with("duplicate"))
        .expect("duplicates");
    assert!(duplicate.starts_with("duplicate - 4000 Observation.000.ndjson:2001 Observation.000.ndjson:1 "));
    assert!(
        expected.contains(&"dangling Observation Patient 1380 Observation.000.ndjson:11".to_owned()),
        "{expected:?}"
    );
    for (threads, chunk, memory) in [(1, 100, 0), (3, 64 << 10, 0), (4, 1000, 1 << 30)] {
        let task = Task {
            threads,
            chunk,
            memory,
            ..export.task()
        };
        let verified = verified(&task);
        assert_eq!(shown(&verified), expected, "{threads} threads, chunks of {chunk}");
        assert_eq!(verified.runs_on_disk > 0, memory == 0);
    }
}

fn organized(files: &[(&str, &[String])], items: &str) -> Export {
    let export = Export {
        folder: tempfile::tempdir().expect("a folder"),
        files: Vec::new(),
    };
    for (name, lines) in files {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(export.path(name), text).expect("writes");
    }
    let manifest = format!(
        r#"{{"transactionTime":"2024-01-01T00:00:00Z","request":"$export","requiresAccessToken":false,"outputOrganizedBy":"Patient","output":[{items}],"error":[]}}"#
    );
    fs::write(export.path("manifest.json"), manifest).expect("writes");
    export
}

fn header_of(id: usize) -> String {
    format!(
        r#"{{"resourceType":"Parameters","parameter":[{{"name":"header","valueReference":{{"reference":"Patient/p{id}"}}}}]}}"#
    )
}

#[test]
fn output_by_patient_is_blocks_with_headers() {
    let items = r#"{"url":"a","count":4,"continuesInFile":"b"},{"url":"b","count":2}"#;
    let shared = r#"{"resourceType":"Organization","id":"shared"}"#.to_owned();
    let first = [
        header_of(1),
        patient(1),
        shared.clone(),
        header_of(2),
        patient(2),
        shared.clone(),
    ];
    let second = [header_of(2), observation(1, 2), observation(2, 2)];
    let export = organized(&[("a", &first), ("b", &second)], items);
    assert_eq!(export.found(), Vec::<String>::new());
    assert_eq!(export.verify().resources, 6);

    let twice_in_a_block = [header_of(1), patient(1), shared.clone(), shared.clone(), patient(5)];
    let export = organized(&[("a", &twice_in_a_block), ("b", &second)], items);
    assert_eq!(
        export.found(),
        ["duplicate - 1 a:4 a:3", "dangling Observation Patient 2 b:2"]
    );

    let without = [
        patient(1),
        header_of(2),
        patient(2),
        shared.clone(),
        shared.clone().replace("shared", "other"),
    ];
    let export = organized(&[("a", &without), ("b", &second)], items);
    assert_eq!(export.found(), ["no-header a 1"]);

    let mixed = [
        patient(1),
        patient(2),
        shared.clone(),
        shared.replace("shared", "other"),
    ];
    let export = organized(&[("a", &mixed), ("b", &second)], items);
    assert_eq!(export.found(), ["mixed-types a 1"]);

    let wrong = [
        header_of(1),
        observation(9, 1),
        patient(1),
        header_of(2).replace("Patient/", "Group/"),
        patient(2),
        shared,
    ];
    let export = organized(&[("a", &wrong), ("b", &second)], items);
    assert_eq!(
        export.found(),
        ["bad-header a 1 a:4", "header-without-resource - 1 a:1"]
    );
}

/// Whatever is done to an export: it is told. What is not told would be lost without anybody knowing.
#[test]
fn every_change_is_told() {
    let mut state = 11u64;
    let mut draw = |most: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % most
    };
    let mut told = BTreeSet::new();
    for round in 0..120 {
        let export = Export::new();
        fs::write(export.write().path(SUMS), sums(&export)).expect("writes");
        // With checksums each byte counts; without, what no line, count or name says.
        let has_sums = round % 2 == 0;
        if !has_sums {
            fs::remove_file(export.path(SUMS)).expect("removes");
        }
        let (name, _, _, lines) = &export.files[draw(3)];
        let path = export.path(name);
        let mut lines = lines.clone();
        let at = draw(lines.len());
        match draw(if has_sums { 6 } else { 5 }) {
            0 => drop(lines.remove(at)),
            1 => lines.push(lines[at].clone()),
            2 => {
                let half = lines[at].len() / 2;
                lines[at].truncate(half);
            }
            3 => {
                edit_manifest(&export, "\"count\":60", "\"count\":61");
            }
            4 => {
                fs::remove_file(&path).expect("removes");
                assert!(!export.verify().is_well());
                continue;
            }
            _ => {
                let byte = draw(lines[at].len());
                let mut bytes = lines[at].clone().into_bytes();
                bytes[byte] = if bytes[byte] == b'7' { b'8' } else { b'7' };
                lines[at] = String::from_utf8(bytes).expect("text");
            }
        }
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&path, text).expect("writes");
        let verified = export.verify();
        assert!(!verified.is_well(), "round {round}");
        told.extend(verified.findings.iter().map(|finding| finding.rule));
    }
    assert!(
        told.contains("checksum") && told.contains("count") && told.contains("duplicate") && told.contains("syntax")
    );
}

#[test]
fn nothing_is_left_behind_and_a_stop_is_heard() {
    let export = Export::new();
    let cancel = Cancel::default();
    cancel.stop();
    let stopped = verify(&export.write().task(), &Progress::default(), &cancel);
    assert!(matches!(stopped, Err(VerifyError::Job(JobError::Interrupted))));
    let cancel = Cancel::default();
    let work = Work::begin(&cancel).expect("begins");
    let folder = work.folder.path().to_owned();
    assert!(folder.is_dir());
    drop(work);
    assert!(!folder.exists());
}
