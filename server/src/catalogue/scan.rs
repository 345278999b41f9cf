//! The data folder read file by file, until each is what it was before it was read.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use fhirehose_core::search::table::Registry;
use fhirehose_native::inputs::{InputPlace, InputsError, Stamp, expand};
use fhirehose_native::job::Progress;
use fhirehose_native::survey::{InputFacts, Survey, survey};

use super::cache::Cache;
use super::error::CatalogueError;

/// How often a file that is being written to is read before it is left out.
const ROUNDS: usize = 3;

/// As of an export.
const MAX_LINE: usize = 64 << 20;
const CHUNK: usize = 256 << 10;

/// What is read, and how.
pub(super) struct Scanner<'s> {
    pub(super) folder: &'s Path,
    pub(super) cache: &'s Cache,
    pub(super) registry: &'s Registry,
    pub(super) threads: usize,
    /// Bytes that are known, of so many.
    pub(super) progress: &'s dyn Fn(u64, u64),
    /// Called when files have been read and before it is asked whether they have changed; for tests.
    pub(super) after_reading: &'s dyn Fn(),
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// In order.
    pub(super) files: Vec<Found>,
    /// How many of them were read now.
    pub(super) read: usize,
    pub(super) left_out: BTreeSet<PathBuf>,
}

/// A file that is what it was before it was read.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) stamp: Stamp,
    pub(super) facts: InputFacts,
}

type Known = HashMap<PathBuf, (Stamp, InputFacts)>;

/// The files of the folder in order.
pub(super) fn places(folder: &Path) -> Result<Vec<PathBuf>, CatalogueError> {
    match std::fs::metadata(folder) {
        Ok(data) if data.is_dir() => {}
        Ok(_) => return Err(CatalogueError::NoFolder(folder.to_owned())),
        Err(error) => {
            let error = match error.kind() {
                ErrorKind::NotFound => InputsError::Missing(folder.to_owned()),
                kind => InputsError::Unreadable(folder.to_owned(), kind),
            };
            return Err(CatalogueError::Inputs(vec![error]));
        }
    }
    // A folder of the name `-` is no standard input.
    let named: OsString = match folder.as_os_str() {
        name if name == "-" => "./-".into(),
        name => name.to_owned(),
    };
    let path = |place| match place {
        InputPlace::File(path) => Some(path),
        InputPlace::Stdin => None,
    };
    let places = expand(&[named]).map_err(CatalogueError::Inputs)?;
    Ok(places.into_iter().filter_map(path).collect())
}

impl Scanner<'_> {
    /// Reads what is not known.
    pub(super) fn scan(&self) -> Result<Scan, CatalogueError> {
        let mut known = Known::new();
        let mut read = BTreeSet::new();
        let mut round = 0;
        let mut is_loaded = false;
        loop {
            let now: Vec<(PathBuf, Stamp)> = self.places(&mut round)?.into_iter().map(stamped).collect();
            if !is_loaded {
                self.load(&now, &mut known);
                is_loaded = true;
            }
            let (done, open) = settle(now, &mut known);
            if open.is_empty() || round == ROUNDS {
                return self.ended(done, open, read.len());
            }
            let stored = |stamp: &Stamp| stamp.length().unwrap_or_default();
            let before: u64 = done.iter().map(|found| stored(&found.stamp)).sum();
            known.extend(done.into_iter().map(|found| (found.path, (found.stamp, found.facts))));
            let total = before + open.iter().map(|(_, stamp)| stored(stamp)).sum::<u64>();
            self.read(open, (before, total), &mut known, &mut read)?;
            (self.progress)(total, total);
            round += 1;
        }
    }

    /// The files, looked for again if one was removed while it was listed.
    fn places(&self, round: &mut usize) -> Result<Vec<PathBuf>, CatalogueError> {
        let is_gone = |error: &InputsError| matches!(error, InputsError::Unreadable(_, ErrorKind::NotFound));
        loop {
            match places(self.folder) {
                Err(CatalogueError::Inputs(errors)) if *round < ROUNDS && errors.iter().all(is_gone) => *round += 1,
                places => return places,
            }
        }
    }

    /// What was kept of the files.
    fn load(&self, now: &[(PathBuf, Stamp)], known: &mut Known) {
        for (path, stamp) in now {
            match self.cache.load(path, stamp) {
                Ok(Some(facts)) => drop(known.insert(path.clone(), (stamp.clone(), facts))),
                Ok(None) => {}
                Err(error) => tracing::warn!(
                    file = %path.display(),
                    "what was kept in the state folder about this file is not used, and it is read again: {error}"
                ),
            }
        }
    }

    /// Reads files, and takes those that are what they were before.
    fn read(
        &self,
        mut open: Vec<(PathBuf, Stamp)>,
        (before, total): (u64, u64),
        known: &mut Known,
        read: &mut BTreeSet<PathBuf>,
    ) -> Result<(), CatalogueError> {
        let progress = Progress::default();
        let tick = || (self.progress)((before + progress.read.load(Ordering::Relaxed)).min(total), total);
        while !open.is_empty() {
            let places: Vec<InputPlace> = open.iter().map(|(path, _)| InputPlace::File(path.clone())).collect();
            let asked = Survey {
                inputs: &places,
                registry: self.registry,
                threads: self.threads,
                max_line: MAX_LINE,
                chunk: CHUNK,
            };
            let surveyed = survey(asked, &progress, &tick);
            (self.after_reading)();
            if let Some((input, error)) = &surveyed.failed {
                let (path, stamp) = &open[*input];
                if is_as_before(path, stamp) {
                    return Err(CatalogueError::File {
                        path: path.clone(),
                        text: error.to_string(),
                    });
                }
            }
            let failed = surveyed.failed.map(|(input, _)| input);
            let all = open.into_iter().zip(surveyed.inputs).enumerate();
            // Behind one that cannot be read the others have yet to be; that one has its turn in the next round.
            open = Vec::new();
            for (input, ((path, stamp), facts)) in all {
                match facts {
                    Some(facts) => {
                        read.insert(path.clone());
                        self.take(path, stamp, facts, known);
                    }
                    None if failed.is_none_or(|failed| failed == input) => {}
                    None => open.push((path, stamp)),
                }
            }
        }
        Ok(())
    }

    fn take(&self, path: PathBuf, stamp: Stamp, facts: InputFacts, known: &mut Known) {
        if !is_as_before(&path, &stamp) {
            return;
        }
        if let Err(error) = self.cache.save(&path, &stamp, &facts) {
            tracing::warn!(
                file = %path.display(),
                "what this file holds cannot be kept in the state folder, and it will be read again: {error}"
            );
        }
        known.insert(path, (stamp, facts));
    }

    fn ended(&self, files: Vec<Found>, open: Vec<(PathBuf, Stamp)>, read: usize) -> Result<Scan, CatalogueError> {
        for (path, _) in &open {
            tracing::warn!(
                file = %path.display(),
                "this file is being written to, and is left out until it is complete"
            );
        }
        if let Some((path, _)) = open.first().filter(|_| files.is_empty()) {
            return Err(CatalogueError::Changing(path.clone()));
        }
        let all = files.iter().map(|found| found.path.as_path());
        if let Err(error) = self.cache.keep_only(all) {
            tracing::warn!("what was kept about files that are gone cannot be removed: {error}");
        }
        Ok(Scan {
            files,
            read,
            left_out: open.into_iter().map(|(path, _)| path).collect(),
        })
    }
}

/// Files that are known as they are now, and the others; of what is gone nothing is known any more.
fn settle(now: Vec<(PathBuf, Stamp)>, known: &mut Known) -> (Vec<Found>, Vec<(PathBuf, Stamp)>) {
    let mut before = std::mem::take(known);
    let mut done = Vec::new();
    let mut open = Vec::new();
    for (path, stamp) in now {
        match before.remove(&path).filter(|(known, _)| *known == stamp) {
            Some((stamp, facts)) => done.push(Found { path, stamp, facts }),
            None => open.push((path, stamp)),
        }
    }
    (done, open)
}

fn stamped(path: PathBuf) -> (PathBuf, Stamp) {
    let stamp = Stamp::of(&InputPlace::File(path.clone()));
    (path, stamp)
}

fn is_as_before(path: &Path, stamp: &Stamp) -> bool {
    Stamp::of(&InputPlace::File(path.to_owned())) == *stamp
}
