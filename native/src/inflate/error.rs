//! What can be wrong with an input's bytes: the kind, the input's name and the place, never contents.

use std::error::Error;
use std::fmt;
use std::io;

use super::Codec;

/// The kind of an [`InputError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputErrorKind {
    /// The file could not be opened.
    Open(io::ErrorKind),
    /// Reading failed.
    Read(io::ErrorKind),
    /// The compressed stream ends before its end mark.
    Truncated(Codec),
    /// The compressed stream is damaged: its structure or a checksum is wrong.
    Corrupt(Codec),
    /// Bytes follow the last member that are neither a member nor allowed padding.
    TrailingGarbage(Codec),
    /// The stream asks for more memory than is allowed for its window, or none is left.
    Memory(Codec),
}

/// An input that cannot be read, or is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    name: String,
    offset: u64,
    kind: InputErrorKind,
}

impl InputError {
    pub(super) fn new(name: String, offset: u64, kind: InputErrorKind) -> Self {
        Self { name, offset, kind }
    }

    /// What is wrong.
    pub fn kind(&self) -> InputErrorKind {
        self.kind
    }

    /// The input's name, as [`super::Input::name`] gives it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where, in bytes of the input as it lies on disk (compressed).
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, offset, kind } = self;
        match kind {
            InputErrorKind::Open(e) => write!(f, "{name}: cannot open: {e}"),
            InputErrorKind::Read(e) => write!(f, "{name}, byte {offset}: cannot read: {e}"),
            InputErrorKind::Truncated(codec) => write!(f, "{name}, byte {offset}: {codec} data ends too early"),
            InputErrorKind::Corrupt(codec) => write!(f, "{name}, byte {offset}: {codec} data is damaged"),
            InputErrorKind::TrailingGarbage(codec) => {
                write!(
                    f,
                    "{name}, byte {offset}: expected the end or more {codec} data, found other bytes"
                )
            }
            InputErrorKind::Memory(codec) => {
                write!(
                    f,
                    "{name}, byte {offset}: {codec} data needs more memory than is allowed"
                )
            }
        }
    }
}

impl Error for InputError {}
