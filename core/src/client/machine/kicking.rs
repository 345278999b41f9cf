//! Answers to the kick-off (SPEC 2.3.3, 1.8, C10, C11, C13).

use super::super::journal::Line;
use super::super::manifest;
use super::super::retry_after::values;
use super::super::said::Said;
use super::super::settings::Millis;
use super::super::step::{Answer, Trouble};
use super::super::url;
use super::{Client, Stage, links};
use crate::client::backoff;

/// Tries of a kick-off whose answer got lost: each may have made a job.
const MOST_LOST: u32 = 3;
/// Refusals because another job is running, after which nobody believes that it will end.
const MOST_BUSY: u32 = 100;
/// The longest wait for another job's end, in times of the longest wait between polls.
const BUSY_POLLS: u64 = 5;

const LEFT: &str = "a kick-off got no clear answer: a job may have been left at the server";

impl Client {
    pub(super) fn kicked_off(&mut self, answer: &Answer<'_>, now: Millis) {
        if answer.status == 202 {
            return self.accepted(answer, now);
        }
        let said = Said::read(answer.body);
        let told = said.tail();
        match answer.status {
            429 => self.busy(answer, MOST_BUSY, &told, now),
            503 => self.busy(answer, self.settings.attempts.max(1), &told, now),
            200..=299 => {
                let what = match manifest::read(answer.body) {
                    Ok(_) => "a manifest at once",
                    Err(_) => "something else than the acceptance of a job",
                };
                let message = format!(
                    "the server answered the kick-off with status {} and {what}; expected 202 and a Content-Location",
                    answer.status
                );
                self.refuse("not-accepted", &message, false);
            }
            408 | 425 => self.kick_off_lost(&format!("status {}{told}", answer.status), now),
            501 | 505 => self.refuse_status(answer.status, &told),
            500..=599 if said.is_outcome && !said.is_transient() => self.refuse_status(answer.status, &told),
            500..=599 => self.kick_off_lost(&format!("status {}{told}", answer.status), now),
            status => self.refuse_status(status, &told),
        }
    }

    fn accepted(&mut self, answer: &Answer<'_>, now: Millis) {
        let Some(from) = self.kick_off_place() else { return };
        let mut locations = values(answer.headers, "content-location").filter(|text| !text.trim().is_empty());
        let Some(location) = locations.next() else {
            let message = "the server accepted the export, and did not say where to ask for it (no Content-Location)";
            return self.refuse("no-status-url", message, false);
        };
        let status_url = match links::named(&from, location) {
            Ok((status_url, is_raised)) => {
                if is_raised {
                    self.warn("the server names itself with http; it is asked with https".to_owned());
                }
                status_url
            }
            Err(why) => {
                let message = format!("the server accepted the export, and its status URL cannot be asked: {why}");
                return self.refuse("no-status-url", &message, false);
            }
        };
        self.lines.push_back(Line::Status(status_url.clone()));
        self.job.status_url = Some(status_url);
        self.stage = Stage::Job;
        if self.is_cancelled {
            return self.begin_deletion(now);
        }
        let wait = self.asked_wait(answer, now).unwrap_or(self.settings.poll_first);
        self.begin_walk(now + wait);
    }

    /// Where the answer to the kick-off came from.
    fn kick_off_place(&self) -> Option<String> {
        let talk = self.talk.as_ref()?;
        if talk.hops > 0 {
            return Some(talk.at.clone());
        }
        super::kickoff::kick_off_url(self.order.as_deref())
    }

    /// The server takes no more for now: Oracle has one job at a time.
    fn busy(&mut self, answer: &Answer<'_>, most: u32, told: &str, now: Millis) {
        let asked = self.asked_wait(answer, now);
        let Some(talk) = self.talk.as_mut() else { return };
        talk.busy += 1;
        let busy = talk.busy;
        if self.is_cancelled || busy >= most {
            let message = format!(
                "the server takes no export for now (status {}, {busy} times){told}",
                answer.status
            );
            return self.refuse("busy", &message, true);
        }
        let longest = self.settings.poll_most.saturating_mul(BUSY_POLLS);
        let own = backoff::growing(self.settings.poll_first, longest, busy, &mut self.dice);
        if let Some(talk) = self.talk.as_mut() {
            talk.again(now + asked.unwrap_or(own));
        }
        self.lines.push_back(Line::KickOff(false));
        self.remember_again();
    }

    pub(super) fn kick_off_troubled(&mut self, trouble: Trouble, now: Millis) {
        match trouble {
            // Nothing has been sent.
            Trouble::Connect | Trouble::Tls => {
                let most = if trouble == Trouble::Tls {
                    MOST_LOST
                } else {
                    self.settings.attempts.max(1)
                };
                self.retry_kick_off(most, trouble.told(), now);
            }
            _ => self.kick_off_lost(trouble.told(), now),
        }
    }

    /// Nobody knows whether the kick-off has made a job.
    fn kick_off_lost(&mut self, told: &str, now: Millis) {
        self.warn(LEFT.to_owned());
        self.retry_kick_off(MOST_LOST, told, now);
    }

    fn retry_kick_off(&mut self, most: u32, told: &str, now: Millis) {
        let Some(talk) = self.talk.as_mut() else { return };
        talk.tries += 1;
        let tries = talk.tries;
        if self.is_cancelled || tries >= most {
            let base = self
                .order
                .as_ref()
                .map(|order| url::shown(&order.base))
                .unwrap_or_default();
            return self.refuse(
                "unreachable",
                &format!("{base} did not take the kick-off ({tries} tries): {told}"),
                true,
            );
        }
        let wait = self.growing(tries);
        if let Some(talk) = self.talk.as_mut() {
            talk.again(now + wait);
        }
        self.remember_again();
    }

    fn refuse_status(&mut self, status: u16, told: &str) {
        let message = format!("the server refused the export (status {status}){told}");
        self.refuse("refused", &message, false);
    }

    /// The end of the kick-off without a job that is known.
    fn refuse(&mut self, code: &'static str, message: &str, resumable: bool) {
        if self.is_cancelled {
            return self.end_cancelled("no job is known at the server");
        }
        self.lines.push_back(Line::KickOff(false));
        // Nobody tells it later: the folder may be given up with this.
        let is_left = self.warnings.iter().any(|text| text == LEFT);
        let left = if is_left { format!("; {LEFT}") } else { String::new() };
        self.fail(code, &format!("{message}{left}"), resumable);
    }

    fn remember_again(&mut self) {
        if let Some(talk) = self.talk.as_mut() {
            talk.is_remembered = false;
        }
    }

    /// A journal that ends between a kick-off and its answer.
    pub(super) fn warn_of_lost_kick_off(&mut self) {
        self.warn(LEFT.to_owned());
    }
}
