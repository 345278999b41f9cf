//! Verdicts on values that came by before: codes and times repeat from line to line.
//!
//! A verdict on one value depends on its bytes and on the plan alone, so a remembered one is what would be found again.

use crate::scan::simd::same;

/// Longest value that is remembered, and how many are remembered of one place; by their lengths, which is enough to keep a handful of
/// codes apart.
const LONGEST: usize = 192;
const KEPT: usize = 8;
/// Most places of one type that are remembered.
const MOST: usize = 64;

/// What the gates of one type remember. Valid for one plan.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    /// By the number of [`Together`](crate::plan::together::Together); short as long as nobody has remembered anything.
    places: Vec<[Entry; KEPT]>,
}

#[derive(Debug, Default)]
struct Entry {
    value: Vec<u8>,
    verdicts: u64,
}

impl Memo {
    /// The verdicts of the gates at a place on a value: remembered, or else found and remembered.
    #[inline]
    pub(super) fn verdicts(&mut self, place: usize, value: &[u8], find: impl FnOnce() -> u64) -> u64 {
        if value.len() > LONGEST || place >= MOST {
            return find();
        }
        if place >= self.places.len() {
            self.places.resize_with(place + 1, Default::default);
        }
        let entry = &mut self.places[place][value.len() % KEPT];
        // No value is empty, so an entry that was never used is not taken for one.
        if !same(&entry.value, value) {
            entry.verdicts = find();
            entry.value.clear();
            entry.value.extend_from_slice(value);
        }
        entry.verdicts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_judged_once_and_others_are_not_taken_for_it() {
        let mut memo = Memo::default();
        let mut judged = 0;
        for round in 0..3 {
            for (value, expected) in [("\"final\"", 5), ("\"draft\"", 0), ("\"finalis\"", 2)] {
                let verdicts = memo.verdicts(3, value.as_bytes(), || {
                    judged += 1;
                    expected
                });
                assert_eq!(verdicts, expected, "{value} in round {round}");
            }
        }
        // The first two are of one length and push each other out.
        assert_eq!(judged, 3 + 2 + 2);
    }

    #[test]
    fn memory_is_bounded() {
        let mut memo = Memo::default();
        for place in 0..1000 {
            for len in 1..1000 {
                assert_eq!(memo.verdicts(place, &vec![b'x'; len], || 1), 1);
            }
        }
        let held: usize = memo.places.iter().flatten().map(|entry| entry.value.capacity()).sum();
        assert!(held <= MOST * KEPT * 2 * LONGEST, "{held}");
    }
}
