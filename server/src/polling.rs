//! How often a client asks for the status of a job: what it is told to wait, and when it is too much.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fhirehose_store::{Progress, Time};

/// Longest wait that is asked for, in seconds: conformance suites give up on more (SPEC 2.11).
const LONGEST: u64 = 120;

/// Wait while a job is queued: its turn may come at any time.
const QUEUED: u64 = 5;

/// Seconds to wait before the next question. `done` and the time since `begun` say how long the rest will take; of that a
/// part is asked for, so that the end is told not long after it has come.
#[must_use]
pub fn retry_after(progress: Option<Progress>, begun: Time, now: Time) -> u64 {
    let Some(progress) = progress else { return QUEUED };
    let elapsed = u128::try_from(now.0.saturating_sub(begun.0)).unwrap_or(0);
    let left = progress.total.saturating_sub(progress.done);
    // Before anything is known, soon.
    let rest = elapsed * u128::from(left) / u128::from(progress.done.max(1));
    let seconds = if progress.done == 0 { 1 } else { rest / 2000 };
    u64::try_from(seconds).unwrap_or(LONGEST).clamp(1, LONGEST)
}

/// Questions about one job that may come at once, and how many a second thereafter. Who keeps to `Retry-After` needs one
/// a second; impatient people and test suites need some more.
const BURST: f64 = 40.0;
const PER_SECOND: f64 = 4.0;

/// Jobs that are remembered at the most.
const MOST: usize = 20_000;

/// Counts the questions about each job.
#[derive(Debug, Default)]
pub struct Polls {
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Time,
}

impl Bucket {
    fn refill(&mut self, now: Time) {
        // A clock that was set back gives nothing and takes nothing.
        let millis = u32::try_from(now.0.saturating_sub(self.at.0).max(0)).unwrap_or(u32::MAX);
        self.tokens = (self.tokens + f64::from(millis) / 1000.0 * PER_SECOND).min(BURST);
        self.at = now;
    }
}

impl Polls {
    /// Takes down a question; tells how long to wait if there were too many.
    pub fn ask(&self, job: &str, now: Time) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST {
            // Whoever has been quiet is as good as new.
            buckets.retain(|_, bucket| {
                bucket.refill(now);
                bucket.tokens < BURST
            });
        }
        let bucket = buckets
            .entry(job.to_owned())
            .or_insert(Bucket { tokens: BURST, at: now });
        bucket.refill(now);
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs(2))
    }

    /// Forgets a job that has ended.
    pub fn forget(&self, job: &str) {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner).remove(job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_short_and_follow_the_work() {
        let at = |done, total, seconds: i64| retry_after(Some(Progress { done, total }), Time(0), Time(seconds * 1000));
        assert_eq!(retry_after(None, Time(0), Time(0)), QUEUED);
        assert_eq!(at(0, 100, 0), 1);
        assert_eq!(at(0, 0, 50), 1);
        // Half is done in a minute: half of the rest.
        assert_eq!(at(50, 100, 60), 30);
        assert_eq!(at(1, 1_000_000, 60), LONGEST);
        assert_eq!(at(100, 100, 60), 1);
        // A clock that was set back.
        assert_eq!(at(50, 100, -60), 1);
    }

    #[test]
    fn a_client_that_hammers_is_told_and_others_are_not() {
        let polls = Polls::default();
        let now = Time(1_000_000);
        let taken = (0..100).filter(|_| polls.ask("a", now).is_ok()).count();
        assert_eq!(taken, 40);
        assert!(polls.ask("b", now).is_ok());
        assert!(polls.ask("a", Time(now.0 + 1000)).is_ok());
    }

    #[test]
    fn a_client_that_asks_every_second_is_never_told() {
        let polls = Polls::default();
        assert!((0..10_000).all(|second| polls.ask("a", Time(second * 1000)).is_ok()));
    }

    #[test]
    fn memory_is_bounded() {
        let polls = Polls::default();
        for number in 0..100_000_i64 {
            let _ = polls.ask(&number.to_string(), Time(number));
        }
        let held = polls.buckets.lock().map(|buckets| buckets.len()).unwrap_or(usize::MAX);
        assert!(held <= MOST, "{held}");
    }
}
