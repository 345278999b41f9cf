//! A file cut into ranges that threads can read apart: plain bytes anywhere, compressed ones between members.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::apart::MOST;
use super::walk::{Said, member};
use super::{Codec, Input, READ_SIZE};

/// The most stored bytes of a range, and how far ahead is looked for the end of a member.
const MOST_STORED: usize = 512 << 10;

/// A range of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) codec: Codec,
    /// Its first byte, as stored.
    pub(crate) start: u64,
    /// One past its last.
    pub(crate) end: u64,
    /// How many plain bytes it claims to hold.
    pub(crate) claimed: usize,
}

/// Cuts a file from its start on, as long as it finds where to.
pub(crate) struct Carver {
    file: Arc<File>,
    codec: Codec,
    /// Where the next range begins.
    offset: u64,
    /// Plain files are cut up to here; what is appended meanwhile comes after.
    length: u64,
    /// The least plain bytes of a range, where there are so many.
    chunk: usize,
    /// What was read in from `offset` on.
    window: Vec<u8>,
    used: usize,
    at_end: bool,
    ended: bool,
}

impl Carver {
    /// `None`: the input does not come in ranges, or is too short for that.
    pub(crate) fn new(input: &Input, chunk: usize) -> Option<Carver> {
        let (file, length) = input.regular_file()?;
        let is_worth_it = match input.codec() {
            Codec::Plain => length >= 4 * chunk as u64,
            Codec::Gzip | Codec::Zstd => true,
            Codec::Bzip2 | Codec::Xz | Codec::Brotli => false,
        };
        let file = is_worth_it.then(|| file.try_clone())?.ok()?;
        let mut carver = Carver {
            file: Arc::new(file),
            codec: input.codec(),
            offset: 0,
            length,
            chunk,
            window: Vec::new(),
            used: 0,
            at_end: false,
            ended: false,
        };
        carver.has_several().then_some(carver)
    }

    /// Whether more comes behind the first member.
    fn has_several(&mut self) -> bool {
        if self.codec == Codec::Plain {
            return true;
        }
        let Some((stored, _)) = self.member(0) else {
            return false;
        };
        self.need(stored + 1);
        self.window.len() > stored
    }

    /// The file that the ranges are of.
    pub(crate) fn file(&self) -> Arc<File> {
        self.file.clone()
    }

    /// Where the next range begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Cuts the next range, and puts its stored bytes into `packed` if it is compressed. `None`: there is none, or none
    /// that could be found.
    pub(crate) fn next(&mut self, packed: &mut Vec<u8>) -> Option<Segment> {
        let found = if self.ended { None } else { self.find() };
        let Some((stored, claimed)) = found else {
            self.ended = true;
            self.window = Vec::new();
            return None;
        };
        let start = self.offset;
        self.offset += stored as u64;
        if self.codec != Codec::Plain {
            packed.clear();
            packed.extend_from_slice(&self.window[self.used..self.used + stored]);
            self.used += stored;
        }
        Some(Segment {
            codec: self.codec,
            start,
            end: self.offset,
            claimed,
        })
    }

    /// As many members as make a block.
    fn find(&mut self) -> Option<(usize, usize)> {
        if self.codec == Codec::Plain {
            let left = usize::try_from(self.length.saturating_sub(self.offset)).unwrap_or(usize::MAX);
            let stored = left.min(self.chunk);
            return (stored > 0).then_some((stored, stored));
        }
        let (mut stored, mut claimed) = (0, 0);
        while claimed < self.chunk {
            let Some((more, plain)) = self.member(stored) else {
                break;
            };
            let is_full = claimed + plain > self.chunk || stored + more > MOST_STORED;
            if stored > 0 && is_full {
                break;
            }
            stored += more;
            claimed += plain;
        }
        (stored > 0).then_some((stored, claimed))
    }

    /// The member that begins so many bytes into what comes next.
    fn member(&mut self, at: usize) -> Option<(usize, usize)> {
        loop {
            match member(self.codec, &self.window[self.used + at..], self.at_end) {
                Said::Member { stored, claimed } if claimed <= MOST => return Some((stored, claimed)),
                Said::NeedsMore(more) if more <= MOST_STORED && self.need(at + more) => {}
                _ => return None,
            }
        }
    }

    /// Reads on until so many bytes from `offset` on are there, or the file ends. `false`: there is nothing more.
    fn need(&mut self, bytes: usize) -> bool {
        let before = self.window.len() - self.used;
        self.window.drain(..self.used);
        self.used = 0;
        while self.window.len() < bytes && !self.at_end {
            let filled = self.window.len();
            self.window.resize(filled + READ_SIZE, 0);
            let read = read_at(&self.file, &mut self.window[filled..], self.offset + filled as u64);
            // An error is told by the reader that comes to this place in order.
            let read = read.unwrap_or(0);
            self.window.truncate(filled + read);
            self.at_end = read == 0;
        }
        self.window.len() > before || self.at_end
    }
}

/// Reads a range whole. `false`: the file has changed, or cannot be read there.
pub(crate) fn read_whole(file: &File, buffer: &mut [u8], offset: u64) -> bool {
    let mut filled = 0;
    while filled < buffer.len() {
        match read_at(file, &mut buffer[filled..], offset + filled as u64) {
            Ok(read) if read > 0 => filled += read,
            _ => return false,
        }
    }
    true
}

/// Reads from a place, and again where a signal came between.
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match read_once(file, buffer, offset) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(unix)]
fn read_once(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(not(unix))]
fn read_once(_: &File, _: &mut [u8], _: u64) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}
