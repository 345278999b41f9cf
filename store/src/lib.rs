//! Where a server keeps its export jobs, clients and secrets.
//!
//! [`JobStore`] and [`ClientStore`] say what a store does; [`sqlite::SqliteStore`] does it in one file. The feature
//! `conformance` holds the suite that every implementation has to pass.
//!
//! What holds for every implementation:
//!
//! - **No clock and no randomness.** The time of each call is an argument ([`Time`]), ids and secrets are made outside.
//! - **Leases, never held transactions.** A worker claims a job for a while and renews its lease. A lease that ran out is
//!   claimed again under the next attempt number, and everything the earlier worker still says is refused
//!   ([`Kind::Lost`]).
//! - **Whole or not at all.** Each call is one transaction: after a crash it has happened completely or not. A call that
//!   has returned has happened.
//! - **Only one attempt is listed.** Files belong to an attempt; those of any other than the job's present one are never
//!   seen again, only named for deletion ([`JobStore::rubbish`]).

mod error;
mod record;
mod store;

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod sqlite;

pub use error::{Error, Kind, Result};
pub use record::{
    Asker, Bounds, Cancelled, Claim, Claimed, Client, Folder, Job, Lease, Listing, NewJob, Progress, Rubbish, Secret,
    State, StoredFile, Submitted, Tally, Time, Turn,
};
pub use store::{ClientStore, JobStore, Reply, Store};
