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
    failed: bool,
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
            failed: false,
            progress,
        }
    }

    /// Fills the next block. `false`: there is none. After an error there is nothing more; the block then is empty, but
    /// has its place in the order, and so has the error.
    pub(crate) fn next(&mut self, block: &mut Block) -> Result<bool, JobError> {
        block.begins = None;
        block.too_long = false;
        block.lines = 0..0;
        block.trim(self.chunk);
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
        // A long line is read in steps that grow with it, so that copying what is left over stays linear. Not by more: the
        // short lines behind the longest one can grow when they are written anew, and ranges have 32 bits.
        let wanted = fresh + chunk.max(fresh / 4);
        if block.buffer.len() < wanted {
            block.buffer.resize(wanted, 0);
        }
        let mut read = read(&mut self.input, &mut block.buffer[fresh..wanted])?;
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

    fn tell(&mut self, progress: &Progress) {
        let position = self.input.compressed_position();
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
        };
        let mut block = Block::default();
        let mut fills = 1;
        while !open.fill(&mut block, 1000).expect("reads") && block.lines.is_empty() {
            fills += 1;
        }
        assert_eq!(block.lines(), line);
        assert!(fills < 100, "{fills}");
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
