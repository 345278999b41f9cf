//! Where kept lines go: the trait that native files, browser buffers and tests implement.

use std::fmt;

use crate::error::Error;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    /// Kept resources.
    Output,
    /// Deletions: transaction Bundles, one a line.
    Deleted,
    /// OperationOutcomes about bad lines.
    Error,
}

/// The name of a file before compression gives it an ending: `Observation.000.ndjson`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileName {
    /// What it holds.
    pub kind: FileKind,
    /// Type of its resources.
    pub type_name: String,
    /// Number among the files of that type, from 0.
    pub sequence: u32,
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = match self.kind {
            FileKind::Output => "",
            FileKind::Deleted => "deleted/",
            FileKind::Error => "error/",
        };
        write!(f, "{folder}{}.{:03}.ndjson", self.type_name, self.sequence)
    }
}

/// A closed file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Its name relative to the manifest, with every ending, `/` between folders.
    pub name: String,
    /// Bytes as stored.
    pub size: u64,
}

/// Where lines stand in an input, for a sink that can take them from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The input of the main pass, from 0.
    pub input: usize,
    /// How many bytes of its lines come before, each line with its newline. Of an input that is stored as plain lines this
    /// is the place in the file, but for a byte order mark.
    pub offset: u64,
}

/// A place for files of lines. A file may exist under its final name only when it is complete.
pub trait Sink {
    /// An open file.
    type File;

    /// Opens a new file.
    fn create(&mut self, name: &FileName) -> Result<Self::File, Error>;

    /// Appends whole lines, each ending in `\n`. The slice is borrowed from the input block.
    fn write(&mut self, file: &mut Self::File, lines: &[u8]) -> Result<(), Error>;

    /// The same for lines that are written as they stand in an input.
    fn write_from(&mut self, file: &mut Self::File, lines: &[u8], origin: Origin) -> Result<(), Error> {
        let _ = origin;
        self.write(file, lines)
    }

    /// Completes a file.
    fn close(&mut self, file: Self::File) -> Result<Stored, Error>;
}

/// A sink that keeps everything in memory; for tests, examples and small jobs.
#[derive(Debug, Default)]
pub struct MemorySink {
    /// Closed files in the order of closing.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Sink for MemorySink {
    type File = (String, Vec<u8>);

    fn create(&mut self, name: &FileName) -> Result<Self::File, Error> {
        Ok((name.to_string(), Vec::new()))
    }

    fn write(&mut self, file: &mut Self::File, lines: &[u8]) -> Result<(), Error> {
        file.1.extend_from_slice(lines);
        Ok(())
    }

    fn close(&mut self, file: Self::File) -> Result<Stored, Error> {
        let stored = Stored {
            name: file.0.clone(),
            size: file.1.len() as u64,
        };
        self.files.push(file);
        Ok(stored)
    }
}
