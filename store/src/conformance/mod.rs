//! The suite that every store has to pass, whatever it keeps its records in.
//!
//! [`cases`] are examples, each over an empty store. [`compare`] draws operations at random and compares the answers with
//! those of the [`Model`]. Both panic where something is wrong, as tests do. What only several connections can show
//! (claims at once, crashes) is up to the tests of each store.

mod files;
mod leases;
mod life;
mod model;
mod queue;
mod random;
mod registry;
mod sweep;

use std::pin::Pin;
use std::time::Duration;

pub use model::Model;
pub use random::{Dice, compare};

use crate::{Asker, Bounds, Claim, Claimed, Folder, Job, NewJob, Store, StoredFile, Submitted, Time};

/// A case: what it has to be given is an empty store.
pub type Case = for<'a> fn(&'a dyn Store) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

macro_rules! cases {
    ($($module:ident: $($name:ident)*;)*) => {
        vec![$($((concat!(stringify!($module), "::", stringify!($name)), |store| Box::pin($module::$name(store)))),*),*]
    };
}

/// All cases, with their names.
pub fn cases() -> Vec<(&'static str, Case)> {
    cases! {
        life: job_is_found_as_it_was_handed_in job_of_another_does_not_exist complete_job_has_report_and_end
            failed_job_has_its_reason cancel_at_every_stage cancel_twice_is_gone unknown_jobs
            list_is_newest_first;
        queue: id_is_taken_once owner_has_a_bound queue_has_a_bound settled_and_cancelled_jobs_free_their_place
            oldest_first owners_take_turns nothing_to_claim;
        leases: claimed_job_has_its_lease silent_worker_is_replaced late_worker_is_refused renewed_lease_holds
            late_renewal_before_a_claim_holds attempts_are_bounded released_job_keeps_its_place_and_count
            clock_set_back cancelled_worker_is_told settled_once wrong_holder_is_refused progress_starts_anew
            jobs_of_the_dead_are_claimed_at_once;
        files: only_the_settled_attempt_is_listed files_so_far_are_those_of_this_attempt cancelled_files_are_gone
            same_file_twice_is_one another_file_of_that_name_or_id_is_refused files_come_in_pages
            file_is_found_by_its_owner numbers_that_do_not_fit many_files_are_added_whole_or_not_at_all;
        sweep: jobs_expire_in_time every_dead_attempt_is_rubbish_once a_complete_jobs_own_attempt_is_kept
            folder_of_a_cancelled_job_waits_for_its_worker purged_jobs_are_forgotten_later;
        registry: clients_are_added_listed_removed client_names_are_unique assertion_is_used_once
            assertion_is_forgotten_at_its_end secret_is_made_once;
    }
}

/// A moment that cases start from.
const START: Time = Time(1_700_000_000_000);
const LEASE: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(86_400);
const MANY: Bounds = Bounds {
    queued: 1000,
    per_owner: 1000,
};

fn at(seconds: u64) -> Time {
    START.plus(Duration::from_secs(seconds))
}

fn new_job(id: &str, owner: &str) -> NewJob {
    NewJob {
        id: id.to_owned(),
        owner: owner.to_owned(),
        profile: "oracle".to_owned(),
        url: format!("https://example.org/fhir/$export?_type={id}"),
        kick_off: format!("{{\"id\":\"{id}\",\"text\":\"é\\u0000\"}}"),
        transaction_time: Time(START.0 - 1),
    }
}

async fn submit(store: &dyn Store, id: &str, owner: &str, seconds: u64) {
    let done = store.submit(&new_job(id, owner), MANY, at(seconds)).await;
    assert_eq!(done.expect("a new job is taken"), Submitted::Accepted);
}

fn claim_at(seconds: u64) -> Claim {
    Claim {
        now: at(seconds),
        holder: format!("worker-{seconds}"),
        lease: LEASE,
        max_attempts: 3,
        failed_expires: at(seconds).plus(DAY),
    }
}

async fn claim(store: &dyn Store, seconds: u64) -> Option<Claimed> {
    store.claim(&claim_at(seconds)).await.expect("claiming works").claimed
}

/// Hands a job in and claims it; it has to be the next one.
async fn begin(store: &dyn Store, id: &str, owner: &str, seconds: u64) -> Claimed {
    submit(store, id, owner, seconds).await;
    let claimed = claim(store, seconds).await.expect("a job waits");
    assert_eq!(claimed.job.id, id);
    claimed
}

async fn get(store: &dyn Store, id: &str) -> Job {
    store
        .get(id, Asker::Server)
        .await
        .expect("reading works")
        .expect("the job is there")
}

fn new_file(id: &str, name: &str) -> StoredFile {
    StoredFile {
        id: id.to_owned(),
        name: name.to_owned(),
        folder: Folder::Output,
        resource_type: Some("Patient".to_owned()),
        continues_in: None,
        count: 3,
        bytes: 1 << 40,
        sha256: [7; 32],
    }
}
