//! One gzip member from blocks that threads may compress in any order.
//!
//! The plain bytes are cut into blocks of [`BLOCK_SIZE`]. Each is deflated alone, primed with the [`DICTIONARY_SIZE`]
//! bytes before it, and ends with a sync flush, so that the compressed blocks one after the other are one deflate
//! stream. The result depends on the bytes and the level only, never on threads. It is one member because browsers'
//! `DecompressionStream` refuses a second one.

use std::error::Error;
use std::fmt;

use flate2::{Compress, FlushCompress, Status};

/// The plain size of every block but the last.
pub const BLOCK_SIZE: usize = 256 * 1024;

/// How many bytes before a block prime it: the window of deflate.
pub const DICTIONARY_SIZE: usize = 32 * 1024;

/// The level where nothing is asked: half of level 1's loss in size at two thirds of its speed.
pub const DEFAULT_LEVEL: u32 = 2;

/// A compressed block, and what the trailer needs to know of its plain bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The bytes to write.
    pub bytes: Vec<u8>,
    /// CRC-32 of the plain bytes; 0 where the format has no need of it.
    pub crc: u32,
    /// The number of plain bytes.
    pub length: u64,
}

/// The compressor could not compress. It does not happen with room for the worst case; said, not hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeError {
    /// The format's name.
    pub format: &'static str,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} compressor failed on a block", self.format)
    }
}

impl Error for EncodeError {}

const FAILED: EncodeError = EncodeError { format: "gzip" };

/// Compresses blocks, one at a time: one for each thread. What it gives depends on the arguments
/// of the call only, not on earlier calls.
#[derive(Debug)]
pub struct GzipEncoder {
    level: flate2::Compression,
    scratch: Vec<u8>,
}

impl GzipEncoder {
    /// Makes an encoder of a level from 0 to 9; a higher one is taken as 9.
    pub fn new(level: u32) -> Self {
        Self {
            level: flate2::Compression::new(level.min(9)),
            scratch: Vec::new(),
        }
    }

    /// Deflates one block. Of `dictionary`, the plain bytes before the block, the last [`DICTIONARY_SIZE`] count.
    /// `last` ends the stream; a last block may be empty.
    ///
    /// # Errors
    /// The compressor failed.
    pub fn encode(&mut self, dictionary: &[u8], block: &[u8], last: bool) -> Result<Encoded, EncodeError> {
        // A new one each time, which costs nothing next to a block: a reset leaves old bytes in the window, and zlib-rs
        // looks at the one behind a dictionary.
        let mut compress = Compress::new(self.level, false);
        if !dictionary.is_empty() {
            let window = &dictionary[dictionary.len().saturating_sub(DICTIONARY_SIZE)..];
            compress.set_dictionary(window).map_err(|_| FAILED)?;
        }
        // Exactly this room, and all at once: some strategies look at the room that is left, and the bytes must not
        // depend on what the encoder did before.
        let bound = bound(block.len());
        if self.scratch.len() < bound {
            self.scratch.resize(bound, 0);
        }
        let flush = if last {
            FlushCompress::Finish
        } else {
            FlushCompress::Sync
        };
        let status = compress
            .compress(block, &mut self.scratch[..bound], flush)
            .map_err(|_| FAILED)?;
        let written = compress.total_out() as usize;
        // A flush that filled the room may not be complete.
        let flushed = if last {
            status == Status::StreamEnd
        } else {
            written < bound
        };
        if compress.total_in() != block.len() as u64 || !flushed {
            return Err(FAILED);
        }
        Ok(Encoded {
            bytes: self.scratch[..written].to_vec(),
            crc: crc32fast::hash(block),
            length: block.len() as u64,
        })
    }
}

/// More than deflate can need: 9 bits a byte in the fixed code of level 1, stored headers, the flush.
fn bound(length: usize) -> usize {
    length + length / 8 + length / 1024 + 128
}

/// Deflates one block with a fresh encoder; [`GzipEncoder::encode`] gives the same.
///
/// # Errors
/// The compressor failed.
pub fn compress_block(dictionary: &[u8], block: &[u8], level: u32, last: bool) -> Result<Encoded, EncodeError> {
    GzipEncoder::new(level).encode(dictionary, block, last)
}

/// Makes header and trailer around blocks that are added in order.
#[derive(Clone, Debug)]
pub struct GzipAssembler {
    level: u32,
    crc: crc32fast::Hasher,
    length: u64,
}

impl GzipAssembler {
    /// Begins a member. The level only chooses the hint in the header.
    pub fn new(level: u32) -> Self {
        Self {
            level,
            crc: crc32fast::Hasher::new(),
            length: 0,
        }
    }

    /// The ten bytes before the first block: no time, no name, unknown system, so that equal input gives equal bytes.
    pub fn header(&self) -> [u8; 10] {
        let hint = match self.level {
            0 | 1 => 4,
            2..=8 => 0,
            _ => 2,
        };
        [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, hint, 255]
    }

    /// Counts a block in, in the order of the plain bytes; its bytes are the caller's to write.
    pub fn add(&mut self, block: &Encoded) {
        self.crc
            .combine(&crc32fast::Hasher::new_with_initial_len(block.crc, block.length));
        self.length += block.length;
    }

    /// The eight bytes after the last block.
    pub fn trailer(&self) -> [u8; 8] {
        let mut trailer = [0; 8];
        trailer[..4].copy_from_slice(&self.crc.clone().finalize().to_le_bytes());
        // The format keeps the length modulo 2^32.
        trailer[4..].copy_from_slice(&(self.length as u32).to_le_bytes());
        trailer
    }

    /// How many plain bytes were added.
    pub fn length(&self) -> u64 {
        self.length
    }
}

#[cfg(test)]
mod tests;
