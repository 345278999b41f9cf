//! What is found in an export, with how often and where first; the same for any number of threads.

use std::fmt;

use fhirehose_core::client::manifest::Severity;
use fhirehose_core::error::BadLine;
use fhirehose_core::position::Position;

/// How many places are told of a finding.
pub const MOST_PLACES: usize = 10;

/// One kind of thing that is wrong, in one file or of one type. Holds no ids and no contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// A word for programs: `missing-file`.
    pub rule: &'static str,
    /// The file that it is about, relative to the export; none where it is about several.
    pub file: Option<String>,
    /// How often.
    pub count: u64,
    /// Where, the first of them.
    pub places: Vec<Spot>,
    /// For people.
    pub message: String,
}

/// A place in a file of the export.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The file, relative to the export.
    pub file: String,
    /// Line, and byte in it if that is known.
    pub at: Position,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.at)
    }
}

/// What may be wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    Bad(BadLine),
    /// Of another type than its file.
    Type,
    /// A resource without an id.
    NoId,
    /// Changed after the instant of the snapshot.
    Newer,
    /// A header that names no resource of the type that output is organized by.
    Header,
    /// Nothing but blanks.
    Blank,
}

impl Fault {
    pub(super) fn severity(self) -> Severity {
        match self {
            Fault::Bad(_) | Fault::Type | Fault::Header => Severity::Error,
            Fault::NoId | Fault::Newer | Fault::Blank => Severity::Warning,
        }
    }

    pub(super) fn rule(self) -> &'static str {
        match self {
            Fault::Bad(kind) => kind.code(),
            Fault::Type => "wrong-type",
            Fault::NoId => "no-id",
            Fault::Newer => "newer-than-snapshot",
            Fault::Header => "bad-header",
            Fault::Blank => "blank-line",
        }
    }

    pub(super) fn message(self) -> String {
        match self {
            Fault::Bad(kind) => kind.to_string(),
            Fault::Type => "the resource is of another type than its file".to_owned(),
            Fault::NoId => "the resource has no id".to_owned(),
            Fault::Newer => "the resource was changed after the transactionTime of the manifest".to_owned(),
            Fault::Header => "the header names no resource of the type that output is organized by".to_owned(),
            Fault::Blank => "the line is blank".to_owned(),
        }
    }
}

/// How often something was found, and the first places of it.
#[derive(Clone, Debug)]
pub(super) struct Tally<T> {
    pub(super) count: u64,
    first: Vec<T>,
}

impl<T> Default for Tally<T> {
    fn default() -> Self {
        Tally {
            count: 0,
            first: Vec::new(),
        }
    }
}

impl<T: Ord> Tally<T> {
    pub(super) fn add(&mut self, place: T, times: u64) {
        self.count += times;
        self.first.push(place);
        if self.first.len() >= 8 * MOST_PLACES {
            self.settle();
        }
    }

    pub(super) fn merge(&mut self, other: Tally<T>) {
        self.count += other.count;
        self.first.extend(other.first);
        self.settle();
    }

    fn settle(&mut self) {
        self.first.sort_unstable();
        self.first.truncate(MOST_PLACES);
    }

    /// How often, and the first places in order.
    pub(super) fn finish(mut self) -> (u64, Vec<T>) {
        self.settle();
        (self.count, self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_places_are_kept_in_any_order() {
        let mut one = Tally::default();
        let mut other = Tally::default();
        for number in 0..10_000u64 {
            let place = number * 7919 % 10_000;
            if number % 3 == 0 { &mut one } else { &mut other }.add(place, 1);
        }
        one.merge(other);
        assert_eq!(one.finish(), (10_000, (0..10).collect()));
    }
}
