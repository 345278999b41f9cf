//! The life of a job as a function: a job, what happens to it, and when, give the job as it is after that, or a refusal.
//!
//! ```text
//!              claim                settle
//!   Accepted ────────▶ Running ────────────▶ Complete ─┐
//!      ▲                │ │ │                          │ expire
//!      └────────────────┘ │ └──────────────▶ Failed ───┼────────▶ Expired
//!    release, lapse,      │   fail, too many           │
//!    fail that may pass   └──────┐   losses            │
//!      └─────────────────────────┴─────────────────────┴────────▶ Cancelled
//!                              cancel, from each
//! ```
//!
//! An attempt is a worker's lease on the job, with a number that is never given again: its output lies in a folder of that
//! number. Only the attempt that the job names can go on, settle or fail; whoever held an older one is told so at its next
//! word. So a worker may die at any moment, or come back from the dead, and one attempt at most is ever settled.

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970, by the clock of whoever asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Time(pub u64);

impl Time {
    /// This much later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Time {
        Time(self.0.saturating_add(millis(duration)))
    }

    /// The distance to another point, whichever is the earlier.
    #[must_use]
    pub const fn distance(self, other: Time) -> Duration {
        Duration::from_millis(self.0.abs_diff(other.0))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What holds for every job of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long an attempt is its worker's without a word from it.
    pub lease: Duration,
    /// How many attempts may be lost before the job is given up.
    pub most_losses: u32,
    /// How long results are kept.
    pub expires: Duration,
}

/// A worker's hold on a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number, from 1; never given again.
    pub number: u32,
    /// Who has it. A server that starts anew is another worker.
    pub worker: String,
    /// When it was last heard of.
    pub heartbeat: Time,
    /// Bytes of input that have been read.
    pub done: u64,
    /// Bytes of input in all.
    pub total: u64,
}

impl Attempt {
    /// Whether nobody else may take the job. A clock that was set back far counts like one that ran on: a lease is never
    /// longer than it is.
    #[must_use]
    pub fn holds(&self, now: Time, terms: &Terms) -> bool {
        self.heartbeat.distance(now) < terms.lease
    }

    /// Percent that are done; 100 only when it is settled.
    #[must_use]
    pub fn percent(&self) -> u8 {
        let percent = u128::from(self.done) * 100 / u128::from(self.total.max(1));
        u8::try_from(percent.min(99)).unwrap_or(99)
    }
}

/// Why a job has failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// The attempt said so: a message without record contents.
    Told(String),
    /// Its workers went silent too often.
    Lost,
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It waits for a worker.
    Accepted,
    /// A worker has it.
    Running(Attempt),
    /// Done; the results are those of this attempt.
    Complete {
        /// The settled attempt.
        attempt: u32,
        /// Until then they are kept.
        expires: Time,
    },
    /// Given up.
    Failed {
        /// Why.
        failure: Failure,
        /// Until then that is told.
        expires: Time,
    },
    /// Deleted by its client. For clients it is gone at once.
    Cancelled,
    /// Its time is over. For clients it is gone.
    Expired,
}

/// A job: its state, and what all its attempts have left behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Where it stands.
    pub state: State,
    /// Attempts so far: the last number that was given.
    pub attempts: u32,
    /// Attempts that were lost or failed for something that may pass.
    pub losses: u32,
}

/// Something that happens to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A worker wants it.
    Claim {
        /// Who.
        worker: String,
    },
    /// The worker of an attempt is alive.
    Heartbeat {
        /// The attempt.
        attempt: u32,
        /// Bytes of input that have been read.
        done: u64,
        /// Bytes of input in all.
        total: u64,
    },
    /// The worker gives the job back, having done nothing wrong: the server goes down.
    Release {
        /// The attempt.
        attempt: u32,
    },
    /// The attempt is done; its output is whole.
    Settle {
        /// The attempt.
        attempt: u32,
    },
    /// The attempt has failed.
    Fail {
        /// The attempt.
        attempt: u32,
        /// A message without record contents.
        message: String,
        /// Another attempt may fare better.
        may_pass: bool,
    },
    /// The client deletes it.
    Cancel,
    /// Whoever sweeps comes by: leases that lapsed, results whose time is over.
    Sweep {
        /// Somebody is downloading a file of the job.
        in_use: bool,
    },
}

/// Why something cannot happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Illegal {
    /// Another worker has it.
    Leased,
    /// Too many attempts were lost; a sweep gives the job up.
    Exhausted,
    /// The job has another attempt, or none: whatever this one did is void.
    Stale,
    /// The job has ended.
    Ended,
    /// The job was deleted, or its time is over: clients are told that there is no such job.
    Gone,
    /// There is nothing to sweep.
    Nothing,
}

impl fmt::Display for Illegal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Illegal::Leased => "another worker has the job",
            Illegal::Exhausted => "too many attempts of the job were lost",
            Illegal::Stale => "the attempt is not the job's any more",
            Illegal::Ended => "the job has ended",
            Illegal::Gone => "there is no such job any more",
            Illegal::Nothing => "nothing is due",
        })
    }
}

impl std::error::Error for Illegal {}

/// What a client sees of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// `202`
    Working {
        /// Percent that are done; `None`: nobody works on it.
        percent: Option<u8>,
    },
    /// `200` and the manifest.
    Done,
    /// `500` and an OperationOutcome.
    Broken,
    /// `404`
    Gone,
}

impl Default for Job {
    fn default() -> Self {
        Job {
            state: State::Accepted,
            attempts: 0,
            losses: 0,
        }
    }
}

impl Job {
    /// The job after an event. The job itself is left as it is where the event cannot happen.
    pub fn step(&self, event: &Event, now: Time, terms: &Terms) -> Result<Job, Illegal> {
        match event {
            Event::Claim { worker } => self.claim(worker, now, terms),
            Event::Heartbeat { attempt, done, total } => {
                let own = self.own(*attempt)?;
                Ok(self.with(State::Running(Attempt {
                    heartbeat: now,
                    done: *done,
                    total: *total,
                    ..own.clone()
                })))
            }
            Event::Release { attempt } => {
                self.own(*attempt)?;
                Ok(self.with(State::Accepted))
            }
            Event::Settle { attempt } => {
                self.own(*attempt)?;
                Ok(self.with(State::Complete {
                    attempt: *attempt,
                    expires: now.after(terms.expires),
                }))
            }
            Event::Fail {
                attempt,
                message,
                may_pass,
            } => {
                self.own(*attempt)?;
                let failure = Failure::Told(message.clone());
                if *may_pass {
                    Ok(self.lost(failure, now, terms))
                } else {
                    Ok(self.failed(failure, now, terms))
                }
            }
            Event::Cancel => match self.state {
                State::Cancelled | State::Expired => Err(Illegal::Gone),
                _ => Ok(self.with(State::Cancelled)),
            },
            Event::Sweep { in_use } => self.sweep(*in_use, now, terms),
        }
    }

    fn claim(&self, worker: &str, now: Time, terms: &Terms) -> Result<Job, Illegal> {
        let losses = match &self.state {
            State::Accepted => self.losses,
            State::Running(attempt) if attempt.holds(now, terms) => return Err(Illegal::Leased),
            // It is taken over; that is a loss.
            State::Running(_) if self.losses + 1 >= terms.most_losses => return Err(Illegal::Exhausted),
            State::Running(_) => self.losses + 1,
            other => return Err(ended(other)),
        };
        let number = self.attempts + 1;
        let state = State::Running(Attempt {
            number,
            worker: worker.to_owned(),
            heartbeat: now,
            done: 0,
            total: 0,
        });
        Ok(Job {
            state,
            attempts: number,
            losses,
        })
    }

    /// The attempt of that number, if it is the job's.
    fn own(&self, number: u32) -> Result<&Attempt, Illegal> {
        match &self.state {
            State::Running(attempt) if attempt.number == number => Ok(attempt),
            State::Running(_) | State::Accepted => Err(Illegal::Stale),
            other => Err(ended(other)),
        }
    }

    fn sweep(&self, in_use: bool, now: Time, terms: &Terms) -> Result<Job, Illegal> {
        match &self.state {
            State::Running(attempt) if !attempt.holds(now, terms) => Ok(self.lost(Failure::Lost, now, terms)),
            // What a client is reading is not pulled away from it.
            State::Complete { expires, .. } | State::Failed { expires, .. } if *expires <= now && !in_use => {
                Ok(self.with(State::Expired))
            }
            State::Cancelled | State::Expired => Err(Illegal::Gone),
            _ => Err(Illegal::Nothing),
        }
    }

    /// After one attempt more that came to nothing.
    fn lost(&self, failure: Failure, now: Time, terms: &Terms) -> Job {
        let losses = self.losses + 1;
        let job = Job { losses, ..self.clone() };
        if losses >= terms.most_losses {
            job.failed(failure, now, terms)
        } else {
            job.with(State::Accepted)
        }
    }

    fn failed(&self, failure: Failure, now: Time, terms: &Terms) -> Job {
        self.with(State::Failed {
            failure,
            expires: now.after(terms.expires),
        })
    }

    fn with(&self, state: State) -> Job {
        Job { state, ..self.clone() }
    }

    /// What a client sees.
    #[must_use]
    pub fn shown(&self) -> Shown {
        match &self.state {
            State::Accepted => Shown::Working { percent: None },
            State::Running(attempt) => Shown::Working {
                percent: Some(attempt.percent()),
            },
            State::Complete { .. } => Shown::Done,
            State::Failed { .. } => Shown::Broken,
            State::Cancelled | State::Expired => Shown::Gone,
        }
    }

    /// Whether it counts against the limits on jobs.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        matches!(self.state, State::Accepted | State::Running(_))
    }

    /// Whether a worker may have it now.
    #[must_use]
    pub fn is_free(&self, now: Time, terms: &Terms) -> bool {
        self.claim("", now, terms).is_ok()
    }

    /// Whether the output of an attempt is needed. What is not may be removed, once nobody reads it.
    #[must_use]
    pub fn keeps(&self, number: u32) -> bool {
        match &self.state {
            State::Running(attempt) => attempt.number == number,
            State::Complete { attempt, .. } => *attempt == number,
            State::Accepted | State::Failed { .. } | State::Cancelled | State::Expired => false,
        }
    }
}

/// Why nothing more can happen in a state that is an end.
const fn ended(state: &State) -> Illegal {
    match state {
        State::Cancelled | State::Expired => Illegal::Gone,
        _ => Illegal::Ended,
    }
}
