//! What all handlers share.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use axum::http::HeaderMap;
use fhirehose_store::{Store, Time};

use crate::access::Access;
use crate::auth::{Authority, bearer};
use crate::browser::Site;
use crate::catalogue::Keeper;
use crate::files::Signer;
use crate::job::facts::Remembered;
use crate::offer::Offer;
use crate::origins::Origins;
use crate::outcome::Reply;
use crate::outputs::Outputs;
use crate::page::Streams;
use crate::polling::Polls;
use crate::runner::{Clock, RunnerHandle};

/// What holds for the whole server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// No authorization: everybody may have everything.
    pub is_open: bool,
    /// A proxy stands before the server, as far as its settings tell.
    pub is_proxied: bool,
    /// Most jobs that wait for their turn.
    pub most_queued: u32,
    /// Most files of a page of a manifest.
    pub page: NonZeroUsize,
    /// The same where a client takes pages while the job runs.
    pub partial_page: NonZeroUsize,
    /// Pages of which other origins may ask the FHIR routes.
    pub origins: Origins,
    /// What can be done with the store.
    pub store: StoreState,
}

/// What can be done with the store. The texts are for the log, and may name files of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreState {
    /// Everything.
    Whole,
    /// Jobs and files can be given out, none can be taken on.
    ReadOnly(String),
    /// It is damaged: nothing is known of jobs and clients.
    Gone(String),
}

impl StoreState {
    /// What is wrong.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        match self {
            StoreState::Whole => None,
            StoreState::ReadOnly(text) => Some(format!("jobs can be read and not taken on: {text}")),
            StoreState::Gone(text) => Some(format!("no jobs can be read or taken on: {text}")),
        }
    }

    /// The answer to a request that needs more than can be done.
    pub(crate) fn allows(&self, writes: bool) -> Result<(), Reply> {
        const SECONDS: u64 = 120;
        match self {
            StoreState::Whole => Ok(()),
            StoreState::ReadOnly(_) if !writes => Ok(()),
            StoreState::ReadOnly(_) => {
                let text = "the server can take on no exports for now: its store of jobs can only be read";
                Err(Reply::unavailable(text, SECONDS))
            }
            StoreState::Gone(_) => {
                let text = "the server knows of no jobs for now: its store of jobs cannot be read";
                Err(Reply::unavailable(text, SECONDS))
            }
        }
    }
}

/// The server's parts.
pub struct App {
    /// What is offered.
    pub offer: Arc<Offer>,
    /// What holds for the whole server.
    pub rules: Rules,
    /// Who may have what.
    pub authority: Authority,
    /// Jobs, clients, secrets.
    pub store: Arc<dyn Store>,
    /// The data.
    pub keeper: Arc<Keeper>,
    /// Files of jobs.
    pub outputs: Arc<Outputs>,
    /// Runs jobs; `None` where the store takes none on.
    pub runner: Option<RunnerHandle>,
    /// Signs URLs of files.
    pub signer: Signer,
    /// How often is asked for the status of jobs.
    pub polls: Polls,
    /// What is known of jobs beside what the store tells each time.
    pub remembered: Remembered,
    /// The pages that are told of jobs.
    pub streams: Streams,
    /// The demo page, if there is one.
    pub browser: Site,
    /// Places for kick-offs that are read at the same time.
    pub judging: tokio::sync::Semaphore,
    /// Tells the time.
    pub clock: Clock,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("offer", &self.offer.profile.name)
            .finish_non_exhaustive()
    }
}

/// As handlers have it.
pub type Shared = Arc<App>;

impl App {
    /// The time.
    #[must_use]
    pub fn now(&self) -> Time {
        (self.clock)()
    }

    /// Who asks, or the answer to somebody who may not.
    pub(crate) async fn access(&self, headers: &HeaderMap) -> Result<Access, Reply> {
        let mut given = headers.get_all(axum::http::header::AUTHORIZATION).iter();
        let first = given.next().map(|value| value.to_str().unwrap_or_default());
        // Of two tokens none is the right one.
        let token = if given.next().is_some() { Some("") } else { first };
        bearer::access(&self.authority, token, self.now()).await
    }

    /// There is a job that waits, or one less.
    pub(crate) fn wake(&self) {
        self.runner.iter().for_each(RunnerHandle::wake);
    }

    /// An absolute URL under the FHIR base.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.offer.public_base.trim_end_matches('/'))
    }
}
