//! How far a pull is, for whoever shows it, and how it is asked to stop.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fhirehose_native::cancel::Cancel;
use tokio::sync::Notify;

/// How far a pull is; shared.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes that came over the network.
    pub wire: AtomicU64,
    /// Bytes of NDJSON that came.
    pub plain: AtomicU64,
    /// Lines that came.
    pub lines: AtomicU64,
    /// Resources kept.
    pub kept: AtomicU64,
    /// Files that are complete.
    pub done: AtomicUsize,
    /// Files of the manifest, as far as it is known.
    pub files: AtomicUsize,
    /// Downloads under way.
    pub active: AtomicUsize,
    phase: Mutex<String>,
}

impl Progress {
    /// What it is doing, in a few words: `waiting for the server: 40 %`.
    pub fn phase(&self) -> String {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_phase(&self, text: String) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

/// A handle that stops a pull; clones stop the same one. What it has done so far stays for a resume.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    asked: AtomicBool,
    notify: Notify,
    /// Stops the pass at the end.
    cancel: Cancel,
}

impl Stop {
    /// Asks the pull to end.
    pub fn stop(&self) {
        self.inner.asked.store(true, Ordering::Relaxed);
        self.inner.cancel.stop();
        self.inner.notify.notify_one();
    }

    /// Whether somebody asked.
    pub fn is_stopped(&self) -> bool {
        self.inner.asked.load(Ordering::Relaxed)
    }

    pub(crate) fn cancel(&self) -> &Cancel {
        &self.inner.cancel
    }

    pub(crate) async fn asked(&self) {
        while !self.is_stopped() {
            self.inner.notify.notified().await;
        }
    }
}
