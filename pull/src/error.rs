//! Why a pull ended without its output. Never holds tokens, queries of URLs or contents of records.

use std::fmt;
use std::io;
use std::path::Path;

use fhirehose_core::client::Failure;

/// What kind of end it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullErrorKind {
    /// What was asked for cannot be: the folder is in use, the key cannot be read, the server refuses the request.
    Usage,
    /// The server, the network or the disk.
    Io,
    /// A bad line, and the request says to stop at the first.
    BadLine,
    /// Somebody asked to stop.
    Interrupted,
}

/// Why a pull ended without its output.
#[derive(Clone, Debug)]
pub struct PullError {
    kind: PullErrorKind,
    code: &'static str,
    message: String,
    resumable: bool,
}

impl PullError {
    pub(crate) fn new(kind: PullErrorKind, code: &'static str, message: impl Into<String>) -> PullError {
        PullError {
            kind,
            code,
            message: message.into(),
            resumable: false,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> PullError {
        PullError::new(PullErrorKind::Usage, "usage", message)
    }

    /// A file or folder: what was done with it, and what the system says.
    pub(crate) fn disk(doing: &str, path: &Path, error: &io::Error) -> PullError {
        let message = format!("cannot {doing} {}: {error}", path.display());
        PullError::new(PullErrorKind::Io, "disk", message).resumable(true)
    }

    pub(crate) fn interrupted() -> PullError {
        PullError::new(PullErrorKind::Interrupted, "interrupted", "interrupted").resumable(true)
    }

    /// Of the pass at the end; what comes before it is the core's client's to tell.
    pub(crate) fn late() -> PullError {
        let message = "the time is up before the files stood in their place; resume to go on";
        PullError::new(PullErrorKind::Io, "timeout", message).resumable(true)
    }

    pub(crate) fn resumable(self, resumable: bool) -> PullError {
        PullError { resumable, ..self }
    }

    /// What kind of end it was.
    pub fn kind(&self) -> PullErrorKind {
        self.kind
    }

    /// One word for programs.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Whether resuming may help.
    pub fn is_resumable(&self) -> bool {
        self.resumable
    }
}

impl From<Failure> for PullError {
    fn from(failure: Failure) -> PullError {
        PullError::new(PullErrorKind::Io, failure.code, failure.message).resumable(failure.resumable)
    }
}

impl fmt::Display for PullError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PullError {}
