//! What `merge` and `diff` found out, in numbers, and the first places of what somebody should look at.

use std::collections::BinaryHeap;
use std::fmt;

/// Something about one resource that people should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Finding {
    /// One argument holds two contents of it and no times that decide; the later line counts.
    Conflict,
    /// One argument both holds and deletes it.
    DeletedAndPresent,
    /// It was deleted, and a later argument holds it: kept.
    Resurrected,
    /// It is newer than its deletion: kept.
    NewerThanDeletion,
    /// Its version in NEW is older than the one in OLD.
    BackInTime,
    /// It is gone from NEW, and its id cannot stand in a URL, so that no deletion can name it.
    NotDeletable,
    /// It is gone from NEW and has no id, so that no deletion can name it.
    NamelessGone,
}

impl Finding {
    /// All of them, in the order of reports.
    pub const ALL: [Finding; 7] = [
        Finding::Conflict,
        Finding::DeletedAndPresent,
        Finding::Resurrected,
        Finding::NewerThanDeletion,
        Finding::BackInTime,
        Finding::NotDeletable,
        Finding::NamelessGone,
    ];

    /// One word, stable, for programs.
    pub fn code(self) -> &'static str {
        match self {
            Finding::Conflict => "conflict",
            Finding::DeletedAndPresent => "deleted-and-present",
            Finding::Resurrected => "resurrected",
            Finding::NewerThanDeletion => "newer-than-deletion",
            Finding::BackInTime => "back-in-time",
            Finding::NotDeletable => "not-deletable",
            Finding::NamelessGone => "nameless-gone",
        }
    }

    /// The inputs contradict themselves, or the output does not say all: worth an exit code of its own. The others are
    /// what happens to data.
    pub fn is_fault(self) -> bool {
        match self {
            Finding::Conflict | Finding::DeletedAndPresent | Finding::NotDeletable | Finding::NamelessGone => true,
            Finding::Resurrected | Finding::NewerThanDeletion | Finding::BackInTime => false,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Finding::Conflict => "stands twice in one export with different content and no times that decide",
            Finding::DeletedAndPresent => "is both held and deleted by one export",
            Finding::Resurrected => "was deleted and is held by a later export: kept",
            Finding::NewerThanDeletion => "is newer than its deletion: kept",
            Finding::BackInTime => "is older in NEW than in OLD: the delta says that it replaces",
            Finding::NotDeletable => "is gone, and its id cannot be written in a deletion",
            Finding::NamelessGone => "is gone, and has no id to be deleted by",
        })
    }
}

/// Numbers of resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Lines that repeat a resource of their own argument.
    pub repeated: u64,
    /// Versions that are older than another in their own argument.
    pub superseded: u64,
    /// Versions that a later argument's took the place of.
    pub replaced: u64,
    /// Versions of a later argument that are older than what stood already.
    pub outdated: u64,
    /// Resources that a deletion removed.
    pub deleted: u64,
    /// Deletions of what was not there.
    pub deleted_nothing: u64,
    /// Lines without an id that can be one.
    pub nameless: u64,
}

/// What became of the resources of one type between OLD and NEW.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// In NEW only.
    pub added: u64,
    /// In both, with different content.
    pub changed: u64,
    /// In OLD only.
    pub deleted: u64,
    /// In both, alike.
    pub unchanged: u64,
}

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What.
    pub finding: Finding,
    /// The input.
    pub input: String,
    /// The line, from 1.
    pub line: u64,
}

/// Counts while entries are judged. Places are those of the first lines, whatever the order they come in.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) numbers: Numbers,
    counts: [u64; Finding::ALL.len()],
    first: BinaryHeap<(u64, Finding)>,
}

impl Tally {
    const MOST_PLACES: usize = 20;

    pub(crate) fn found(&mut self, finding: Finding, line: u64) {
        if let Some(index) = Finding::ALL.iter().position(|each| *each == finding) {
            self.counts[index] += 1;
        }
        self.first.push((line, finding));
        if self.first.len() > Self::MOST_PLACES {
            self.first.pop();
        }
    }

    pub(crate) fn count(&self, finding: Finding) -> u64 {
        let index = Finding::ALL.iter().position(|each| *each == finding);
        index.map_or(0, |index| self.counts[index])
    }

    /// The findings that there are, with how many each.
    pub(crate) fn findings(&self) -> Vec<(Finding, u64)> {
        let all = Finding::ALL.into_iter().zip(self.counts);
        all.filter(|(_, count)| *count > 0).collect()
    }

    /// The first places, by line.
    pub(crate) fn into_places(self) -> Vec<(u64, Finding)> {
        self.first.into_sorted_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_places_are_kept_in_any_order() {
        let mut tally = Tally::default();
        for line in (0..100).map(|number| number * 37 % 100) {
            tally.found(Finding::Conflict, line);
        }
        assert_eq!(tally.findings(), [(Finding::Conflict, 100)]);
        let lines: Vec<u64> = tally.into_places().into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, (0..20).collect::<Vec<u64>>());
    }
}
