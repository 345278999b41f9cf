//! One server that gives files: how many at once it likes, and whether it still answers.

use std::collections::VecDeque;

use super::super::settings::Millis;
use super::super::step::FileNo;

/// Downloads at once that are tried first.
const FIRST: usize = 4;

/// What has been learned of a server.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// Files that may begin, in their order.
    pub(super) ready: VecDeque<FileNo>,
    pub(super) active: usize,
    /// Whether it is in the row of those that may begin one.
    pub(super) is_open: bool,
    /// At most so many at once.
    limit: usize,
    /// Files that came since the limit was changed.
    wins: usize,
    /// The newest start when the limit was halved: failures of starts before that tell nothing new.
    slowed_at: u64,
    /// The newest start when a failure was counted last.
    missed_at: u64,
    /// Rounds of failures without a success.
    pub(super) misses: u32,
    /// Nothing begins before then.
    pub(super) hold: Option<Millis>,
    /// Why it has been given up.
    pub(super) is_dead: Option<String>,
}

impl Host {
    pub(super) fn new(parallel: usize) -> Host {
        Host {
            ready: VecDeque::new(),
            active: 0,
            is_open: false,
            limit: FIRST.min(parallel),
            wins: 0,
            slowed_at: 0,
            missed_at: 0,
            misses: 0,
            hold: None,
            is_dead: None,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        !self.ready.is_empty() && self.active < self.limit && self.hold.is_none()
    }

    /// After as many successes as there may be at once, one more is tried.
    pub(super) fn succeeded(&mut self, parallel: usize) {
        self.misses = 0;
        self.wins += 1;
        if self.wins >= self.limit {
            self.wins = 0;
            self.limit = (self.limit + 1).min(parallel);
        }
    }

    pub(super) fn slowed(&mut self, began: u64, starts: u64) {
        if began > self.slowed_at {
            self.slowed_at = starts;
            self.limit = (self.limit / 2).max(1);
            self.wins = 0;
        }
    }

    pub(super) fn missed(&mut self, began: u64, starts: u64, most: u32) -> bool {
        if began > self.missed_at {
            self.missed_at = starts;
            self.misses += 1;
        }
        self.misses >= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_grows_by_one_a_round_and_halves_once_a_round() {
        let mut host = Host::new(8);
        assert_eq!(host.limit, 4);
        for _ in 0..4 + 5 + 6 + 7 + 100 {
            host.succeeded(8);
        }
        assert_eq!(host.limit, 8);
        // Eight that were under way together fail together.
        for began in 1..=8 {
            host.slowed(began, 8);
        }
        assert_eq!(host.limit, 4);
        host.slowed(9, 9);
        host.slowed(10, 10);
        host.slowed(11, 11);
        assert_eq!(host.limit, 1);
        assert_eq!(Host::new(2).limit, 2);
    }

    #[test]
    fn rounds_without_success_are_counted_and_a_success_forgives() {
        let mut host = Host::new(8);
        assert!(!(1..=8).any(|began| host.missed(began, 8, 2)));
        host.succeeded(8);
        assert!(!host.missed(9, 9, 2));
        assert!(host.missed(10, 10, 2));
    }
}
