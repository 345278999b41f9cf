//! Data on their way to the disk while more is written, so that the one sync at the end has little left to wait for.

use std::fs::File;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

/// Bytes written to a file between two starts.
pub const STEP: u64 = 8 << 20;

/// A thread that waits for the disk so that no other has to.
#[derive(Debug, Default)]
pub struct Writeback {
    thread: Option<(SyncSender<File>, Option<JoinHandle<()>>)>,
}

impl Writeback {
    /// Starts to write out what a file holds so far. Does nothing while an earlier start is under way: this only ever
    /// makes the final sync shorter, and that sync is what counts, also for errors.
    pub fn start(&mut self, file: &File) {
        let Ok(file) = file.try_clone() else { return };
        let (sender, _) = self.thread.get_or_insert_with(|| {
            let (sender, receiver) = sync_channel::<File>(1);
            let wait = move || receiver.into_iter().for_each(|file| drop(file.sync_data()));
            // Without a thread the receiver is gone, and all is left to the final sync.
            let thread = std::thread::Builder::new().name("writeback".to_owned()).spawn(wait);
            (sender, thread.ok())
        });
        match sender.try_send(file) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    /// Waits for what is under way.
    pub fn finish(&mut self) {
        if let Some((sender, thread)) = self.thread.take() {
            drop(sender);
            // A thread that panicked has told so; the final sync does its work.
            let _ = thread.map(JoinHandle::join);
        }
    }
}

impl Drop for Writeback {
    fn drop(&mut self) {
        self.finish();
    }
}
