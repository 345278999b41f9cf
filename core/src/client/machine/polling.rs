//! Answers to the question how the job is (SPEC 2.11, C49, C54, C55).

use super::super::manifest;
use super::super::retry_after::values;
use super::super::said::{Said, shortened};
use super::super::settings::Millis;
use super::super::step::{Answer, Trouble, What};
use super::super::url;
use super::talk::Talk;
use super::{Client, failure};
use crate::names::Named;

/// Answers in a row that are no manifest where there should be one.
const MOST_ODD: u32 = 4;
/// Refusals in a row that ask to come later, for each attempt that the settings allow.
const BUSY_EACH: u32 = 4;
/// Longest `X-Progress` (SPEC 2.11).
const LONGEST_PROGRESS: usize = 100;

impl Client {
    /// Asks for the job, and then for the pages of its manifest from the first one.
    pub(super) fn begin_walk(&mut self, due: Millis) {
        let url = self.job.status_url.clone().unwrap_or_default();
        self.walk.number += 1;
        self.walk.page = 0;
        self.walk.is_whole = true;
        self.walk.from_start = false;
        self.walk.is_twice = false;
        self.walk.has_news = false;
        self.walk.urls = Named::default();
        self.walk.urls.add(&url);
        self.talk = Some(Talk::new(What::Status, url, due));
    }

    /// Asks for the manifest once more, because URLs of files are refused.
    pub(super) fn begin_refresh(&mut self, now: Millis) {
        let wait = match self.walk.useless {
            0 => 0,
            useless => self.growing(useless),
        };
        self.begin_walk(now + wait);
    }

    pub(super) fn polled(&mut self, answer: &Answer<'_>, now: Millis) {
        let own = values(answer.headers, "x-export-status").next().and_then(status_code);
        let own = own.filter(|_| answer.status == 200);
        let status = own.unwrap_or(answer.status);
        let said = if status < 400 {
            Said::default()
        } else {
            Said::read(answer.body)
        };
        let told = format!("status {status}{}", said.tail());
        if own.is_some_and(|own| own >= 400) {
            return self.job_failed(&told, now);
        }
        let asked = if status < 400 {
            None
        } else {
            self.asked_wait(answer, now)
        };
        match status {
            202 => self.still_running(answer, now),
            200 => self.read_page(answer, true, now),
            404 | 410 if self.walk.page > 0 => self.differs("a page of the manifest is gone", now),
            404 | 410 => {
                let message = format!("the server knows nothing of the job any more ({told})");
                self.give_up_call(failure("gone", &message, false), now);
            }
            403 => {
                let message = format!("the server does not let this client ask for the job ({told})");
                self.give_up_call(failure("unauthorized", &message, true), now);
            }
            429 => self.busy_poll(&told, asked, now),
            408 | 425 => self.strike(&told, asked, now),
            500..=599 if !said.is_outcome || said.is_transient() => self.strike(&told, asked, now),
            400..=599 => self.job_failed(&told, now),
            _ => self.odd("an answer that means nothing here", answer.status, now),
        }
    }

    fn still_running(&mut self, answer: &Answer<'_>, now: Millis) {
        let progress = values(answer.headers, "x-progress").next();
        self.job.progress = progress.map(|text| shortened(text, LONGEST_PROGRESS));
        if self.job.is_complete {
            let asked = self.asked_wait(answer, now);
            return self.strike("the job, which had ended, is said to run", asked, now);
        }
        self.walk.went_well();
        // Without having been asked for, a list of files from a running job may be anything.
        let is_partial = self.order.as_ref().is_some_and(|order| order.partial) && !answer.body.is_empty();
        if is_partial {
            return self.read_page(answer, false, now);
        }
        self.wait_to_poll(answer, now);
    }

    fn read_page(&mut self, answer: &Answer<'_>, is_final: bool, now: Millis) {
        match manifest::read(answer.body) {
            Ok((manifest, findings)) => {
                for finding in findings
                    .iter()
                    .filter(|finding| finding.severity == manifest::Severity::Error)
                {
                    self.warn(format!("the manifest is not as it should be: {}", finding.message));
                }
                self.page_came(manifest, answer, is_final, now);
            }
            Err(_) if !is_final => self.wait_to_poll(answer, now),
            Err(finding) => self.odd(&format!("no manifest: {}", finding.message), answer.status, now),
        }
    }

    /// The same page again, when the server likes to be asked.
    pub(super) fn wait_to_poll(&mut self, answer: &Answer<'_>, now: Millis) {
        self.walk.polls = self.walk.polls.saturating_add(1);
        let own = self.growing(self.walk.polls);
        let due = now + self.asked_wait(answer, now).unwrap_or(own);
        if self.walk.from_start {
            return self.begin_walk(due);
        }
        if let Some(talk) = self.talk.as_mut() {
            talk.again(due);
        }
    }

    pub(super) fn poll_troubled(&mut self, trouble: Trouble, now: Millis) {
        if trouble == Trouble::TooLarge {
            return self.odd("more than can be a manifest", 200, now);
        }
        self.strike(trouble.told(), None, now);
    }

    /// A failure that may pass.
    fn strike(&mut self, told: &str, asked: Option<Millis>, now: Millis) {
        self.walk.strikes += 1;
        let strikes = self.walk.strikes;
        if strikes >= self.settings.attempts.max(1) {
            let message = format!("{} does not say how the job is ({strikes} tries): {told}", self.place());
            return self.give_up_call(failure("unreachable", &message, true), now);
        }
        self.ask_again(strikes, asked, now);
    }

    fn busy_poll(&mut self, told: &str, asked: Option<Millis>, now: Millis) {
        self.walk.busy += 1;
        let busy = self.walk.busy;
        if busy >= self.settings.attempts.max(1).saturating_mul(BUSY_EACH) {
            let message = format!("{} does not say how the job is ({busy} tries): {told}", self.place());
            return self.give_up_call(failure("busy", &message, true), now);
        }
        self.ask_again(busy, asked, now);
    }

    /// 200 with something else than a manifest: proxies and servers that are starting do that for a while.
    fn odd(&mut self, told: &str, status: u16, now: Millis) {
        self.walk.odd += 1;
        let odd = self.walk.odd;
        if odd >= self.settings.attempts.clamp(1, MOST_ODD) {
            let message = format!("{} answered {odd} times with status {status} and {told}", self.place());
            return self.give_up_call(failure("no-manifest", &message, true), now);
        }
        self.ask_again(odd, None, now);
    }

    fn ask_again(&mut self, nth: u32, asked: Option<Millis>, now: Millis) {
        let own = self.growing(nth);
        if let Some(talk) = self.talk.as_mut() {
            talk.again(now + asked.unwrap_or(own));
        }
    }

    fn job_failed(&mut self, told: &str, now: Millis) {
        let message = format!("the job failed at the server ({told})");
        self.give_up_call(failure("job-failed", &message, false), now);
    }

    fn place(&self) -> String {
        self.talk.as_ref().map(|talk| url::shown(&talk.at)).unwrap_or_default()
    }
}

/// `202 Accepted`: the number in front.
fn status_code(text: &str) -> Option<u16> {
    text.trim().get(..3)?.parse().ok()
}
