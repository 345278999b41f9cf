//! The client as a state machine: what happened goes in, what to do next comes out.
//!
//! One request with a small answer is under way at a time ([`talk`]): kick-off, status and pages of the manifest, deletion.
//! Files are fetched beside it ([`downloads`]). What has to survive a crash leaves as a line of the journal before whatever
//! comes after it.

mod deleting;
mod downloads;
mod fetching;
mod host;
mod job;
mod kicking;
mod links;
mod matching;
mod output;
mod pages;
mod plain;
mod polling;
mod resuming;
mod talk;
mod token;
mod views;

use std::collections::VecDeque;

use super::backoff::{self, Dice};
use super::journal::{self, Begun, Line};
use super::kickoff;
use super::order::Order;
use super::retry_after::{self, Asked};
use super::said::{Said, shortened};
use super::settings::{Millis, Settings};
use super::step::{Answer, Call, CallId, Event, Failure, Step, Trouble, What};
use super::url;
use downloads::Downloads;
use job::{Job, Walk};
use talk::{Flight, Talk};
use token::{Grant, Ready, Trust};

pub use views::{Facts, FileState, Known, Phase};

/// Most bytes of a manifest's page: some 200,000 files.
const LARGEST_PAGE: u64 = 64 << 20;
/// Most bytes of the answer to a deletion.
const LARGEST_ANSWER: u64 = 1 << 20;
/// Most warnings that are kept.
const MOST_WARNINGS: usize = 50;

/// A client of one export. The driver asks [`Self::next`] until it says to wait, does what it says, and tells what came of it
/// with [`Self::happened`].
///
/// ```
/// use fhirehose_core::client::{Answer, Client, Event, Settings, Step};
///
/// let mut client = Client::attend("https://example.org/jobs/1", None, &Settings::default(), 7).expect("a status URL");
/// assert!(matches!(client.next(0), Step::Remember { sync: true, .. }));
/// let Step::Send(call) = client.next(0) else { panic!("the job's state is asked for") };
/// let progress = [("X-Progress".to_owned(), "half".to_owned())];
/// let answer = Answer { status: 202, headers: &progress, body: b"" };
/// client.happened(Event::Answer { call: call.id, answer }, 10);
/// assert!(matches!(client.next(10), Step::Wait { until: Some(_) }));
/// ```
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    dice: Dice,
    trust: Trust,
    order: Option<Box<Order>>,
    lines: VecDeque<Line>,
    /// The first line, until it has been told.
    opening: Option<String>,
    stage: Stage,
    talk: Option<Talk>,
    last_call: CallId,
    grant: Grant,
    job: Job,
    walk: Walk,
    files: Downloads,
    warnings: Vec<String>,
    is_cancelled: bool,
    end: Option<Step>,
}

/// What a client is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    KickOff,
    Job,
    Delete,
}

/// The earliest of some instants.
#[derive(Default)]
struct Earliest(Option<Millis>);

impl Earliest {
    fn at(&mut self, instant: Millis) {
        self.0 = Some(self.0.map_or(instant, |earliest| earliest.min(instant)));
    }
}

impl Client {
    /// A client that asks for an export.
    ///
    /// # Errors
    /// With the code `bad-order`: the order cannot be sent.
    pub fn start(order: Order, settings: &Settings, seed: u64) -> Result<Client, Failure> {
        let begun = Begun::Order(Box::new(order));
        let opening = journal::first_line(&begun);
        let mut client = Client::new(begun, settings, seed)?;
        client.opening = Some(opening);
        Ok(client)
    }

    /// A client for a job that exists already. Without a base, the status URL's own origin may have the token.
    ///
    /// # Errors
    /// With the code `bad-order`: the status URL cannot be asked.
    pub fn attend(status_url: &str, base: Option<&str>, settings: &Settings, seed: u64) -> Result<Client, Failure> {
        let begun = Begun::Attend {
            status_url: status_url.to_owned(),
            base: base.map(str::to_owned),
        };
        let opening = journal::first_line(&begun);
        let mut client = Client::new(begun, settings, seed)?;
        client.opening = Some(opening);
        Ok(client)
    }

    fn new(begun: Begun, settings: &Settings, seed: u64) -> Result<Client, Failure> {
        let (order, base, status_url) = match begun {
            Begun::Order(order) => {
                kickoff::kick_off(&order)?;
                let base = order.base.clone();
                (Some(order), base, None)
            }
            Begun::Attend { status_url, base } => {
                let is_good = |text: &str| url::is_absolute(text) && !url::has_user(text);
                if !is_good(&status_url) || base.as_deref().is_some_and(|base| !is_good(base)) {
                    let message = "the job's status URL, or its server's base, is no absolute http or https URL";
                    return Err(failure("bad-order", message, false));
                }
                (None, base.unwrap_or_else(|| status_url.clone()), Some(status_url))
            }
        };
        let mut client = Client {
            trust: Trust::new(&base, settings)?,
            settings: settings.clone(),
            dice: Dice::new(seed),
            order,
            lines: VecDeque::new(),
            opening: None,
            stage: Stage::KickOff,
            talk: None,
            last_call: 0,
            grant: Grant::new(),
            job: Job::default(),
            walk: Walk::default(),
            files: Downloads::new(settings.parallel),
            warnings: Vec::new(),
            is_cancelled: false,
            end: None,
        };
        match status_url {
            None => client.talk = Some(Talk::new(What::KickOff, base, 0)),
            Some(status_url) => {
                client.job.status_url = Some(status_url);
                client.stage = Stage::Job;
                client.begin_walk(0);
            }
        }
        Ok(client)
    }

    /// What is to be done now. The clock must not run backwards between calls, or waits become longer.
    pub fn next(&mut self, now: Millis) -> Step {
        if self.lines.is_empty() && self.opening.is_none() && self.end.is_none() {
            self.turn(now);
        }
        if let Some(line) = self.opening.take() {
            return Step::Remember { line, sync: true };
        }
        if let Some(line) = self.lines.pop_front() {
            return Step::Remember {
                line: line.written(),
                sync: line.must_be_safe(),
            };
        }
        if let Some(end) = &self.end {
            return end.clone();
        }
        let mut until = Earliest(self.settings.deadline);
        let step = self
            .next_call(now, &mut until)
            .or_else(|| self.next_fetch(now, &mut until));
        step.unwrap_or(Step::Wait { until: until.0 })
    }

    /// What follows from the time alone, and from what has happened.
    fn turn(&mut self, now: Millis) {
        if self.settings.detach && self.stage == Stage::Job && !self.is_cancelled {
            self.end = Some(Step::Detached);
            return;
        }
        if self.settings.deadline.is_some_and(|deadline| deadline <= now) {
            return self.run_out_of_time();
        }
        self.files.wake(now);
        if self.stage == Stage::Job && self.talk.is_none() {
            if self.files.is_settled() {
                self.finish_files(now);
            } else if self.files.has_stale() {
                self.begin_refresh(now);
            }
        }
    }

    /// Tells what has happened. What is no longer waited for is passed over.
    pub fn happened(&mut self, event: Event<'_>, now: Millis) {
        if self.end.is_some() {
            match event {
                // A file that was under way when the end came is safe all the same.
                Event::Fetched { file, receipt } => self.fetched(file, receipt),
                Event::Gone { file } => self.gone(file),
                _ => {}
            }
            return;
        }
        match event {
            Event::Answer { call, answer } => self.answered(call, &answer, now),
            Event::Trouble { call, trouble } => self.troubled(call, trouble, now),
            Event::Token { expires } => self.grant.got(expires, now),
            Event::NoToken { again, why } => self.no_token(again, &why, now),
            Event::Fetched { file, receipt } => self.fetched(file, receipt),
            Event::Unfetched { file, why, progress } => self.unfetched(file, why, progress, now),
            Event::Gone { file } => self.gone(file),
            Event::Cancel => self.cancel(now),
        }
    }

    /// The request that is due, or what it needs first.
    fn next_call(&mut self, now: Millis, until: &mut Earliest) -> Option<Step> {
        let talk = self.talk.as_ref().filter(|talk| talk.flight.is_none())?;
        if talk.due > now {
            until.at(talk.due);
            return None;
        }
        // A kick-off has its whole URL from its order, and its talk that of the base, which is of the same origin.
        let mut token = None;
        if self.trust.sends(&talk.at, talk.hops) {
            match self.grant.ready(now) {
                Ready::Yes(number) => token = Some(number),
                Ready::Ask => {
                    self.grant.ask();
                    return Some(Step::Authorize);
                }
                Ready::Asked => return None,
                Ready::Later(due) => {
                    until.at(due);
                    return None;
                }
            }
        }
        if talk.what == What::KickOff && !talk.is_remembered {
            self.talk.as_mut()?.is_remembered = true;
            return Some(Step::Remember {
                line: Line::KickOff(true).written(),
                sync: true,
            });
        }
        self.send(token)
    }

    fn send(&mut self, token: Option<u64>) -> Option<Step> {
        let mut call = self.call()?;
        let talk = self.talk.as_mut()?;
        self.last_call += 1;
        talk.flight = Some(Flight {
            id: self.last_call,
            token,
        });
        if talk.what != What::KickOff || talk.hops > 0 {
            call.url.clone_from(&talk.at);
        }
        call.id = self.last_call;
        call.with_token = token.is_some();
        Some(Step::Send(call))
    }

    fn call(&self) -> Option<Call> {
        let talk = self.talk.as_ref()?;
        let (method, most) = match talk.what {
            // An order that is being sent has been checked.
            What::KickOff => return kickoff::kick_off(self.order.as_ref()?).ok(),
            What::Status | What::Page => ("GET", LARGEST_PAGE),
            What::Delete => ("DELETE", LARGEST_ANSWER),
        };
        // The guide asks for the first, Oracle for the second.
        let accept = "application/json, application/fhir+json".to_owned();
        Some(Call {
            id: 0,
            what: talk.what,
            method,
            url: talk.at.clone(),
            headers: vec![("Accept", accept)],
            body: None,
            with_token: false,
            most,
        })
    }

    fn answered(&mut self, id: CallId, answer: &Answer<'_>, now: Millis) {
        let Some(talk) = self.talk.as_mut() else { return };
        let Some(flight) = talk.flight.take_if(|flight| flight.id == id) else {
            return;
        };
        if links::is_redirect(answer.status) && !(talk.what == What::Delete && answer.status == 303) {
            return self.redirected(answer, now);
        }
        if answer.status == 401 {
            return self.refused(flight, answer, now);
        }
        talk.refused = None;
        match talk.what {
            What::KickOff => self.kicked_off(answer, now),
            What::Status | What::Page => self.polled(answer, now),
            What::Delete => self.deletion_answered(answer, now),
        }
    }

    fn redirected(&mut self, answer: &Answer<'_>, now: Millis) {
        let Some(talk) = self.talk.as_mut() else { return };
        let is_post = talk.what == What::KickOff && self.order.as_ref().is_some_and(|order| order.method.is_post());
        let from = match (talk.what, talk.hops) {
            (What::KickOff, 0) => kickoff::kick_off_url(self.order.as_deref()).unwrap_or_default(),
            _ => talk.at.clone(),
        };
        let target = match links::redirected(answer, &from, talk.hops) {
            Ok(_) if is_post && !matches!(answer.status, 307 | 308) => Err("a redirect that a POST does not follow"),
            // Whoever can redirect shall not have things deleted elsewhere.
            Ok(target) if talk.what == What::Delete && url::origin(&target) != url::origin(&from) => {
                Err("a redirect to another host, which no deletion follows")
            }
            other => other,
        };
        match target {
            Ok(target) => talk.onward(target, now),
            Err(why) => {
                let message = format!("{} answered with {why}", url::shown(&from));
                self.give_up_call(failure("redirect", &message, true), now);
            }
        }
    }

    /// A 401: once with a token that may have died, and then for good.
    fn refused(&mut self, flight: Flight, answer: &Answer<'_>, now: Millis) {
        let Some(talk) = self.talk.as_mut() else { return };
        if let (Some(number), None) = (flight.token, talk.refused) {
            talk.refused = Some(number);
            self.grant.refused(number);
            talk.again(now);
            return;
        }
        let place = url::shown(&talk.at);
        let said = Said::read(answer.body).tail();
        let message = match (flight.token, self.settings.has_token) {
            (Some(_), _) => format!("{place} refuses a fresh token (status 401){said}"),
            (None, true) => {
                format!("{place} wants a token (status 401), and its origin is not one that may have it{said}")
            }
            (None, false) => format!("{place} wants credentials (status 401){said}"),
        };
        self.give_up_call(failure("unauthorized", &message, true), now);
    }

    fn troubled(&mut self, id: CallId, trouble: Trouble, now: Millis) {
        let Some(talk) = self.talk.as_mut() else { return };
        if talk.flight.take_if(|flight| flight.id == id).is_none() {
            return;
        }
        match talk.what {
            What::KickOff => self.kick_off_troubled(trouble, now),
            What::Status | What::Page => self.poll_troubled(trouble, now),
            What::Delete => self.deletion_failed(trouble.told(), None, now),
        }
    }

    fn no_token(&mut self, again: bool, why: &str, now: Millis) {
        let failed = self.grant.failed();
        if again && failed < self.settings.attempts.max(1) {
            let wait = self.growing(failed);
            return self.grant.again_at(now + wait);
        }
        let why = shortened(why, 500);
        self.fail("unauthorized", &format!("there is no token: {why}"), true);
    }

    /// A request that is given up, and what that means for the whole.
    fn give_up_call(&mut self, failure: Failure, now: Millis) {
        match self.talk.as_ref().map(|talk| talk.what) {
            Some(What::Status | What::Page) if self.job.is_complete => self.bar_refresh(failure),
            Some(What::Delete) => self.deletion_failed(&failure.message, Some(false), now),
            _ => self.end = Some(Step::Failed(failure)),
        }
    }

    fn fail(&mut self, code: &'static str, message: &str, resumable: bool) {
        self.end = Some(Step::Failed(failure(code, message, resumable)));
    }

    fn run_out_of_time(&mut self) {
        if self.stage == Stage::Delete {
            return self.end_without_deletion("the time is up");
        }
        let at = match self.stage {
            Stage::KickOff => "before the server accepted the export",
            _ if !self.job.is_complete => "before the job ended",
            _ => "before all files were there",
        };
        self.fail("timeout", &format!("the time is up {at}; resume to go on"), true);
    }

    fn cancel(&mut self, now: Millis) {
        if self.stage == Stage::Delete {
            return;
        }
        self.is_cancelled = true;
        self.lines.push_back(Line::Cancel);
        self.files.drop_active();
        if self.stage == Stage::Job {
            return self.begin_deletion(now);
        }
        // A kick-off under way may make a job, which is then to be deleted.
        if self.talk.as_ref().is_none_or(|talk| talk.flight.is_none()) {
            self.end_cancelled("no job was left at the server");
        }
    }

    fn end_cancelled(&mut self, told: &str) {
        self.fail("cancelled", &format!("cancelled as asked; {told}"), false);
    }

    fn warn(&mut self, text: String) {
        if self.warnings.len() < MOST_WARNINGS && !self.warnings.contains(&text) {
            self.lines.push_back(Line::Warning(text.clone()));
            self.warnings.push(text);
        }
    }

    /// What the server asks to wait, noting what nobody can mean.
    fn asked_wait(&mut self, answer: &Answer<'_>, now: Millis) -> Option<Millis> {
        let Asked { wait, is_absurd } = retry_after::asked(answer.headers, now, &self.settings)?;
        if is_absurd {
            let most = self.settings.retry_after_most / 1_000;
            self.warn(format!("a Retry-After of more than {most} s was taken for {most} s"));
        }
        Some(wait)
    }

    fn growing(&mut self, nth: u32) -> Millis {
        backoff::growing(self.settings.poll_first, self.settings.poll_most, nth, &mut self.dice)
    }
}

impl Trouble {
    /// For people.
    fn told(self) -> &'static str {
        match self {
            Trouble::Connect => "no connection",
            Trouble::Tls => "no secure connection: the certificate or the handshake",
            Trouble::Timeout => "nothing came for too long, or next to nothing",
            Trouble::Broken => "the connection ended in the middle",
            Trouble::TooLarge => "more bytes than can be meant",
            Trouble::Length => "other bytes than announced",
            Trouble::Checksum => "the checksum does not fit",
            Trouble::Coding => "what came cannot be decoded",
            Trouble::Media => "something else than NDJSON",
            Trouble::Count => "other lines than the manifest's count",
            Trouble::Content => "lines that are no JSON objects",
            Trouble::Room => "this machine has no thread for it",
        }
    }
}

fn failure(code: &'static str, message: &str, resumable: bool) -> Failure {
    Failure {
        code,
        message: message.to_owned(),
        resumable,
    }
}

#[cfg(test)]
mod tests;
