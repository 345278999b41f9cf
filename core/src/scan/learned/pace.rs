//! How often the automaton tries, and how often it learns: a slow pace where trying does not pay.
//!
//! Some lines, chosen at random, are looked at: what trying them gained or lost goes into an account, which has to stay
//! above zero. So a line that is made to cost much costs little more than the walker's time, whatever stands around it.

use std::hash::{BuildHasher, RandomState};

/// One line in so many is looked at, on average, and nobody who writes lines can tell which.
const LOOK_EVERY: u32 = 256;
/// The account, in hundredths of a nanosecond. It begins full, as all lines are unknown at first; lines are left to the
/// walker from each look that finds a debt.
const MOST_CREDIT: i64 = 2_000_000;
const MOST_DEBT: i64 = -200_000;
/// Lines that are left to the walker at first; doubles each time, and halves with each look at a line that gained.
const REST: u32 = 2048;
const LONGEST_REST: u32 = 1 << 20;
/// Lessons to begin with, which is also the most that are saved up. Each look gives one more.
const LESSONS: u32 = 64;

/// What trying a line gains or loses at least, in hundredths of a nanosecond (`--example adversary`): the automaton reads a
/// byte, and above all a name, for less than the walker, a value at worst for more.
const KNOWN: Worth = Worth {
    byte: 11,
    name: 1000,
    value: -700,
};
/// All the time for a line that it does not know is lost.
const UNKNOWN: Worth = Worth {
    byte: -6,
    name: 0,
    value: -800,
};

struct Worth {
    byte: i64,
    name: i64,
    value: i64,
}

impl Worth {
    /// Of a line; no more than that, whoever wrote it: a comma in a string counts as a value, a quote in one not as a name.
    fn of(&self, line: &[u8]) -> i64 {
        let count = |byte| memchr::memchr_iter(byte, line).count() as i64;
        let values = count(b',') + 1;
        // Two quotes for each name, no more than two for each value; one in a string has a backslash before it.
        let names = (count(b'"') - count(b'\\')) / 2 - values;
        line.len() as i64 * self.byte + names.max(0) * self.name + values * self.value
    }
}

#[derive(Debug)]
pub(super) struct Pace {
    account: i64,
    /// Lines until the next look.
    until: u32,
    chance: u64,
    /// Lines still to be left to the walker.
    rest: u32,
    next_rest: u32,
    lessons: u32,
}

impl Default for Pace {
    /// The hasher's keys are random where the platform has randomness.
    fn default() -> Self {
        Pace::new(RandomState::new().hash_one(LOOK_EVERY))
    }
}

impl Pace {
    /// Which lines are looked at follows from `chance`.
    fn new(chance: u64) -> Self {
        let mut pace = Pace {
            account: MOST_CREDIT,
            until: 0,
            chance,
            rest: 0,
            next_rest: REST,
            lessons: LESSONS,
        };
        pace.choose();
        pace
    }

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

    /// Counts a line that was tried. `true`: [`Pace::look`] has to follow.
    #[inline]
    pub(super) fn count(&mut self) -> bool {
        self.until -= 1;
        self.until == 0
    }

    /// Looks at the line that was counted last, as far as it was read; an unknown one to its end.
    #[cold]
    pub(super) fn look(&mut self, line: &[u8], is_unknown: bool) {
        let worth = if is_unknown { UNKNOWN } else { KNOWN }.of(line);
        self.account = (self.account + worth).clamp(MOST_DEBT, MOST_CREDIT);
        if self.account < 0 {
            self.rest = self.next_rest;
            self.next_rest = (self.next_rest * 2).min(LONGEST_REST);
        } else if worth > 0 {
            self.next_rest = (self.next_rest / 2).max(REST);
        }
        self.lessons = (self.lessons + 1).min(LESSONS);
        self.choose();
    }

    /// Chooses the line that is looked at next.
    fn choose(&mut self) {
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.until = 1 + (self.chance >> 32) as u32 % (2 * LOOK_EVERY - 1);
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

    const LINES: u32 = 1_000_000;
    /// The tests choose the same lines each time they run, but for the one about chance.
    const CHANCES: [u64; 4] = [0, 1, u64::MAX, 0x9e37_79b9_7f4a_7c15];
    const SPARSE: &[u8] = br#"{"resourceType":"Observation","id":"a","status":"final"}"#;
    const DENSE: &[u8] = br#"["a","b","c","d"]"#;

    /// How many of so many lines are tried, where each is as the function says: its text, and whether it is unknown.
    fn tried<'l>(pace: &mut Pace, lines: u32, line: impl Fn(u32) -> (&'l [u8], bool)) -> u32 {
        let mut tried = 0;
        for (text, is_unknown) in (0..lines).map(line) {
            if !pace.rests() {
                tried += 1;
                if pace.count() {
                    pace.look(text, is_unknown);
                }
            }
        }
        tried
    }

    /// The fewest and the most lines that are tried of `LINES`.
    fn tried_of_all<'l>(line: impl Fn(u32) -> (&'l [u8], bool)) -> (u32, u32) {
        let tried = CHANCES.map(|chance| tried(&mut Pace::new(chance), LINES, &line));
        (tried.into_iter().min().unwrap(), tried.into_iter().max().unwrap())
    }

    #[test]
    fn irregular_input_is_left_to_the_walker_longer_and_longer() {
        let wide = SPARSE.repeat(20);
        for chance in CHANCES {
            let mut pace = Pace::new(chance);
            let irregular = tried(&mut pace, LINES, |_| (&wide, true));
            assert!(irregular * 20 < LINES, "{irregular}");
            // Regular again: soon every line is tried, and the next rest is a short one.
            tried(&mut pace, 20 * LINES, |_| (&wide, false));
            assert_eq!(tried(&mut pace, LINES, |_| (&wide, false)), LINES);
            assert_eq!(pace.next_rest, REST);
        }
    }

    #[test]
    fn lines_of_nothing_but_short_values_are_left_to_the_walker() {
        let wide = DENSE.repeat(10);
        let (_, dense) = tried_of_all(|_| (&wide, false));
        assert!(dense * 10 < LINES, "{dense}");
        assert_eq!(tried_of_all(|_| (SPARSE, false)), (LINES, LINES));
    }

    #[test]
    fn lines_that_cost_much_count_for_more_than_those_around_them() {
        let (short, wide) = (SPARSE.repeat(2), DENSE.repeat(400));
        for one_in in [3, 20, 40] {
            let cheap = tried_of_all(|n| (SPARSE, n % one_in == 0));
            assert_eq!(cheap, (LINES, LINES), "one unknown line in {one_in}");
            for is_unknown in [false, true] {
                let (_, dear) = tried_of_all(|n| {
                    if n % one_in == 0 {
                        (&wide, is_unknown)
                    } else {
                        (&short, false)
                    }
                });
                assert!(
                    dear * 4 < LINES,
                    "{dear}, one dear line in {one_in}, unknown {is_unknown}"
                );
            }
        }
    }

    #[test]
    fn texts_of_strings_are_no_names() {
        let line = |text: &str| format!(r#"["{text}"]"#);
        let plain = KNOWN.of(line(&"xxxx".repeat(50)).as_bytes());
        for text in [r#"\":\""#, r#"\"xx"#, r#"\"\"x"#] {
            let other = line(&text.repeat(50));
            let same_length = KNOWN.of(line(&"x".repeat(text.len() * 50)).as_bytes());
            assert_eq!(KNOWN.of(other.as_bytes()), same_length, "{text}");
        }
        assert!(KNOWN.of(line(&",xxx".repeat(50)).as_bytes()) < plain);
    }

    #[test]
    fn which_lines_are_looked_at_differs() {
        let looks = || {
            let mut pace = Pace::default();
            let mut looks = Vec::new();
            for line in 0..100 * LOOK_EVERY {
                if pace.count() {
                    looks.push(line);
                    pace.look(SPARSE, false);
                }
            }
            looks
        };
        let (one, other) = (looks(), looks());
        assert!((50..200).contains(&one.len()), "{one:?}");
        assert_ne!(one, other);
    }

    #[test]
    fn lessons_are_rationed() {
        let mut pace = Pace::new(0);
        let lines = 400 * LOOK_EVERY;
        let learned = (0..lines).filter(|_| {
            if pace.count() {
                pace.look(SPARSE, false);
            }
            pace.may_learn()
        });
        assert!(learned.count() as u32 <= LESSONS + 2 * 400);
        assert!(pace.lessons <= LESSONS);
    }
}
