//! Verdicts on values that came by before: codes and times repeat from line to line.
//!
//! A verdict on one value depends on its bytes, on the path that leads to it and on the plan alone, so a remembered one is
//! what would be found again.

/// Longest value that is remembered, and how many a gate remembers; by their lengths, which is enough to keep a handful of
/// codes apart.
const LONGEST: usize = 192;
const KEPT: usize = 8;
/// Most gates of one type that remember.
const MOST: usize = 64;

/// What the gates of one type remember. Valid for one plan.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    /// By gate; short as long as nobody has remembered anything.
    gates: Vec<[Entry; KEPT]>,
}

#[derive(Debug, Default)]
struct Entry {
    value: Vec<u8>,
    /// Which of the gate's paths led to it: the same bytes may be a code of one system there, and of another here.
    path: usize,
    verdict: bool,
}

impl Memo {
    /// The verdict of a gate on a value at one of its paths: remembered, or else found and remembered.
    #[inline]
    pub(super) fn verdict(&mut self, gate: usize, path: usize, value: &[u8], find: impl FnOnce() -> bool) -> bool {
        if value.len() > LONGEST || gate >= MOST {
            return find();
        }
        if gate >= self.gates.len() {
            self.gates.resize_with(gate + 1, Default::default);
        }
        let entry = &mut self.gates[gate][value.len() % KEPT];
        // No value is empty, so an entry that was never used is not taken for one.
        if entry.value != value || entry.path != path {
            entry.verdict = find();
            entry.path = path;
            entry.value.clear();
            entry.value.extend_from_slice(value);
        }
        entry.verdict
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
            for (value, expected) in [("\"final\"", true), ("\"draft\"", false), ("\"finalis\"", false)] {
                let verdict = memo.verdict(3, 0, value.as_bytes(), || {
                    judged += 1;
                    expected
                });
                assert_eq!(verdict, expected, "{value} in round {round}");
            }
        }
        // The first two are of one length and push each other out.
        assert_eq!(judged, 3 + 2 + 2);
    }

    #[test]
    fn a_value_elsewhere_is_another() {
        let mut memo = Memo::default();
        for _ in 0..2 {
            for path in [0, 1] {
                assert_eq!(memo.verdict(0, path, b"\"male\"", || path == 0), path == 0);
            }
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut memo = Memo::default();
        for gate in 0..1000 {
            for len in 1..1000 {
                assert!(memo.verdict(gate, len % 2, &vec![b'x'; len], || true));
            }
        }
        let held: usize = memo.gates.iter().flatten().map(|entry| entry.value.capacity()).sum();
        assert!(held <= MOST * KEPT * 2 * LONGEST, "{held}");
    }
}
