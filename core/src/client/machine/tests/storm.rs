//! Any server, any network, any crash: the client ends, with every file exactly once or with a reason.

use std::collections::BTreeMap;

use super::stage::{START, order};
use super::world::{ORIGIN, Reply, SECRET, World};
use crate::client::{
    Answer, CallId, Client, Event, Failure, FileNo, FileState, Millis, Order, Settings, Step, Unfetched, What,
    whole_lines,
};

/// Seeds: a few seconds of storms.
const SEEDS: u64 = 2_000;
/// Steps after which nobody believes in an end.
const STEPS: usize = 200_000;

/// What is on its way to the client.
enum Pending {
    Call(CallId, Reply),
    File(FileNo, Reply),
    Token(Option<Option<Millis>>),
}

struct Storm {
    world: World,
    settings: Settings,
    client: Client,
    now: Millis,
    journal: String,
    /// So much of the journal is on the disk.
    synced: usize,
    pending: BTreeMap<(Millis, u64), Pending>,
    number: u64,
    crashes: u32,
    cancels: bool,
    seed: u64,
}

impl Storm {
    fn new(seed: u64) -> Storm {
        let mut world = World::new(seed);
        let settings = Settings {
            has_token: true,
            parallel: 1 + world.dice.below(9) as usize,
            token_across_redirects: world.dice.below(4) == 0,
            deadline: (world.dice.below(10) == 0).then(|| START + world.dice.below(200_000)),
            keep_job: world.dice.below(10) == 0,
            ..Settings::default()
        };
        let order = Order {
            partial: world.is_partial,
            ..order()
        };
        Storm {
            client: Client::start(order, &settings, seed).expect("an order"),
            crashes: world.dice.below(4) as u32,
            cancels: world.dice.below(30) == 0,
            world,
            settings,
            now: START,
            journal: String::new(),
            synced: 0,
            pending: BTreeMap::new(),
            number: 0,
            seed,
        }
    }

    fn later(&mut self, pending: Pending) {
        let at = self.now + self.world.delay();
        self.number += 1;
        self.pending.insert((at, self.number), pending);
    }

    /// Runs until the end, through crashes.
    fn run(&mut self) -> Step {
        for _ in 0..STEPS {
            if self.crashes > 0 && self.world.dice.below(100) == 0 {
                self.crash();
            }
            if self.cancels && self.world.dice.below(100) == 0 {
                self.cancels = false;
                self.client.happened(Event::Cancel, self.now);
            }
            match self.client.next(self.now) {
                Step::Remember { line, sync } => {
                    self.journal.push_str(&line);
                    self.journal.push('\n');
                    self.world.is_known |= line.starts_with("{\"complete\"");
                    if sync {
                        self.synced = self.journal.len();
                    }
                }
                Step::Authorize => {
                    let asked = self
                        .pending
                        .values()
                        .any(|pending| matches!(pending, Pending::Token(_)));
                    assert!(!asked, "one token at a time");
                    let token = self.world.token(self.now);
                    self.later(Pending::Token(token));
                }
                Step::Send(call) => {
                    assert!(
                        !call.with_token || call.url.starts_with(ORIGIN),
                        "the token stays at its origin"
                    );
                    if call.what == What::Delete {
                        self.check_deletion();
                    }
                    let reply = self.world.call(&call, self.now);
                    self.later(Pending::Call(call.id, reply));
                }
                Step::Fetch(fetch) => {
                    assert!(
                        !fetch.with_token || fetch.url.starts_with(ORIGIN),
                        "the token stays at its origin"
                    );
                    let active = self
                        .pending
                        .values()
                        .filter(|pending| matches!(pending, Pending::File(..)))
                        .count();
                    assert!(active < self.settings.parallel, "{active} at once");
                    let reply = self.world.fetch(&fetch, self.now);
                    self.later(Pending::File(fetch.file, reply));
                }
                Step::Wait { until } => self.wait(until),
                end => return end,
            }
        }
        panic!("seed {}: no end", self.seed);
    }

    fn wait(&mut self, until: Option<Millis>) {
        if let Some(until) = until {
            assert!(until > self.now, "a wait is one");
            let longest = self.settings.retry_after_most + self.settings.poll_most;
            let is_bounded = until - self.now <= longest || self.settings.deadline.is_some();
            assert!(is_bounded, "a wait of {} ms", until - self.now);
        }
        let event = self.pending.first_key_value().map(|((at, _), _)| *at);
        let next = until.into_iter().chain(event).min();
        self.now = next
            .unwrap_or_else(|| panic!("seed {}: waits for nothing", self.seed))
            .max(self.now);
        while let Some(entry) = self.pending.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let pending = entry.remove();
            self.tell(pending);
        }
    }

    fn tell(&mut self, pending: Pending) {
        let now = self.now;
        match &pending {
            Pending::Call(call, Reply::Answer(status, headers, body)) => {
                let answer = Answer {
                    status: *status,
                    headers,
                    body: body.as_bytes(),
                };
                self.client.happened(Event::Answer { call: *call, answer }, now);
            }
            Pending::Call(call, Reply::Trouble(trouble, _)) => {
                self.client.happened(
                    Event::Trouble {
                        call: *call,
                        trouble: *trouble,
                    },
                    now,
                );
            }
            Pending::Call(_, Reply::File(_)) => unreachable!("no file was asked for"),
            Pending::File(file, Reply::File(identity)) => {
                self.client.happened(
                    Event::Fetched {
                        file: *file,
                        receipt: identity.clone(),
                    },
                    now,
                );
            }
            Pending::File(file, Reply::Answer(status, headers, body)) => {
                let answer = Answer {
                    status: *status,
                    headers,
                    body: body.as_bytes(),
                };
                let why = Unfetched::Answer(answer);
                self.client.happened(
                    Event::Unfetched {
                        file: *file,
                        why,
                        progress: false,
                    },
                    now,
                );
            }
            Pending::File(file, Reply::Trouble(trouble, progress)) => {
                let why = Unfetched::Trouble(*trouble);
                self.client.happened(
                    Event::Unfetched {
                        file: *file,
                        why,
                        progress: *progress,
                    },
                    now,
                );
            }
            Pending::Token(Some(expires)) => self.client.happened(Event::Token { expires: *expires }, now),
            Pending::Token(None) => {
                let why = "not now".to_owned();
                self.client.happened(Event::NoToken { again: true, why }, now);
            }
        }
    }

    /// The program dies, or the power fails: what was not synced may be gone, its last line in the middle.
    fn crash(&mut self) {
        self.crashes -= 1;
        let lost = (self.journal.len() - self.synced) as u64;
        let kept = self.synced + self.world.dice.below(lost + 1) as usize;
        self.journal.truncate(kept);
        self.resume();
    }

    fn resume(&mut self) {
        self.pending.clear();
        if whole_lines(self.journal.as_bytes()).is_empty() {
            let order = self.client.order().expect("an order").clone();
            self.journal.clear();
            self.client = Client::start(order, &self.settings, self.seed).expect("an order");
            return;
        }
        self.client = Client::resume(&self.journal, &self.settings, self.seed).expect("a journal");
        self.journal.truncate(whole_lines(self.journal.as_bytes()).len());
        self.synced = self.journal.len();
    }

    /// A job is deleted only when all of it is safe, or nobody wants it any more.
    fn check_deletion(&self) {
        let is_cancelled = self.journal.contains("{\"cancel\":true}");
        if !is_cancelled {
            self.check_files();
        }
    }

    /// Every file of the job is there exactly once.
    fn check_files(&self) {
        let status_url = self.client.facts().status_url.expect("a job");
        let mut found: Vec<&str> = self.client.files().filter_map(|file| file.receipt).collect();
        let mut wanted = self.world.wanted(status_url);
        assert!(
            self.client.files().all(|file| file.state == FileState::Safe),
            "seed {}",
            self.seed
        );
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "seed {}", self.seed);
    }

    fn check_failure(&self, failure: &Failure) {
        assert!(
            !failure.message.is_empty() && failure.message.len() < 4_000,
            "{}",
            failure.message
        );
        assert!(
            !failure.message.contains(SECRET) && !failure.message.contains('?'),
            "{}",
            failure.message
        );
    }
}

/// What became of the storm of a seed.
fn outcome(seed: u64) -> &'static str {
    let mut storm = Storm::new(seed);
    let mut ended = storm.run();
    // The storm is over: whatever can be resumed comes to its end.
    storm.world.is_calm = true;
    storm.settings.deadline = None;
    let mut resumed = false;
    for _ in 0..3 {
        match &ended {
            Step::Failed(failure) => {
                storm.check_failure(failure);
                if !failure.resumable {
                    let is_expected = match failure.code {
                        "gone" => storm.world.has_forgotten(),
                        "cancelled" | "not-accepted" => true,
                        _ => false,
                    };
                    assert!(is_expected, "seed {seed}: {failure:?}");
                    return failure.code;
                }
            }
            Step::Done => {
                storm.check_files();
                return if resumed { "resumed" } else { "done" };
            }
            step => panic!("{step:?}"),
        }
        resumed = true;
        storm.resume();
        ended = storm.run();
    }
    panic!("seed {seed}: calm, and no end of it: {ended:?}");
}

#[test]
fn it_always_ends_with_every_file_exactly_once_or_with_a_reason() {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..SEEDS {
        *counts.entry(outcome(seed)).or_default() += 1;
    }
    // The storms are neither harmless nor hopeless.
    for ending in ["done", "resumed", "cancelled", "gone", "not-accepted"] {
        assert!(counts.get(ending).is_some_and(|&count| count > 5), "{counts:?}");
    }
    assert!(counts["done"] > SEEDS as u32 / 2, "{counts:?}");
}
