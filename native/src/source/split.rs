//! One file read by several threads: ranges of it are decoded in any order, and cut into lines in theirs.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use super::Block;
use super::open::Open;
use crate::inflate::{Apart, Carver, Codec, Segment, read_whole};

/// Room before a range's bytes for the line that begins in the one before; longer ones make it move.
const ROOM: usize = 32 << 10;

/// A file that comes in ranges.
pub(super) struct Split {
    /// `None`: a thread has it.
    pub(super) carver: Option<Box<Carver>>,
    pub(super) file: Arc<File>,
    /// No more ranges can be cut; what comes from here on is read in order.
    pub(super) ended: Option<u64>,
    /// Numbers of the range that is cut next, and of the one whose lines are next.
    pub(super) cut: u64,
    pub(super) framed: u64,
    /// Ranges whose turn has not come.
    pub(super) done: BTreeMap<u64, Decoded>,
    /// `None`: a thread has it.
    pub(super) open: Option<Box<Open>>,
}

/// A range, decoded into a block.
pub(super) struct Decoded {
    pub(super) block: Block,
    pub(super) segment: Segment,
    /// How many bytes came of it; `None`: it is not what it was taken for.
    filled: Option<usize>,
}

impl Split {
    pub(super) fn new(carver: Carver, open: Box<Open>) -> Split {
        Split {
            file: carver.file(),
            carver: Some(Box::new(carver)),
            ended: None,
            cut: 0,
            framed: 0,
            done: BTreeMap::new(),
            open: Some(open),
        }
    }

    /// Everything that was cut has become lines, and the rest has to be read in order from there.
    pub(super) fn rest(&self) -> Option<u64> {
        self.ended.filter(|_| self.framed == self.cut)
    }
}

impl Decoded {
    /// Decodes a range whose stored bytes are in `apart`, or in `file`.
    pub(super) fn new(mut block: Block, segment: Segment, file: &File, apart: &mut Apart, chunk: usize) -> Decoded {
        block.clear(chunk);
        let filled = if segment.codec == Codec::Plain {
            let length = segment.claimed;
            if block.buffer.len() < ROOM + length {
                block.buffer.resize(ROOM + length, 0);
            }
            read_whole(file, &mut block.buffer[ROOM..ROOM + length], segment.start).then_some(length)
        } else {
            apart.decode(&segment, &mut block.buffer, ROOM)
        };
        Decoded { block, segment, filled }
    }

    /// Makes lines of it. `false`: it has to be read again, in order.
    pub(super) fn frame(&mut self, open: &mut Open, progress: &crate::job::Progress) -> bool {
        let Decoded { block, segment, filled } = self;
        filled.is_some_and(|filled| open.frame(block, ROOM..ROOM + filled, segment.end, progress))
    }
}
