//! What data a server has: its files, what is in them, and who; read once at start and again when it changes.
//!
//! A [`Catalogue`] never changes. A [`Keeper`] has the current one and makes the next; a job that has begun goes on with
//! the one it began with. What was found of a file is kept in the state folder, so that only what is new is read.

mod cache;
mod error;
mod groups;
mod keeper;
mod scan;
mod search;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fhirehose_core::cohort::{GroupError, Resolved};
use fhirehose_core::ids::IdSet;
use fhirehose_core::search::kind::date::Nanos;
use fhirehose_native::inputs::{InputPlace, Stamp};
use fhirehose_native::survey::Count;
use fhirehose_store::Time;

pub use error::CatalogueError;
pub use groups::GroupFacts;
pub use keeper::{Keeper, Reloaded};
pub use search::{read_group, search_groups};
pub use watch::Watch;

use groups::Groups;
use scan::Scan;

/// What the data was at one moment.
#[derive(Debug)]
pub struct Catalogue {
    folder: PathBuf,
    files: Vec<DataFile>,
    /// Files that were written to whenever they were looked at.
    left_out: BTreeSet<PathBuf>,
    types: BTreeMap<String, TypeFacts>,
    patients: Arc<IdSet>,
    groups: Groups,
    /// When it was made.
    pub scanned: Time,
}

/// A file of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Where it lies.
    pub path: PathBuf,
    /// What shows that it is the same still.
    pub stamp: Stamp,
    /// Its length as stored.
    pub stored: u64,
    /// What is in it, by type.
    pub types: BTreeMap<String, Count>,
    /// How many resources it says were deleted.
    pub deletions: u64,
    /// Its lines that are no resource.
    pub bad: u64,
}

/// How much there is of a type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeFacts {
    /// How many resources.
    pub resources: u64,
    /// Bytes of their lines, with the newlines, not compressed.
    pub bytes: u64,
    /// The latest `meta.lastUpdated`, in UTC.
    pub newest: Option<String>,
}

impl Catalogue {
    /// Puts together what a scan found.
    fn new(folder: &Path, scan: Scan, now: Time) -> Result<Catalogue, CatalogueError> {
        let mut files = Vec::with_capacity(scan.files.len());
        let mut counts: BTreeMap<String, Count> = BTreeMap::new();
        let mut patients = IdSet::default();
        let mut groups = Groups::default();
        for found in scan.files {
            let facts = found.facts;
            for (name, count) in &facts.types {
                counts.entry(name.clone()).or_default().add(count);
            }
            let ids = facts.patients.split(|byte| *byte == b'\n');
            patients.extend(ids.filter(|id| !id.is_empty()));
            facts.groups.into_iter().for_each(|line| groups.add(line));
            files.push(DataFile {
                path: found.path,
                stored: found.stamp.length().unwrap_or_default(),
                stamp: found.stamp,
                types: facts.types,
                deletions: facts.deletions,
                bad: facts.bad,
            });
        }
        if patients.has_overflowed() {
            return Err(CatalogueError::TooManyPatients);
        }
        patients.shrink();
        Ok(Catalogue {
            folder: folder.to_owned(),
            files,
            left_out: scan.left_out,
            types: counts.into_iter().map(|(name, count)| (name, count.into())).collect(),
            patients: Arc::new(patients),
            groups,
            scanned: now,
        })
    }

    /// The files in the order in which an export reads them.
    pub fn files(&self) -> &[DataFile] {
        &self.files
    }

    /// The same as the inputs of an export.
    pub fn inputs(&self) -> Vec<InputPlace> {
        let place = |file: &DataFile| InputPlace::File(file.path.clone());
        self.files.iter().map(place).collect()
    }

    /// Files that were written to whenever they were looked at: nothing is known of them, and no export reads them.
    pub fn left_out(&self) -> impl Iterator<Item = &Path> {
        self.left_out.iter().map(PathBuf::as_path)
    }

    /// What there is, by type.
    pub fn types(&self) -> &BTreeMap<String, TypeFacts> {
        &self.types
    }

    /// Bytes of all files as stored.
    pub fn bytes_stored(&self) -> u64 {
        self.files.iter().map(|file| file.stored).sum()
    }

    /// Ids of all Patients in the data.
    pub fn patients(&self) -> Arc<IdSet> {
        self.patients.clone()
    }

    /// Those of the ids that no Patient has, in their order.
    pub fn unknown_patients(&self, ids: &[String]) -> Vec<String> {
        let is_unknown = |id: &&String| !self.patients.contains(id.as_bytes());
        ids.iter().filter(is_unknown).cloned().collect()
    }

    /// The Groups by id.
    pub fn groups(&self) -> impl Iterator<Item = &GroupFacts> {
        self.groups.facts()
    }

    /// Whether there is such a Group.
    pub fn has_group(&self, id: &str) -> bool {
        self.groups.get(id).is_some()
    }

    /// The Group as it stands in the data; of several the one changed last, or else the one that comes last.
    pub fn group(&self, id: &str) -> Option<&[u8]> {
        self.groups.get(id)
    }

    /// The patients who are in the Group, by itself or by Groups in it, at that instant. `base` is the data's own server.
    ///
    /// # Errors
    /// There is no such Group, or one has several contents.
    pub fn resolve(&self, group: &str, at: Nanos, base: Option<&str>) -> Result<Resolved, GroupError> {
        self.groups.resolve(group, at, base)
    }

    /// The first file that is not what it was: changed, gone, or new in the folder. A path, or what is wrong with the
    /// folder. Files that were left out do not count.
    pub fn changed(&self) -> Option<String> {
        let places = match scan::places(&self.folder) {
            Ok(places) => places,
            Err(error) => return Some(error.to_string()),
        };
        let places = places.into_iter().filter(|path| !self.left_out.contains(path));
        let now: BTreeSet<PathBuf> = places.collect();
        let is_new = |path: &&PathBuf| self.files.binary_search_by(|file| file.path.cmp(path)).is_err();
        let altered = self.altered();
        let new = now.iter().find(is_new);
        altered.or_else(|| new.map(|path| path.display().to_string()))
    }

    /// The first of its own files that is not what it was, or is gone. For a job that reads them: what is new in the
    /// folder does not concern it.
    pub fn altered(&self) -> Option<String> {
        let is_other = |file: &&DataFile| Stamp::of(&InputPlace::File(file.path.clone())) != file.stamp;
        let file = self.files.iter().find(is_other)?;
        Some(file.path.display().to_string())
    }
}

impl From<Count> for TypeFacts {
    fn from(count: Count) -> TypeFacts {
        let text = |at: Nanos| jiff::Timestamp::from_nanosecond(at).ok().map(|at| at.to_string());
        TypeFacts {
            resources: count.resources,
            bytes: count.bytes,
            newest: count.newest.and_then(text),
        }
    }
}

#[cfg(test)]
mod tests;
