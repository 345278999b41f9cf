//! The end: what was asked for is there, the job is deleted at the server (SPEC 2.14, C49, C50).

use super::super::journal::Line;
use super::super::said::Said;
use super::super::settings::Millis;
use super::super::step::{Answer, Step, What};
use super::talk::Talk;
use super::{Client, Stage};

/// Tries of a deletion. That it fails hurts nobody: servers forget jobs by themselves.
const MOST: u32 = 3;
/// Longest wait between two of them.
const LONGEST: Millis = 10_000;

impl Client {
    /// Everything is safe: the last request, unless the job is to be kept.
    pub(super) fn finish(&mut self, now: Millis) {
        if self.settings.keep_job || self.job.is_deleted {
            return self.end_well();
        }
        self.lines.push_back(Line::Fetched);
        self.begin_deletion(now);
    }

    pub(super) fn begin_deletion(&mut self, now: Millis) {
        self.stage = Stage::Delete;
        let url = self.job.status_url.clone().unwrap_or_default();
        self.talk = Some(Talk::new(What::Delete, url, now));
    }

    pub(super) fn deletion_answered(&mut self, answer: &Answer<'_>, now: Millis) {
        match answer.status {
            // 303: what the deletion has led to can be seen elsewhere.
            200..=299 | 303 | 404 | 410 => {
                self.job.is_deleted = true;
                self.lines.push_back(Line::Deleted);
                if self.is_cancelled {
                    return self.end_cancelled("the job was deleted at the server");
                }
                self.end_well();
            }
            status => {
                let told = format!("status {status}{}", Said::read(answer.body).tail());
                let may_pass = matches!(status, 408 | 425 | 429 | 500 | 502..=504);
                // What is there is safe: nobody waits long for a server to clean up.
                let asked = self.asked_wait(answer, now).map(|wait| wait.min(LONGEST));
                if may_pass && asked.is_some() {
                    return self.deletion_failed(&told, None, now + asked.unwrap_or_default());
                }
                self.deletion_failed(&told, (!may_pass).then_some(false), now);
            }
        }
    }

    /// A deletion that brought nothing; `again` may forbid another one.
    pub(super) fn deletion_failed(&mut self, told: &str, again: Option<bool>, now: Millis) {
        let Some(talk) = self.talk.as_mut() else { return };
        talk.tries += 1;
        let tries = talk.tries;
        if again == Some(false) || tries >= MOST {
            return self.end_without_deletion(told);
        }
        let wait = self.growing(tries);
        if let Some(talk) = self.talk.as_mut() {
            talk.again(now + wait);
        }
    }

    pub(super) fn end_without_deletion(&mut self, told: &str) {
        if self.is_cancelled {
            return self.end_cancelled(&format!("the job could not be deleted at the server: {told}"));
        }
        self.warn(format!("the job could not be deleted at the server: {told}"));
        self.end_well();
    }

    fn end_well(&mut self) {
        self.talk = None;
        self.lines.push_back(Line::Done);
        self.end = Some(Step::Done);
    }
}
