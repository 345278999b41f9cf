//! What a client sees of a job: HTTP is a projection of its state.
//!
//! The life of a job stands in the store, where each call is one transition; the store's own model says which there are.

use fhirehose_store::{Job, Progress, State, Time};

/// What a client sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// `202`: it waits for its turn.
    Queued,
    /// `202`: somebody works on it.
    Working(Progress),
    /// `200` and the manifest.
    Done,
    /// An OperationOutcome, with the status of its failure.
    Broken,
    /// `404`: deleted, or its time is over.
    Gone,
}

/// What a client sees of a job. One whose time is over is gone, whether it has been swept or not.
#[must_use]
pub fn shown(job: &Job, now: Time) -> Shown {
    if job.expires.is_some_and(|expires| expires <= now) {
        return Shown::Gone;
    }
    match job.state {
        State::Accepted => Shown::Queued,
        State::Running => Shown::Working(job.progress),
        State::Complete => Shown::Done,
        State::Failed => Shown::Broken,
        State::Cancelled | State::Expired => Shown::Gone,
    }
}

/// Percent that are done, by bytes of the input; 100 is what only a job that is complete has.
#[must_use]
pub fn percent(progress: Progress) -> u8 {
    let percent = u128::from(progress.done) * 100 / u128::from(progress.total.max(1));
    u8::try_from(percent.min(99)).unwrap_or(99)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_done_before_it_is_settled() {
        let of = |done, total| percent(Progress { done, total });
        assert_eq!(of(0, 0), 0);
        assert_eq!(of(50, 100), 50);
        assert_eq!(of(100, 100), 99);
        assert_eq!(of(300, 100), 99);
        assert_eq!(of(u64::MAX, u64::MAX), 99);
    }
}
