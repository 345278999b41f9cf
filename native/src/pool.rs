//! N threads, one order: each reads a block and sieves it; whoever can routes what is next.
//!
//! There is no reader and no writer thread. A block gets its number as it is read; sieved blocks wait in a small map,
//! and the thread that finds the router free takes them in order. The number of buffers bounds what waits; a block of an
//! input whose turn has not come gives its buffer back, and what was kept of it waits alone.

mod park;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};

use fhirehose_core::error::{Error, ErrorKind};
use fhirehose_core::gather::Gathered;
use fhirehose_core::plan::Plan;
use fhirehose_core::roll::Roll;
use fhirehose_core::router::Router;
use fhirehose_core::sieve::{self, Batch, Scratch};
use fhirehose_core::sink::Sink;

use crate::cancel::Cancel;
use crate::codec_out::{BlockEncoder, Compression};
use crate::compress::Queue;
use crate::inputs::InputPlace;
use crate::job::{Job, JobError, Progress};
use crate::output_error::OutputError;
use crate::source::Block;
use crate::source::lanes::{Hand, Lanes};

/// A block and what came of it.
#[derive(Default)]
struct Work {
    block: Block,
    batch: Batch,
    /// The input could not be read on. Told when its turn comes, so that what is told does not depend on threads.
    failed: Option<JobError>,
    /// What waits of a block of a later input, in bytes; 0: the block itself.
    parked: usize,
}

/// Input, and block in it.
type Place = (usize, u64);

/// How many of the places that blocks waited in are kept for others, and of what sizes.
const LEFT: usize = 32;
const LARGE: std::ops::Range<usize> = 64 << 10..512 << 10;

/// The ordered half.
struct Ordered<S: Sink> {
    hides_folders: bool,
    router: Router<S::File>,
    sink: S,
    next: Place,
}

/// One pass over inputs, into a router that may have taken earlier ones.
pub(crate) struct Pass<'j> {
    pub(crate) job: &'j Job,
    /// Reports name inputs without their folders.
    pub(crate) hides_folders: bool,
    pub(crate) plan: &'j Plan,
    pub(crate) inputs: &'j [InputPlace],
    /// Takes down Patients and Groups as they go by.
    pub(crate) roll: Option<Arc<Roll>>,
    pub(crate) queue: &'j Queue,
    pub(crate) progress: &'j Progress,
    pub(crate) cancel: &'j Cancel,
}

/// What a pass leaves: the router and the sink for the next one, and what was gathered for it.
pub(crate) struct Passed<S: Sink> {
    pub(crate) router: Router<S::File>,
    pub(crate) sink: S,
    pub(crate) gathered: Gathered,
}

struct Pool<'j, S: Sink> {
    pass: &'j Pass<'j>,
    lanes: Lanes<'j>,
    /// Sieved blocks whose turn has not come.
    sieved: Mutex<BTreeMap<Place, Work>>,
    ordered: Mutex<Ordered<S>>,
    free: Mutex<Vec<Work>>,
    /// Memory for what waits of blocks of later inputs.
    left: Mutex<Vec<Work>>,
    freed: Condvar,
    /// How many threads wait for a buffer.
    waiting: AtomicUsize,
    gathered: Mutex<Gathered>,
    failure: Mutex<Option<JobError>>,
    stopped: AtomicBool,
}

/// Runs a pass to the end of its inputs. Files stay open for the next one.
pub(crate) fn run<S>(pass: &Pass<'_>, router: Router<S::File>, sink: S) -> Result<Passed<S>, JobError>
where
    S: Sink + Send,
    S::File: Send,
{
    let threads = pass.job.threads.max(1);
    let lanes = Lanes::new(
        pass.inputs,
        pass.plan.max_line(),
        pass.job.chunk,
        threads,
        pass.progress,
    );
    let pool = Pool {
        pass,
        lanes,
        sieved: Mutex::new(BTreeMap::new()),
        ordered: Mutex::new(Ordered {
            hides_folders: pass.hides_folders,
            router,
            sink,
            next: (0, 0),
        }),
        gathered: Mutex::default(),
        free: Mutex::new((0..2 * threads + 2).map(|_| Work::default()).collect()),
        left: Mutex::default(),
        freed: Condvar::new(),
        waiting: AtomicUsize::new(0),
        failure: Mutex::new(None),
        stopped: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        // Where the system gives no more threads, those that there are do the work.
        let mut others = (1..threads).map(|_| std::thread::Builder::new().spawn_scoped(scope, || pool.work()));
        while let Some(Ok(_)) = others.next() {}
        pool.work();
    });
    if let Some(failure) = lock(&pool.failure).take() {
        return Err(failure);
    }
    let Ordered { router, sink, .. } = pool.ordered.into_inner().unwrap_or_else(PoisonError::into_inner);
    let gathered = pool.gathered.into_inner().unwrap_or_else(PoisonError::into_inner);
    if gathered.is_incomplete() {
        return Err(JobError::TooManyIds);
    }
    Ok(Passed { router, sink, gathered })
}

/// Compresses every block that still waits.
pub(crate) fn work_off(job: &Job, queue: &Queue) -> Result<(), JobError> {
    work_off_queue(job.threads, job.compression, queue)
}

/// The same without a job.
pub(crate) fn work_off_queue(threads: usize, compression: Compression, queue: &Queue) -> Result<(), JobError> {
    let help = || -> Result<(), JobError> {
        let mut encoder = encoder(compression)?;
        while queue.help(&mut encoder) {}
        Ok(())
    };
    std::thread::scope(|scope| {
        let others = (1..threads).map(|_| std::thread::Builder::new().spawn_scoped(scope, help));
        let others: Vec<_> = others.map_while(Result::ok).collect();
        help()?;
        // A thread that panicked has told so; its file is found to be incomplete.
        others.into_iter().try_for_each(|other| other.join().unwrap_or(Ok(())))
    })?;
    queue.failure().map_or(Ok(()), |failure| Err(from_output(failure)))
}

fn encoder(compression: Compression) -> Result<BlockEncoder, JobError> {
    let failed = |error| OutputError::new("compress", "output", &std::io::Error::other(error));
    compression.encoder().map_err(failed).map_err(JobError::Output)
}

impl<S> Pool<'_, S>
where
    S: Sink + Send,
    S::File: Send,
{
    fn work(&self) {
        let guard = StopOnPanic(self);
        if let Err(error) = self.try_work() {
            lock(&self.failure).get_or_insert(error);
            self.stop();
        }
        std::mem::forget(guard);
    }

    fn try_work(&self) -> Result<(), JobError> {
        let roll = self.pass.roll.clone();
        let mut scratch = roll.map_or_else(Scratch::default, Scratch::with_roll);
        let mut encoder = encoder(self.pass.job.compression)?;
        let mut hand = Hand::default();
        while let Some(mut work) = self.free_work() {
            if self.pass.cancel.is_stopped() {
                return Err(JobError::Interrupted);
            }
            self.pass.queue.help(&mut encoder);
            match self.lanes.next(&mut work.block, &mut hand) {
                Ok(true) => {}
                Ok(false) => {
                    self.give_back(work);
                    break;
                }
                Err(error) => work.failed = Some(error),
            }
            sieve::run(self.pass.plan, work.block.lines(), &mut scratch, &mut work.batch);
            self.hand_in(work);
            self.route()?;
        }
        lock(&self.gathered).merge(scratch.gathered);
        self.route()
    }

    /// Puts a sieved block where it waits for its turn.
    fn hand_in(&self, work: Work) {
        let place = (work.block.input, work.block.sequence);
        // A failure closes the door behind itself; it needs no memory.
        if work.failed.is_some() || !self.lanes.is_ahead(place.0) {
            lock(&self.sieved).insert(place, work);
            return;
        }
        let is_large = LARGE.contains(&work.kept());
        let left = if is_large { lock(&self.left).pop() } else { None };
        let mut parked = left.unwrap_or_default();
        work.park(&mut parked);
        self.lanes.park(place.0, parked.parked);
        lock(&self.sieved).insert(place, parked);
        self.give_back(work);
    }

    /// Takes what is next, and all that follows without a gap, unless another thread is at it.
    fn route(&self) -> Result<(), JobError> {
        loop {
            let mut ordered = match self.ordered.try_lock() {
                Ok(ordered) => ordered,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return Ok(()),
            };
            while let Some(mut work) = self.take_sieved(ordered.next) {
                let input = ordered.next.0;
                ordered.take(&mut work, self.pass.progress)?;
                if ordered.next.0 != input {
                    self.lanes.advance(ordered.next.0);
                }
                match work.parked {
                    0 => self.give_back(work),
                    parked => {
                        self.lanes.unpark(parked);
                        self.leave(work);
                    }
                }
            }
            let next = ordered.next;
            drop(ordered);
            // A block may have come between the last look and the unlocking; its thread found the router taken.
            if !lock(&self.sieved).contains_key(&next) {
                return Ok(());
            }
        }
    }

    fn take_sieved(&self, next: Place) -> Option<Work> {
        lock(&self.sieved).remove(&next)
    }

    /// A buffer to read into; waits for one. `None`: the job has failed.
    fn free_work(&self) -> Option<Work> {
        let mut free = lock(&self.free);
        loop {
            if self.stopped.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(work) = free.pop() {
                return Some(work);
            }
            self.waiting.fetch_add(1, Ordering::Relaxed);
            free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn give_back(&self, work: Work) {
        let mut free = lock(&self.free);
        free.push(work);
        // Counted under the lock. Waking costs a system call even if nobody waits.
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.freed.notify_one();
        }
    }

    /// Keeps the memory of what has waited for what will: a large piece that is asked for anew comes page by page.
    fn leave(&self, work: Work) {
        let is_large = LARGE.contains(&work.parked);
        let mut left = lock(&self.left);
        if is_large && left.len() < LEFT {
            left.push(work);
        }
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.lanes.close();
        // Taken so that no thread is between its look at the flag and its waiting.
        drop(lock(&self.free));
        self.freed.notify_all();
    }
}

impl<S: Sink> Ordered<S> {
    /// The name of an input as it is told in reports.
    fn shown<'n>(&self, name: &'n str) -> &'n str {
        let last = self.hides_folders.then(|| Path::new(name).file_name()?.to_str());
        last.flatten().unwrap_or(name)
    }

    fn take(&mut self, work: &mut Work, progress: &Progress) -> Result<(), JobError> {
        let Work {
            block, batch, failed, ..
        } = work;
        if let Some(error) = failed.take() {
            return Err(error);
        }
        if let Some(name) = &block.begins {
            self.router.begin_input(self.shown(name));
        }
        self.router
            .take(block.lines(), batch, block.too_long, &mut self.sink)
            .map_err(from_core)?;
        self.next = if block.last {
            (block.input + 1, 0)
        } else {
            (block.input, block.sequence + 1)
        };
        progress.lines.fetch_add(batch.lines, Ordering::Relaxed);
        progress.kept.store(self.router.kept(), Ordering::Relaxed);
        Ok(())
    }
}

/// A thread that panics must not leave the others waiting.
struct StopOnPanic<'p, 'j, S>(&'p Pool<'j, S>)
where
    S: Sink + Send,
    S::File: Send;

impl<S> Drop for StopOnPanic<'_, '_, S>
where
    S: Sink + Send,
    S::File: Send,
{
    fn drop(&mut self) {
        self.0.stop();
    }
}

pub(crate) fn from_core(error: Error) -> JobError {
    match error.kind() {
        ErrorKind::BadLine => JobError::BadLine(error.to_string()),
        _ => {
            let output = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<OutputError>());
            let unknown = || OutputError::new("write", "output", &std::io::Error::other(error.to_string()));
            from_output(output.cloned().unwrap_or_else(unknown))
        }
    }
}

pub(crate) fn from_output(error: OutputError) -> JobError {
    if error.kind() == std::io::ErrorKind::Interrupted {
        JobError::Interrupted
    } else if error.kind() == std::io::ErrorKind::BrokenPipe {
        JobError::ClosedPipe
    } else {
        JobError::Output(error)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
