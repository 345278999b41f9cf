//! Waits that grow, with jitter from a seed: the core has no randomness of its own.

use super::settings::Millis;

/// A small generator (SplitMix64). Good enough to spread clients, and the same for the same seed.
#[derive(Clone, Debug)]
pub(super) struct Dice {
    state: u64,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Dice { state: seed }
    }

    pub(super) fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where that is 0. The bias of the remainder is of no account here.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.roll().checked_rem(end).unwrap_or(0)
    }
}

/// The wait before the try after the `nth` that failed, from 1: doubled each time up to `most`, of which the second half is
/// left to chance, so that clients that failed together do not come again together.
pub(super) fn growing(first: Millis, most: Millis, nth: u32, dice: &mut Dice) -> Millis {
    let doublings = nth.saturating_sub(1).min(40);
    let whole = first.max(1).saturating_mul(1 << doublings).min(most.max(1));
    spread(whole, dice)
}

/// Between half of a wait and the whole of it.
fn spread(whole: Millis, dice: &mut Dice) -> Millis {
    whole - dice.below(whole / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most() {
        let mut dice = Dice::new(1);
        for nth in 0..100_u32 {
            let whole = 1_000_u64.saturating_mul(1 << nth.saturating_sub(1).min(20)).min(60_000);
            let wait = growing(1_000, 60_000, nth, &mut dice);
            assert!(wait >= whole / 2 && wait <= whole, "{nth}: {wait}");
        }
    }

    #[test]
    fn a_wait_is_never_nothing() {
        let mut dice = Dice::new(2);
        for (first, most) in [(0, 0), (1, 1), (0, 5), (u64::MAX, u64::MAX)] {
            assert!((1..100).all(|nth| growing(first, most, nth, &mut dice) > 0));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_waits_and_another_one_others() {
        let waits = |seed| {
            let mut dice = Dice::new(seed);
            (1..9)
                .map(|nth| growing(1_000, 60_000, nth, &mut dice))
                .collect::<Vec<_>>()
        };
        assert_eq!(waits(3), waits(3));
        assert_ne!(waits(3), waits(4));
    }
}
