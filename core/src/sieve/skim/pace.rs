//! How often blocks are looked at before their lines are sieved: seldom, where too many lines hold what is looked for.

/// Lines after which those that had to be sieved are counted up.
const WINDOW: usize = 256;
/// A window in which more than one of so many lines had to be sieved is followed by a rest.
const TOO_MANY: usize = 3;
/// Bytes that are sieved without a look then; doubles each time.
const REST: usize = 1 << 20;
const LONGEST_REST: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct Pace {
    lines: usize,
    sieved: usize,
    /// Bytes still to be sieved without a look.
    rest: usize,
    next_rest: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            lines: 0,
            sieved: 0,
            rest: 0,
            next_rest: REST,
        }
    }
}

impl Pace {
    /// Whether a block of so many bytes is sieved without a look.
    pub(super) fn rests(&mut self, bytes: usize) -> bool {
        let rests = self.rest > 0;
        self.rest = self.rest.saturating_sub(bytes);
        rests
    }

    /// Counts a block that was looked at.
    pub(super) fn count(&mut self, lines: usize, sieved: usize) {
        self.lines += lines;
        self.sieved += sieved;
        if self.lines < WINDOW {
            return;
        }
        if self.sieved * TOO_MANY > self.lines {
            self.rest = self.next_rest;
            self.next_rest = (self.next_rest * 2).min(LONGEST_REST);
        } else {
            self.next_rest = REST;
        }
        (self.lines, self.sieved) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: usize = 256 << 10;

    /// How many of so many blocks are looked at, all of whose lines have to be sieved or none of them.
    fn looked_at(pace: &mut Pace, blocks: usize, has_hits: bool) -> usize {
        let each = (0..blocks).filter(|_| {
            let looks = !pace.rests(BLOCK);
            if looks {
                pace.count(WINDOW / 2, if has_hits { WINDOW / 2 } else { 0 });
            }
            looks
        });
        each.count()
    }

    #[test]
    fn where_every_line_has_a_hit_few_blocks_are_looked_at() {
        let mut pace = Pace::default();
        assert!(looked_at(&mut pace, 10_000, true) < 100);
    }

    #[test]
    fn after_the_rest_it_tries_again() {
        let mut pace = Pace::default();
        looked_at(&mut pace, 1000, true);
        while pace.rests(BLOCK) {}
        assert_eq!(looked_at(&mut pace, 100, false), 100);
        assert_eq!(looked_at(&mut pace, 2, true), 2);
        assert_eq!(pace.rest, REST);
    }
}
