//! One input while it is read: its bytes as blocks of whole lines.

use std::ops::Range;
use std::sync::atomic::Ordering;

use fhirehose_core::frame::Framer;

use super::Block;
use crate::inflate::{Codec, Input};
use crate::inputs::InputPlace;
use crate::job::{JobError, Progress};
use crate::unpack::{Layout, Unpacker};

/// The most bytes of an unfinished line that an input may hold before its turn.
const MOST_CARRIED: usize = 1 << 20;

/// The longest documents that are taken apart before their turn.
const MOST_DOCUMENTS: u64 = 4 << 20;

/// An input that is being read.
pub(super) struct Open {
    /// Number of the next block.
    sequence: u64,
    pub(super) input: Input,
    framer: Framer,
    layout: Option<Layout>,
    /// For documents: what takes them apart, and a place for their bytes.
    unpacker: Unpacker,
    raw: Vec<u8>,
    /// Bytes as stored that the progress knows of.
    told: u64,
}

impl Open {
    pub(super) fn new(place: &InputPlace, max_line: usize) -> Result<Open, JobError> {
        let input = match place {
            InputPlace::Stdin => Input::stdin(),
            InputPlace::File(path) => Input::open(path),
        };
        Ok(Open {
            input: input.map_err(JobError::Input)?,
            sequence: 0,
            framer: Framer::new(max_line),
            layout: None,
            unpacker: Unpacker::new(max_line),
            raw: Vec::new(),
            told: 0,
        })
    }

    /// Fills the next block of this input; it may be empty if it is the last.
    pub(super) fn next(&mut self, block: &mut Block, chunk: usize, progress: &Progress) -> Result<(), JobError> {
        while !block.last && block.lines.is_empty() && !block.too_long {
            block.last = self.fill(block, chunk)?;
            self.tell(progress);
        }
        self.number(block);
        Ok(())
    }

    /// Takes bytes of a file that stand at `at` in the block and end at `end` in the file, as whole lines; the block may be
    /// left empty. `false`: they may be no lines, and have to be read from where they begin.
    pub(super) fn frame(&mut self, block: &mut Block, bytes: Range<usize>, end: u64, progress: &Progress) -> bool {
        let fresh = &block.buffer[bytes.clone()];
        if self.layout.is_none() {
            self.layout = Layout::detect(self.input.name(), fresh).filter(|layout| *layout == Layout::Lines);
        }
        if self.layout != Some(Layout::Lines) {
            return false;
        }
        let cut = self.framer.extend(fresh).unwrap_or_else(|| {
            let carried = self.framer.carried();
            let start = self.framer.begin_before(&mut block.buffer, bytes.start);
            let cut = self
                .framer
                .cut(&block.buffer[start..start + carried + bytes.len()], carried);
            block.lines = start + cut.start..start + cut.end;
            cut
        });
        block.too_long = cut.too_long;
        self.tell_position(end, progress);
        if !block.lines.is_empty() || block.too_long {
            self.number(block);
        }
        true
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    fn number(&mut self, block: &mut Block) {
        block.sequence = self.sequence;
        block.begins = (self.sequence == 0).then(|| self.input.name().to_owned());
        self.sequence += 1;
    }

    /// Whether it may be read on before its turn without holding much.
    pub(super) fn is_light(&self) -> bool {
        let is_light = self.layout != Some(Layout::Documents)
            || self.input.codec() == Codec::Plain
                && self
                    .input
                    .regular_file()
                    .is_some_and(|(_, length)| length <= MOST_DOCUMENTS);
        is_light && self.framer.carried() <= MOST_CARRIED
    }

    /// Reads one chunk into the block, as whole lines. `true`: the input has ended.
    pub(super) fn fill(&mut self, block: &mut Block, chunk: usize) -> Result<bool, JobError> {
        if self.layout == Some(Layout::Documents) {
            return self.unpack(block, chunk);
        }
        let fresh = self.framer.begin(&mut block.buffer);
        // A long line is read in steps that grow with it, so that copying what is left over stays linear. Not by more: the
        // short lines behind the longest one can grow when they are written anew, and ranges have 32 bits.
        let wanted = fresh + chunk.max(fresh / 4);
        if block.buffer.len() < wanted {
            block.buffer.resize(wanted, 0);
        }
        let read = read(&mut self.input, &mut block.buffer[fresh..wanted]);
        // What was left over is not lost: there may be a way to read on.
        let mut read = read.inspect_err(|_| {
            self.framer.cut(&block.buffer[..fresh], fresh);
        })?;
        if read > 0 {
            read += self.read_on(&mut block.buffer[fresh..wanted], read, fresh / 4);
        }
        if self.layout.is_none() && read > 0 {
            self.layout = Layout::detect(self.input.name(), &block.buffer[..fresh + read]);
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

    /// Reads on where a pipe gave little and a long line goes on: what is left over would else be copied for each of a
    /// pipe's small pieces. Never waits behind the end of a line.
    fn read_on(&mut self, buffer: &mut [u8], already: usize, least: usize) -> usize {
        let mut filled = already;
        let mut last = 0;
        while filled < least && memchr::memchr(b'\n', &buffer[last..filled]).is_none() {
            last = filled;
            // An error is given again by the next read.
            match read(&mut self.input, &mut buffer[filled..]) {
                Ok(more) if more > 0 => filled += more,
                _ => break,
            }
        }
        filled - already
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
        match pushed {
            // What comes before is handed out; the next push gives the error again.
            Err(_) if !block.lines.is_empty() => Ok(()),
            pushed => pushed.map_err(|error| self.document(error)),
        }
    }

    fn document(&self, error: crate::unpack::UnpackError) -> JobError {
        JobError::Document {
            name: self.input.name().to_owned(),
            error,
        }
    }

    pub(super) fn tell(&mut self, progress: &Progress) {
        self.tell_position(self.input.compressed_position(), progress);
    }

    fn tell_position(&mut self, position: u64, progress: &Progress) {
        progress
            .read
            .fetch_add(position.saturating_sub(self.told), Ordering::Relaxed);
        self.told = position;
    }
}

/// Reads once from a plain input, and until the buffer is full from a decoder, which gives small pieces. What comes
/// before damage is handed out; the next read then gives the error.
fn read(input: &mut Input, buffer: &mut [u8]) -> Result<usize, JobError> {
    let mut filled = 0;
    loop {
        let read = match input.read(&mut buffer[filled..]) {
            Ok(read) => read,
            Err(_) if filled > 0 => return Ok(filled),
            Err(error) => return Err(JobError::Input(error)),
        };
        filled += read;
        if read == 0 || filled == buffer.len() || input.codec() == Codec::Plain {
            return Ok(filled);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives little at a time, like a pipe.
    struct Pieces(std::io::Cursor<Vec<u8>>);

    impl std::io::Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let most = buffer.len().min(100);
            self.0.read(&mut buffer[..most])
        }
    }

    #[test]
    fn a_long_line_in_small_pieces_is_copied_few_times() {
        let mut line = vec![b'x'; 1_000_000];
        line.push(b'\n');
        let pieces = Pieces(std::io::Cursor::new(line.clone()));
        let mut open = Open {
            input: Input::from_reader("in", pieces).expect("begins"),
            framer: Framer::new(line.len()),
            layout: None,
            unpacker: Unpacker::new(line.len()),
            raw: Vec::new(),
            told: 0,
            sequence: 0,
        };
        let mut block = Block::default();
        let mut fills = 1;
        while !open.fill(&mut block, 1000).expect("reads") && block.lines.is_empty() {
            fills += 1;
        }
        assert_eq!(block.lines(), line);
        assert!(fills < 100, "{fills}");
    }
}
