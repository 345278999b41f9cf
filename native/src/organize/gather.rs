//! Lines gathered in memory, up to a budget.

use std::ops::Range;

/// What is kept about a line until it is sorted: its place here, its place among the sorted, a key and the key's id.
const PER_LINE: usize = 128;
const SEGMENT: usize = 1 << 20;

/// Lines one after another. They lie in segments, which need not move when there are more of them.
#[derive(Debug, Default)]
pub(super) struct Gather {
    budget: usize,
    segment_size: usize,
    segments: Vec<Vec<u8>>,
    /// Emptied segments of the usual size, for the next lines.
    spare: Vec<Vec<u8>>,
    lines: Vec<Line>,
    /// Bytes that the segments take.
    taken: usize,
}

/// Where a line is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    segment: u32,
    start: u32,
    len: u32,
    /// Number of its type in the registry.
    pub(super) type_index: u32,
}

impl Gather {
    pub(super) fn new(budget: usize) -> Gather {
        Gather {
            budget,
            segment_size: (budget / 8).clamp(1, SEGMENT),
            ..Gather::default()
        }
    }

    /// Adds a line, which ends in `\n`.
    pub(super) fn push(&mut self, type_index: usize, line: &[u8]) {
        let has_room = |segment: &Vec<u8>| segment.capacity() - segment.len() >= line.len();
        if !self.segments.last().is_some_and(has_room) {
            let size = line.len().max(self.segment_size);
            let spare = if size == self.segment_size {
                self.spare.pop()
            } else {
                None
            };
            let segment = spare.unwrap_or_else(|| Vec::with_capacity(size));
            self.taken += segment.capacity();
            self.segments.push(segment);
        }
        let index = self.segments.len() - 1;
        let segment = &mut self.segments[index];
        self.lines.push(Line {
            segment: index as u32,
            start: segment.len() as u32,
            len: line.len() as u32,
            type_index: type_index as u32,
        });
        segment.extend_from_slice(line);
    }

    /// The bytes of a line, its newline with them.
    pub(super) fn text(&self, line: Line) -> &[u8] {
        let start = line.start as usize;
        &self.segments[line.segment as usize][start..start + line.len as usize]
    }

    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Bytes that the lines and what is kept about them take.
    pub(super) fn used(&self) -> usize {
        self.taken + self.lines.len() * PER_LINE
    }

    /// Whether the budget is spent.
    pub(super) fn is_full(&self) -> bool {
        self.used() >= self.budget
    }

    /// Forgets the lines and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.lines.clear();
        self.taken = 0;
        for mut segment in self.segments.drain(..) {
            segment.clear();
            if segment.capacity() == self.segment_size {
                self.spare.push(segment);
            }
        }
    }

    /// At most `most` ranges of lines, one after another, of about the same number of bytes.
    pub(super) fn shares(&self, most: usize) -> Vec<Range<usize>> {
        let total: usize = self.lines.iter().map(|line| line.len as usize).sum();
        let each = total.div_ceil(most.max(1)).max(1);
        let mut shares = Vec::new();
        let (mut start, mut bytes) = (0, 0);
        for (index, line) in self.lines.iter().enumerate() {
            bytes += line.len as usize;
            if bytes >= each {
                shares.push(start..index + 1);
                (start, bytes) = (index + 1, 0);
            }
        }
        if start < self.lines.len() {
            shares.push(start..self.lines.len());
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_and_memory_is_used_again() {
        let mut gather = Gather::new(1000);
        let long = vec![b'x'; 500];
        for _ in 0..3 {
            gather.push(1, b"one\n");
            gather.push(2, &long);
            gather.push(3, b"two\n");
            let texts: Vec<&[u8]> = gather.lines().iter().map(|&line| gather.text(line)).collect();
            assert_eq!(texts, [b"one\n", &long[..], b"two\n"]);
            assert!(gather.is_full());
            gather.clear();
            assert!(gather.is_empty() && !gather.is_full());
            assert!(gather.spare.len() <= 2, "a long line's segment is given back");
        }
    }

    #[test]
    fn shares_cover_all_lines_in_order() {
        let mut gather = Gather::new(1 << 20);
        for len in [1, 900, 3, 3, 3, 40, 400, 2, 1] {
            gather.push(0, &vec![b'x'; len]);
        }
        for most in 1..12 {
            let shares = gather.shares(most);
            assert!(shares.len() <= most, "{most}");
            let covered: Vec<usize> = shares.into_iter().flatten().collect();
            assert_eq!(covered, (0..9).collect::<Vec<_>>());
        }
        assert!(Gather::new(10).shares(3).is_empty());
    }
}
