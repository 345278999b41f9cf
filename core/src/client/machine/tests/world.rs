//! A server and a network that do everything wrong which servers and networks do, as a seed has it.

use crate::client::backoff::Dice;
use crate::client::{Call, Fetch, Millis, Trouble, What};

pub(super) const ORIGIN: &str = "https://h.example/";
/// Stands in tokens and signatures; no message may hold it.
pub(super) const SECRET: &str = "s3cr3t";

/// Where the files of a server lie.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// At the server itself, for whoever has a token.
    Own,
    /// In a store, signed in the query.
    Store,
    /// In a store, signed in the path.
    Odd,
    /// At the server, which redirects to the store.
    Redirected,
}

/// What comes back.
pub(super) enum Reply {
    Answer(u16, Vec<(String, String)>, String),
    Trouble(Trouble, bool),
    /// A file, and which it is.
    File(String),
}

struct Job {
    began: Millis,
    ends: Millis,
    is_deleted: bool,
}

pub(super) struct World {
    pub(super) dice: Dice,
    /// Nothing goes wrong any more.
    pub(super) is_calm: bool,
    /// Faults in a hundred requests.
    faults: u64,
    place: Place,
    /// URLs and tokens live so long.
    url_life: Millis,
    pub(super) token_life: Option<Millis>,
    pub(super) is_partial: bool,
    has_one_job: bool,
    forgets: bool,
    files: u64,
    page: u64,
    /// Each page begins with the last file of the one before it.
    overlaps: bool,
    /// The client has the whole manifest on its disk: only now can it see that another one is wrong.
    pub(super) is_known: bool,
    jobs: Vec<Job>,
    token_ends: Millis,
}

fn header(name: &str, value: impl ToString) -> Vec<(String, String)> {
    vec![(name.to_owned(), value.to_string())]
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        let mut dice = Dice::new(seed);
        let mut chance = |of: u64| dice.below(of) == 0;
        let (is_partial, has_one_job, forgets) = (chance(3), chance(4), chance(20));
        World {
            is_calm: false,
            faults: [0, 5, 20, 40][dice.below(4) as usize],
            place: [Place::Own, Place::Store, Place::Odd, Place::Redirected][dice.below(4) as usize],
            url_life: [2_000, 30_000, 600_000][dice.below(3) as usize],
            token_life: [None, Some(500), Some(20_000), Some(300_000)][dice.below(4) as usize],
            is_partial,
            has_one_job,
            forgets,
            files: dice.below(25),
            page: 1 + dice.below(30),
            overlaps: dice.below(8) == 0,
            is_known: false,
            jobs: Vec::new(),
            token_ends: 0,
            dice,
        }
    }

    fn chance(&mut self, in_hundred: u64) -> bool {
        self.dice.below(100) < in_hundred
    }

    /// When the token that is given out now ends, and whether one is given out.
    pub(super) fn token(&mut self, now: Millis) -> Option<Option<Millis>> {
        if !self.is_calm && self.chance(self.faults / 4) {
            return None;
        }
        let ends = self.token_life.map(|life| now + life);
        self.token_ends = ends.unwrap_or(Millis::MAX);
        Some(ends)
    }

    pub(super) fn delay(&mut self) -> Millis {
        if self.is_calm {
            return 10;
        }
        if self.chance(2) {
            60_000
        } else {
            1 + self.dice.below(1_500)
        }
    }

    /// Something that has nothing to do with what was asked.
    fn fault(&mut self) -> Option<Reply> {
        if self.is_calm || !self.chance(self.faults) {
            return None;
        }
        const TROUBLES: [Trouble; 5] = [
            Trouble::Connect,
            Trouble::Tls,
            Trouble::Timeout,
            Trouble::Broken,
            Trouble::TooLarge,
        ];
        const WAITS: [&str; 8] = [
            "3",
            "-1",
            "soon",
            "99999999",
            "1795667197",
            "Thu, 26 Nov 2026 04:26:37 GMT",
            "0.5",
            "1895667197000",
        ];
        let busy = header("Retry-After", WAITS[self.dice.below(8) as usize]);
        let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"code":"THROTTLED"}]}"#;
        let elsewhere = [
            "https://evil.example/x",
            "https://h.example.evil.example/x",
            "/moved",
            "http://h.example/x",
        ];
        let elsewhere = header("Location", elsewhere[self.dice.below(4) as usize]);
        Some(match self.dice.below(10) {
            9 => Reply::Answer(
                [301, 302, 303, 307, 308][self.dice.below(5) as usize],
                elsewhere,
                String::new(),
            ),
            0 => Reply::Answer(429, busy, outcome.into()),
            1 => Reply::Answer(503, busy, String::new()),
            2 => Reply::Answer(500, Vec::new(), String::new()),
            3 => Reply::Answer(502, Vec::new(), "<html>".into()),
            4 => Reply::Answer(504, Vec::new(), outcome.into()),
            _ => Reply::Trouble(TROUBLES[self.dice.below(5) as usize], false),
        })
    }

    fn is_refused(&self, with_token: bool, now: Millis) -> bool {
        !with_token || self.token_ends < now
    }

    pub(super) fn call(&mut self, call: &Call, now: Millis) -> Reply {
        let late = self.fault();
        // A kick-off may have worked although its answer got lost.
        if let Some(fault) = late {
            if call.what == What::KickOff && self.chance(50) {
                self.kick_off(now);
            }
            return fault;
        }
        if call.url.contains("evil.example") || call.url.ends_with("/moved") {
            return Reply::Answer(503, Vec::new(), String::new());
        }
        if self.is_refused(call.with_token, now) {
            return Reply::Answer(401, Vec::new(), String::new());
        }
        if !self.is_calm && self.chance(self.faults / 8) {
            return Reply::Answer(200, Vec::new(), "<html>please log in</html>".into());
        }
        if call.what == What::KickOff {
            return self.kick_off(now);
        }
        let path = call.url.strip_prefix(ORIGIN).expect("an own URL");
        let mut parts = path.split('/').skip(1);
        let job: usize = parts.next().and_then(|part| part.parse().ok()).expect("a job");
        let page: u64 = parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
        if !self.is_calm && self.forgets && self.chance(2) {
            self.jobs[job].is_deleted = true;
        }
        if self.jobs[job].is_deleted {
            return Reply::Answer(404, Vec::new(), String::new());
        }
        if call.what == What::Delete {
            self.jobs[job].is_deleted = true;
            return Reply::Answer(202, Vec::new(), String::new());
        }
        self.status(job, page, now)
    }

    fn kick_off(&mut self, now: Millis) -> Reply {
        let is_busy = self.has_one_job && self.jobs.iter().any(|job| !job.is_deleted && job.ends > now);
        if is_busy {
            return Reply::Answer(429, Vec::new(), String::new());
        }
        let job = self.jobs.len();
        self.jobs.push(Job {
            began: now,
            ends: now + self.dice.below(100_000),
            is_deleted: false,
        });
        let prefix = if self.dice.below(2) == 0 { ORIGIN } else { "/" };
        Reply::Answer(
            202,
            header("Content-Location", format!("{prefix}jobs/{job}")),
            String::new(),
        )
    }

    /// How many files of a job are ready, all of them at its end.
    fn ready(&self, job: usize, now: Millis) -> u64 {
        let Job { began, ends, .. } = self.jobs[job];
        if now >= ends {
            self.files
        } else {
            self.files * (now - began) / (ends - began)
        }
    }

    fn status(&mut self, job: usize, page: u64, now: Millis) -> Reply {
        let is_running = self.jobs[job].ends > now;
        let mut ready = self.ready(job, now);
        if is_running && !self.is_partial {
            return Reply::Answer(202, header("X-Progress", "working"), String::new());
        }
        if self.is_known && !is_running && !self.is_calm && self.chance(self.faults / 8) {
            // A server that has just been restarted, and does not know everything yet.
            ready = ready.saturating_sub(1);
        }
        let first = page * self.page;
        let end = ready.min(first + self.page).max(first);
        // Under another URL it would be another file.
        let has_own_urls = matches!(self.place, Place::Own | Place::Redirected);
        let again = u64::from(self.overlaps && has_own_urls && first > 0 && first < end);
        let items: Vec<String> = (first - again..end).map(|file| self.item(job, file, now)).collect();
        let next = if ready > end {
            format!(r#","link":[{{"relation":"next","url":"/jobs/{job}/{}"}}]"#, page + 1)
        } else {
            String::new()
        };
        let body = format!(
            r#"{{"transactionTime":"2026-01-01T00:00:0{}Z","request":"x","requiresAccessToken":true,"output":[{}],"error":[]{next}}}"#,
            job % 10,
            items.join(",")
        );
        Reply::Answer(if is_running { 202 } else { 200 }, Vec::new(), body)
    }

    fn item(&self, job: usize, file: u64, now: Millis) -> String {
        let url = match self.place {
            Place::Own | Place::Redirected => format!("{ORIGIN}f/{job}/{file}"),
            Place::Store => format!("https://store.example/f/{job}/{file}?sig={SECRET}&made={now}"),
            Place::Odd => format!("https://store.example/{now}/f/{job}/{file}"),
        };
        format!(r#"{{"type":"T{}","url":"{url}"}}"#, file % 3)
    }

    pub(super) fn fetch(&mut self, fetch: &Fetch, now: Millis) -> Reply {
        const TROUBLES: [Trouble; 5] = [
            Trouble::Broken,
            Trouble::Checksum,
            Trouble::Length,
            Trouble::Count,
            Trouble::Media,
        ];
        if let Some(fault) = self.fault() {
            return fault;
        }
        if !self.is_calm && self.chance(self.faults / 2) {
            return Reply::Trouble(TROUBLES[self.dice.below(5) as usize], self.dice.below(2) == 0);
        }
        let is_own = fetch.url.starts_with(ORIGIN);
        if is_own && self.is_refused(fetch.with_token, now) {
            return Reply::Answer(401, Vec::new(), String::new());
        }
        if fetch.url.contains("evil.example") || fetch.url.ends_with("/moved") {
            return Reply::Answer(503, Vec::new(), String::new());
        }
        let plain = fetch.url.split('?').next().unwrap_or_default();
        let identity = plain.rsplit_once("/f/").expect("a file").1.to_owned();
        let job: usize = identity
            .split('/')
            .next()
            .and_then(|job| job.parse().ok())
            .expect("a job");
        if self.jobs[job].is_deleted {
            return Reply::Answer(404, Vec::new(), String::new());
        }
        if is_own && self.place == Place::Redirected {
            let target = format!("https://store.example/f/{identity}?sig={SECRET}&made={now}");
            return Reply::Answer(307, header("Location", target), String::new());
        }
        let made = fetch
            .url
            .split(['/', '='])
            .filter_map(|part| part.parse::<Millis>().ok())
            .max();
        if !is_own && made.is_some_and(|made| made + self.url_life < now) {
            return Reply::Answer(403, Vec::new(), String::new());
        }
        Reply::File(identity)
    }

    /// The files of the job with that status URL.
    pub(super) fn wanted(&self, status_url: &str) -> Vec<String> {
        let job = status_url.rsplit('/').next().unwrap_or_default();
        (0..self.files).map(|file| format!("{job}/{file}")).collect()
    }

    /// It has lost the job, and does not know it any more.
    pub(super) fn has_forgotten(&self) -> bool {
        self.forgets && self.jobs.iter().any(|job| job.is_deleted)
    }
}
