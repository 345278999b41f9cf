//! What lies in an export's folder and should not: work that did not end, hidden files, empty files, marks, pipes.

use super::*;

fn write(export: &Export, name: &str, bytes: &[u8]) {
    let path = export.path(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
    fs::write(path, bytes).expect("writes");
}

/// What is in them is not told once more.
#[test]
fn what_is_left_of_work_that_did_not_end_is_told() {
    for name in [
        ".fhirehose-partial",
        ".fhirehose-pull",
        ".fhirehose-pull-done",
        ".fhirehose-synth-partial",
    ] {
        let export = Export::new();
        write(export.write(), &format!("{name}/parts/Patient.ndjson"), b"{}\n");
        assert_eq!(export.found(), [format!("unfinished {name} 1")]);
        assert!(!export.verify().is_well());
    }
}

#[test]
fn files_that_are_not_listed_are_told_wherever_they_hide() {
    let deep = "d/".repeat(200);
    let rows: Vec<(Change, Vec<&str>)> = vec![
        (
            Box::new(|export| write(export, ".x.ndjson", b"{}\n")),
            vec!["unlisted-file .x.ndjson 1"],
        ),
        (
            Box::new(|export| write(export, ".hidden/a/.b/x.ndjson.gz", b"{}\n")),
            vec!["unlisted-file .hidden/a/.b/x.ndjson.gz 1"],
        ),
        // The same name elsewhere is no folder of ours.
        (
            Box::new(|export| write(export, "a/.fhirehose-pull/x.ndjson", b"{}\n")),
            vec!["unlisted-file a/.fhirehose-pull/x.ndjson 1"],
        ),
        (
            Box::new(|export| {
                write(export, ".DS_Store", b"");
                write(export, ".git/HEAD", b"");
                write(export, ".git/a/config", b"");
            }),
            vec![],
        ),
    ];
    are_told(rows);
    let export = Export::new();
    write(export.write(), &format!("{deep}x.ndjson"), b"{}\n");
    assert_eq!(export.found(), [format!("unlisted-file {deep}x.ndjson 1")]);
    assert!(!export.verify().is_well());
}

/// Notes do not crowd out errors.
#[test]
fn of_many_files_that_are_not_listed_some_are_named() {
    let export = Export::new();
    export.write();
    for number in 0..103 {
        write(&export, &format!("a{number}.txt"), b"");
    }
    write(&export, "z.ndjson", b"");
    let verified = export.verify();
    let errors = |finding: &&Finding| finding.severity == Severity::Error;
    let told: Vec<_> = verified.findings.iter().filter(errors).collect();
    assert!(matches!(told[..], [finding] if finding.file.as_deref() == Some("z.ndjson")));
    assert_eq!(
        verified.findings.len(),
        102,
        "one error, a hundred notes, the rest in one"
    );
    let last = verified.findings.last().expect("findings");
    assert_eq!(
        (last.severity, last.count, last.file.as_ref()),
        (Severity::Note, 3, None)
    );
}

/// Root may look into all folders.
#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_looked_into_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let export = Export::new();
    let closed = export.write().path("lost+found");
    fs::create_dir(&closed).expect("makes");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("closes");
    let expected: &[&str] = match fs::read_dir(&closed) {
        Ok(_) => &[],
        Err(_) => &["unreadable lost+found 1"],
    };
    assert_eq!(export.found(), expected);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("opens");
}

fn renamed(export: &Export, name: &str, bytes: &[u8]) {
    fs::remove_file(export.path("Patient.000.ndjson")).expect("removes");
    write(export, name, bytes);
    edit_manifest(export, "Patient.000.ndjson", name);
}

const NOWHERE: &str = "dangling Observation Patient 120 Observation.000.ndjson:1";

#[test]
fn a_compressed_file_is_not_empty() {
    for ending in ["gz", "zst", "bz2", "xz", "br", "GZ"] {
        for count in ["", ",\"count\":10", ",\"count\":0"] {
            let export = Export::new();
            let name = format!("Patient.000.ndjson.{ending}");
            renamed(export.write(), &name, b"");
            edit_manifest(&export, ",\"count\":10", count);
            let mut found = export.found();
            found.retain(|finding| !finding.starts_with("empty-file manifest.json"));
            assert_eq!(found, [format!("damaged {name} 1"), NOWHERE.to_owned()], "{count}");
        }
    }
}

#[test]
fn an_empty_file_is_told_where_nothing_says_that_it_should_be_empty() {
    let empty = gzip(b"");
    let blank: &[&str] = &["blank-line Patient.000.ndjson 2 Patient.000.ndjson:1 Patient.000.ndjson:2"];
    for (name, bytes, more) in [
        ("Patient.000.ndjson", &b""[..], &[][..]),
        ("Patient.000.ndjson.gz", &empty, &[]),
        ("Patient.000.ndjson", b"\n \n", blank),
    ] {
        let export = Export::new();
        renamed(export.write(), name, bytes);
        edit_manifest(&export, ",\"count\":10", "");
        let told = format!("empty-file {name} 1");
        let expected: Vec<&str> = more.iter().copied().chain([told.as_str(), NOWHERE]).collect();
        assert_eq!(export.found(), expected);
        let verified = export.verify();
        let finding = verified.findings.last().expect("findings");
        assert_eq!((finding.rule, finding.severity), ("empty-file", Severity::Warning));
    }
}

#[test]
fn a_byte_order_mark_is_told() {
    let mark = b"\xef\xbb\xbf";
    for (name, is_compressed) in [("Patient.000.ndjson", false), ("Patient.000.ndjson.gz", true)] {
        let export = Export::new();
        let text = fs::read(export.write().path("Patient.000.ndjson")).expect("reads");
        let marked = [&mark[..], &text].concat();
        let bytes = if is_compressed { gzip(&marked) } else { marked.clone() };
        renamed(&export, name, &bytes);
        assert_eq!(export.found(), [format!("byte-order-mark {name} 1")]);
        assert_eq!(export.verify().findings[0].severity, Severity::Warning);
        // Its size, before compression too, is with the mark.
        let sized = format!("\"count\":10,\"fileSize\":{}", marked.len());
        edit_manifest(&export, "\"count\":10", &sized);
        let found = export.found();
        assert!(!found.iter().any(|finding| finding.starts_with("size")), "{found:?}");
    }
    // Nor is it one where it is alone, or elsewhere.
    let export = Export::new();
    let text = fs::read(export.write().path("Patient.000.ndjson")).expect("reads");
    write(&export, "Patient.000.ndjson", &[&text[..], &mark[..]].concat());
    assert!(!export.found().iter().any(|finding| finding.starts_with("byte-order")));
}

/// Opening a pipe waits until somebody writes into it.
#[cfg(unix)]
fn pipe(export: &Export, name: &str) {
    let path = export.path(name);
    let _ = fs::remove_file(&path);
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.expect("there is mkfifo").success());
}

/// Verifies on a thread of its own: what waits for ever fails here.
#[cfg(unix)]
fn soon(export: &Export) -> Result<Verified, String> {
    let task = export.task();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let result = verify(&task, &Progress::default(), &Cancel::default());
        let _ = sender.send(result.map_err(|error| error.to_string()));
    });
    let most = std::time::Duration::from_secs(60);
    receiver.recv_timeout(most).expect("comes to an end")
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_told_and_not_opened() {
    let export = Export::new();
    pipe(export.write(), SUMS);
    let verified = soon(&export).expect("verifies");
    assert_eq!(shown(&verified), ["not-a-file SHA256SUMS 1"]);
    assert_eq!((verified.sums, verified.is_well()), (None, false));

    let export = Export::new();
    let listed = sums(export.write());
    fs::write(export.path(SUMS), listed).expect("writes");
    pipe(&export, "Patient.000.ndjson");
    let told = shown(&soon(&export).expect("verifies"));
    let expected = [
        "not-a-file Patient.000.ndjson 1",
        "not-a-file Patient.000.ndjson 1",
        NOWHERE,
    ];
    // By the manifest, and by the sums.
    assert_eq!(told, expected);

    // One that is not listed.
    let export = Export::new();
    pipe(export.write(), "x.ndjson");
    assert_eq!(shown(&soon(&export).expect("verifies")), ["unlisted-file x.ndjson 1"]);

    let export = Export::new();
    pipe(export.write(), "manifest.json");
    let error = soon(&export).expect_err("no manifest");
    assert!(error.ends_with("manifest.json: it is no regular file"), "{error}");
}

#[cfg(unix)]
#[test]
fn checksums_are_not_those_of_another_folder() {
    let export = Export::new();
    let elsewhere = tempfile::NamedTempFile::new().expect("a file");
    fs::write(elsewhere.path(), sums(export.write())).expect("writes");
    std::os::unix::fs::symlink(elsewhere.path(), export.path(SUMS)).expect("links");
    assert_eq!(export.found(), ["outside SHA256SUMS 1"]);
}
