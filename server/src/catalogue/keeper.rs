//! Who has the current catalogue, and makes the next when the data has changed.

use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use fhirehose_core::search::table::Registry;
use fhirehose_store::Time;

use super::Catalogue;
use super::cache::Cache;
use super::error::CatalogueError;
use super::scan::Scanner;

/// The current catalogue, and what the next one needs.
#[derive(Debug)]
pub struct Keeper {
    pub(super) data: PathBuf,
    pub(super) state: PathBuf,
    cache: Cache,
    registry: Registry,
    threads: usize,
    current: RwLock<Arc<Catalogue>>,
    /// Held while the data is read: one at a time.
    reading: Mutex<()>,
}

/// What became of a look at the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// There is a new catalogue.
    pub changed: bool,
    /// Files that it knows.
    pub files: usize,
    /// Files that were read; the others were known.
    pub read: usize,
    /// Files that were being written to and were left out.
    pub left_out: Vec<PathBuf>,
}

impl Keeper {
    /// Reads the data folder, as far as the state folder does not know it already. `registry` tells the types that there
    /// are. `progress` is told the bytes that are known, of how many. Blocks.
    ///
    /// # Errors
    /// There is no data, or not all of it can be read.
    pub fn open(
        data: &Path,
        state: &Path,
        registry: Registry,
        threads: usize,
        now: Time,
        progress: &dyn Fn(u64, u64),
    ) -> Result<Keeper, CatalogueError> {
        check_apart(data, state)?;
        let cache = Cache::open(state, &registry)?;
        let scanner = Scanner {
            folder: data,
            cache: &cache,
            registry: &registry,
            threads,
            progress,
            after_reading: &|| (),
        };
        let catalogue = Catalogue::new(data, scanner.scan()?, now)?;
        Ok(Keeper {
            data: data.to_owned(),
            state: state.to_owned(),
            cache,
            registry,
            threads,
            current: RwLock::new(Arc::new(catalogue)),
            reading: Mutex::default(),
        })
    }

    /// The catalogue as of now. Whoever goes on with it has the same data, whatever comes.
    pub fn current(&self) -> Arc<Catalogue> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks whether the data has changed, and reads what has. Blocks, also while another does the same.
    ///
    /// # Errors
    /// As of [`Keeper::open`]; the catalogue is what it was.
    pub fn reload(&self, now: Time) -> Result<Reloaded, CatalogueError> {
        self.reload_with(now, &|| ())
    }

    pub(super) fn reload_with(&self, now: Time, after_reading: &dyn Fn()) -> Result<Reloaded, CatalogueError> {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current();
        if current.left_out.is_empty() && current.changed().is_none() {
            return Ok(Reloaded {
                files: current.files.len(),
                ..Reloaded::default()
            });
        }
        let scanner = Scanner {
            folder: &self.data,
            cache: &self.cache,
            registry: &self.registry,
            threads: self.threads,
            progress: &|_, _| (),
            after_reading,
        };
        let scan = scanner.scan()?;
        let mut reloaded = Reloaded {
            changed: true,
            files: scan.files.len(),
            read: scan.read,
            left_out: scan.left_out.iter().cloned().collect(),
        };
        let next = Catalogue::new(&self.data, scan, now)?;
        if next.files == current.files && next.left_out == current.left_out {
            reloaded.changed = false;
        } else {
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        }
        Ok(reloaded)
    }
}

/// Files of jobs in the data folder would be taken for data; in a hidden folder nobody looks for any.
fn check_apart(data: &Path, state: &Path) -> Result<(), CatalogueError> {
    let (data, whole) = (real(data), real(state));
    let Ok(inside) = whole.strip_prefix(&data) else {
        return Ok(());
    };
    let is_hidden = |part: Component<'_>| part.as_os_str().to_string_lossy().starts_with('.');
    if inside.components().any(is_hidden) {
        Ok(())
    } else {
        Err(CatalogueError::StateInData(state.to_owned()))
    }
}

/// The path without links, as far as it exists.
pub(super) fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for base in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (base.canonicalize(), path.strip_prefix(base)) {
            return if rest.as_os_str().is_empty() {
                real
            } else {
                real.join(rest)
            };
        }
    }
    path
}
