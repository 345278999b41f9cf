//! What a job's status has to be shaped by, which stands in its kick-off: read once, then remembered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fhirehose_store::{Asker, Job, JobStore};

use super::order::{Order, Types};
use crate::access::Reach;
use crate::profile::{Guide, ServerProfile};

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
    /// What is exported.
    pub types: Types,
    /// What could be had by whoever started it.
    pub reach: Reach,
}

impl Facts {
    fn new(order: &Order, profile: &ServerProfile) -> Facts {
        let kickoff = &order.kickoff;
        Facts {
            guide: kickoff.guide,
            separate_status: kickoff.separate_status,
            is_partial: kickoff.partial_manifests,
            organized_by: kickoff.organize_by.clone(),
            types: order.types(profile),
            reach: order.reach.clone(),
        }
    }
}

/// Jobs that are remembered at the most: a reach may name every type there is.
const MOST: usize = 2_000;

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
    pub async fn of(
        &self,
        job: &Job,
        profile: &ServerProfile,
        store: &(impl JobStore + ?Sized),
    ) -> fhirehose_store::Result<Option<Arc<Facts>>> {
        let id = job.id.as_str();
        if let Some(facts) = self.known(id) {
            return Ok(Some(facts));
        }
        let Some(text) = store.kick_off(id, Asker::Server).await? else {
            return Ok(None);
        };
        let order = serde_json::from_str::<Order>(&text).ok();
        Ok(order.map(|order| self.remember(id, &order, profile)))
    }

    /// Remembers a job.
    pub fn remember(&self, id: &str, order: &Order, profile: &ServerProfile) -> Arc<Facts> {
        let facts = Arc::new(Facts::new(order, profile));
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
