//! What can go wrong in a store.

use std::fmt;

/// What every call of a store returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call of a store failed: a kind to act on, a text to read. The text never holds what was stored.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    text: String,
}

/// What sort of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The lease is no longer this worker's: the job was cancelled, settled, released or claimed by another.
    Lost,
    /// There is no such job.
    Unknown,
    /// Another record has this id or name already.
    Exists,
    /// An argument that cannot be stored, or a deletion of what is still listed.
    Invalid,
    /// The schema was written by a later version of this program.
    Newer,
    /// The schema was written by an earlier version, and the store was opened for reading only.
    Older,
    /// The file is a database of something else.
    Foreign,
    /// Others held the store for longer than the time allowed.
    Locked,
    /// The store can be read and not written.
    ReadOnly,
    /// There is no space left for the store, or it has reached its limit.
    Full,
    /// The file is damaged, or is no database.
    Corrupt,
    /// The file cannot be opened or created.
    Access,
    /// Reading or writing failed.
    Io,
    /// Anything else that the database said.
    Other,
}

impl Error {
    /// Makes an error; `text` is lower case, without a final stop.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Error {
            kind,
            text: text.into(),
        }
    }

    /// What sort of failure it was.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn lost() -> Self {
        Error::new(Kind::Lost, "the lease of this job was lost")
    }

    pub(crate) fn unknown() -> Self {
        Error::new(Kind::Unknown, "there is no such job")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}
