//! Stopping a job from outside, from a signal's thread say, and leaving nothing behind.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A handle that stops a job. Clones stop the same job.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    stopped: AtomicBool,
    work: Mutex<Work>,
}

/// What there is to clean up.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Folder of unfinished files.
    pub(crate) partial: Option<PathBuf>,
    /// The output folder, if the job made it.
    pub(crate) made: Option<PathBuf>,
    /// The files stand under their final names: there is nothing to stop any more.
    pub(crate) committed: bool,
}

impl Cancel {
    /// Asks the job to stop at its next block.
    pub fn stop(&self) {
        self.inner.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    pub fn is_stopped(&self) -> bool {
        self.inner.stopped.load(Ordering::Relaxed)
    }

    /// Stops the job and removes its unfinished files at once, for a process that is about to end. `false`: the job was
    /// complete already, so its result stands.
    pub fn abort(&self) -> bool {
        self.stop();
        let mut work = self.work();
        if work.committed {
            return false;
        }
        if let Some(partial) = work.partial.take() {
            // The process ends; what cannot be removed is removed by the next export into the folder.
            let _ = std::fs::remove_dir_all(partial);
        }
        if let Some(made) = work.made.take() {
            let _ = std::fs::remove_dir(made);
        }
        true
    }

    /// Held while files get their final names, so that an abort comes before or after, never between.
    pub(crate) fn work(&self) -> MutexGuard<'_, Work> {
        self.inner.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
