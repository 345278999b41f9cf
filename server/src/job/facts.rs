//! What a job's status has to be shaped by, which stands in its kick-off: read once, then remembered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fhirehose_store::{Asker, JobStore};

use super::order::Order;
use crate::profile::Guide;

/// How the status of a job is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The guide's generation.
    pub guide: Guide,
    /// `Prefer: separate-export-status`
    pub separate_status: bool,
    /// `allowPartialManifests`
    pub is_partial: bool,
    /// `organizeOutputBy`
    pub organized_by: Option<String>,
}

impl From<&Order> for Facts {
    fn from(order: &Order) -> Self {
        let kickoff = &order.kickoff;
        Facts {
            guide: kickoff.guide,
            separate_status: kickoff.separate_status,
            is_partial: kickoff.partial_manifests,
            organized_by: kickoff.organize_by.clone(),
        }
    }
}

/// Jobs that are remembered at the most.
const MOST: usize = 20_000;

/// The facts of jobs that somebody asked about.
#[derive(Debug, Default)]
pub struct Remembered {
    jobs: Mutex<HashMap<String, Arc<Facts>>>,
}

impl Remembered {
    /// The facts of a job that there is. `None`: its kick-off was written by another version of this program.
    ///
    /// # Errors
    /// The store fails.
    pub async fn of(&self, id: &str, store: &(impl JobStore + ?Sized)) -> fhirehose_store::Result<Option<Arc<Facts>>> {
        if let Some(facts) = self.known(id) {
            return Ok(Some(facts));
        }
        let Some(text) = store.kick_off(id, Asker::Server).await? else {
            return Ok(None);
        };
        let order = serde_json::from_str::<Order>(&text).ok();
        Ok(order.map(|order| self.remember(id, &order)))
    }

    /// Remembers a job.
    pub fn remember(&self, id: &str, order: &Order) -> Arc<Facts> {
        let facts = Arc::new(Facts::from(order));
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.len() >= MOST {
            jobs.clear();
        }
        jobs.insert(id.to_owned(), facts.clone());
        facts
    }

    fn known(&self, id: &str) -> Option<Arc<Facts>> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.get(id).cloned()
    }
}
