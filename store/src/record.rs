//! What is stored, and what is asked: plain data.

use std::fmt;
use std::time::Duration;

/// A moment: milliseconds since 1970 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// This moment and `span` more; the last moment there is where that is too far.
    pub fn plus(self, span: Duration) -> Time {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Time(self.0.saturating_add(span))
    }
}

/// A job as it is handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Unique; made outside, hard to guess.
    pub id: String,
    /// The client that it belongs to.
    pub owner: String,
    /// The profile that the server answered under.
    pub profile: String,
    /// The kick-off's full URL, for the manifest.
    pub url: String,
    /// The kick-off, as JSON that only the server reads.
    pub kick_off: String,
    /// The upper bound of what is exported.
    pub transaction_time: Time,
}

/// How much may wait. Both are checked together with the job's being stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Jobs of all owners that are [`State::Accepted`].
    pub queued: u32,
    /// Jobs of one owner that are [`State::Accepted`] or [`State::Running`].
    pub per_owner: u32,
}

/// What became of a job that was handed in. One that was not accepted has left no trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Submitted {
    /// It is stored and will run.
    Accepted,
    /// Its owner has as many jobs as it may have; told before a full queue.
    OwnerBusy {
        /// How many.
        active: u64,
    },
    /// As many jobs wait as may wait.
    QueueFull {
        /// How many.
        queued: u64,
    },
}

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It waits for a worker.
    Accepted,
    /// A worker has it, or had it and fell silent.
    Running,
    /// Its files are there.
    Complete,
    /// It ended without files; [`Job::failure`] says why.
    Failed,
    /// Its owner deleted it, at whatever time.
    Cancelled,
    /// It was complete or failed, and its time is over.
    Expired,
}

impl State {
    /// All of them, in the order of a job's life.
    pub const ALL: [State; 6] = [
        State::Accepted,
        State::Running,
        State::Complete,
        State::Failed,
        State::Cancelled,
        State::Expired,
    ];

    /// Its name in the store.
    pub fn name(self) -> &'static str {
        match self {
            State::Accepted => "accepted",
            State::Running => "running",
            State::Complete => "complete",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
            State::Expired => "expired",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A job as it stands. The kick-off is read apart ([`crate::JobStore::kick_off`]): it may be large, and pollers do not
/// need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// As it was handed in.
    pub id: String,
    /// As it was handed in.
    pub owner: String,
    /// As it was handed in.
    pub profile: String,
    /// As it was handed in.
    pub url: String,
    /// When it was handed in.
    pub created: Time,
    /// As it was handed in.
    pub transaction_time: Time,
    /// Where it is in its life.
    pub state: State,
    /// When it came into this state; for a running job, when this attempt began.
    pub since: Time,
    /// The number of the present attempt, which names the folder of its files; 0 before the first.
    pub attempt: u32,
    /// How many attempts ended by their lease's running out.
    pub lost: u32,
    /// Who works on it.
    pub holder: Option<String>,
    /// Until when the holder has to be heard of again.
    pub lease_until: Option<Time>,
    /// As the worker last told.
    pub progress: Progress,
    /// The report of a complete job, as JSON that only the server reads.
    pub report: Option<String>,
    /// Why a failed job failed.
    pub failure: Option<String>,
    /// When a complete or failed job expires.
    pub expires: Option<Time>,
}

/// How far a job has come, in bytes of its input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read.
    pub done: u64,
    /// Bytes there are; 0 as long as nobody knows.
    pub total: u64,
}

/// A worker's hold on one attempt of a job. What it says about the job is taken only while this is the job's present
/// attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The job's id.
    pub job: String,
    /// The number of the attempt.
    pub attempt: u32,
    /// Who has it. Unique for each start of each process.
    pub holder: String,
}

/// What a worker that has nothing to do asks for.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The present time.
    pub now: Time,
    /// Who asks. Unique for each start of each process.
    pub holder: String,
    /// For how long, without being heard of.
    pub lease: Duration,
    /// A job that has lost its lease so many times has failed.
    pub max_attempts: u32,
    /// When jobs that fail for that reason expire.
    pub failed_expires: Time,
}

/// What a worker that asked for a job gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// The job; nothing when none waits.
    pub claimed: Option<Claimed>,
    /// The ids of jobs that have failed now, because they lost their lease too often.
    pub given_up: Vec<String>,
}

/// A job that a worker got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The job, running.
    pub job: Job,
    /// As it was handed in.
    pub kick_off: String,
    /// What the worker has to show from now on.
    pub lease: Lease,
}

/// Which part of the output a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Folder {
    /// Resources.
    Output,
    /// Deletions.
    Deleted,
    /// Outcomes.
    Error,
}

impl Folder {
    /// Its name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Folder::Output => "output",
            Folder::Deleted => "deleted",
            Folder::Error => "error",
        }
    }

    /// The folder of that name.
    pub fn from_name(name: &str) -> Option<Folder> {
        [Folder::Output, Folder::Deleted, Folder::Error]
            .into_iter()
            .find(|folder| folder.name() == name)
    }
}

/// A file that an attempt has finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Unique among the files of all jobs; made outside, hard to guess.
    pub id: String,
    /// Its name, which is unique in its folder of its attempt.
    pub name: String,
    /// Which part of the output it belongs to.
    pub folder: Folder,
    /// The type of its resources; nothing where they are organized by another.
    pub resource_type: Option<String>,
    /// The name of the file that its last block goes on in.
    pub continues_in: Option<String>,
    /// How many resources it holds.
    pub count: u64,
    /// Its length as stored.
    pub bytes: u64,
    /// The SHA-256 of what is stored.
    pub sha256: [u8; 32],
}

/// Which files to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Those of a complete job; of any other there are none.
    Settled,
    /// Those of a running job's present attempt too. They are void if that attempt is lost.
    SoFar,
}

/// Who asks for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker<'a> {
    /// The server itself, which sees all.
    Server,
    /// A client; jobs of others do not exist for it.
    Owner(&'a str),
}

impl<'a> Asker<'a> {
    /// The owner that is asked for; nothing for all.
    pub fn owner(self) -> Option<&'a str> {
        match self {
            Asker::Server => None,
            Asker::Owner(owner) => Some(owner),
        }
    }

    /// Whether it may see what belongs to `owner`.
    pub fn sees(self, owner: &str) -> bool {
        self.owner().is_none_or(|own| own == owner)
    }
}

/// What cancelling a job did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Cancelled {
    /// It is cancelled now; this is the state that it was in.
    Now(State),
    /// It had been cancelled, or had expired, before.
    Gone,
}

/// Attempts of a job whose folders may be deleted: `from` to `to`, both included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rubbish {
    /// The job's id.
    pub job: String,
    /// The first attempt.
    pub from: u32,
    /// The last attempt.
    pub to: u32,
}

/// How many jobs are in each state, in the order of [`State::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally(pub [u64; 6]);

impl Tally {
    /// How many are in that state.
    pub fn of(&self, state: State) -> u64 {
        self.0[state as usize]
    }
}

/// A client that may ask for tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Unique; what the client calls itself.
    pub id: String,
    /// Unique; what people call it.
    pub name: String,
    /// Where its keys are: a file or a URL.
    pub jwks: String,
    /// What it may have, separated by blanks.
    pub scopes: String,
    /// When it was added.
    pub added: Time,
}

/// Bytes that nobody should see. They are not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}
