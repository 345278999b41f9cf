//! Going on from a journal (C57).

use super::super::journal::{self, Entry, Line, Page};
use super::super::settings::Settings;
use super::super::step::{Failure, Step};
use super::super::url;
use super::{Client, Stage, failure};

/// What is left of the journal when all lines have been read.
#[derive(Default)]
struct Left {
    /// A kick-off was sent, and there is no word of what came of it.
    is_open: bool,
    is_done: bool,
}

impl Client {
    /// A client that goes on where another one ended, however that was. The journal may have been cut anywhere; what follows
    /// its last newline is not read, and has to be cut off before anything is appended
    /// ([`whole_lines`](crate::client::whole_lines)).
    ///
    /// # Errors
    /// With the code `bad-journal`: there is no whole line, the journal is of another version, or a line of it is damaged.
    pub fn resume(journal: &str, settings: &Settings, seed: u64) -> Result<Client, Failure> {
        let (begun, lines) = journal::read(journal)?;
        let mut client = Client::new(begun, settings, seed)?;
        let mut left = Left::default();
        for line in lines {
            client.recall(line, &mut left)?;
        }
        client.go_on(&left);
        Ok(client)
    }

    fn recall(&mut self, line: Line, left: &mut Left) -> Result<(), Failure> {
        match line {
            Line::KickOff(is_sent) => left.is_open = is_sent,
            Line::Status(status_url) => {
                if !url::is_absolute(&status_url) {
                    return Err(failure(
                        "bad-journal",
                        "the journal holds a status URL that is none",
                        false,
                    ));
                }
                self.job.status_url = Some(status_url);
                self.stage = Stage::Job;
                left.is_open = false;
            }
            Line::Page(page) => self.recall_page(page)?,
            Line::Complete => self.job.is_complete = true,
            Line::Fetched => {}
            Line::Safe(file, receipt) => self.files.restore(file, receipt),
            Line::Gone(file) => {
                self.files.forget(file);
                left.is_done = false;
            }
            Line::Warning(text) => self.warnings.push(text),
            Line::Cancel => self.is_cancelled = true,
            Line::Deleted => self.job.is_deleted = true,
            Line::Done => left.is_done = true,
        }
        Ok(())
    }

    fn recall_page(&mut self, page: Page) -> Result<(), Failure> {
        if page.number > self.job.pages.len() {
            return Err(failure(
                "bad-journal",
                "a page of the manifest is missing in the journal",
                false,
            ));
        }
        let mut files = Vec::with_capacity(page.entries.len());
        for entry in page.entries {
            files.push(match entry {
                Entry::Known(file) => file,
                Entry::New(listed) => {
                    let wrong = self.wrong_with(&listed.url);
                    self.files.add(listed, wrong, 0)
                }
            });
        }
        let job = &mut self.job;
        job.has_facts = true;
        job.transaction_time = page.transaction_time;
        job.request = page.request;
        job.organized_by = page.organized_by;
        job.requires_access_token = page.requires_access_token;
        if page.number < job.pages.len() {
            job.pages[page.number] = files;
            job.unusable[page.number] = page.unusable;
        } else {
            job.pages.push(files);
            job.unusable.push(page.unusable);
        }
        Ok(())
    }

    /// As it was said when the file was listed: `https` is not left.
    fn wrong_with(&self, target: &str) -> Option<&'static str> {
        let is_secure = self.job.status_url.as_deref().is_some_and(url::is_secure);
        if !url::is_absolute(target) {
            return Some("it is no http or https URL");
        }
        (is_secure && !url::is_secure(target)).then_some("it leads from https to http")
    }

    fn go_on(&mut self, left: &Left) {
        if left.is_done {
            self.end = Some(Step::Done);
        } else if self.job.is_deleted && !self.is_cancelled && self.files.safe() < self.files.all().len() {
            self.end_without_files();
        } else if self.is_cancelled {
            match self.job.status_url {
                Some(_) if !self.job.is_deleted => self.begin_deletion(0),
                _ => self.end_cancelled("no job is known at the server"),
            }
        } else if self.job.is_complete {
            // What is left of the files, or the deletion, follows from the state.
            self.talk = None;
        } else if self.stage == Stage::Job {
            self.begin_walk(0);
        } else if left.is_open {
            self.warn_of_lost_kick_off();
        }
    }
}
