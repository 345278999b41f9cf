//! What can go wrong with a file or folder of the output.

use std::fmt;
use std::io;
use std::path::Path;

/// A file or folder of the output that could not be made, written or renamed.
#[derive(Clone, Debug)]
pub struct OutputError {
    doing: &'static str,
    path: String,
    kind: io::ErrorKind,
    text: String,
}

impl OutputError {
    pub(crate) fn new(doing: &'static str, path: impl Into<String>, error: &io::Error) -> Self {
        OutputError {
            doing,
            path: path.into(),
            kind: error.kind(),
            text: error.to_string(),
        }
    }

    pub(crate) fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OutputError {
        let path = path.display().to_string();
        move |error| OutputError::new(doing, path, &error)
    }

    pub(crate) fn refused(path: &Path, text: &str) -> Self {
        let kind = io::ErrorKind::AlreadyExists;
        OutputError {
            doing: "use",
            path: path.display().to_string(),
            kind,
            text: text.to_owned(),
        }
    }

    /// The kind of the system's error.
    pub fn kind(&self) -> io::ErrorKind {
        self.kind
    }
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.doing, self.path, self.text)
    }
}

impl std::error::Error for OutputError {}
