//! What can be wrong with a document: the kind and the place, never contents.

use std::error::Error;
use std::fmt;

/// The kind of an [`UnpackError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnpackErrorKind {
    /// A byte that cannot stand here; the text says what was expected.
    Unexpected {
        /// What could have stood here.
        expected: &'static str,
    },
    /// The document ends within a value.
    Truncated,
    /// Brackets nest deeper than is allowed.
    TooDeep,
    /// A Bundle's `entry` is not an array of objects, or its `resource` not an object, before its type was known.
    EntryShape,
    /// An object whose type is not Bundle came with `entry.resource`, or a deletion, before its type.
    NotABundle,
    /// More deletions without a time of their own than are kept until the Bundle's time is known.
    Deletions,
}

/// A document that cannot be understood from some byte on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnpackError {
    kind: UnpackErrorKind,
    offset: u64,
}

impl UnpackError {
    pub(super) fn new(kind: UnpackErrorKind, offset: u64) -> Self {
        Self { kind, offset }
    }

    /// What is wrong.
    pub fn kind(&self) -> UnpackErrorKind {
        self.kind
    }

    /// Where, in bytes of the plain (decompressed) input.
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

impl fmt::Display for UnpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: ", self.offset)?;
        match self.kind {
            UnpackErrorKind::Unexpected { expected } => write!(f, "expected {expected}"),
            UnpackErrorKind::Truncated => f.write_str("the json document ends within a value"),
            UnpackErrorKind::TooDeep => f.write_str("the json document nests too deep"),
            UnpackErrorKind::EntryShape => f.write_str("expected bundle entries to be objects with a resource"),
            UnpackErrorKind::NotABundle => {
                f.write_str("found entry.resource or a deletion in a document that is not a bundle")
            }
            UnpackErrorKind::Deletions => f.write_str(
                "too many deletions before their time is known: give each its response.lastModified, or the bundle a \
                 timestamp before its entries",
            ),
        }
    }
}

impl Error for UnpackError {}
