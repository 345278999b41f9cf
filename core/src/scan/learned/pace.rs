//! How often the automaton tries, and how often it learns: a slow pace where trying does not pay.

/// Lines after which the unknown ones are counted up.
const WINDOW: u32 = 256;
/// Lines that are left to the walker after a window in which more than one of [`TOO_MANY`] was unknown; doubles each time.
const REST: u32 = 2048;
const TOO_MANY: u32 = 4;
const LONGEST_REST: u32 = 1 << 20;
/// Lessons to begin with, which is also the most that are saved up, and lines for which there is one more.
const LESSONS: u32 = 64;
const LINES_A_LESSON: u32 = 64;

#[derive(Debug)]
pub(super) struct Pace {
    lines: u32,
    unknown: u32,
    /// Lines still to be left to the walker.
    rest: u32,
    next_rest: u32,
    lessons: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            lines: 0,
            unknown: 0,
            rest: 0,
            next_rest: REST,
            lessons: LESSONS,
        }
    }
}

impl Pace {
    /// Whether the next line is left to the walker.
    #[inline]
    pub(super) fn rests(&mut self) -> bool {
        if self.rest == 0 {
            return false;
        }
        self.rest -= 1;
        true
    }

    /// Whether lines are being left to the walker.
    pub(super) fn is_resting(&self) -> bool {
        self.rest > 0
    }

    /// Counts a line that was tried.
    #[inline]
    pub(super) fn count(&mut self, is_unknown: bool) {
        self.lines += 1;
        self.unknown += u32::from(is_unknown);
        if self.lines == WINDOW {
            self.close_window();
        }
    }

    #[cold]
    fn close_window(&mut self) {
        if self.unknown * TOO_MANY > self.lines {
            self.rest = self.next_rest;
            self.next_rest = (self.next_rest * 2).min(LONGEST_REST);
        } else {
            self.next_rest = REST;
        }
        self.lessons = (self.lessons + self.lines / LINES_A_LESSON).min(LESSONS);
        (self.lines, self.unknown) = (0, 0);
    }

    /// Whether a line may be learned; if so, that is one lesson less.
    pub(super) fn may_learn(&mut self) -> bool {
        let may = self.lessons > 0;
        self.lessons -= u32::from(may);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn irregular_input_is_left_to_the_walker_longer_and_longer() {
        let mut pace = Pace::default();
        let mut tried = 0;
        let lines = 1_000_000;
        for _ in 0..lines {
            if !pace.rests() {
                tried += 1;
                pace.count(true);
            }
        }
        assert!(tried * 100 < lines, "{tried}");
        // Regular again: after the rest at hand every line is tried, and the next rest is a short one.
        while pace.rests() {}
        (0..WINDOW).for_each(|_| pace.count(false));
        (0..WINDOW).for_each(|_| pace.count(true));
        assert_eq!(pace.rest, REST);
    }

    #[test]
    fn lessons_are_rationed() {
        let mut pace = Pace::default();
        let learned = (0..100 * WINDOW).filter(|_| {
            pace.count(false);
            pace.may_learn()
        });
        assert!(learned.count() as u32 <= LESSONS + 100 * WINDOW / LINES_A_LESSON);
        assert!(pace.lessons <= LESSONS);
    }
}
