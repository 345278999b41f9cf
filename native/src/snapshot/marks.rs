//! One bit for each line: whether it stands.

/// A set of line numbers.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    bits: Vec<u64>,
    count: u64,
}

impl Marks {
    /// Room for so many lines, none of them marked.
    pub(crate) fn new(lines: u64) -> Marks {
        let words = usize::try_from(lines.div_ceil(64)).unwrap_or(usize::MAX);
        Marks {
            bits: vec![0; words],
            count: 0,
        }
    }

    /// Marks a line.
    pub(crate) fn set(&mut self, line: u64) {
        if let Some(word) = usize::try_from(line / 64).ok().and_then(|word| self.bits.get_mut(word)) {
            let bit = 1 << (line % 64);
            self.count += u64::from(*word & bit == 0);
            *word |= bit;
        }
    }

    /// Whether a line is marked.
    pub(crate) fn has(&self, line: u64) -> bool {
        let word = usize::try_from(line / 64).ok().and_then(|word| self.bits.get(word));
        word.is_some_and(|word| word >> (line % 64) & 1 == 1)
    }

    /// How many lines are marked.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::Marks;

    #[test]
    fn marks_what_was_set_and_nothing_else() {
        let mut marks = Marks::new(130);
        for line in [0, 63, 64, 129, 129, 1000] {
            marks.set(line);
        }
        let set: Vec<u64> = (0..300).filter(|line| marks.has(*line)).collect();
        assert_eq!(set, [0, 63, 64, 129]);
        assert_eq!(marks.count(), 4);
    }
}
