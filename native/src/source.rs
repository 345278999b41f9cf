//! Inputs in order into numbered blocks of whole lines. One thread reads at a time; what it gets is its own.

use std::ops::Range;
use std::sync::atomic::Ordering;

use fhirehose_core::frame::Framer;

use crate::inflate::{Codec, Input};
use crate::inputs::InputPlace;
use crate::job::{JobError, Progress};
use crate::unpack::{Layout, Unpacker};

/// Whole lines, and where they stand in the order of all blocks.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Memory, reused from block to block and never shrunk while blocks are of usual size.
    buffer: Vec<u8>,
    lines: Range<usize>,
    /// Number of the block, from 0.
    pub(crate) sequence: u64,
    /// Behind the lines comes one that is over the limit.
    pub(crate) too_long: bool,
    /// The block is the first of this input.
    pub(crate) begins: Option<String>,
}

impl Block {
    pub(crate) fn lines(&self) -> &[u8] {
        &self.buffer[self.lines.clone()]
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
    progress: &'j Progress,
}

struct Open {
    input: Input,
    framer: Framer,
    layout: Option<Layout>,
    /// For documents: what takes them apart, and a place for their bytes.
    unpacker: Unpacker,
    raw: Vec<u8>,
    /// Bytes as stored that the progress knows of.
    told: u64,
}

impl<'j> Source<'j> {
    pub(crate) fn new(places: &'j [InputPlace], max_line: usize, chunk: usize, progress: &'j Progress) -> Self {
        Source {
            places: places.iter(),
            open: None,
            max_line,
            chunk: chunk.max(1),
            next_sequence: 0,
            progress,
        }
    }

    /// Fills the next block. `false`: there is none.
    pub(crate) fn next(&mut self, block: &mut Block) -> Result<bool, JobError> {
        block.begins = None;
        block.too_long = false;
        block.lines = 0..0;
        block.trim(self.chunk);
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
                block.sequence = self.next_sequence;
                self.next_sequence += 1;
                return Ok(true);
            }
        }
    }
}

impl Open {
    fn new(place: &InputPlace, max_line: usize) -> Result<Open, JobError> {
        let input = match place {
            InputPlace::Stdin => Input::stdin(),
            InputPlace::File(path) => Input::open(path),
        };
        Ok(Open {
            input: input.map_err(JobError::Input)?,
            framer: Framer::new(max_line),
            layout: None,
            unpacker: Unpacker::new(max_line),
            raw: Vec::new(),
            told: 0,
        })
    }

    /// Reads one chunk into the block, as whole lines. `true`: the input has ended.
    fn fill(&mut self, block: &mut Block, chunk: usize) -> Result<bool, JobError> {
        if self.layout == Some(Layout::Documents) {
            return self.unpack(block, chunk);
        }
        let fresh = self.framer.begin(&mut block.buffer);
        // A long line is read in steps that grow with it, so that copying what is left over stays linear.
        let wanted = fresh + chunk.max(fresh);
        if block.buffer.len() < wanted {
            block.buffer.resize(wanted, 0);
        }
        let read = read(&mut self.input, &mut block.buffer[fresh..wanted])?;
        if self.layout.is_none() && read > 0 {
            self.layout = Layout::detect(self.input.name(), &block.buffer[fresh..fresh + read]);
            if self.layout == Some(Layout::Documents) {
                let start = block.buffer[..fresh + read].to_vec();
                return self.unpack_bytes(&start, block).map(|()| false);
            }
        }
        if read == 0 {
            // What was left over lies in the buffer by now; it goes back, to come out as the last line.
            self.framer.cut(&block.buffer[..fresh], fresh);
            let len = self.framer.finish(&mut block.buffer);
            block.lines = 0..len;
            return Ok(true);
        }
        let cut = self.framer.cut(&block.buffer[..fresh + read], fresh);
        block.lines = cut.start..cut.end;
        block.too_long = cut.too_long;
        Ok(false)
    }

    fn unpack(&mut self, block: &mut Block, chunk: usize) -> Result<bool, JobError> {
        let mut raw = std::mem::take(&mut self.raw);
        raw.resize(chunk, 0);
        let read = read(&mut self.input, &mut raw)?;
        let outcome = if read == 0 {
            block.buffer.clear();
            let finished = self.unpacker.finish(&mut block.buffer);
            block.lines = 0..block.buffer.len();
            finished.map_err(|error| self.document(error))
        } else {
            self.unpack_bytes(&raw[..read], block)
        };
        self.raw = raw;
        outcome.map(|()| read == 0)
    }

    fn unpack_bytes(&mut self, bytes: &[u8], block: &mut Block) -> Result<(), JobError> {
        block.buffer.clear();
        let pushed = self.unpacker.push(bytes, &mut block.buffer);
        block.lines = 0..block.buffer.len();
        pushed.map_err(|error| self.document(error))
    }

    fn document(&self, error: crate::unpack::UnpackError) -> JobError {
        JobError::Document {
            name: self.input.name().to_owned(),
            error,
        }
    }

    fn tell(&mut self, progress: &Progress) {
        let position = self.input.compressed_position();
        progress
            .read
            .fetch_add(position.saturating_sub(self.told), Ordering::Relaxed);
        self.told = position;
    }
}

/// Reads once from a plain input, and until the buffer is full from a decoder, which gives small pieces.
fn read(input: &mut Input, buffer: &mut [u8]) -> Result<usize, JobError> {
    let mut filled = 0;
    loop {
        let read = input.read(&mut buffer[filled..]).map_err(JobError::Input)?;
        filled += read;
        if read == 0 || filled == buffer.len() || input.codec() == Codec::Plain {
            return Ok(filled);
        }
    }
}
