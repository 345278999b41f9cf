//! Servers that do less than they should, or other things: nothing of that reaches the disk unseen, and nobody gets a token
//! who should not.

mod binary;
mod canned;

use binary::{Folder, LINES};
use canned::{Asked, Canned, Reply, server};
use serde_json::{Value, json};

const WAIT: [&str; 2] = ["--longest-wait", "20ms"];

fn pull(folder: &Folder, server: &Canned, words: &[&str]) -> binary::Ran {
    let base = format!("{}/fhir", server.origin);
    folder.run(&[&["pull", &base, "-o", "out"], &WAIT[..], words].concat())
}

#[test]
fn a_server_that_ignores_filters_is_named_and_what_it_sent_too_much_is_not_there() {
    let folder = Folder::new();
    let server = server(LINES, |_, _| None);
    let ran = pull(
        &folder,
        &server,
        &[
            "--type",
            "Patient",
            "--type-filter",
            "Patient?gender=female",
            "--report",
            "json",
        ],
    )
    .ends(0)
    .tells(&[
        "sent 1 Patient that it was not asked for",
        "_typeFilter",
        "sent 1 Observation",
        "_type",
    ]);
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((&report["kept"], &report["dropped"]), (&json!(2), &json!(2)));
    assert_eq!(report["files"][0]["types"].as_array().map(Vec::len), Some(2));
    let kept = folder.read("out/Patient.000.ndjson");
    assert_eq!(kept.lines().count(), 2);
    assert!(LINES.contains(kept.lines().next().expect("a line")));
    assert_eq!(
        folder.files("out"),
        ["Patient.000.ndjson", "SHA256SUMS", "manifest.json"]
    );
}

#[test]
fn never_takes_what_comes_and_always_looks_at_every_line() {
    let bad = "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n{\"resourceType\":\"Patient\",\n";
    let bad: &'static str = format!("{bad}{{}}\n").leak();
    let folder = Folder::new();
    let one = server(bad, |_, _| None);
    pull(&folder, &one, &["--type", "Observation", "--enforce", "never"]).ends(0);
    assert_eq!(folder.read("out/Patient.000.ndjson"), bad);
    let folder = Folder::new();
    pull(&folder, &one, &["--enforce", "always"])
        .ends(1)
        .tells(&["2 lines not FHIR"]);
    assert_eq!(folder.read("out/Patient.000.ndjson").lines().count(), 1);
    assert_eq!(folder.read("out/error/OperationOutcome.000.ndjson").lines().count(), 2);
    let folder = Folder::new();
    pull(&folder, &one, &["--enforce", "always", "--on-bad", "stop"]).ends(1);
    assert!(!folder.path("out/manifest.json").exists());
}

#[test]
fn a_token_goes_to_the_origin_of_the_server_and_not_beyond() {
    let folder = Folder::new();
    folder.write("bearer", "sesame\n");
    let elsewhere = Canned::start(|_, _| Reply::new(200, LINES).with("content-type", "application/fhir+ndjson"));
    let store = elsewhere.origin.clone();
    // The file is a redirect to a store.
    let one = server(LINES, move |asked, _| {
        let to = format!("{store}/signed?key=x");
        (asked.target == "/files/1").then(|| Reply::new(307, "").with("location", to))
    });
    pull(&folder, &one, &["--bearer-file", "bearer"]).ends(0);
    assert!(
        one.asked()
            .iter()
            .all(|asked| asked.header("authorization") == Some("Bearer sesame"))
    );
    assert!(elsewhere.times("GET /signed?key=x") == 1);
    assert!(
        elsewhere
            .asked()
            .iter()
            .all(|asked| asked.header("authorization").is_none())
    );

    // The manifest itself names another host, and says that the token is needed there.
    let folder = Folder::new();
    folder.write("bearer", "sesame\n");
    let refuses = Canned::start(|asked, _| match asked.header("authorization") {
        Some(_) => Reply::new(200, LINES),
        None => Reply::new(401, ""),
    });
    let store = refuses.origin.clone();
    let one = server(LINES, move |asked, _| {
        let manifest = json!({
            "transactionTime": "2024-01-01T00:00:00Z", "request": "r", "requiresAccessToken": true, "error": [],
            "output": [{ "type": "Patient", "url": format!("{store}/files/1") }],
        });
        (asked.is("GET /job")).then(|| Reply::new(200, manifest.to_string()))
    });
    let ran = pull(&folder, &one, &["--bearer-file", "bearer"]).ends(3);
    assert!(!ran.err.contains("sesame"), "{ran:?}");
    assert!(
        refuses
            .asked()
            .iter()
            .all(|asked| asked.header("authorization").is_none())
    );
    // With leave it goes there.
    folder
        .run(&["pull", "--resume", "out", "--token-origin", &refuses.origin])
        .ends(0);
    assert_eq!(folder.read("out/Patient.000.ndjson"), LINES);
}

#[test]
fn a_body_that_is_cut_goes_on_where_the_server_knows_ranges() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let folder = Folder::new();
    let tries = AtomicUsize::new(0);
    let server = server(LINES, move |asked, _| {
        if asked.target != "/files/1" {
            return None;
        }
        let whole = |reply: Reply| reply.with("etag", "\"e\"").with("accept-ranges", "bytes");
        if tries.fetch_add(1, Ordering::Relaxed) == 0 {
            let mut reply = whole(Reply::new(200, LINES));
            reply.cut = Some(100);
            return Some(reply);
        }
        assert_eq!(asked.header("if-range"), Some("\"e\""));
        let first: usize = asked
            .header("range")?
            .strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()?;
        let range = format!("bytes {first}-{}/{}", LINES.len() - 1, LINES.len());
        Some(whole(Reply::new(206, &LINES.as_bytes()[first..])).with("content-range", range))
    });
    pull(&folder, &server, &[]).ends(0);
    assert_eq!(folder.read("out/Patient.000.ndjson"), LINES);
    assert_eq!(server.times("GET /files/1"), 2);
}

#[test]
fn what_is_not_what_it_says_is_not_taken() {
    let digest = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
    let cut = &LINES[..LINES.len() - 20];
    let cases: [(&str, Reply); 6] = [
        ("checksum", Reply::new(200, LINES).with("repr-digest", digest)),
        (
            "HTML",
            Reply::new(200, "<html></html>").with("content-type", "text/html"),
        ),
        ("HTML without a name", Reply::new(200, "<html></html>")),
        ("a line that was cut", Reply::new(200, cut)),
        ("no gzip", Reply::new(200, LINES).with("content-encoding", "gzip")),
        (
            "half a gzip",
            Reply::new(200, &b"\x1f\x8b\x08\x00"[..]).with("content-encoding", "gzip"),
        ),
    ];
    for (name, reply) in cases {
        let folder = Folder::new();
        let server = server(LINES, move |asked, _| {
            (asked.target == "/files/1").then(|| reply.clone())
        });
        pull(&folder, &server, &["--attempts", "3"])
            .ends(3)
            .tells(&["--resume out"]);
        assert!(server.times("GET /files/1") >= 2, "{name} is tried again");
        assert!(!folder.path("out/manifest.json").exists(), "{name}");
        assert_eq!(server.times("DELETE /job"), 0, "{name}: the job stays for a resume");
    }
}

#[test]
fn no_bytes_that_are_called_gzip_are_an_empty_file_where_they_have_an_end() {
    for (open_ended, code) in [(false, 0), (true, 3)] {
        let folder = Folder::new();
        let mut reply = Reply::new(200, "").with("content-encoding", "gzip");
        reply.open_ended = open_ended;
        let server = server(LINES, move |asked, _| {
            (asked.target == "/files/1").then(|| reply.clone())
        });
        pull(&folder, &server, &["--attempts", "2"]).ends(code);
        assert_eq!(folder.path("out/manifest.json").exists(), code == 0);
        assert!(!folder.path("out/Patient.000.ndjson").exists());
    }
}

#[test]
fn counts_that_do_not_fit_fail_unless_the_user_says_otherwise() {
    let folder = Folder::new();
    let server = server(LINES, |asked, origin| {
        let manifest = json!({
            "transactionTime": "2024-01-01T00:00:00Z", "request": "r", "requiresAccessToken": false, "error": [],
            "output": [{ "type": "Patient", "url": format!("{origin}/files/1"), "count": 3 }],
        });
        asked.is("GET /job").then(|| Reply::new(200, manifest.to_string()))
    });
    pull(&folder, &server, &["--attempts", "2"])
        .ends(3)
        .tells(&["--resume out"]);
    folder.run(&["pull", "--resume", "out", "--ignore-counts"]).ends(0);
    assert_eq!(folder.read("out/Patient.000.ndjson"), LINES);
}

#[test]
fn accounts_of_oracle_get_their_token_by_name_and_secret() {
    let folder = Folder::new();
    folder.write("secret", "s3cret\n");
    let server = server(LINES, |asked, origin| {
        if asked.is("GET /fhir/.well-known/smart-configuration") {
            return Some(Reply::new(
                200,
                json!({ "token_endpoint": format!("{origin}/token") }).to_string(),
            ));
        }
        if asked.is("POST /token") {
            // user:s3cret
            assert_eq!(asked.header("authorization"), Some("Basic dXNlcjpzM2NyZXQ="));
            assert!(asked.body.contains("grant_type=client_credentials"));
            assert!(asked.body.contains("scope=system%2FPatient.read"), "{}", asked.body);
            return Some(Reply::new(
                200,
                json!({ "access_token": "sesame", "expires_in": 570 }).to_string(),
            ));
        }
        (asked.header("authorization") != Some("Bearer sesame")).then(|| Reply::new(401, ""))
    });
    pull(&folder, &server, &["--basic", "user:secret", "--type", "Patient"]).ends(0);
    assert_eq!(server.times("POST /token"), 1);
    assert!(
        !folder
            .files("out")
            .iter()
            .any(|name| folder.read(&format!("out/{name}")).contains("s3cret"))
    );
}

/// Answers for the file: the first time `first`, then what `then` says.
fn file_twice(
    first: Reply,
    then: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
) -> impl Fn(&Asked, &str) -> Option<Reply> + Send + Sync + 'static {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let tries = AtomicUsize::new(0);
    move |asked, _| match asked.target.as_str() {
        "/files/1" if tries.fetch_add(1, Ordering::Relaxed) == 0 => Some(first.clone()),
        "/files/1" => then(asked),
        _ => None,
    }
}

/// The first hundred bytes, and then nothing any more.
fn cut() -> Reply {
    let mut reply = Reply::new(200, LINES)
        .with("etag", "\"e\"")
        .with("accept-ranges", "bytes");
    reply.cut = Some(100);
    reply
}

#[test]
fn a_part_that_is_shorter_than_what_was_asked_for_is_not_the_end() {
    let folder = Folder::new();
    let short = |asked: &Asked| {
        let range = asked.header("range")?;
        let first: usize = range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()?;
        let last = (first + 30).min(LINES.len()) - 1;
        let range = format!("bytes {first}-{last}/{}", LINES.len());
        let reply = Reply::new(206, &LINES.as_bytes()[first..=last]).with("content-range", range);
        Some(reply.with("etag", "\"e\""))
    };
    let server = server(LINES, file_twice(cut(), short));
    pull(&folder, &server, &[]).ends(0);
    assert_eq!(folder.read("out/Patient.000.ndjson"), LINES);
}

#[test]
fn a_file_that_is_another_one_after_a_cut_is_taken_from_its_start() {
    for _ in 0..10 {
        let folder = Folder::new();
        let other = |_: &Asked| Some(Reply::new(200, LINES).with("etag", "\"f\""));
        let server = server(LINES, file_twice(cut(), other));
        pull(&folder, &server, &[]).ends(0);
        assert_eq!(folder.read("out/Patient.000.ndjson"), LINES);
    }
}

#[test]
fn an_error_that_comes_as_a_file_or_a_record_that_was_cut_is_no_file() {
    let outcome = r#"{"resourceType":"OperationOutcome","issue":[]}"#;
    let mut half = Reply::new(200, &LINES.as_bytes()[..LINES.len() - 4]);
    half.open_ended = true;
    for reply in [Reply::new(200, outcome), Reply::new(200, r#"{"error":"x"}"#), half] {
        let folder = Folder::new();
        let server = server(LINES, move |asked, _| {
            (asked.target == "/files/1").then(|| reply.clone())
        });
        pull(&folder, &server, &["--attempts", "2", "--type", "Patient"]).ends(3);
        assert!(!folder.path("out/manifest.json").exists());
    }
    let mut whole = Reply::new(200, LINES);
    whole.open_ended = true;
    let folder = Folder::new();
    let server = server(LINES, move |asked, _| {
        (asked.target == "/files/1").then(|| whole.clone())
    });
    pull(&folder, &server, &[])
        .ends(0)
        .tells(&["nothing says how long 1 of the files are"]);
}

#[test]
fn what_is_told_of_requests_has_no_signed_url_and_no_record_in_it() {
    let folder = Folder::new();
    let to = "/store/1?sig=s3cret";
    let server = server(LINES, move |asked, _| match asked.target.as_str() {
        "/files/1" => Some(Reply::new(307, "").with("location", to)),
        target if target == to => Some(Reply::new(403, LINES)),
        _ => None,
    });
    let words = ["--verbose", "--attempts", "1", "--parallel", &usize::MAX.to_string()];
    let ran = pull(&folder, &server, &words)
        .ends(3)
        .tells(&["status=307", "status=403"]);
    let bytes = format!("{:?}", LINES.as_bytes());
    for secret in ["s3cret", "1970-01-01", &bytes[1..20]] {
        assert!(!ran.err.contains(secret), "{secret}: {}", ran.err);
    }
}

#[test]
fn a_server_that_repeats_the_token_does_not_have_it_printed() {
    let folder = Folder::new();
    folder.write("bearer", "sesame\n");
    let text = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","diagnostics":"bad token sesame"}]}"#;
    let server = server(LINES, move |asked, _| {
        asked.target.contains("$export").then(|| Reply::new(403, text))
    });
    let ran = pull(&folder, &server, &["--bearer-file", "bearer"])
        .ends(3)
        .tells(&["bad token"]);
    assert!(!ran.err.contains("sesame"), "{ran:?}");
}

/// A server of two files, of which the second is refused until `open` is there.
fn two_files(folder: &Folder, items: &str) -> Canned {
    let open = folder.path("open");
    let items = items.to_owned();
    Canned::start(move |asked, origin| {
        let manifest = format!(
            r#"{{"transactionTime":"2024-01-01T00:00:00Z","request":"r","requiresAccessToken":false,"error":[],"output":[{}]}}"#,
            items.replace("ORIGIN", origin)
        );
        match asked.target.as_str() {
            "/job" if asked.method == "DELETE" => Reply::new(202, ""),
            "/job" => Reply::new(200, manifest),
            "/files/2" if !open.exists() => Reply::new(500, ""),
            target if target.starts_with("/files") => Reply::new(200, LINES),
            target if target.contains("$export") => {
                Reply::new(202, "").with("content-location", format!("{origin}/job"))
            }
            _ => Reply::new(404, ""),
        }
    })
}

const TWO: &str = r#"{"type":"Patient","url":"ORIGIN/files/1"},{"type":"Patient","url":"ORIGIN/files/2"}"#;

/// A pull of which one file has come.
fn half_done(words: &[&str]) -> (Folder, Canned) {
    let folder = Folder::new();
    folder.write("patients", "a\nb\nc\n");
    let server = two_files(&folder, TWO);
    pull(&folder, &server, &[&["--attempts", "1"], words].concat()).ends(3);
    folder.write("open", "");
    (folder, server)
}

#[test]
fn parts_that_are_gone_or_cut_after_a_crash_are_fetched_again() {
    for damage in ["gone", "cut", "the whole folder"] {
        let (folder, server) = half_done(&[]);
        let parts = folder.files("out/.fhirehose-pull/parts");
        assert_eq!(parts.len(), 1, "{parts:?}");
        let part = folder.path("out/.fhirehose-pull/parts").join(&parts[0]);
        match damage {
            "gone" => std::fs::remove_file(part).expect("removes"),
            "the whole folder" => std::fs::remove_dir_all(part.parent().expect("a folder")).expect("removes"),
            _ => std::fs::write(part, &LINES[..30]).expect("writes"),
        }
        folder.run(&["pull", "--resume", "out"]).ends(0);
        for name in ["out/Patient.000.ndjson", "out/Patient.001.ndjson"] {
            assert_eq!(folder.read(name), LINES, "{damage}");
        }
        assert_eq!(server.times("GET /files/1"), 2);
    }
}

#[test]
fn what_is_asked_for_and_kept_stays_as_it_was() {
    let (folder, _server) = half_done(&["--type-filter", "Patient?gender=female"]);
    for words in [
        &["--enforce", "never"][..],
        &["--compress", "gzip"],
        &["--type", "Patient"],
        &["--max-bytes", "1MB"],
        &["--include-associated-data", "LatestProvenanceResources"],
        &["--fhir-base", "http://example.org"],
        &["--on-bad", "stop"],
        &["--no-checksums"],
    ] {
        folder
            .run(&[&["pull", "--resume", "out"], words].concat())
            .ends(2)
            .tells(&[words[0], "cannot be changed"]);
    }
    folder
        .run(&["pull", "--resume", "out", "--parallel", "1", "--stall=5s"])
        .ends(0);
    assert_eq!(folder.read("out/Patient.001.ndjson").lines().count(), 2);
}

#[test]
fn a_list_of_patients_counts_as_it_was_when_it_was_asked_for() {
    let (folder, _server) = half_done(&["--patients", "patients"]);
    folder.write("patients", "z\n");
    folder.run(&["pull", "--resume", "out"]).ends(0);
    let (one, two) = (
        folder.read("out/Patient.000.ndjson"),
        folder.read("out/Patient.001.ndjson"),
    );
    assert_eq!(one, two);
    assert_eq!(one.lines().count(), 3);

    let folder = Folder::new();
    folder.write(
        "codes.json",
        r#"{"resourceType":"ValueSet","url":"u","expansion":{"contains":[{"system":"s","code":"c"}]}}"#,
    );
    let server = two_files(&folder, TWO);
    pull(&folder, &server, &["--attempts", "1", "--value-sets", "codes.json"]).ends(3);
    folder.write(
        "codes.json",
        r#"{"resourceType":"ValueSet","url":"u","expansion":{"contains":[]}}"#,
    );
    folder
        .run(&["pull", "--resume", "out"])
        .ends(2)
        .tells(&["codes.json has changed"]);
}

#[test]
fn lines_that_the_last_pass_leaves_out_are_told() {
    let bad: &'static str =
        "{\"resourceType\":\"Patient\"}\n{\"resourceType\":\"Patient\",\n{\"resourceType\":\"Patient\"}\n";
    let folder = Folder::new();
    let server = server(bad, |_, _| None);
    let ran = pull(&folder, &server, &["--max-resources", "1", "--report", "json"]).ends(1);
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(report["bad"], 1);
    assert_eq!(folder.read("out/error/OperationOutcome.000.ndjson").lines().count(), 1);
}

#[test]
fn a_journal_that_is_damaged_is_no_reason_to_begin_anew() {
    let (folder, server) = half_done(&[]);
    let path = folder.path("out/.fhirehose-pull/journal");
    let mut bytes = std::fs::read(&path).expect("reads");
    bytes[3] = 0xff;
    std::fs::write(path, bytes).expect("writes");
    for flag in ["--resume", "--cancel"] {
        folder.run(&["pull", flag, "out"]).ends(2).tells(&["damaged"]);
    }
    pull(&folder, &server, &[]).ends(2);
    assert_eq!(server.times("GET /fhir/Patient/$export"), 1);
}

#[test]
fn output_that_is_being_put_in_its_place_is_not_cancelled_half_way() {
    let (folder, _server) = half_done(&[]);
    folder.write("out/.fhirehose-pull/finishing", "");
    folder.run(&["pull", "--cancel", "out"]).ends(2).tells(&["--resume"]);
}

#[test]
fn what_stands_in_the_folder_already_is_not_taken_for_the_output() {
    for name in ["manifest.json", "Patient.000.ndjson"] {
        let (folder, server) = half_done(&[]);
        folder.write(&format!("out/{name}"), "mine");
        folder
            .run(&["pull", "--resume", "out"])
            .ends(2)
            .tells(&["is there already"]);
        assert_eq!(folder.read(&format!("out/{name}")), "mine");
        assert_eq!(server.times("DELETE /job"), 0);
        std::fs::remove_file(folder.path("out").join(name)).expect("removes");
        folder.run(&["pull", "--resume", "out"]).ends(0);
        assert_eq!(folder.read("out/Patient.001.ndjson"), LINES);
    }
}

#[test]
fn records_do_not_come_in_through_the_lists_of_errors_and_deletions() {
    let folder = Folder::new();
    let server = server(LINES, |asked, origin| {
        let item = |name: &str| json!([{ "type": name, "url": format!("{origin}/files/1") }]);
        let manifest = json!({
            "transactionTime": "2024-01-01T00:00:00Z", "request": "r", "requiresAccessToken": false,
            "output": [], "error": item("OperationOutcome"), "deleted": item("Bundle"),
        });
        asked.is("GET /job").then(|| Reply::new(200, manifest.to_string()))
    });
    let warning = "8 lines in its lists of errors and deletions that are neither";
    pull(&folder, &server, &["--type", "Condition"])
        .ends(0)
        .tells(&[warning]);
    assert_eq!(folder.files("out"), ["SHA256SUMS", "manifest.json"]);
}

#[test]
fn a_job_that_the_server_does_not_delete_is_not_forgotten() {
    let folder = Folder::new();
    let server = server(LINES, |asked, _| match asked.target.as_str() {
        "/job" if asked.method == "DELETE" => Some(Reply::new(405, "")),
        _ => None,
    });
    pull(&folder, &server, &["--detach"]).ends(0);
    folder
        .run(&["pull", "--cancel", "out"])
        .ends(3)
        .tells(&["could not be deleted", "405"]);
    assert!(folder.path("out/.fhirehose-pull/journal").exists());
    // Whoever wants only the folder back says so.
    folder.run(&["pull", "--cancel", "out", "--keep-job"]).ends(0);
    assert_eq!(folder.files("out"), [""; 0]);
    pull(&folder, &server, &[]).ends(0).tells(&["could not be deleted"]);
}

#[test]
fn a_job_of_which_only_the_url_is_known_cannot_be_held_against_references() {
    let folder = Folder::new();
    let server = server(LINES, |_, _| None);
    let job = format!("{}/job", server.origin);
    let words = ["pull", "--job", &job, "-o", "out", "--patient", "a"];
    folder.run(&words).ends(2).tells(&["--fhir-base"]);
    folder
        .run(&[&words[..], &["--fhir-base", "http://server/fhir"]].concat())
        .ends(0);
    assert_eq!(folder.read("out/Patient.000.ndjson").lines().count(), 1);
}

#[test]
fn the_time_that_is_given_holds_for_the_pass_at_the_end_too() {
    let folder = Folder::new();
    let server = server(LINES, |_, _| None);
    let words = ["--keep-job", "--organize-by", "Patient", "--max-resources", "2"];
    pull(&folder, &server, &[&words[..], &["--detach"]].concat()).ends(0);
    // All of it is there, and only the names are missing.
    folder.write("out/manifest.json", "mine");
    folder
        .run(&["pull", "--resume", "out"])
        .ends(2)
        .tells(&["is there already"]);
    std::fs::remove_file(folder.path("out/manifest.json")).expect("removes");
    folder
        .run(&["pull", "--resume", "out", "--timeout", "1us"])
        .ends(3)
        .tells(&[
            "the time is up before the files stood in their place",
            "goes on from here",
        ]);
    let there = folder.files("out");
    assert!(there.iter().all(|name| name.starts_with('.')), "{there:?}");
    folder.run(&["pull", "--resume", "out", "--timeout", "1h"]).ends(0);
    assert!(folder.path("out/manifest.json").exists());
    assert_eq!(server.times("GET /files/1"), 1, "what has come is not fetched again");
}
