//! How often blocks are looked at before their lines are sieved: seldom, where too many lines hold what is looked for.

/// Bytes after which those that had to be sieved are counted up.
const WINDOW: usize = 200 << 10;
/// A window of which more than one in so many bytes had to be sieved is followed by a rest.
const TOO_MANY: usize = 3;
/// So is one of which less than one in so many bytes are of types that are exported: the others need no reading anyway.
const TOO_FEW: usize = 8;
/// Bytes that are sieved without a look then; doubles each time.
const REST: usize = 1 << 20;
const LONGEST_REST: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct Pace {
    bytes: usize,
    sieved: usize,
    foreign: usize,
    /// Bytes still to be sieved without a look.
    rest: usize,
    next_rest: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            bytes: 0,
            sieved: 0,
            foreign: 0,
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

    /// Counts bytes of exported types that were looked at, those of them that had to be sieved nevertheless, and bytes of
    /// other types.
    pub(super) fn count(&mut self, bytes: usize, sieved: usize, foreign: usize) {
        self.bytes += bytes;
        self.sieved += sieved;
        self.foreign += foreign;
        let all = self.bytes + self.foreign;
        if all < WINDOW {
            return;
        }
        if self.sieved > self.bytes / TOO_MANY || self.bytes < all / TOO_FEW {
            self.rest = self.next_rest;
            self.next_rest = (self.next_rest * 2).min(LONGEST_REST);
        } else {
            self.next_rest = REST;
        }
        (self.bytes, self.sieved, self.foreign) = (0, 0, 0);
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
                pace.count(BLOCK, if has_hits { BLOCK } else { 0 }, 0);
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
    fn where_hardly_anything_is_of_use_it_rests() {
        let mut pace = Pace::default();
        pace.count(BLOCK / 4, 0, BLOCK);
        assert!(!pace.rests(BLOCK));
        pace.count(BLOCK / 16, 0, BLOCK);
        assert!(pace.rests(BLOCK));
    }

    #[test]
    fn after_the_rest_it_tries_again() {
        let mut pace = Pace::default();
        looked_at(&mut pace, 1000, true);
        while pace.rests(BLOCK) {}
        assert_eq!(looked_at(&mut pace, 100, false), 100);
        assert_eq!(looked_at(&mut pace, 1, true), 1);
        assert_eq!(pace.rest, REST);
    }
}
