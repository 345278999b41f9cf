//! How long a body is waited for: until nothing comes, or so little that it is as good as nothing.
//!
//! A body that brings a byte just before each silence would be too long could go on for ever. So what comes is counted too,
//! over many silences. The least that has to come is far below any line that somebody works with, and is shared among the
//! downloads that may run at once, since they share the line. Only time that was spent waiting for bytes is counted: a slow
//! disk, or a thread that has other work, is no fault of the server's.

use std::time::Duration;

/// Bytes a second that all downloads together bring at least: an eighth of a line of 64 kbit/s.
const LEAST: u128 = 1024;
/// Silences that make up the time over which bytes are counted.
const SILENCES: u32 = 10;

/// What is put up with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// How long nothing may come.
    pub(super) silence: Duration,
    /// Downloads that share the line.
    shared_by: usize,
}

/// What has come in one attempt, and how long it was waited for.
#[derive(Debug)]
pub(super) struct Pace {
    patience: Patience,
    all: Came,
    /// Since the last time that it was enough.
    lately: Came,
}

#[derive(Clone, Copy, Debug, Default)]
struct Came {
    bytes: u64,
    waited: Duration,
}

impl Patience {
    pub(crate) fn new(silence: Duration, shared_by: usize) -> Patience {
        Patience { silence, shared_by }
    }

    fn is_enough(self, came: Came) -> bool {
        // Both sides times what they would be divided by.
        let needed = LEAST.saturating_mul(came.waited.as_millis());
        let shares = u128::from(came.bytes).saturating_mul(self.shared_by.max(1) as u128);
        shares.saturating_mul(1000) >= needed
    }
}

impl Pace {
    pub(super) fn new(patience: Patience) -> Pace {
        Pace {
            patience,
            all: Came::default(),
            lately: Came::default(),
        }
    }

    /// Bytes came, none where a silence has ended the wait. `false`: it is too slow.
    pub(super) fn came(&mut self, bytes: u64, waited: Duration) -> bool {
        for came in [&mut self.all, &mut self.lately] {
            came.bytes = came.bytes.saturating_add(bytes);
            came.waited = came.waited.saturating_add(waited);
        }
        if self.lately.waited < self.patience.silence.saturating_mul(SILENCES) {
            return true;
        }
        let is_enough = self.patience.is_enough(self.lately);
        self.lately = Came::default();
        is_enough
    }

    /// Whether the attempt was worth its time: a row of those that were not comes to an end.
    pub(super) fn is_progress(&self) -> bool {
        self.all.bytes > 0 && self.patience.is_enough(self.all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_secs(60);

    /// How many seconds a body is put up with that brings so many bytes each time after so many seconds; at most a week.
    fn lasts(shared_by: usize, bytes: u64, seconds: u64) -> Option<u64> {
        let mut pace = Pace::new(Patience::new(SILENCE, shared_by));
        let mut all = (1..=7 * 24 * 3600 / seconds).map(|nth| nth * seconds);
        all.find(|_| !pace.came(bytes, Duration::from_secs(seconds)))
    }

    #[test]
    fn what_trickles_has_an_end_and_a_slow_line_is_waited_for() {
        assert_eq!(lasts(8, 1, 59), Some(649), "the first byte after ten silences");
        assert_eq!(lasts(1, 1023, 1), Some(600));
        assert_eq!(lasts(1, 1024, 1), None);
        assert_eq!(lasts(8, 127, 1), Some(600), "eight of them share the line");
        assert_eq!(lasts(8, 128, 1), None);
        // 64 kbit/s for eight downloads, a packet at a time.
        assert_eq!(lasts(8, 1460, 2), None);
        // All of it at once, and then nothing but a byte now and then.
        let mut pace = Pace::new(Patience::new(SILENCE, 1));
        assert!(pace.came(10 << 20, 600 * Duration::from_secs(1)));
        assert!((0..9).all(|_| pace.came(1, SILENCE)));
        assert!(!pace.came(1, SILENCE), "what came before does not count for ever");
        assert!(pace.is_progress(), "the attempt as a whole was worth it");
    }

    #[test]
    fn an_attempt_that_was_too_slow_is_no_progress() {
        let tried = |bytes, waited| {
            let mut pace = Pace::new(Patience::new(SILENCE, 1));
            pace.came(bytes, Duration::from_secs(waited));
            pace.is_progress()
        };
        assert!(tried(1, 0));
        assert!(!tried(0, 0));
        assert!(!tried(1, 60));
        assert!(tried(1024, 1));
        assert!(!tried(1024, 2));
    }

    #[test]
    fn spans_and_numbers_without_end_are_taken() {
        let mut pace = Pace::new(Patience::new(Duration::MAX, usize::MAX));
        assert!(pace.came(u64::MAX, Duration::MAX / 2));
        assert!(pace.came(u64::MAX, Duration::MAX));
        assert!(pace.is_progress());
    }
}
