//! Seeded random numbers: splitmix64 to spread a key, xoshiro256** to draw.

/// Spreads the bits of `key`; a bijection on 64 bits (splitmix64's step).
pub(crate) const fn spread(key: u64) -> u64 {
    let mut z = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Folds the parts of a key into one number; the order of the parts matters.
pub(crate) const fn key(seed: u64, kind: u64, owner: u64, ordinal: u64) -> u64 {
    spread(spread(spread(spread(seed) ^ kind) ^ owner) ^ ordinal)
}

/// xoshiro256**; integer arithmetic only, so the same on every machine.
#[derive(Debug, Clone)]
pub(crate) struct Rng {
    state: [u64; 4],
}

impl Rng {
    pub(crate) fn new(key: u64) -> Self {
        let a = spread(key);
        let b = spread(a);
        let c = spread(b);
        // The one state the generator must never have is all zeros: the last word is odd.
        Self {
            state: [a, b, c, spread(c) | 1],
        }
    }

    pub(crate) fn next(&mut self) -> u64 {
        let s = &mut self.state;
        let drawn = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        drawn
    }

    /// A number under `limit`; 0 for a limit of 0. The bias of multiply-and-shift is far under what a test could see.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low.wrapping_add(self.below(high.abs_diff(low).wrapping_add(1)) as i64)
    }

    /// True in `percent` of a hundred draws.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `items`, which must not be empty (all callers pass constant lists).
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference values of splitmix64 for the start state 1234567 (from its author's test program).
    #[test]
    fn spread_follows_splitmix64() {
        assert_eq!(spread(1_234_567), 6_457_827_717_110_365_317);
        assert_eq!(
            spread(1_234_567u64.wrapping_add(0x9e37_79b9_7f4a_7c15)),
            3_203_168_211_198_807_973
        );
    }

    #[test]
    fn draws_stay_in_their_range() {
        let mut rng = Rng::new(7);
        let mut seen = [false; 5];
        for _ in 0..1000 {
            let drawn = rng.between(-2, 2);
            assert!((-2..=2).contains(&drawn));
            seen[(drawn + 2) as usize] = true;
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!(rng.below(0), 0);
    }
}
