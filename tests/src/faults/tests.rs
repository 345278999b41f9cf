//! Each fault does what it says.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use serde_json::Value;

use super::wire::{Head, Left, Out, Wire};
use super::{At, Class, Fault, Faults, Proxy};

const FILE: &str = "/fhir/bulk-export/files/abc";
const STATUS: &str = "/fhir/bulk-export/jobs/1";
const TOKEN: &str = "Bearer secret";

/// What a client got.
struct Got {
    status: u16,
    headers: Head,
    body: Vec<u8>,
    /// Whether the body ended where the head said.
    is_whole: bool,
}

fn plain() -> Vec<u8> {
    let line = |number| format!("{{\"resourceType\":\"Patient\",\"id\":\"{number}\"}}\n");
    (0..3000).map(line).collect::<String>().into_bytes()
}

fn packed() -> Vec<u8> {
    let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    to.write_all(&plain()).expect("packs");
    to.finish().expect("packs")
}

/// A server that knows a job with two files; what is asked for under `/chunked` comes in chunks.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut wire = Wire::new(stream);
                while let Ok(Some(head)) = wire.head() {
                    if give(&mut wire, &head).is_err() {
                        break;
                    }
                }
            });
        }
    });
    origin
}

fn give(wire: &mut Wire, asked: &Head) -> std::io::Result<()> {
    let mut left = asked.request_body();
    let (mut sent, mut piece) = (Vec::new(), vec![0; 1000]);
    loop {
        let got = wire.read(&mut left, &mut piece)?;
        if got == 0 {
            break;
        }
        sent.extend_from_slice(&piece[..got]);
    }
    let path = asked.first.split(' ').nth(1).unwrap_or_default();
    let mut head = Head::new("HTTP/1.1 200 OK");
    let body = if path.contains("$export") {
        head.first = "HTTP/1.1 202 Accepted".to_owned();
        head.set("Content-Location", "http://127.0.0.1/fhir/bulk-export/jobs/1");
        sent
    } else if path.contains("running") {
        head.first = "HTTP/1.1 202 Accepted".to_owned();
        head.set("Retry-After", "120");
        Vec::new()
    } else if path.contains("jobs") {
        let item = |name| serde_json::json!({"type": "Patient", "url": format!("http://127.0.0.1/fhir/bulk-export/files/{name}")});
        let manifest = serde_json::json!({"transactionTime": "now", "output": [item("abc"), item("def")]});
        manifest.to_string().into_bytes()
    } else if asked.has("accept-encoding", "gzip") {
        head.set("Content-Encoding", "gzip");
        packed()
    } else {
        plain()
    };
    head.set("Repr-Digest", "sha-256=:abc=:");
    head.set("X-Token", asked.get("authorization").unwrap_or("none"));
    if path.contains("chunked") {
        head.set("Transfer-Encoding", "chunked");
    } else {
        head.set("Content-Length", body.len().to_string());
    }
    let out = Out::begin(&wire.stream, &head)?;
    for piece in body.chunks(777) {
        out.piece(piece)?;
    }
    out.end()
}

/// A client that believes nothing and reads to the end.
struct Client {
    wire: Wire,
}

impl Client {
    fn of(origin: &str) -> Client {
        let stream = TcpStream::connect(origin.trim_start_matches("http://")).expect("connects");
        Client {
            wire: Wire::new(stream),
        }
    }

    /// Nothing: the connection ended before an answer.
    fn ask(&mut self, first: &str, headers: &[(&str, &str)], body: &str) -> Option<Got> {
        let mut head = Head::new(&format!("{first} HTTP/1.1"));
        head.set("Host", "127.0.0.1");
        for (name, value) in headers {
            head.set(name, *value);
        }
        if !body.is_empty() {
            head.set("Content-Length", body.len().to_string());
        }
        let text = head.text() + body;
        self.wire.stream.write_all(text.as_bytes()).ok()?;
        let head = self.wire.head().ok()??;
        let (mut left, mut got, mut piece) = (head.response_body(""), Vec::new(), vec![0; 4096]);
        let is_whole = loop {
            match self.wire.read(&mut left, &mut piece) {
                Ok(0) => break true,
                Ok(count) => got.extend_from_slice(&piece[..count]),
                Err(_) => break false,
            }
            // Who asks for something endless has to have enough at some time.
            if got.len() > 4 << 20 {
                break false;
            }
        };
        Some(Got {
            status: head.status(),
            headers: head,
            body: got,
            is_whole,
        })
    }
}

fn get(proxy: &Proxy, path: &str, headers: &[(&str, &str)]) -> Option<Got> {
    Client::of(&proxy.origin()).ask(&format!("GET {path}"), headers, "")
}

fn proxy(seed: u64, faults: Faults) -> Proxy {
    let proxy = Proxy::listen(seed, faults);
    proxy.forward_to(&server());
    proxy
}

/// A proxy that does one thing, always, and what it did.
fn only(fault: Fault, seed: u64) -> Proxy {
    proxy(seed, Faults::only(fault, 1000))
}

fn unpack(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut into = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut into).map(|_| into)
}

#[test]
fn without_faults_all_passes_as_it_is() {
    let proxy = proxy(1, Faults::none());
    let mut client = Client::of(&proxy.origin());
    for path in [FILE, "/fhir/bulk-export/files/chunked"] {
        let got = client
            .ask(&format!("GET {path}"), &[("Authorization", TOKEN)], "")
            .expect("an answer");
        assert!(got.is_whole && got.body == plain(), "{path}");
        assert_eq!(got.headers.get("x-token"), Some(TOKEN));
        assert_eq!(got.headers.get("repr-digest"), Some("sha-256=:abc=:"));
    }
    let got = client
        .ask("GET /fhir/bulk-export/files/abc", &[("Accept-Encoding", "gzip")], "")
        .expect("an answer");
    assert_eq!(got.body, packed());
    let got = client
        .ask("POST /fhir/$export", &[], "the body of a request")
        .expect("an answer");
    assert_eq!((got.status, &*got.body), (202, &b"the body of a request"[..]));
    let seen = proxy.seen();
    let classes: Vec<(Class, bool)> = seen.iter().map(|seen| (seen.class, seen.authorized)).collect();
    let file = Class::File;
    assert_eq!(
        classes,
        [(file, true), (file, true), (file, false), (Class::Kickoff, false)]
    );
    assert!(
        seen.iter()
            .all(|seen| seen.fault.is_none() && seen.at == At::Main && seen.status != 0)
    );
    assert_eq!(proxy.progress().requests, 4);
}

#[test]
fn without_a_server_it_says_so() {
    let proxy = Proxy::listen(1, Faults::none());
    assert_eq!(get(&proxy, FILE, &[]).expect("an answer").status, 503);
}

#[test]
fn bodies_are_cut_flipped_and_shortened() {
    for seed in 0..8 {
        for path in [FILE, "/fhir/bulk-export/files/chunked"] {
            for (coding, whole) in [("identity", plain()), ("gzip", packed())] {
                let of = |fault| get(&only(fault, seed), path, &[("Accept-Encoding", coding)]).expect("an answer");
                let cut = of(Fault::Cut);
                assert!(!cut.is_whole && whole.starts_with(&cut.body), "{path} {coding}");
                let flipped = of(Fault::Flip);
                let differing = whole
                    .iter()
                    .zip(&flipped.body)
                    .filter(|(one, other)| one != other)
                    .count();
                assert!(
                    flipped.is_whole && flipped.body.len() == whole.len() && differing == 1,
                    "{path} {coding}"
                );
                let short = of(Fault::Truncate);
                let missing = whole.len() - short.body.len();
                assert!(short.is_whole && (1..=200).contains(&missing) && whole.starts_with(&short.body));
                assert!(coding != "gzip" || (missing == 8 && unpack(&short.body).is_err()));
                let long = of(Fault::TooLong);
                assert!(!long.is_whole && long.body == whole, "{path} {coding}");
                let short = of(Fault::TooShort);
                assert!(short.is_whole && short.body.len() < whole.len(), "{path} {coding}");
                let lying = of(Fault::LyingCoding);
                assert!(
                    lying.body == whole
                        && lying.headers.get("content-encoding") != Some(coding).filter(|&name| name == "gzip")
                );
            }
        }
    }
}

#[test]
fn what_no_client_could_find_out_is_not_done() {
    let head = Head::new("HTTP/1.1 200 OK");
    let mut random = crate::random::Random::new(1);
    assert_eq!(super::change::Change::of(Some(Fault::Flip), &head, &mut random), None);
}

#[test]
fn connections_end_without_an_answer() {
    let proxy = only(Fault::Drop, 3);
    let mut details = BTreeMap::new();
    for _ in 0..20 {
        assert!(get(&proxy, FILE, &[]).is_none());
    }
    for seen in proxy.seen() {
        *details.entry(seen.detail).or_insert(0) += 1;
    }
    assert_eq!(details.len(), 2, "{details:?}");
}

#[test]
fn refusals_have_every_status_and_odd_waits() {
    let proxy = only(Fault::Refuse, 4);
    let (mut statuses, mut waits) = (BTreeMap::new(), BTreeMap::new());
    for _ in 0..200 {
        let got = get(&proxy, STATUS, &[]).expect("an answer");
        *statuses.entry(got.status).or_insert(0) += 1;
        *waits
            .entry(got.headers.get("retry-after").map(str::to_owned))
            .or_insert(0) += 1;
    }
    assert_eq!(statuses.keys().copied().collect::<Vec<_>>(), [429, 500, 502, 503, 504]);
    for wait in ["0", "soon", "-5", "1e30", ""] {
        assert!(waits.contains_key(&Some(wait.to_owned())), "{waits:?}");
    }
    assert!(waits.contains_key(&None));
    // Nothing was asked of the server, and the connection can be used on.
    let mut client = Client::of(&proxy.origin());
    client.ask("POST /fhir/$export", &[], "a body").expect("an answer");
    proxy.calm();
    assert_eq!(
        client.ask(&format!("GET {FILE}"), &[], "").expect("an answer").body,
        plain()
    );
}

#[test]
fn a_running_job_says_odd_things() {
    let proxy = only(Fault::OddWait, 4);
    let waits: Vec<_> = (0..20)
        .map(|_| get(&proxy, "/fhir/bulk-export/jobs/running", &[]).expect("an answer"))
        .map(|got| got.headers.get("retry-after").map(str::to_owned))
        .collect();
    assert!(waits.iter().all(|wait| wait.as_deref() != Some("120")), "{waits:?}");
}

#[test]
fn tokens_expire() {
    let proxy = only(Fault::Expire, 5);
    assert_eq!(get(&proxy, FILE, &[]).expect("an answer").status, 200);
    let got = get(&proxy, FILE, &[("Authorization", TOKEN)]).expect("an answer");
    assert_eq!(got.status, 401);
    assert!(got.headers.has("www-authenticate", "bearer"));
}

#[test]
fn redirects_lead_to_what_opens_without_a_token_only() {
    let proxy = only(Fault::Redirect, 6);
    let mut queries = BTreeMap::new();
    for _ in 0..20 {
        let got = get(&proxy, FILE, &[("Authorization", TOKEN)]).expect("an answer");
        assert_eq!(got.status, 307);
        let location = got.headers.get("location").expect("a place").to_owned();
        let path = location.strip_prefix(&proxy.other_origin()).expect("elsewhere");
        *queries.entry(path.contains('?')).or_insert(0) += 1;
        let mut client = Client::of(&proxy.other_origin());
        let got = client.ask(&format!("GET {path}"), &[], "").expect("an answer");
        assert!(got.status == 200 && got.body == plain());
        assert_eq!(got.headers.get("x-token"), Some(TOKEN), "the proxy has it in between");
        let got = client
            .ask(&format!("GET {path}"), &[("Authorization", TOKEN)], "")
            .expect("an answer");
        assert_eq!(got.status, 400);
    }
    assert_eq!(queries.len(), 2);
    let seen = proxy.seen();
    let at_other = seen.iter().filter(|seen| seen.at == At::Other);
    assert_eq!(at_other.filter(|seen| seen.authorized).count(), 20);
    assert!(seen.iter().all(|seen| seen.class == Class::File));
}

fn names(manifest: &[u8]) -> Option<Vec<String>> {
    let manifest: Value = serde_json::from_slice(manifest).ok()?;
    let items = manifest["output"].as_array()?.iter();
    items.map(|item| item["url"].as_str().map(str::to_owned)).collect()
}

#[test]
fn manifests_change_when_they_are_known() {
    let proxy = only(Fault::ChangeManifest, 7);
    let ask = || get(&proxy, STATUS, &[]).expect("an answer").body;
    for _ in 0..20 {
        let names = names(&ask()).expect("a manifest");
        assert!(
            names.len() == 2 && names[0].ends_with("/fhir/bulk-export/files/abc"),
            "{names:?}"
        );
        assert!(names[0].contains("/again-"), "{names:?}");
    }
    assert_eq!(
        get(&proxy, &format!("/again-3{FILE}?x=1"), &[])
            .expect("an answer")
            .body,
        plain()
    );
    for _ in 0..50 {
        assert!(serde_json::from_slice::<Value>(&ask()).is_ok());
    }
    let mut kinds = BTreeMap::new();
    for seen in proxy.seen().into_iter().filter(|seen| seen.class == Class::Status) {
        *kinds.entry(seen.detail).or_insert(0) += 1;
    }
    let kinds: Vec<&str> = kinds.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["one missing", "other URLs", "other order", "other time"]);
}

#[test]
fn manifests_grow_to_100_megabytes() {
    let body = br#"{"output":[{"type":"Patient","url":"http://127.0.0.1/files/abc"}]}"#;
    let mut kinds = BTreeMap::new();
    for seed in 0..4 {
        let mut random = crate::random::Random::new(seed);
        let (kind, made) = super::manifest::huge(body, &mut random).expect("a manifest");
        assert!(
            (90_000_000..130_000_000).contains(&made.len()),
            "{kind}: {}",
            made.len()
        );
        kinds.insert(kind, ());
    }
    assert_eq!(kinds.len(), 2);
    assert_eq!(
        super::manifest::huge(b"no manifest", &mut crate::random::Random::new(1)),
        None
    );
}

#[test]
fn pages_of_html_come_with_200() {
    let proxy = only(Fault::Html, 8);
    for path in [FILE, STATUS, "/fhir/$export"] {
        let got = get(&proxy, path, &[]).expect("an answer");
        assert!(got.status == 200 && got.body.starts_with(b"<!DOCTYPE html>"));
    }
}

#[test]
fn bodies_go_on_without_end() {
    let proxy = only(Fault::Endless, 9);
    let got = get(&proxy, FILE, &[]).expect("an answer");
    assert!(!got.is_whole && got.body.starts_with(&plain()) && got.body.len() > 4 << 20);
    let got = get(&proxy, FILE, &[("Accept-Encoding", "gzip")]).expect("an answer");
    assert!(!got.is_whole && got.body.starts_with(&packed()));
    let got = get(&proxy, STATUS, &[]).expect("an answer");
    assert!(!got.is_whole && got.body.starts_with(b"{   "));
}

#[test]
fn hanging_ends_with_the_client_the_time_or_the_faults() {
    let begun = Instant::now();
    let short = proxy(10, Faults::only(Fault::Hang, 1000).hanging(Duration::from_millis(30)));
    assert!(get(&short, FILE, &[]).is_none());
    let proxy = only(Fault::Hang, 10);
    let mut client = Client::of(&proxy.origin());
    let waiting = std::thread::spawn(move || client.ask(&format!("GET {FILE}"), &[], "").is_none());
    assert!(proxy.wait_until(Duration::from_secs(20), |progress| progress.requests == 1));
    proxy.calm();
    assert!(waiting.join().expect("ends"));
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_seed_says_what_happens() {
    let drawn = |seed| {
        let of = (Class::File, At::Main, true);
        let faults = Faults::all(50);
        (0..500)
            .map(|number| faults.draw(seed, number, of).0)
            .collect::<Vec<_>>()
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
    let statuses = |proxy: &Proxy| {
        (0..20)
            .map(|_| get(proxy, FILE, &[]).map(|got| got.status))
            .collect::<Vec<_>>()
    };
    let again = proxy(5, Faults::only(Fault::Refuse, 500));
    let first = statuses(&again);
    again.begin_anew(5);
    assert_eq!(statuses(&again), first);
    assert_eq!(again.progress().requests, 20);
    // Of 13 that fit, at one in twenty each.
    let hits = drawn(1).iter().flatten().count();
    assert!((200..300).contains(&hits), "{hits}");
}

#[test]
fn a_large_body_passes_in_little_memory_and_time() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = Proxy::listen(1, Faults::none());
    proxy.forward_to(&format!("http://{}", listener.local_addr().expect("an address")));
    const LENGTH: u64 = 512 << 20;
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let mut wire = Wire::new(stream);
        wire.head().expect("a head");
        let mut head = Head::new("HTTP/1.1 200 OK");
        head.set("Content-Length", LENGTH.to_string());
        let out = Out::begin(&wire.stream, &head).expect("sends");
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..LENGTH >> 20 {
            out.piece(&piece).expect("sends");
        }
    });
    let mut client = Client::of(&proxy.origin());
    let begun = Instant::now();
    client
        .wire
        .stream
        .write_all(b"GET /fhir/bulk-export/files/a HTTP/1.1\r\n\r\n")
        .expect("asks");
    let head = client.wire.head().expect("a head").expect("an answer");
    let (mut left, mut piece, mut sum) = (head.response_body(""), vec![0; 1 << 20], 0);
    assert_eq!(left, Left::Bytes(LENGTH));
    loop {
        match client.wire.read(&mut left, &mut piece).expect("reads") {
            0 => break,
            got => sum += got as u64,
        }
    }
    assert_eq!(sum, LENGTH);
    println!("{} MB/s", sum as f64 / 1e6 / begun.elapsed().as_secs_f64());
}
