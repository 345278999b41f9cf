//! Stopping a job from outside, from a signal's thread say, and leaving nothing behind.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A handle that stops a job. Clones stop the same job.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    inner: Arc<Inner>,
    /// When the job stops by itself. It is looked at where the job asks anyway, so that this needs no thread.
    until: Option<Instant>,
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

    /// The same handle; a job that is given it stops also when so much time has gone by.
    ///
    /// ```
    /// use std::time::Duration;
    /// use fhirehose_native::cancel::Cancel;
    ///
    /// let cancel = Cancel::default();
    /// assert!(cancel.within(Duration::ZERO).is_stopped());
    /// assert!(!cancel.within(Duration::from_secs(3600)).is_stopped());
    /// assert!(!cancel.is_stopped());
    /// ```
    #[must_use]
    pub fn within(&self, time: Duration) -> Cancel {
        Cancel {
            inner: self.inner.clone(),
            // What lies beyond the end of the clock is never.
            until: Instant::now().checked_add(time),
        }
    }

    /// Whether somebody asked, or the time is up.
    pub fn is_stopped(&self) -> bool {
        self.inner.stopped.load(Ordering::Relaxed) || self.until.is_some_and(|until| until <= Instant::now())
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
