//! Inputs into blocks of whole lines: one after another by [`Source`], or by several threads at once by [`lanes`].
//!
//! Both give the same lines and the same errors. [`Source`] is the simple one that the other is held against; it serves
//! where lines are numbered through all inputs.

pub(crate) mod lanes;
mod open;
mod split;

use std::ops::Range;

use open::Open;

use crate::inputs::InputPlace;
use crate::job::{JobError, Progress};

/// Whole lines, and where they stand in the order of all blocks.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Memory, reused from block to block and never shrunk while blocks are of usual size.
    buffer: Vec<u8>,
    lines: Range<usize>,
    /// Number of the input; [`Source`] does not tell.
    pub(crate) input: usize,
    /// Number of the block, from 0: in its input, or among all that a [`Source`] gives.
    pub(crate) sequence: u64,
    /// The block is the last of its input; [`Source`] does not tell.
    pub(crate) last: bool,
    /// Behind the lines comes one that is over the limit.
    pub(crate) too_long: bool,
    /// The block is the first of this input.
    pub(crate) begins: Option<String>,
}

impl Block {
    pub(crate) fn lines(&self) -> &[u8] {
        &self.buffer[self.lines.clone()]
    }

    /// Gives another block the same place; its memory comes back, empty, to be filled and given to [`Block::set_lines`].
    pub(crate) fn copy_to(&self, to: &mut Block) -> Vec<u8> {
        let mut memory = std::mem::take(&mut to.buffer);
        memory.clear();
        *to = Block {
            buffer: Vec::new(),
            lines: 0..0,
            input: self.input,
            sequence: self.sequence,
            last: self.last,
            too_long: self.too_long,
            begins: self.begins.clone(),
        };
        memory
    }

    /// Takes lines from elsewhere.
    pub(crate) fn set_lines(&mut self, lines: Vec<u8>) {
        self.lines = 0..lines.len();
        self.buffer = lines;
    }

    /// How much memory it has.
    pub(crate) fn memory(&self) -> usize {
        self.buffer.capacity()
    }

    /// Nothing is in it but its memory.
    fn clear(&mut self, chunk: usize) {
        self.begins = None;
        self.too_long = false;
        self.last = false;
        self.lines = 0..0;
        self.trim(chunk);
    }

    /// Gives back the memory of a line that was far longer than a chunk.
    fn trim(&mut self, chunk: usize) {
        if self.buffer.len() > 16 * chunk.max(1 << 16) {
            self.buffer = Vec::new();
        }
    }
}

/// Reads the inputs one after another.
pub(crate) struct Source<'j> {
    places: std::slice::Iter<'j, InputPlace>,
    open: Option<Open>,
    max_line: usize,
    chunk: usize,
    next_sequence: u64,
    failed: bool,
    progress: &'j Progress,
}

impl<'j> Source<'j> {
    pub(crate) fn new(places: &'j [InputPlace], max_line: usize, chunk: usize, progress: &'j Progress) -> Self {
        Source {
            places: places.iter(),
            open: None,
            max_line,
            chunk: chunk.max(1),
            next_sequence: 0,
            failed: false,
            progress,
        }
    }

    /// Fills the next block. `false`: there is none. After an error there is nothing more; the block then is empty, but
    /// has its place in the order, and so has the error.
    pub(crate) fn next(&mut self, block: &mut Block) -> Result<bool, JobError> {
        block.clear(self.chunk);
        block.sequence = self.next_sequence;
        if self.failed {
            return Ok(false);
        }
        let filled = self.fill(block);
        if filled.is_err() {
            self.failed = true;
            block.begins = None;
            block.lines = 0..0;
        }
        self.next_sequence += u64::from(!matches!(filled, Ok(false)));
        filled
    }

    fn fill(&mut self, block: &mut Block) -> Result<bool, JobError> {
        loop {
            let open = match &mut self.open {
                Some(open) => open,
                None => {
                    let Some(place) = self.places.next() else {
                        return Ok(false);
                    };
                    let open = Open::new(place, self.max_line)?;
                    block.begins = Some(open.input.name().to_owned());
                    self.open.insert(open)
                }
            };
            let at_end = open.fill(block, self.chunk)?;
            open.tell(self.progress);
            if at_end {
                self.open = None;
            }
            if !block.lines.is_empty() || block.too_long || (at_end && block.begins.is_some()) {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(name: &str, bytes: &[u8], max_line: usize, chunk: usize) -> (Vec<Vec<u8>>, Option<JobError>) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("writes");
        let places = [InputPlace::File(path)];
        let progress = Progress::default();
        let mut source = Source::new(&places, max_line, chunk, &progress);
        let mut block = Block::default();
        let mut found = Vec::new();
        loop {
            let next = source.next(&mut block);
            assert_eq!(block.sequence, found.len() as u64);
            match next {
                Ok(true) => found.push(block.lines().to_vec()),
                Ok(false) => return (found, None),
                Err(error) => {
                    assert!(
                        matches!(source.next(&mut block), Ok(false)),
                        "nothing comes after an error"
                    );
                    return (found, Some(error));
                }
            }
        }
    }

    #[test]
    fn an_array_behind_a_byte_order_mark_is_one_for_any_chunk() {
        let input = b"\xef\xbb\xbf [{\"id\":1}, {\"id\":2}]";
        for chunk in 1..=input.len() {
            let (found, error) = blocks("in", input, 100, chunk);
            assert!(error.is_none(), "by {chunk}");
            assert_eq!(found.concat(), b"{\"id\":1}\n{\"id\":2}\n", "by {chunk}");
        }
    }

    #[test]
    fn what_comes_before_damage_is_handed_out() {
        let lines = b"{\"id\":1}\n".repeat(1000);
        let mut stored = Vec::new();
        for member in [&lines[..5000], &lines[5000..]] {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, member).expect("gzip");
            stored.extend(encoder.finish().expect("gzip"));
        }
        let (found, error) = blocks("in.gz", &stored[..stored.len() - 1], 100, 1 << 20);
        assert!(matches!(error, Some(JobError::Input(_))));
        assert_eq!(found.concat(), lines);
        let (found, error) = blocks("in.json", b"[{\"id\":1},{\"id\":2}}", 100, 1 << 20);
        assert!(matches!(error, Some(JobError::Document { .. })));
        assert_eq!(found.concat(), b"{\"id\":1}\n{\"id\":2}\n");
    }

    #[test]
    fn a_block_is_little_longer_than_the_longest_line() {
        let mut input = vec![b'x'; 100_000];
        input.push(b'\n');
        input.extend_from_slice(&b"{}\n".repeat(100_000));
        let (found, _) = blocks("in", &input, 100_000, 16);
        assert_eq!(found.concat(), input);
        let longest = found.iter().map(Vec::len).max();
        assert!(longest < Some(130_000), "{longest:?}");
    }
}
