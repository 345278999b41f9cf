//! Output compression as blocks: one shape for gzip, zstd and none, so that the writer treats all alike.
//!
//! ```
//! # use fhirehose_native::codec_out::{BlockCutter, Compression};
//! # fn main() -> Result<(), fhirehose_native::codec_out::EncodeError> {
//! let compression = Compression::Zstd { level: 1 };
//! let mut encoder = compression.encoder()?; // one for each thread
//! let mut assembler = compression.assembler(); // one for each file
//! let mut cutter = BlockCutter::new(compression); // one for each file
//! let mut jobs = Vec::new();
//! cutter.push(b"{}\n", |job| jobs.push(job));
//! jobs.push(cutter.finish());
//! let mut file = assembler.begin();
//! for job in &jobs {
//!     let encoded = job.encode(&mut encoder)?; // in any order, on any thread
//!     assembler.add(&encoded); // in order
//!     file.extend_from_slice(&encoded.bytes);
//! }
//! file.extend_from_slice(&assembler.finish());
//! # assert_eq!(zstd::decode_all(&file[..]).ok().as_deref(), Some(&b"{}\n"[..]));
//! # Ok(())
//! # }
//! ```

use crate::gzip::{self, GzipAssembler, GzipEncoder};
pub use crate::gzip::{EncodeError, Encoded};

/// The plain size of every zstd frame but the last.
const ZSTD_BLOCK_SIZE: usize = 1024 * 1024;

const ZSTD_FAILED: EncodeError = EncodeError { format: "zstd" };

/// How output files are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// One gzip member.
    Gzip {
        /// From 0 (stored) to 9 (smallest).
        level: u32,
    },
    /// Independent zstd frames with checksums.
    Zstd {
        /// From 1 to 22; the library also takes negative ones, faster and larger, and brings others into its range.
        level: i32,
    },
}

impl Compression {
    /// Gzip at the level that pays best.
    pub const GZIP: Self = Self::Gzip {
        level: gzip::DEFAULT_LEVEL,
    };
    /// Zstd at the level that pays best: on FHIR data level 1 is faster and smaller than level 3.
    pub const ZSTD: Self = Self::Zstd { level: 1 };

    /// What is added to a file's name, with its dot; empty for none.
    pub fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip { .. } => ".gz",
            Self::Zstd { .. } => ".zst",
        }
    }

    /// The plain size of every block but the last.
    pub fn block_size(self) -> usize {
        match self {
            Self::None | Self::Gzip { .. } => gzip::BLOCK_SIZE,
            Self::Zstd { .. } => ZSTD_BLOCK_SIZE,
        }
    }

    /// How many plain bytes before a block its encoding needs.
    pub fn dictionary_size(self) -> usize {
        match self {
            Self::Gzip { .. } => gzip::DICTIONARY_SIZE,
            Self::None | Self::Zstd { .. } => 0,
        }
    }

    /// Makes an encoder of blocks, one for each thread.
    ///
    /// # Errors
    /// The compressor cannot be made (no memory).
    pub fn encoder(self) -> Result<BlockEncoder, EncodeError> {
        Ok(BlockEncoder(match self {
            Self::None => Encoder::None,
            Self::Gzip { level } => Encoder::Gzip(GzipEncoder::new(level)),
            Self::Zstd { level } => {
                let mut compressor = zstd::bulk::Compressor::new(level).map_err(|_| ZSTD_FAILED)?;
                compressor.include_checksum(true).map_err(|_| ZSTD_FAILED)?;
                Encoder::Zstd(Box::new(compressor))
            }
        }))
    }

    /// Makes what puts header and trailer around a file's blocks.
    pub fn assembler(self) -> Assembler {
        Assembler {
            gzip: match self {
                Self::Gzip { level } => Some(GzipAssembler::new(level)),
                Self::None | Self::Zstd { .. } => None,
            },
        }
    }
}

enum Encoder {
    None,
    Gzip(GzipEncoder),
    Zstd(Box<zstd::bulk::Compressor<'static>>),
}

/// Compresses blocks, one at a time, reusing its memory. What it gives depends on the arguments of the call only.
pub struct BlockEncoder(Encoder);

impl BlockEncoder {
    /// Compresses one block. `dictionary` is what stands before it in the file, at least
    /// [`Compression::dictionary_size`] bytes where there are so many; `last` ends the file, and may be empty.
    ///
    /// # Errors
    /// The compressor failed.
    pub fn encode(&mut self, dictionary: &[u8], block: &[u8], last: bool) -> Result<Encoded, EncodeError> {
        let bytes = match &mut self.0 {
            Encoder::None => block.to_vec(),
            Encoder::Gzip(encoder) => return encoder.encode(dictionary, block, last),
            // An empty last frame too: an empty file is not valid zstd, and one rule is simpler than two.
            Encoder::Zstd(encoder) => {
                let mut bytes = encoder.compress(block).map_err(|_| ZSTD_FAILED)?;
                // Made with room for the worst case; it may wait long for its turn to be written.
                bytes.shrink_to_fit();
                bytes
            }
        };
        Ok(Encoded {
            bytes,
            crc: 0,
            length: block.len() as u64,
        })
    }
}

impl std::fmt::Debug for BlockEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Encoder::None => "BlockEncoder(none)",
            Encoder::Gzip(_) => "BlockEncoder(gzip)",
            Encoder::Zstd(_) => "BlockEncoder(zstd)",
        })
    }
}

/// Gives what stands before, and after, the blocks of one file.
#[derive(Clone, Debug)]
pub struct Assembler {
    gzip: Option<GzipAssembler>,
}

impl Assembler {
    /// The bytes before the first block; may be empty.
    pub fn begin(&self) -> Vec<u8> {
        self.gzip.as_ref().map_or_else(Vec::new, |gzip| gzip.header().to_vec())
    }

    /// Counts a block in, in the order of the plain bytes; its bytes are the caller's to write.
    pub fn add(&mut self, block: &Encoded) {
        if let Some(gzip) = &mut self.gzip {
            gzip.add(block);
        }
    }

    /// The bytes after the last block; may be empty.
    pub fn finish(&self) -> Vec<u8> {
        self.gzip.as_ref().map_or_else(Vec::new, |gzip| gzip.trailer().to_vec())
    }
}

/// A block to compress, with the bytes before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    buffer: Vec<u8>,
    dictionary: usize,
    /// The place among the file's blocks, from 0.
    pub index: u64,
    /// Whether it is the file's last.
    pub last: bool,
}

impl Job {
    /// Compresses the block.
    ///
    /// # Errors
    /// The compressor failed.
    pub fn encode(&self, encoder: &mut BlockEncoder) -> Result<Encoded, EncodeError> {
        let (dictionary, block) = self.buffer.split_at(self.dictionary);
        encoder.encode(dictionary, block, self.last)
    }

    /// The plain bytes of the block.
    pub fn block(&self) -> &[u8] {
        &self.buffer[self.dictionary..]
    }
}

/// Cuts one file's plain bytes into blocks. Where it cuts depends on the number of bytes only, not on how they are
/// pushed. Holds at most one block and its dictionary.
#[derive(Clone, Debug)]
pub struct BlockCutter {
    compression: Compression,
    buffer: Vec<u8>,
    dictionary: usize,
    index: u64,
}

impl BlockCutter {
    /// Begins a file.
    pub fn new(compression: Compression) -> Self {
        Self {
            compression,
            buffer: Vec::new(),
            dictionary: 0,
            index: 0,
        }
    }

    /// Takes bytes, and gives every block they fill to `ready`.
    pub fn push(&mut self, mut bytes: &[u8], mut ready: impl FnMut(Job)) {
        while !bytes.is_empty() {
            let room = self.dictionary + self.compression.block_size() - self.buffer.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if now.len() == room {
                ready(self.cut(false));
            }
        }
    }

    /// Ends the file: its last block, which may be empty. The cutter then stands at the beginning of a new file.
    pub fn finish(&mut self) -> Job {
        let job = self.cut(true);
        *self = Self::new(self.compression);
        job
    }

    fn cut(&mut self, last: bool) -> Job {
        let keep = self.compression.dictionary_size().min(self.buffer.len());
        let next = self.buffer[self.buffer.len() - keep..].to_vec();
        let buffer = std::mem::replace(&mut self.buffer, next);
        let dictionary = std::mem::replace(&mut self.dictionary, keep);
        let index = self.index;
        self.index += 1;
        Job {
            buffer,
            dictionary,
            index,
            last,
        }
    }
}

#[cfg(test)]
mod tests;
