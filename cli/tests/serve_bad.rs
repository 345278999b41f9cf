//! What goes wrong around a server: data that changes, stores that are full, damaged or locked, clients that behave badly.

mod binary;
mod serving;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use binary::Folder;
use serde_json::{Value, json};
use serving::{ASYNC, Answer, Server, request};

/// Connections that say nothing while others work.
const IDLE: usize = 400;

const ONE_THREAD: [&str; 3] = ["--open", "--threads", "1"];

/// Data that takes a moment to export.
fn some_megabytes() -> Folder {
    let folder = Folder::new();
    folder.run(&["synth", "-o", "data", "--patients", "300"]).ends(0);
    folder
}

fn small() -> Folder {
    let folder = Folder::new();
    folder.write("data/lines.ndjson", binary::LINES);
    folder
}

/// Whether anything lies in the folder of an attempt.
fn has_begun(folder: &Folder, job: &str) -> bool {
    fs::read_dir(folder.path(&format!("fhirehose-state/jobs/{job}"))).is_ok_and(|mut entries| entries.next().is_some())
}

/// Changes the data while a job runs; gives the job's end. A job that was faster is not the one.
fn ended_after(folder: &Folder, server: &Server, change: impl Fn(&Path)) -> (String, Answer) {
    let path = folder.path("data/Observation.ndjson");
    let whole = fs::read(&path).expect("reads");
    for _ in 0..10 {
        let status = server.kick_off("$export");
        let job = status.rsplit('/').next().expect("an id");
        while !has_begun(folder, job) {
            std::thread::yield_now();
        }
        change(&path);
        let ended = server.wait(&status);
        if ended.status != 200 {
            return (status, ended);
        }
        fs::write(&path, &whole).expect("writes");
        server.reload();
    }
    panic!("the server is too fast for this test")
}

#[test]
fn data_that_change_during_a_job_fail_it_and_nothing_is_listed() {
    let folder = some_megabytes();
    let server = Server::start(&folder, &ONE_THREAD);
    let whole = fs::read(folder.path("data/Observation.ndjson")).expect("reads");
    let vanish = |path: &Path| fs::remove_file(path).expect("removes");
    let append = |path: &Path| {
        let mut file = fs::OpenOptions::new().append(true).open(path).expect("opens");
        file.write_all(b"{\"resourceType\":\"Observation\",\"id\":\"new\"}\n")
            .expect("writes");
    };
    let replace = |path: &Path| {
        let other = path.with_extension("other");
        fs::write(&other, &whole[..whole.len() / 2]).expect("writes");
        fs::rename(other, path).expect("renames");
    };
    let cut = |path: &Path| fs::write(path, b"").expect("writes");
    for change in [&vanish as &dyn Fn(&Path), &append, &replace, &cut] {
        let (status, ended) = ended_after(&folder, &server, change);
        let ended = ended.is(500);
        let told = ended.json()["issue"][0]["diagnostics"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(
            told.contains("Observation.ndjson") && told.contains("ask again"),
            "{told}"
        );
        assert!(!told.contains("data/"), "{told}");
        assert!(!ended.text().contains("\"output\""));
        let job = status.rsplit('/').next().expect("an id");
        assert!(!has_begun(&folder, job), "files of a failed job stay");
        fs::write(folder.path("data/Observation.ndjson"), &whole).expect("writes");
        server.reload();
    }
    // A job of the data as they are now goes well.
    let (manifest, _) = server.export("$export?_type=Observation");
    assert_eq!(manifest["output"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_job_is_over_the_data_as_they_are_when_it_begins() {
    let folder = small();
    let server = Server::open(&folder);
    folder.write("data/lines.ndjson", binary::LINES.repeat(2));
    let manifest = server.wait(&server.kick_off("$export")).is(200).json();
    let counts: Vec<_> = manifest["output"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| item["count"].as_u64())
        .collect();
    assert_eq!(counts, [Some(2), Some(6)]);
}

#[test]
fn damaged_gzip_in_the_data_is_told_at_the_start() {
    let folder = small();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed
        .write_all(&binary::LINES.repeat(1000).into_bytes())
        .expect("memory");
    let mut packed = packed.finish().expect("memory");
    folder.write("data/more.ndjson.gz", &packed[..packed.len() / 2]);
    let said = Server::try_start(&folder, &["--open"]).err().unwrap_or_default();
    assert!(said.starts_with("error: ") && said.contains("more.ndjson.gz"), "{said}");
    let end = packed.len() - 6;
    packed[end] ^= 1;
    folder.write("data/more.ndjson.gz", &packed);
    let said = Server::try_start(&folder, &["--open"]).err().unwrap_or_default();
    assert!(said.starts_with("error: ") && said.contains("more.ndjson.gz"), "{said}");
    fs::remove_file(folder.path("data/more.ndjson.gz")).expect("removes");
    Server::open(&folder).export("$export");
}

/// Kick-offs with long bodies until the store takes no more; the last answer.
fn until_full(server: &Server) -> Answer {
    let codes: Vec<String> = (0..5000)
        .map(|number| format!("http://example.org|code-{number}"))
        .collect();
    let filter = format!("Observation?code={}", codes.join(","));
    let body = json!([{ "name": "_typeFilter", "valueString": filter }]);
    for _ in 0..400 {
        let answer = server.post("$export", &body);
        if !matches!(answer.status, 202 | 429) {
            return answer;
        }
    }
    panic!("the store is never full")
}

fn is_well(server: &Server) {
    server.get("metadata", &[]).is(200);
    let health = request("GET", &format!("{}/health", server.root), &[], b"");
    assert!(health.status == 200 || health.status >= 500, "{health:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_store_takes_no_jobs_until_there_is_room() {
    let folder = small();
    fs::create_dir(folder.path("small")).expect("makes");
    let path = folder.path("small");
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
        .arg(&path)
        .stderr(std::process::Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: a small file system cannot be mounted here");
        return;
    }
    let server = Server::start(
        &folder,
        &[
            "--open",
            "--state",
            "small/state",
            "--store",
            "jobs",
            "--max-queued",
            "1000",
        ],
    );
    let filler = folder.path("small/filler");
    fs::write(&filler, vec![1; 600_000]).expect("writes");
    let answer = until_full(&server);
    let alive = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        assert!(matches!(answer.status, 500 | 503 | 507), "{answer:?}");
        answer.clone().is(answer.status);
        is_well(&server);
        fs::remove_file(&filler).expect("removes");
        let status = server.kick_off("$export?_type=Patient");
        server.wait(&status).is(200);
    }));
    server.kill();
    let _ = std::process::Command::new("umount").arg(&path).status();
    if let Err(panic) = alive {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn a_damaged_store_is_told_and_what_needs_none_goes_on() {
    let folder = small();
    folder.write(
        "fhirehose-state/jobs.db",
        "this is no database, though it is long enough to be one: ".repeat(100),
    );
    let server = Server::open(&folder);
    assert!(
        server.said.contains("warning: ") && server.said.contains("jobs.db"),
        "{}",
        server.said
    );
    server.get("metadata", &[]).is(200);
    server.get("Group", &[]).is(200);
    let refused = server.get("$export", &ASYNC).is(503);
    assert!(!refused.header("retry-after").is_empty());
    assert!(!refused.text().contains("jobs.db"), "clients do not learn of files");
    server.get("bulk-export/jobs/0123", &[]).is(503);
    server.get("bulk-export/files/0123", &[]).is(503);
    server.request("DELETE", "bulk-export/jobs/0123", &[], b"").is(503);
    drop(server);
    let left = fs::read(folder.path("fhirehose-state/jobs.db")).expect("reads");
    assert!(
        left.starts_with(b"this is no database"),
        "what is damaged is not written over"
    );
}

#[test]
fn a_store_that_is_damaged_in_the_middle_takes_no_jobs_and_is_left_as_it_is() {
    let folder = small();
    let server = Server::open(&folder);
    for _ in 0..20 {
        server.wait(&server.kick_off("$export?_type=Patient")).is(200);
    }
    stop(server);
    let path = folder.path("fhirehose-state/jobs.db");
    // The log beside it would mend it.
    let _ = fs::remove_file(folder.path("fhirehose-state/jobs.db-wal"));
    let whole = fs::read(&path).expect("reads");
    let pages = whole.len() / 4096;
    assert!(pages > 6, "{pages}");
    for from in [1, 2, pages / 2, pages - 1] {
        let mut bytes = whole.clone();
        bytes[from * 4096..].iter_mut().for_each(|byte| *byte ^= 0x5a);
        fs::write(&path, &bytes).expect("writes");
        let server = Server::open(&folder);
        assert!(
            server.said.contains("warning: ") && server.said.contains("jobs.db"),
            "{}",
            server.said
        );
        server.get("metadata", &[]).is(200);
        server
            .get("$export", &ASYNC)
            .is(503)
            .tells("transient", &["store of jobs"]);
        let status = server.get("bulk-export/jobs/0123", &[]);
        assert!(status.status == 404 || status.status >= 500, "{status:?}");
        server.get("metadata", &[]).is(200);
        stop(server);
        assert!(
            fs::read(&path).expect("reads") == bytes,
            "what is damaged was written into"
        );
    }
}

/// Another process has the store's lock: that of those who write, or the whole file.
fn locked_by_another(folder: &Folder, is_whole: bool, while_locked: impl FnOnce()) {
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mode = if is_whole { "EXCLUSIVE" } else { "NORMAL" };
    let options = SqliteConnectOptions::new()
        .filename(folder.path("fhirehose-state/jobs.db"))
        .pragma("locking_mode", mode);
    let mut connection = runtime.block_on(async {
        let mut connection = options.connect().await.expect("opens");
        connection.execute("BEGIN IMMEDIATE").await.expect("locks");
        connection
    });
    while_locked();
    runtime.block_on(async {
        connection.execute("ROLLBACK").await.expect("ends");
        connection.close().await.expect("closes");
    });
}

#[test]
fn a_store_that_is_locked_for_a_while_takes_jobs_when_it_is_free() {
    let folder = small();
    let server = Server::open(&folder);
    let status = server.kick_off("$export?_type=Patient");
    server.wait(&status).is(200);
    locked_by_another(&folder, false, || {
        let refused = server.get("$export", &ASYNC).is(503).tells("transient", &["try again"]);
        assert!(!refused.header("retry-after").is_empty());
        server.get(&status, &[]).is(200);
        server.get("metadata", &[]).is(200);
    });
    server.wait(&server.kick_off("$export?_type=Patient")).is(200);
}

#[test]
fn a_store_that_is_locked_whole_at_the_start_is_told() {
    let folder = small();
    stop(Server::open(&folder));
    locked_by_another(&folder, true, || {
        let server = Server::open(&folder);
        assert!(
            server.said.contains("warning: ") && server.said.contains("locked"),
            "{}",
            server.said
        );
        server.get("metadata", &[]).is(200);
        server.get("$export", &ASYNC).is(503);
    });
    let server = Server::open(&folder);
    server.wait(&server.kick_off("$export?_type=Patient")).is(200);
}

/// Ends it so that everything stands in the one file of the database.
fn stop(server: Server) {
    #[cfg(unix)]
    {
        terminate(&server);
        assert_eq!(server.ended().code, Some(0));
    }
    #[cfg(not(unix))]
    drop(server);
}

#[cfg(unix)]
fn terminate(server: &Server) {
    use nix::sys::signal::{Signal, kill};
    let id = i32::try_from(server.pid()).expect("an id");
    kill(nix::unistd::Pid::from_raw(id), Signal::SIGTERM).expect("the signal is sent");
}

#[cfg(unix)]
#[test]
fn a_store_that_can_only_be_read_gives_out_what_there_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = small();
    let server = Server::open(&folder);
    let status = server.kick_off("$export?_type=Patient");
    server.wait(&status).is(200);
    let job = status.rsplit('/').next().expect("an id").to_owned();
    stop(server);
    let mode = |mode| fs::set_permissions(folder.path("fhirehose-state/jobs.db"), fs::Permissions::from_mode(mode));
    mode(0o400).expect("sets");
    let may_write = fs::OpenOptions::new()
        .append(true)
        .open(folder.path("fhirehose-state/jobs.db"))
        .is_ok();
    if may_write {
        eprintln!("skipped: this user may write into everything");
        return;
    }
    let server = Server::open(&folder);
    assert!(
        server.said.contains("warning: jobs can be read and not taken on"),
        "{}",
        server.said
    );
    let manifest = server.get(&format!("bulk-export/jobs/{job}"), &[]).is(200).json();
    assert_eq!(server.files(&manifest, &[]).len(), 1);
    server.get("$export", &ASYNC).is(503);
    server
        .request("DELETE", &format!("bulk-export/jobs/{job}"), &[], b"")
        .is(503);
}

/// Says something; what comes back. With `is_cut` nothing more is to come, and the server can see that.
fn say(server: &Server, said: &[u8], is_cut: bool) -> String {
    let address = server.root.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("connects");
    stream.write_all(said).expect("writes");
    if is_cut {
        stream.shutdown(std::net::Shutdown::Write).expect("ends");
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn requests_that_are_cut_in_the_middle() {
    let folder = small();
    let server = Server::open(&folder);
    let post = b"POST /fhir/$export HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nPrefer: respond-async\r\nContent-Type: application/fhir+json\r\nContent-Length: 500\r\n\r\n{\"resourceType\":";
    for said in [
        &b"G"[..],
        b"GET /fhir/$export HTT",
        b"GET /fhir/$export HTTP/1.1\r\nHost: x\r\nAcce",
        post,
        b"POST /fhir/$export HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\r\n\r\n\r\n",
    ] {
        let answer = say(&server, said, true);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let figures = request("GET", &format!("{}/health", server.root), &[], b"")
        .is(200)
        .json();
    assert_eq!(figures["jobs"]["accepted"], 0, "none of them was a kick-off");
    server.export("$export");
}

#[test]
fn idle_connections_do_not_hinder_others() {
    let folder = small();
    let server = Server::open(&folder);
    let address = server.root.trim_start_matches("http://");
    let idle: Vec<TcpStream> = (0..IDLE)
        .map(|_| TcpStream::connect(address).expect("connects"))
        .collect();
    let begun = std::time::Instant::now();
    server.export("$export");
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
    drop(idle);
    server.export("$export");
}

#[test]
fn too_many_patients() {
    let folder = small();
    let patient =
        |number: usize| json!({ "name": "patient", "valueReference": { "reference": format!("Patient/p{number}") } });
    let patients = |count: usize| -> Value { (0..count).map(patient).collect() };
    let server = Server::start(&folder, &["--open", "--profile", "oracle", "--assume-async"]);
    let mut list = patients(20_001);
    let items = list.as_array_mut().expect("a list");
    items.push(json!({ "name": "_type", "valueString": "Patient" }));
    let refused = server.post("Patient/$export", &list).is(400);
    assert!(
        refused.text().contains("20000") || refused.text().contains("20,000"),
        "{}",
        refused.text()
    );
    drop(server);
    let server = Server::open(&folder);
    // The guide has no bound; they are not in the data, of which the first hundred are told.
    let refused = server.post("Patient/$export", &patients(20_001));
    assert!(matches!(refused.status, 400 | 404), "{}", refused.status);
    assert!(refused.body.len() < 100_000, "{} bytes", refused.body.len());
}

#[test]
fn tricks_with_paths_lead_nowhere() {
    let folder = small();
    let server = Server::open(&folder);
    let manifest = server.wait(&server.kick_off("$export")).is(200).json();
    let file = manifest["output"][0]["url"].as_str().expect("a URL").to_owned();
    let tricks = [
        "..%2f..%2fjobs.db",
        "%2e%2e%2f%2e%2e%2fjobs.db",
        "..%5c..%5cjobs.db",
        "%2fetc%2fpasswd",
        "a%00",
        "%ff%fe",
        "....//....//jobs.db",
        "..;/jobs.db",
        "%252e%252e%252fjobs.db",
        "con",
        "%20",
        ".",
        "..",
        "'%20OR%201=1%20--",
        &"a".repeat(5000),
    ];
    for trick in tricks {
        for place in ["jobs", "files", "store"] {
            for method in ["GET", "DELETE", "HEAD"] {
                let answer = raw(&server, method, &format!("/fhir/bulk-export/{place}/{trick}"));
                assert!(
                    ["400", "401", "403", "404", "405"].contains(&answer.as_str()),
                    "{method} {place}/{trick}: {answer}"
                );
            }
        }
    }
    server.get(&file, &[]).is(200);
}

/// The status of a request whose path goes over the wire as it is.
fn raw(server: &Server, method: &str, path: &str) -> String {
    let said = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let answer = say(server, said.as_bytes(), false);
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[cfg(unix)]
#[test]
fn a_job_that_runs_when_the_server_is_stopped_goes_on_with_the_next() {
    let folder = some_megabytes();
    folder.run(&["export", "data", "-o", "out"]).ends(0);
    let server = Server::start(&folder, &ONE_THREAD);
    let status = server.kick_off("$export");
    let job = status.rsplit('/').next().expect("an id").to_owned();
    while !has_begun(&folder, &job) {
        std::thread::yield_now();
    }
    terminate(&server);
    let ended = server.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    let server = Server::open(&folder);
    let manifest = server.wait(&format!("bulk-export/jobs/{job}")).is(200).json();
    let files = server.files(&manifest, &[]);
    let total = manifest["output"].as_array().map_or(0, Vec::len);
    assert!(total > 10 && files.len() == total);
    for (name, bytes) in &files {
        let type_name = name.trim_start_matches("output/");
        assert!(
            *bytes == fs::read(folder.path(&format!("out/{type_name}.000.ndjson"))).expect("reads"),
            "{name}"
        );
    }
}

#[cfg(unix)]
#[test]
fn logs_tell_of_work_and_not_of_records_queries_or_tokens() {
    let folder = Folder::new();
    const MARK: &str = "zzmarkzz";
    let lines = [
        r#"{"resourceType":"Patient","id":"zzmarkzz-id","name":[{"family":"zzmarkzz-name"}]}"#,
        r#"{"resourceType":"Group","id":"zzmarkzz-group","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/zzmarkzz-id"}}]}"#,
        r#"{"resourceType":"Observation","id":"o","status":"final","subject":{"reference":"Patient/zzmarkzz-id"},"valueString":"zzmarkzz-value"}"#,
        r#"{"resourceType":"Observation","id":"zzmarkzz","zzmarkzz"#,
    ];
    folder.write("data/lines.ndjson", format!("{}\n", lines.join("\n")));
    let server = Server::start(&folder, &["--open", "--log-level", "debug", "--log", "json"]);
    let filter = format!("$export?_typeFilter=Patient%3Ffamily%3D{MARK}-name&_type=Patient");
    let (manifest, files) = server.export(&filter);
    assert_eq!(files.len(), 1, "{manifest}");
    server.export(&format!("Group/{MARK}-group/$export"));
    let token = format!("Bearer {MARK}-token");
    let bearer = [ASYNC[0], ASYNC[1], ("authorization", token.as_str())];
    server.get("$export", &bearer);
    for path in [
        format!("$export?_type={MARK}"),
        format!("$export?{MARK}=1"),
        format!("$export?_typeFilter=Patient%3F{MARK}%3D1"),
        format!("Group/{MARK}/$export"),
        format!("Group?name={MARK}"),
        format!("Group/{MARK}"),
        format!("bulk-export/jobs/{MARK}"),
        format!("bulk-export/files/{MARK}?{MARK}"),
        format!("bulk-export/store/{MARK}?expires={MARK}&signature={MARK}"),
        format!("{MARK}/{MARK}"),
    ] {
        server.get(&path, &bearer);
    }
    let patient = json!([{ "name": "patient", "valueReference": { "reference": format!("Patient/{MARK}") } }]);
    server.post("Patient/$export", &patient);
    server.request(
        "POST",
        "auth/token",
        &[("content-type", "application/x-www-form-urlencoded")],
        format!("grant_type=client_credentials&client_assertion={MARK}&client_id={MARK}").as_bytes(),
    );
    let status = server.kick_off("$export");
    server.request("DELETE", &status, &[], b"").is(202);
    server.reload();
    terminate(&server);
    let ended = server.ended();
    assert_eq!(ended.code, Some(0));
    let audit = folder.read("fhirehose-state/audit.log");
    for (name, text) in [("log", &ended.log), ("audit log", &audit)] {
        let told: Vec<&str> = text.lines().filter(|line| line.contains(MARK)).collect();
        assert!(told.is_empty(), "the {name} tells: {told:?}");
    }
    assert!(
        ended.log.contains("answered") && ended.log.contains("the job is complete"),
        "{}",
        ended.log
    );
    let job = status.rsplit('/').next().expect("an id");
    for event in ["kick-off", "delete"] {
        let is_told = |line: &str| line.contains(job) && line.contains(&format!("\"event\":\"{event}\""));
        assert!(audit.lines().any(is_told), "no {event} in {audit}");
    }
}
