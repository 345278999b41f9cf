//! Manifests as they are in the field: all generations of the guide, and what servers make of them (SPEC 2.12, 2.1).

mod check;
mod fields;
mod finding;
mod read;

use std::fmt;

use crate::sink::FileKind;

pub use check::{Asked, Checked, check};
pub use finding::{Finding, Severity};
pub use read::read;

/// Generation of the Bulk Data guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generation {
    /// STU1, 1.0.0 and 1.0.1.
    V1,
    /// STU2, 2.0.0.
    V2,
    /// STU3, 3.0.0: pages, output by patient.
    V3,
    /// STU4, 4.0.0 as balloted: `outcome` instead of `error`, no `request`, sizes.
    V4,
}

impl Generation {
    /// All, oldest first.
    pub const ALL: [Generation; 4] = [Generation::V1, Generation::V2, Generation::V3, Generation::V4];

    /// What says what a manifest holds.
    pub fn section(self) -> &'static str {
        match self {
            Generation::V1 => "STU1, Response - Complete Status",
            Generation::V2 => "STU2, Response - Complete Status",
            Generation::V3 => "STU3, Response - Output Manifest",
            Generation::V4 => "STU4 (ballot), BulkDataManifest",
        }
    }

    /// The name of the list of OperationOutcomes.
    pub fn outcomes(self) -> &'static str {
        match self {
            Generation::V4 => "outcome",
            _ => "error",
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Generation::V1 => "STU1",
            Generation::V2 => "STU2",
            Generation::V3 => "STU3",
            Generation::V4 => "STU4",
        })
    }
}

/// A manifest, or one page of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The best guess; STU1 is never guessed, since every manifest of it could be one of STU2.
    pub generation: Generation,
    /// As written; whether it is an instant is a finding.
    pub transaction_time: Option<String>,
    /// The kick-off URL, as written.
    pub request: Option<String>,
    /// `None`: not said, or nothing that means yes or no.
    pub requires_access_token: Option<bool>,
    /// The type that output is organized by.
    pub organized_by: Option<String>,
    /// `output`, `deleted`, then `error` or `outcome`, each in the order of the text.
    pub files: Vec<Item>,
    /// The URL of the next page, as written.
    pub next: Option<String>,
    /// What is listed and cannot be fetched: items without a URL, a link to a next page without one, a list that is none.
    /// A client that has fetched all of `files` and of `next` does not have everything if this is not 0.
    pub unusable: usize,
}

/// A file that a manifest lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Which list it is in.
    pub kind: FileKind,
    /// The type that the manifest names.
    pub type_name: Option<String>,
    /// As written: may be relative to the manifest's own URL.
    pub url: String,
    /// How many resources there are in it.
    pub count: Option<u64>,
    /// Its bytes.
    pub size: Option<u64>,
    /// The file in which its last block goes on, as written.
    pub continues_in: Option<String>,
}

#[cfg(test)]
mod tests;
