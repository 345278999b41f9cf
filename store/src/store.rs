//! The traits: what a store does.

use std::pin::Pin;
use std::time::Duration;

use crate::{
    Asker, Bounds, Cancelled, Claim, Client, Job, Lease, Listing, NewJob, Progress, Result, Rubbish, Secret,
    StoredFile, Submitted, Tally, Time, Turn,
};

/// An answer to be awaited. A named box, and no `async fn`, so that a server can hold `Arc<dyn Store>` and choose the
/// implementation when it starts.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Jobs and their files.
///
/// Dropping a reply before it is ready leaves open whether the call has happened, as a crash does; it never happens by
/// half.
pub trait JobStore: Send + Sync {
    /// Stores a job as [`State::Accepted`](crate::State::Accepted) if both bounds allow it.
    ///
    /// Fails with [`Kind::Exists`](crate::Kind::Exists) if the id is taken.
    fn submit<'a>(&'a self, job: &'a NewJob, bounds: Bounds, now: Time) -> Reply<'a, Submitted>;

    /// Gives a worker the next job, under the next attempt number.
    ///
    /// Jobs that wait can be claimed, and running ones whose lease ran out: at its end, or if it was last renewed further
    /// in the future than it is long, which happens when a clock was set back. First come owners with fewer jobs
    /// running, then those whose last turn is longer ago, then older jobs.
    ///
    /// A running job whose lease ran out for the `max_attempts`-th time becomes
    /// [`State::Failed`](crate::State::Failed) instead.
    fn claim<'a>(&'a self, claim: &'a Claim) -> Reply<'a, Turn>;

    /// Renews a lease for `length` from `now`, and says how far the job has come.
    ///
    /// Fails with [`Kind::Lost`](crate::Kind::Lost) as soon as the job has been cancelled, settled or claimed by another:
    /// the worker then stops, deletes its folder and [releases](JobStore::release) the lease. A lease that ran out
    /// unnoticed is renewed.
    fn heartbeat<'a>(&'a self, lease: &'a Lease, progress: Progress, length: Duration, now: Time) -> Reply<'a, ()>;

    /// Adds a finished file to the attempt. Adding the same once more changes nothing.
    ///
    /// Fails with [`Kind::Lost`](crate::Kind::Lost), and with [`Kind::Exists`](crate::Kind::Exists) if another file has
    /// this id, or this name in this folder of the attempt.
    fn add_file<'a>(&'a self, lease: &'a Lease, file: &'a StoredFile) -> Reply<'a, ()>;

    /// The same for many files, in their order, at once: all of them, or none.
    fn add_files<'a>(&'a self, lease: &'a Lease, files: &'a [StoredFile]) -> Reply<'a, ()>;

    /// Settles the job as [`State::Complete`](crate::State::Complete), with the files of this attempt.
    ///
    /// Fails with [`Kind::Lost`](crate::Kind::Lost).
    fn complete<'a>(&'a self, lease: &'a Lease, report: &'a str, expires: Time, now: Time) -> Reply<'a, ()>;

    /// Settles the job as [`State::Failed`](crate::State::Failed).
    ///
    /// Fails with [`Kind::Lost`](crate::Kind::Lost).
    fn fail<'a>(&'a self, lease: &'a Lease, failure: &'a str, expires: Time, now: Time) -> Reply<'a, ()>;

    /// Gives a lease back: a running job waits again, at its old place, and the attempt does not count as lost. For a
    /// cancelled job it says that the worker has stopped, so that its folder may be deleted at once.
    ///
    /// Fails with [`Kind::Lost`](crate::Kind::Lost) if it was another's already.
    fn release<'a>(&'a self, lease: &'a Lease, now: Time) -> Reply<'a, ()>;

    /// Ends the leases of everybody but `holder`; returns how many. For whoever knows that the others are dead, as a server
    /// does that has its state to itself and starts anew: their jobs can be claimed at once, and count as lost.
    fn abandon<'a>(&'a self, holder: &'a str, now: Time) -> Reply<'a, u64>;

    /// Cancels a job that waits or runs, and removes one that is complete or failed. From then on nothing is listed.
    ///
    /// Fails with [`Kind::Unknown`](crate::Kind::Unknown).
    fn cancel<'a>(&'a self, id: &'a str, asker: Asker<'a>, now: Time) -> Reply<'a, Cancelled>;

    /// Finds a job.
    fn get<'a>(&'a self, id: &'a str, asker: Asker<'a>) -> Reply<'a, Option<Job>>;

    /// Reads the kick-off of a job as it was handed in.
    fn kick_off<'a>(&'a self, id: &'a str, asker: Asker<'a>) -> Reply<'a, Option<String>>;

    /// Lists jobs, the newest first.
    fn list<'a>(&'a self, asker: Asker<'a>, limit: u32) -> Reply<'a, Vec<Job>>;

    /// Lists files in the order in which they were added, each with its number in the attempt; those after number
    /// `after`, `limit` at the most. Nothing is listed for a job that is not there.
    fn files<'a>(&'a self, id: &'a str, listing: Listing, after: u32, limit: u32) -> Reply<'a, Vec<(u32, StoredFile)>>;

    /// Finds a file that is listed, by its own id, and the job that it belongs to; its folder is that of the job's
    /// present attempt.
    fn file<'a>(&'a self, file: &'a str, listing: Listing, asker: Asker<'a>) -> Reply<'a, Option<(Job, StoredFile)>>;

    /// Counts the jobs in each state.
    fn tally(&self) -> Reply<'_, Tally>;

    /// Makes complete and failed jobs [`State::Expired`](crate::State::Expired) whose time is over, those first that
    /// expired first, `limit` at the most; returns their ids.
    fn expire(&self, now: Time, limit: u32) -> Reply<'_, Vec<String>>;

    /// Lists attempts whose folders may be deleted: all of jobs that are failed, cancelled or expired, and earlier ones of
    /// other jobs. While the worker of a cancelled job may still write, its attempt is not among them. Older jobs first.
    ///
    /// A server that is still sending such a file deletes the folder, and says so, later.
    fn rubbish(&self, now: Time, limit: u32) -> Reply<'_, Vec<Rubbish>>;

    /// Takes down that a job's folders up to attempt `to` have been deleted, and forgets their files. Once more changes
    /// nothing; nor does it for a job that is not there.
    ///
    /// Fails with [`Kind::Invalid`](crate::Kind::Invalid) if an attempt among them is still in use.
    fn mark_purged<'a>(&'a self, job: &'a str, to: u32) -> Reply<'a, ()>;

    /// Forgets jobs that have been cancelled or expired before `before` and whose folders are all deleted, `limit` at the
    /// most; returns how many. Older jobs first.
    fn forget(&self, before: Time, limit: u32) -> Reply<'_, u64>;
}

/// Clients, the token requests they made, and secrets.
pub trait ClientStore: Send + Sync {
    /// Adds a client.
    ///
    /// Fails with [`Kind::Exists`](crate::Kind::Exists) if its id or name is taken.
    fn add_client<'a>(&'a self, client: &'a Client) -> Reply<'a, ()>;

    /// Removes the client of that id; returns whether there was one. Its jobs stay.
    fn remove_client<'a>(&'a self, id: &'a str) -> Reply<'a, bool>;

    /// Finds the client of that id.
    fn client<'a>(&'a self, id: &'a str) -> Reply<'a, Option<Client>>;

    /// Lists the clients, by name.
    fn clients(&self) -> Reply<'_, Vec<Client>>;

    /// Takes down that a client's assertion has been used; returns whether it is the first time. What has expired by
    /// `now` is forgotten, so `expires` is the assertion's own end and the clocks' tolerance.
    fn use_jti<'a>(&'a self, client: &'a str, jti: &'a str, expires: Time, now: Time) -> Reply<'a, bool>;

    /// Returns the secret of that name; stores `fresh` under it if there is none yet.
    fn secret<'a>(&'a self, name: &'a str, fresh: &'a Secret) -> Reply<'a, Secret>;

    /// Stores a secret in place of the one of that name.
    fn replace_secret<'a>(&'a self, name: &'a str, fresh: &'a Secret) -> Reply<'a, ()>;
}

/// Everything a server keeps.
pub trait Store: JobStore + ClientStore {}

impl<S: JobStore + ClientStore> Store for S {}
