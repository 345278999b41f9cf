//! What can be seen of a client from outside, as plain data.

use super::super::manifest::Generation;
use super::super::order::Order;
use super::super::settings::Millis;
use super::super::step::{FileNo, What};
use super::downloads::State;
use super::plain::is_instant;
use super::{Client, Stage};
use crate::sink::FileKind;

/// What a client is at, for a line of progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The export is being asked for.
    KickingOff {
        /// Kick-offs that were refused for now, or got no answer.
        tries: u32,
        /// When the next is sent; `None` while one is under way.
        next: Option<Millis>,
    },
    /// The job is running, and no file of it is known.
    Waiting {
        /// What the server says of it, at most 100 characters.
        progress: Option<String>,
        /// When it is asked again; `None` while it is being asked.
        next: Option<Millis>,
    },
    /// Files are being fetched.
    Fetching {
        /// Files that are safe.
        done: usize,
        /// Files that are known.
        total: usize,
        /// Files under way.
        active: usize,
        /// Files that have been given up.
        lost: usize,
        /// Whether there will be no more than `total`.
        is_complete: bool,
    },
    /// The job is being deleted at the server.
    Deleting,
    /// It has ended.
    Over,
}

/// Where a file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It has not begun, or waits to be tried again.
    Waiting,
    /// It is being fetched.
    Active,
    /// It is complete and safe.
    Safe,
    /// It has been given up; a resumed client tries again.
    Lost,
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known<'c> {
    /// Its number.
    pub number: FileNo,
    /// The list that it is in.
    pub kind: FileKind,
    /// The type that the manifest names.
    pub type_name: Option<&'c str>,
    /// Absolute; may be signed.
    pub url: &'c str,
    /// Its resources, by the manifest.
    pub count: Option<u64>,
    /// Its bytes, by the manifest.
    pub size: Option<u64>,
    /// The URL of the file in which its last block goes on, as written.
    pub continues_in: Option<&'c str>,
    /// Where it stands.
    pub state: FileState,
    /// What the driver said of it when it was safe.
    pub receipt: Option<&'c str>,
    /// What was wrong with it last, unless it is safe.
    pub trouble: Option<&'c str>,
    /// Attempts that failed.
    pub failed: u32,
}

/// What is known of the export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts<'c> {
    /// Where the job is asked for; known once it has been accepted.
    pub status_url: Option<&'c str>,
    /// The instant of the snapshot, as the manifest has it.
    pub transaction_time: Option<&'c str>,
    /// The kick-off URL, as the manifest has it.
    pub request: Option<&'c str>,
    /// The type that output is organized by.
    pub organized_by: Option<&'c str>,
    /// Whether files need the token, by the manifest.
    pub requires_access_token: Option<bool>,
    /// The generation of the guide that the manifest is shaped by; not known right after resuming.
    pub generation: Option<Generation>,
    /// Whether all files are known.
    pub is_complete: bool,
    /// Whether the job is known not to be at the server any more.
    pub is_deleted: bool,
    /// What people should know at the end.
    pub warnings: &'c [String],
}

impl Client {
    /// What it is at.
    pub fn phase(&self) -> Phase {
        let waits = |what: What| {
            let talk = self.talk.as_ref().filter(|talk| talk.what == what);
            talk.filter(|talk| talk.flight.is_none()).map(|talk| talk.due)
        };
        if self.end.is_some() {
            return Phase::Over;
        }
        match self.stage {
            Stage::KickOff => Phase::KickingOff {
                tries: self.talk.as_ref().map_or(0, |talk| talk.tries + talk.busy),
                next: waits(What::KickOff),
            },
            Stage::Job if self.files.all().is_empty() => Phase::Waiting {
                progress: self.job.progress.clone(),
                next: waits(What::Status),
            },
            Stage::Job => Phase::Fetching {
                done: self.files.safe(),
                total: self.files.all().len(),
                active: self.files.active(),
                lost: self.files.lost(),
                is_complete: self.job.is_complete,
            },
            Stage::Delete => Phase::Deleting,
        }
    }

    /// What is known of each file, in the order of their numbers.
    pub fn files(&self) -> impl ExactSizeIterator<Item = Known<'_>> {
        (0..self.files.all().len()).map(|number| self.known(number))
    }

    /// What is known of one file.
    pub fn file(&self, number: FileNo) -> Option<Known<'_>> {
        (number < self.files.all().len()).then(|| self.known(number))
    }

    fn known(&self, number: FileNo) -> Known<'_> {
        let file = &self.files.all()[number];
        Known {
            number,
            kind: file.listed.kind,
            type_name: file.listed.type_name.as_deref(),
            url: &file.listed.url,
            count: file.listed.count,
            size: file.listed.size,
            continues_in: file.listed.continues_in.as_deref(),
            state: match file.state {
                State::Ready | State::Later | State::Stale => FileState::Waiting,
                State::Active => FileState::Active,
                State::Safe => FileState::Safe,
                State::Lost => FileState::Lost,
            },
            receipt: file.receipt.as_deref(),
            trouble: file.why.as_deref(),
            failed: file.total,
        }
    }

    /// What is known of the export.
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            status_url: self.job.status_url.as_deref(),
            transaction_time: self.job.transaction_time.as_deref().filter(|text| is_instant(text)),
            request: self.job.request.as_deref(),
            organized_by: self.job.organized_by.as_deref(),
            requires_access_token: self.job.requires_access_token,
            generation: self.job.generation,
            is_complete: self.job.is_complete,
            is_deleted: self.job.is_deleted,
            warnings: &self.warnings,
        }
    }

    /// What was asked for; `None` for a job that existed already.
    pub fn order(&self) -> Option<&Order> {
        self.order.as_deref()
    }
}
