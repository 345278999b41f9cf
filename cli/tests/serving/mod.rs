//! A server as a user starts it, on a port of its own, and a client that speaks plain HTTP to it.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binary::Folder;

/// Longest wait for anything; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server; killed when it goes.
pub(crate) struct Server {
    child: Child,
    /// The FHIR base.
    pub(crate) base: String,
    /// Scheme, host and port.
    pub(crate) root: String,
    /// What it said before it was ready.
    pub(crate) said: String,
    log: Arc<Mutex<String>>,
    // Reads to the end: a pipe that is full or closed would be the server's concern.
    reader: Option<JoinHandle<()>>,
}

/// How a server ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None`: by a signal.
    pub(crate) code: Option<i32>,
    /// Everything that it said after it was ready.
    pub(crate) log: String,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Checks the status, and that an error is an OperationOutcome.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{:?} {}", self.headers, self.text());
        if status >= 400 {
            assert_eq!(self.header("content-type"), "application/fhir+json", "{}", self.text());
            assert_eq!(self.json()["resourceType"], "OperationOutcome");
        }
        self
    }

    /// Checks the code of the first issue and that its text holds the words.
    #[track_caller]
    pub(crate) fn tells(self, code: &str, words: &[&str]) -> Answer {
        let outcome = self.json();
        let issue = &outcome["issue"][0];
        assert_eq!(issue["code"], code, "{outcome}");
        let text = issue["diagnostics"].as_str().unwrap_or_default();
        for word in words {
            assert!(text.contains(word), "`{word}` is not in: {text}");
        }
        self
    }
}

/// Keeps what comes, line by line.
fn keep(lines: impl std::io::BufRead, log: &Mutex<String>) {
    for line in lines.lines().map_while(Result::ok) {
        if let Ok(mut log) = log.lock() {
            log.push_str(&line);
            log.push('\n');
        }
    }
}

/// Headers of an ordinary kick-off.
pub(crate) const ASYNC: [(&str, &str); 2] = [("accept", "application/fhir+json"), ("prefer", "respond-async")];

impl Server {
    /// Starts `serve --data data --listen 127.0.0.1:0` with more arguments, in the folder.
    #[track_caller]
    pub(crate) fn start(folder: &Folder, args: &[&str]) -> Server {
        match Server::try_start(folder, args) {
            Ok(server) => server,
            Err(said) => panic!("the server does not start: {said}"),
        }
    }

    /// The same over data that the arguments name.
    #[track_caller]
    pub(crate) fn start_over(folder: &Folder, args: &[&str]) -> Server {
        Server::spawn(folder, args).unwrap_or_else(|said| panic!("the server does not start: {said}"))
    }

    /// As [`Server::start`]; what it said if it ended.
    pub(crate) fn try_start(folder: &Folder, args: &[&str]) -> Result<Server, String> {
        Server::spawn(folder, &[&["--data", "data"], args].concat())
    }

    #[expect(clippy::zombie_processes, reason = "the server waits for its child when it goes")]
    fn spawn(folder: &Folder, args: &[&str]) -> Result<Server, String> {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0", "--no-watch"];
        all.extend(args);
        let mut command = folder.command(&all);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FHIREHOSE_SERVE_")) {
            command.env_remove(name);
        }
        let mut child = command.spawn().expect("starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut said = String::new();
        loop {
            let mut line = String::new();
            if stderr.read_line(&mut line).expect("reads") == 0 {
                let _ = child.wait();
                return Err(said);
            }
            said.push_str(&line);
            if let Some(rest) = line.strip_prefix("listening on ") {
                let (root, base) = rest
                    .trim_end()
                    .trim_end_matches(')')
                    .split_once(" (FHIR base ")
                    .expect("two URLs");
                let log = Arc::default();
                let reader = std::thread::spawn({
                    let log = Arc::clone(&log);
                    move || keep(stderr, &log)
                });
                return Ok(Server {
                    base: base.to_owned(),
                    root: root.to_owned(),
                    said,
                    child,
                    log,
                    reader: Some(reader),
                });
            }
        }
    }

    /// An open server over the folder's data.
    #[track_caller]
    pub(crate) fn open(folder: &Folder) -> Server {
        Server::start(folder, &["--open"])
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as a loss of power would, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("kills");
        let _ = self.child.wait();
    }

    /// Waits for it to end by itself, or by a signal that was sent.
    pub(crate) fn ended(mut self) -> Ended {
        let code = self.child.wait().expect("ends").code();
        if let Some(reader) = self.reader.take() {
            reader.join().expect("reads");
        }
        let log = self.log.lock().map(|log| log.clone()).unwrap_or_default();
        Ended { code, log }
    }

    /// Whether it has not ended.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("a state").is_none()
    }

    pub(crate) fn request(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let url = if url.starts_with("http") {
            url.to_owned()
        } else {
            format!("{}/{url}", self.base)
        };
        request(method, &url, headers, body)
    }

    pub(crate) fn get(&self, url: &str, headers: &[(&str, &str)]) -> Answer {
        self.request("GET", url, headers, b"")
    }

    /// Kicks off by GET and checks that it was taken; gives the URL of the status.
    #[track_caller]
    pub(crate) fn kick_off(&self, path: &str) -> String {
        let answer = self.get(path, &ASYNC).is(202);
        answer.header("content-location").to_owned()
    }

    /// Kicks off by POST with a Parameters resource.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, parameters: &Value) -> Answer {
        let mut headers = ASYNC.to_vec();
        headers.push(("content-type", "application/fhir+json"));
        let body = serde_json::json!({ "resourceType": "Parameters", "parameter": parameters });
        self.request("POST", path, &headers, body.to_string().as_bytes())
    }

    /// Asks until the job has ended; gives the last answer.
    #[track_caller]
    pub(crate) fn wait(&self, status_url: &str) -> Answer {
        self.wait_as(status_url, &[])
    }

    #[track_caller]
    pub(crate) fn wait_as(&self, status_url: &str, headers: &[(&str, &str)]) -> Answer {
        let begun = Instant::now();
        loop {
            let answer = self.get(status_url, headers);
            if answer.status != 202 && answer.status != 429 {
                return answer;
            }
            assert!(begun.elapsed() < PATIENCE, "the job does not end: {answer:?}");
            // The server says when: seconds, of which a test has none to give.
            pause(Duration::from_millis(if answer.status == 429 { 500 } else { 20 }));
        }
    }

    /// Makes the server read its data anew.
    #[track_caller]
    pub(crate) fn reload(&self) {
        self.request("POST", &format!("{}/admin/reload", self.root), &[], b"")
            .is(200);
    }

    /// A whole export: the manifest, and the contents of its files by list and type, in the manifest's order.
    #[track_caller]
    pub(crate) fn export(&self, path: &str) -> (Value, BTreeMap<String, Vec<u8>>) {
        let status_url = self.kick_off(path);
        let manifest = self.wait(&status_url).is(200).json();
        let files = self.files(&manifest, &[]);
        (manifest, files)
    }

    /// The contents of a manifest's files, joined by list and type.
    #[track_caller]
    pub(crate) fn files(&self, manifest: &Value, headers: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for list in ["output", "deleted", "error", "outcome"] {
            for item in manifest[list].as_array().into_iter().flatten() {
                let answer = self.get(item["url"].as_str().expect("a URL"), headers).is(200);
                assert_eq!(answer.header("content-type"), "application/fhir+ndjson");
                let name = format!("{list}/{}", item["type"].as_str().unwrap_or_default());
                if let Some(count) = item["count"].as_u64() {
                    let lines = answer.body.iter().filter(|&&byte| byte == b'\n').count();
                    assert!(
                        manifest.get("outputOrganizedBy").is_some() || lines as u64 == count,
                        "{item}"
                    );
                }
                files.entry(name).or_default().extend(answer.body);
            }
        }
        files
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Between two questions; what is waited for has no other way to be heard of.
#[expect(clippy::disallowed_methods, reason = "a client of the server's can only ask again")]
pub(crate) fn pause(length: Duration) {
    std::thread::sleep(length);
}

/// One request on a connection of its own; redirects are told, not followed.
pub(crate) fn request(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    try_request(method, url, headers, body).unwrap_or_else(|error| panic!("{method} {url}: {error}"))
}

/// The same of a server that may be gone.
pub(crate) fn try_request(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, Box<dyn std::error::Error>> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .accept("")
        .allow_non_standard_methods(true)
        .timeout_global(Some(PATIENCE))
        .build();
    let agent = ureq::Agent::new_with_config(config);
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let sent = if body.is_empty() && method != "POST" {
        agent.run(request.body(()).expect("a request"))
    } else {
        agent.run(request.body(body).expect("a request"))
    };
    let (parts, body) = sent?.into_parts();
    let headers = parts.headers.iter().map(|(name, value)| {
        let value = value.to_str().expect("text");
        (name.as_str().to_owned(), value.to_owned())
    });
    let mut bytes = Vec::new();
    body.into_reader().read_to_end(&mut bytes)?;
    Ok(Answer {
        status: parts.status.as_u16(),
        headers: headers.collect(),
        body: bytes,
    })
}
