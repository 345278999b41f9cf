//! Files that stand under their final names before the export is complete, for servers that list them meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fhirehose_core::sink::FileName;

use crate::cancel::Cancel;
use crate::compress::Compressed;
use crate::output_error::OutputError;

/// A file of resources that is complete and will not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Early {
    /// Kind, type and number.
    pub name: FileName,
    /// Path relative to the manifest.
    pub path: String,
    /// Resources in it.
    pub resources: u64,
}

/// Hears of files as they are completed, from a thread of the job, which waits for it.
#[derive(Clone)]
pub struct Listener(pub Arc<dyn Fn(Early) + Send + Sync>);

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
}

/// Closed files of one sink that wait for their last block, and those that have been told.
pub(crate) struct Publisher {
    listener: Listener,
    waiting: Vec<Waiting>,
    published: Vec<PathBuf>,
    /// What was told cannot be taken back: from then on the export cannot begin again.
    has_told: Arc<AtomicBool>,
}

struct Waiting {
    temporary: PathBuf,
    file: Early,
    compressed: Arc<Compressed>,
}

impl Publisher {
    pub(crate) fn new(listener: &Listener, has_told: Arc<AtomicBool>) -> Publisher {
        Publisher {
            listener: listener.clone(),
            waiting: Vec::new(),
            published: Vec::new(),
            has_told,
        }
    }

    pub(crate) fn add(&mut self, temporary: PathBuf, file: Early, compressed: Arc<Compressed>) {
        self.waiting.push(Waiting {
            temporary,
            file,
            compressed,
        });
    }

    /// Tells of the files that are complete by now, in the order in which they were closed.
    pub(crate) fn publish(&mut self, folder: &Path, cancel: &Cancel) -> Result<(), OutputError> {
        let ready = self
            .waiting
            .iter()
            .take_while(|waiting| waiting.compressed.size().is_some());
        let ready = ready.count();
        for Waiting { temporary, file, .. } in self.waiting.drain(..ready) {
            let path = folder.join(&file.path);
            {
                let _work = cancel.work();
                if cancel.is_stopped() {
                    // The job ends at its next block.
                    return Ok(());
                }
                fs::rename(&temporary, &path).map_err(OutputError::at("rename a finished file to", &path))?;
            }
            self.published.push(path);
            self.has_told.store(true, Ordering::Relaxed);
            (self.listener.0)(file);
        }
        Ok(())
    }

    /// The files that have not been told, each with where it is: the end of the export tells them.
    pub(crate) fn take_rest(&mut self) -> impl Iterator<Item = (PathBuf, String)> {
        self.waiting
            .drain(..)
            .map(|waiting| (waiting.temporary, waiting.file.path))
    }

    /// Removes what was told, since the export has failed.
    pub(crate) fn remove(&mut self) {
        for path in self.published.drain(..) {
            // What cannot be removed lies in a folder without a manifest.
            let _ = fs::remove_file(path);
        }
    }
}
