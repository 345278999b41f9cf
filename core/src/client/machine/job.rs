//! The job at the server, and the walk over its manifest's pages.

use super::super::manifest::Generation;
use super::super::step::{Failure, FileNo};
use crate::names::Named;

/// What is known of the job.
#[derive(Clone, Debug, Default)]
pub(super) struct Job {
    pub(super) status_url: Option<String>,
    /// `X-Progress`, cut.
    pub(super) progress: Option<String>,
    /// Whether a page has been read, and so the facts below are known.
    pub(super) has_facts: bool,
    pub(super) transaction_time: Option<String>,
    pub(super) request: Option<String>,
    pub(super) organized_by: Option<String>,
    pub(super) requires_access_token: Option<bool>,
    pub(super) generation: Option<Generation>,
    /// All pages are known, and the job has ended.
    pub(super) is_complete: bool,
    /// There is nothing at the server any more.
    pub(super) is_deleted: bool,
    /// The files of each page in its order.
    pub(super) pages: Vec<Vec<FileNo>>,
    /// Listed things of each page that cannot be fetched.
    pub(super) unusable: Vec<usize>,
}

impl Job {
    /// Whether its files may need the token.
    pub(super) fn files_need_token(&self) -> bool {
        self.requires_access_token != Some(false)
    }
}

/// A walk over the pages from the first one. There is one from the start until the manifest is complete, begun anew where the
/// pages have to be seen again, and one each time that URLs have to be fresh.
#[derive(Clone, Debug, Default)]
pub(super) struct Walk {
    /// Number of it.
    pub(super) number: u32,
    /// The page that it is at.
    pub(super) page: usize,
    /// No page before the present one was of a running job.
    pub(super) is_whole: bool,
    /// The pages' URLs so far: none may come twice.
    pub(super) urls: Named<()>,
    /// A file was on two pages. A server that lists its files in another order for each page leaves out as many as it lists
    /// twice.
    pub(super) is_twice: bool,
    /// Something was on a page that no walk before had seen there.
    pub(super) has_news: bool,
    /// Polls since something new came.
    pub(super) polls: u32,
    /// Failures in a row that may pass.
    pub(super) strikes: u32,
    /// Answers in a row that were to be a manifest and are none.
    pub(super) odd: u32,
    /// Refusals in a row that ask to come later.
    pub(super) busy: u32,
    /// Walks in a row that found another manifest.
    pub(super) differs: u32,
    /// URLs are refused: the page that is polled is left for the first one.
    pub(super) from_start: bool,
    /// Walks for fresh URLs in a row that did not help.
    pub(super) useless: u32,
    /// The last walk that was found not to have helped.
    pub(super) useless_walk: u32,
    /// Fresh URLs cannot be had any more, and why.
    pub(super) is_barred: Option<Failure>,
}

impl Walk {
    /// Something came that makes sense.
    pub(super) fn went_well(&mut self) {
        self.strikes = 0;
        self.odd = 0;
        self.busy = 0;
    }
}
