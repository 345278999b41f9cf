//! Blocks of output compressed by whichever thread has time, and written in order.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::codec_out::{Assembler, BlockCutter, BlockEncoder, Compression, Encoded, Job};
use crate::output_error::OutputError;

/// Blocks waiting for a thread.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<VecDeque<(Arc<Compressed>, Job)>>,
    failure: Mutex<Option<OutputError>>,
}

/// One compressed file while it is written.
pub(crate) struct Compressed {
    name: String,
    state: Mutex<State>,
}

struct State {
    assembler: Assembler,
    /// Encoded blocks whose turn has not come.
    early: BTreeMap<u64, (Encoded, bool)>,
    next: u64,
    /// `None` once the file is complete.
    file: Option<Box<dyn Write + Send>>,
    size: u64,
}

impl std::fmt::Debug for Compressed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compressed")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The end of a compressed file that lines are pushed into.
#[derive(Debug)]
pub(crate) struct Writer {
    cutter: BlockCutter,
    file: Arc<Compressed>,
}

impl Writer {
    pub(crate) fn new(name: &str, compression: Compression, file: Box<dyn Write + Send>) -> Writer {
        let state = State {
            assembler: compression.assembler(),
            early: BTreeMap::new(),
            next: 0,
            file: Some(file),
            size: 0,
        };
        let file = Arc::new(Compressed {
            name: name.to_owned(),
            state: Mutex::new(state),
        });
        Writer {
            cutter: BlockCutter::new(compression),
            file,
        }
    }

    pub(crate) fn push(&mut self, lines: &[u8], queue: &Queue) {
        let Writer { cutter, file } = self;
        cutter.push(lines, |job| queue.add(file.clone(), job));
    }

    /// Hands over the last block. The file is complete when the queue has been worked off.
    pub(crate) fn finish(mut self, queue: &Queue) -> Arc<Compressed> {
        let last = self.cutter.finish();
        queue.add(self.file.clone(), last);
        self.file
    }
}

impl Queue {
    fn add(&self, file: Arc<Compressed>, job: Job) {
        lock(&self.waiting).push_back((file, job));
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.waiting).len()
    }

    /// Compresses one block, if one waits. Failures are kept for [`Queue::failure`].
    pub(crate) fn help(&self, encoder: &mut BlockEncoder) -> bool {
        let Some((file, job)) = lock(&self.waiting).pop_front() else {
            return false;
        };
        if let Err(error) = file.take(&job, encoder) {
            let error = OutputError::new("write", &file.name, &error);
            lock(&self.failure).get_or_insert(error);
        }
        true
    }

    /// What went wrong, if anything did.
    pub(crate) fn failure(&self) -> Option<OutputError> {
        lock(&self.failure).clone()
    }
}

impl Compressed {
    /// Bytes as stored; `None`: the file is not complete.
    pub(crate) fn size(&self) -> Option<u64> {
        let state = lock(&self.state);
        state.file.is_none().then_some(state.size)
    }

    fn take(&self, job: &Job, encoder: &mut BlockEncoder) -> io::Result<()> {
        let encoded = job.encode(encoder).map_err(io::Error::other)?;
        let mut state = lock(&self.state);
        state.early.insert(job.index, (encoded, job.last));
        state.write_ready()
    }
}

impl State {
    fn write_ready(&mut self) -> io::Result<()> {
        while let Some((encoded, last)) = self.early.remove(&self.next) {
            if self.next == 0 {
                let header = self.assembler.begin();
                self.put(&header)?;
            }
            self.assembler.add(&encoded);
            self.put(&encoded.bytes)?;
            self.next += 1;
            if last {
                let trailer = self.assembler.finish();
                self.put(&trailer)?;
                if let Some(mut file) = self.file.take() {
                    file.flush()?;
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.size += bytes.len() as u64;
        match &mut self.file {
            Some(file) => file.write_all(bytes),
            None => Ok(()),
        }
    }
}

/// Does some work while others compress what waits, a thread for each encoder.
pub(crate) fn with_help<T>(queue: &Queue, encoders: Vec<BlockEncoder>, work: impl FnOnce() -> T) -> T {
    /// Ends the helpers, also where the work panics.
    struct End<'e>(&'e AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let ended = AtomicBool::new(false);
    let help = |mut encoder: BlockEncoder| {
        while !ended.load(Ordering::Relaxed) {
            if !queue.help(&mut encoder) {
                // A block takes longer than this to fill.
                std::thread::park_timeout(Duration::from_micros(200));
            }
        }
    };
    std::thread::scope(|scope| {
        let _end = End(&ended);
        for encoder in encoders {
            // Without threads the work compresses by itself.
            let _ = std::thread::Builder::new().spawn_scoped(scope, || help(encoder));
        }
        work()
    })
}

/// A thread that panicked has reported itself; the data behind its lock is still whole here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_size_when_its_last_block_is_written() {
        let queue = Queue::default();
        let mut writer = Writer::new("file", Compression::GZIP, Box::new(io::sink()));
        writer.push(&vec![b'x'; 2 * crate::gzip::BLOCK_SIZE + 1], &queue);
        let file = writer.finish(&queue);
        let mut encoder = Compression::GZIP.encoder().expect("an encoder");
        assert_eq!((queue.len(), file.size()), (3, None));
        while queue.len() > 1 {
            assert!(queue.help(&mut encoder));
        }
        assert_eq!(file.size(), None);
        assert!(queue.help(&mut encoder));
        assert!(file.size().is_some_and(|size| size > 0));
    }
}
