//! A driver for tests: it does what the machine says, remembers the journal, and moves the clock.

use crate::client::{
    Answer, Call, Client, Event, Failure, Fetch, Level, Method, Order, Settings, Spelling, Step, Trouble, Unfetched,
};
use crate::client::{Known, Millis};

pub(super) const BASE: &str = "https://h.example/fhir";
pub(super) const JOB: &str = "https://h.example/jobs/1";
/// 26 November 2026, 04:25:37.
pub(super) const START: Millis = 1_795_667_137_000;

pub(super) struct Stage {
    pub(super) client: Client,
    pub(super) now: Millis,
    pub(super) journal: String,
    /// Tokens that were asked for.
    pub(super) authorized: usize,
    /// Sends and fetches with the token.
    pub(super) with_token: Vec<String>,
    call: u64,
    /// Steps so far: a client that goes round in circles is to fail its test, and not to hang it.
    steps: u32,
    /// A step that was looked at and not taken.
    next: Option<Step>,
}

pub(super) fn order() -> Order {
    Order {
        base: BASE.into(),
        level: Level::Patient,
        method: Method::Get,
        spelling: Spelling::Commas,
        types: vec!["Patient".into()],
        since: None,
        until: None,
        type_filters: Vec::new(),
        elements: Vec::new(),
        patients: Vec::new(),
        associated_data: Vec::new(),
        organize_by: None,
        output_format: None,
        partial: false,
        lenient: false,
        further: Vec::new(),
    }
}

pub(super) fn with_token() -> Settings {
    Settings {
        has_token: true,
        ..Settings::default()
    }
}

/// A manifest with so many files of Patients below `prefix`.
pub(super) fn manifest(prefix: &str, files: usize) -> String {
    let urls: Vec<String> = (0..files).map(|at| format!("{prefix}{at}.ndjson")).collect();
    manifest_of(&urls.iter().map(String::as_str).collect::<Vec<_>>(), "")
}

/// A manifest with these URLs, and further members.
pub(super) fn manifest_of(urls: &[&str], further: &str) -> String {
    let items: Vec<String> = urls
        .iter()
        .map(|url| format!(r#"{{"type":"Patient","url":"{url}"}}"#))
        .collect();
    format!(
        r#"{{"transactionTime":"2026-01-01T00:00:00Z","request":"{BASE}/$export","requiresAccessToken":true,"output":[{}],"error":[]{further}}}"#,
        items.join(",")
    )
}

pub(super) fn outcome(code: &str, text: &str) -> String {
    format!(
        r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"error","code":"{code}","diagnostics":"{text}"}}]}}"#
    )
}

impl Stage {
    pub(super) fn of(client: Client) -> Stage {
        Stage {
            client,
            now: START,
            journal: String::new(),
            authorized: 0,
            with_token: Vec::new(),
            call: 0,
            steps: 0,
            next: None,
        }
    }

    /// A client that is about to send its kick-off.
    pub(super) fn start(order: Order, settings: &Settings) -> Stage {
        Stage::of(Client::start(order, settings, 1).expect("an order"))
    }

    /// A client whose job has been accepted.
    pub(super) fn accepted(order: Order, settings: &Settings) -> Stage {
        let mut stage = Stage::start(order, settings);
        stage.call();
        stage.answer(202, &[("Content-Location", JOB)], "");
        stage
    }

    /// A client whose manifest lists so many files.
    pub(super) fn listed(files: usize, settings: &Settings) -> Stage {
        let mut stage = Stage::accepted(order(), settings);
        stage.call();
        stage.answer(200, &[], &manifest("https://h.example/files/", files));
        stage
    }

    /// The same client after a crash.
    pub(super) fn resumed(&self, settings: &Settings) -> Stage {
        let client = Client::resume(&self.journal, settings, 2).expect("a journal");
        Stage {
            now: self.now,
            journal: self.journal.clone(),
            ..Stage::of(client)
        }
    }

    /// The next step that is not about the journal or the token, at this moment.
    pub(super) fn step(&mut self) -> Step {
        if let Some(step) = self.next.take() {
            return step;
        }
        loop {
            self.steps += 1;
            assert!(self.steps < 500_000, "no end");
            match self.client.next(self.now) {
                Step::Remember { line, .. } => {
                    assert!(!line.contains('\n'), "{line}");
                    self.journal.push_str(&line);
                    self.journal.push('\n');
                }
                Step::Authorize => {
                    self.authorized += 1;
                    self.client.happened(Event::Token { expires: None }, self.now);
                }
                step => {
                    if let Step::Send(Call {
                        id, with_token, url, ..
                    }) = &step
                    {
                        self.call = *id;
                        self.with_token.extend(with_token.then(|| url.clone()));
                    }
                    if let Step::Fetch(Fetch { with_token, url, .. }) = &step {
                        self.with_token.extend(with_token.then(|| url.clone()));
                    }
                    return step;
                }
            }
        }
    }

    /// The next step, waiting for it as long as it takes; how long that was.
    pub(super) fn waited(&mut self) -> (Step, Millis) {
        let began = self.now;
        loop {
            match self.step() {
                Step::Wait { until: Some(until) } => {
                    assert!(until > self.now, "a wait that has an end, and is one");
                    self.now = until;
                }
                step => return (step, self.now - began),
            }
        }
    }

    /// The next request.
    #[track_caller]
    pub(super) fn call(&mut self) -> Call {
        match self.waited().0 {
            Step::Send(call) => call,
            step => panic!("a request was expected, and not {step:?}"),
        }
    }

    pub(super) fn answer(&mut self, status: u16, headers: &[(&str, &str)], body: &str) {
        let headers = owned(headers);
        let answer = Answer {
            status,
            headers: &headers,
            body: body.as_bytes(),
        };
        self.client.happened(
            Event::Answer {
                call: self.call,
                answer,
            },
            self.now,
        );
    }

    pub(super) fn trouble(&mut self, trouble: Trouble) {
        self.client.happened(
            Event::Trouble {
                call: self.call,
                trouble,
            },
            self.now,
        );
    }

    /// All files that may begin at this moment.
    pub(super) fn fetches(&mut self) -> Vec<Fetch> {
        let mut out = Vec::new();
        loop {
            match self.step() {
                Step::Fetch(fetch) => out.push(fetch),
                Step::Wait { .. } => return out,
                other => {
                    self.next = Some(other);
                    return out;
                }
            }
        }
    }

    /// The next file, however long that takes.
    #[track_caller]
    pub(super) fn fetch(&mut self) -> Fetch {
        match self.waited().0 {
            Step::Fetch(fetch) => fetch,
            step => panic!("a file was expected, and not {step:?}"),
        }
    }

    pub(super) fn fetched(&mut self, file: usize) {
        let receipt = format!(r#"{{"file":{file}}}"#);
        self.client.happened(Event::Fetched { file, receipt }, self.now);
    }

    pub(super) fn gone(&mut self, file: usize) {
        self.client.happened(Event::Gone { file }, self.now);
    }

    pub(super) fn unfetched(&mut self, file: usize, status: u16, headers: &[(&str, &str)], body: &str) {
        let headers = owned(headers);
        let answer = Answer {
            status,
            headers: &headers,
            body: body.as_bytes(),
        };
        let why = Unfetched::Answer(answer);
        self.client.happened(
            Event::Unfetched {
                file,
                why,
                progress: false,
            },
            self.now,
        );
    }

    pub(super) fn broken(&mut self, file: usize, trouble: Trouble, progress: bool) {
        let why = Unfetched::Trouble(trouble);
        self.client.happened(Event::Unfetched { file, why, progress }, self.now);
    }

    pub(super) fn file(&self, number: usize) -> Known<'_> {
        self.client.file(number).expect("a file")
    }

    #[track_caller]
    pub(super) fn failure(&mut self) -> Failure {
        match self.waited().0 {
            Step::Failed(failure) => failure,
            step => panic!("a failure was expected, and not {step:?}"),
        }
    }

    pub(super) fn warnings(&self) -> String {
        self.client.facts().warnings.join("\n")
    }
}

fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
