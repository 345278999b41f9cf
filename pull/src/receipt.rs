//! What is known of a file that has been fetched: the parts it left, and what came and what was kept.

use fhirehose_core::sink::FileKind;
use serde::{Deserialize, Serialize};

/// A file that is complete; one line of the journal.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Receipt {
    /// Bytes that came over the network.
    pub(crate) wire: u64,
    /// Bytes of NDJSON.
    pub(crate) plain: u64,
    /// Lines that came, blank ones aside.
    pub(crate) lines: u64,
    /// Lines kept.
    pub(crate) kept: u64,
    /// Lines that are not FHIR.
    #[serde(default)]
    pub(crate) bad: u64,
    /// Lines of a list of errors or deletions that were something else.
    #[serde(default)]
    pub(crate) foreign: u64,
    /// The engine read it.
    #[serde(default)]
    pub(crate) filtered: bool,
    /// The server's own checksum was there and fits.
    #[serde(default)]
    pub(crate) verified: bool,
    /// Nothing said how long it is: it may have been cut.
    #[serde(default)]
    pub(crate) unbounded: bool,
    /// Resources that came and were kept, for each type.
    #[serde(default)]
    pub(crate) types: Vec<TypeSeen>,
    /// What lies in the folder of parts.
    pub(crate) parts: Vec<Part>,
}

/// Resources of one type in a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TypeSeen {
    #[serde(rename = "type")]
    pub(crate) type_name: String,
    pub(crate) read: u64,
    pub(crate) kept: u64,
}

/// A file of the output, before it has its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) kind: Kind,
    #[serde(rename = "type")]
    pub(crate) type_name: String,
    /// Its name among the parts.
    pub(crate) path: String,
    pub(crate) resources: u64,
    /// Before compression.
    pub(crate) bytes: u64,
    pub(crate) size: u64,
    /// SHA-256 of the stored bytes in hexadecimal digits.
    pub(crate) sha256: String,
}

/// [`FileKind`] in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Output,
    Deleted,
    Error,
}

impl From<FileKind> for Kind {
    fn from(kind: FileKind) -> Kind {
        match kind {
            FileKind::Output => Kind::Output,
            FileKind::Deleted => Kind::Deleted,
            FileKind::Error => Kind::Error,
        }
    }
}

impl From<Kind> for FileKind {
    fn from(kind: Kind) -> FileKind {
        match kind {
            Kind::Output => FileKind::Output,
            Kind::Deleted => FileKind::Deleted,
            Kind::Error => FileKind::Error,
        }
    }
}

impl Kind {
    /// As a part of a file's name.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Output => "output",
            Kind::Deleted => "deleted",
            Kind::Error => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_keep_the_order_of_the_manifest() {
        let kinds = [FileKind::Output, FileKind::Deleted, FileKind::Error].map(Kind::from);
        assert!(kinds.is_sorted());
        assert_eq!(
            kinds.map(FileKind::from),
            [FileKind::Output, FileKind::Deleted, FileKind::Error]
        );
    }
}
