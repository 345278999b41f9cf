//! Numbered blocks of lines through N threads, and what came of them in order into one place.
//!
//! The shape of `pool`, for work that is not a plan: whoever finds the ordered half free takes what is next.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};

use crate::cancel::Cancel;
use crate::codec_out::Compression;
use crate::compress::Queue;
use crate::inputs::InputPlace;
use crate::job::{JobError, Progress};
use crate::output_error::OutputError;
use crate::source::{Block, Source};

/// What is read, and how.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'r> {
    pub(crate) inputs: &'r [InputPlace],
    /// Number of the first of them.
    pub(crate) first_input: usize,
    /// Number of its first line.
    pub(crate) first_line: u64,
    pub(crate) threads: usize,
    pub(crate) chunk: usize,
    pub(crate) max_line: usize,
    pub(crate) compression: Compression,
    pub(crate) queue: &'r Queue,
    pub(crate) progress: &'r Progress,
    pub(crate) cancel: &'r Cancel,
}

/// A block of whole lines, and where they stand among all.
#[derive(Default)]
pub(crate) struct Lines {
    pub(crate) block: Block,
    /// Number of the input.
    pub(crate) input: usize,
    /// Number of the first line, counted through all inputs.
    pub(crate) first: u64,
    /// How many lines, with one behind the block that is too long.
    pub(crate) count: u64,
}

/// The work of one thread.
pub(crate) trait Work {
    /// What comes of a block; its memory is used again.
    type Batch: Default + Send;

    /// Works on a block.
    fn block(&mut self, lines: &Lines, batch: &mut Self::Batch) -> Result<(), JobError>;

    /// Ends: there are no more blocks.
    fn end(self);
}

/// The ordered half.
pub(crate) trait Take<B> {
    /// Takes what came of the next block.
    fn take(&mut self, lines: &Lines, batch: &B) -> Result<(), JobError>;
}

struct Turn<B> {
    lines: Lines,
    batch: B,
    /// The input could not be read on, or worked on. Told when its turn comes, whatever the threads.
    failed: Option<JobError>,
}

struct Numbered<'r> {
    source: Source<'r>,
    next_input: usize,
    next_line: u64,
}

struct Pass<'r, B, T> {
    reading: Reading<'r>,
    source: Mutex<Numbered<'r>>,
    done: Mutex<BTreeMap<u64, Turn<B>>>,
    /// The taker, and the number of the block that is next.
    ordered: Mutex<(T, u64)>,
    free: Mutex<Vec<Turn<B>>>,
    freed: Condvar,
    failure: Mutex<Option<JobError>>,
    stopped: AtomicBool,
}

/// Reads everything. `worker` makes the work of a thread.
pub(crate) fn run<W, T>(reading: &Reading<'_>, worker: impl Fn() -> W + Sync, taker: T) -> Result<T, JobError>
where
    W: Work,
    T: Take<W::Batch> + Send,
{
    let threads = reading.threads.max(1);
    let turn = || Turn {
        lines: Lines::default(),
        batch: W::Batch::default(),
        failed: None,
    };
    let pass = Pass {
        reading: *reading,
        source: Mutex::new(Numbered {
            source: Source::new(reading.inputs, reading.max_line, reading.chunk, reading.progress),
            next_input: reading.first_input,
            next_line: reading.first_line,
        }),
        done: Mutex::default(),
        ordered: Mutex::new((taker, 0)),
        free: Mutex::new((0..2 * threads + 2).map(|_| turn()).collect()),
        freed: Condvar::new(),
        failure: Mutex::new(None),
        stopped: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        // Where the system gives no more threads, those that there are do the work.
        let mut others = (1..threads).map(|_| std::thread::Builder::new().spawn_scoped(scope, || pass.work(worker())));
        while let Some(Ok(_)) = others.next() {}
        pass.work(worker());
    });
    if let Some(failure) = lock(&pass.failure).take() {
        return Err(failure);
    }
    Ok(pass.ordered.into_inner().unwrap_or_else(PoisonError::into_inner).0)
}

impl Numbered<'_> {
    fn next(&mut self, lines: &mut Lines) -> Result<bool, JobError> {
        let read = self.source.next(&mut lines.block);
        self.next_input += usize::from(lines.block.begins.is_some());
        let whole = memchr::memchr_iter(b'\n', lines.block.lines()).count() as u64;
        lines.input = self.next_input.saturating_sub(1);
        lines.first = self.next_line;
        lines.count = whole + u64::from(lines.block.too_long);
        self.next_line += lines.count;
        read
    }
}

impl<B: Default + Send, T: Take<B> + Send> Pass<'_, B, T> {
    fn work<W: Work<Batch = B>>(&self, worker: W) {
        // A thread that panics must not leave the others waiting.
        let guard = StopOnPanic(self);
        if let Err(error) = self.try_work(worker) {
            lock(&self.failure).get_or_insert(error);
            self.stop();
        }
        std::mem::forget(guard);
    }

    fn try_work<W: Work<Batch = B>>(&self, mut worker: W) -> Result<(), JobError> {
        let failed = |error| OutputError::new("compress", "output", &std::io::Error::other(error));
        let mut encoder = self.reading.compression.encoder().map_err(failed)?;
        while let Some(mut turn) = self.free_turn() {
            if self.reading.cancel.is_stopped() {
                return Err(JobError::Interrupted);
            }
            self.reading.queue.help(&mut encoder);
            // Not in the `match`, which would hold the lock to its end.
            let read = lock(&self.source).next(&mut turn.lines);
            turn.failed = match read {
                Ok(true) => worker.block(&turn.lines, &mut turn.batch).err(),
                Ok(false) => {
                    self.give_back(turn);
                    break;
                }
                Err(error) => Some(error),
            };
            lock(&self.done).insert(turn.lines.block.sequence, turn);
            self.take_ready()?;
        }
        worker.end();
        self.take_ready()
    }

    /// Takes what is next, and all that follows without a gap, unless another thread is at it.
    fn take_ready(&self) -> Result<(), JobError> {
        loop {
            let mut ordered = match self.ordered.try_lock() {
                Ok(ordered) => ordered,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return Ok(()),
            };
            let (taker, next) = &mut *ordered;
            while let Some(mut turn) = self.take_done(*next) {
                if let Some(error) = turn.failed.take() {
                    return Err(error);
                }
                taker.take(&turn.lines, &turn.batch)?;
                *next += 1;
                self.reading
                    .progress
                    .lines
                    .fetch_add(turn.lines.count, Ordering::Relaxed);
                self.give_back(turn);
            }
            let next = *next;
            drop(ordered);
            // A block may have come between the last look and the unlocking; its thread found the place taken.
            if !lock(&self.done).contains_key(&next) {
                return Ok(());
            }
        }
    }

    fn take_done(&self, next: u64) -> Option<Turn<B>> {
        lock(&self.done).remove(&next)
    }

    /// A buffer to read into; waits for one. `None`: the pass has failed.
    fn free_turn(&self) -> Option<Turn<B>> {
        let mut free = lock(&self.free);
        loop {
            if self.stopped.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(turn) = free.pop() {
                return Some(turn);
            }
            free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give_back(&self, turn: Turn<B>) {
        lock(&self.free).push(turn);
        self.freed.notify_one();
    }
}

impl<B, T> Pass<'_, B, T> {
    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Taken so that no thread is between its look at the flag and its waiting.
        drop(lock(&self.free));
        self.freed.notify_all();
    }
}

struct StopOnPanic<'p, 'r, B, T>(&'p Pass<'r, B, T>);

impl<B, T> Drop for StopOnPanic<'_, '_, B, T> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
