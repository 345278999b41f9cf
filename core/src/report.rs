//! What happened: counts, files, and where bad lines are. Never what is in them.

use crate::error::BadLine;
use crate::position::Position;
use crate::sink::FileName;

/// The facts of an export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Inputs read to their end.
    pub inputs: u64,
    /// Bytes of lines read, decompressed, newlines included; lines over the limit do not count.
    pub bytes_read: u64,
    /// Lines read, blank and bad ones included.
    pub lines: u64,
    /// One entry for each type that was met, sorted by name.
    pub types: Vec<TypeCount>,
    /// How many lines were bad, for each kind that was met.
    pub bad: Vec<(BadLine, u64)>,
    /// Places of the first bad lines, at most [`Report::MOST_PLACES`].
    pub places: Vec<BadPlace>,
    /// Complete files, sorted by kind, type and number.
    pub files: Vec<FileEntry>,
    /// Where output is organized by patients.
    pub organized: Option<Organized>,
}

/// Output in blocks, one for each patient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Organized {
    /// Blocks, as many as patients.
    pub blocks: u64,
    /// Resources in blocks, each counted once.
    pub resources: u64,
    /// Lines that stand in blocks beside that, because a resource belongs to several patients.
    pub repeats: u64,
    /// Blocks that did not fit into a file.
    pub split: u64,
    /// Pieces that were put aside on disk while the output was sorted.
    pub runs: u64,
}

/// Counts of one type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeCount {
    /// The type.
    pub type_name: String,
    /// Resources read.
    pub read: u64,
    /// Resources kept.
    pub kept: u64,
    /// Bytes kept, newlines included.
    pub bytes: u64,
}

/// A complete file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Kind, type and number.
    pub name: FileName,
    /// Path relative to the manifest.
    pub path: String,
    /// Resources in it.
    pub resources: u64,
    /// Bytes before compression.
    pub bytes: u64,
    /// Bytes as stored.
    pub size: u64,
    /// Path of the file in which the last block of this one goes on; blocks there are only where output is organized by
    /// a resource.
    pub continues_in: Option<String>,
}

/// Where a bad line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPlace {
    /// The input.
    pub input: String,
    /// The line.
    pub position: Position,
    /// What is wrong.
    pub kind: BadLine,
}

impl Report {
    /// Most places that a report holds; all of them are in the `error/` files.
    pub const MOST_PLACES: usize = 20;

    /// Bad lines of all kinds.
    pub fn bad_lines(&self) -> u64 {
        self.bad.iter().map(|(_, count)| count).sum()
    }

    /// Resources kept, of all types.
    pub fn kept(&self) -> u64 {
        self.types.iter().map(|count| count.kept).sum()
    }

    /// Resources read, of all types.
    pub fn read(&self) -> u64 {
        self.types.iter().map(|count| count.read).sum()
    }
}
