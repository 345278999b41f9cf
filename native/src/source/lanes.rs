//! Inputs read by several threads at once, each in its own order.
//!
//! A thread goes on with the input that it has begun; one that finds no input free begins the next. So a folder of
//! compressed files is decoded by all threads, each file by one. A large file that can be cut (plain, or many members) is
//! read by all. There is no thread that only reads.
//!
//! What is bounded: the inputs that are open, the ranges that are decoded and wait for the one before, and the bytes of
//! blocks that wait for an earlier input, which the taker of the blocks tells by [`Lanes::park`]. An input that would need
//! much memory before its turn (a large window, a long line) waits for it. The input whose turn it is can always be read,
//! and so there is always something that goes on.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Block;
use super::open::Open;
use super::split::{Decoded, Split};
use crate::inflate::{Apart, Carver};
use crate::inputs::InputPlace;
use crate::job::{JobError, Progress};
use crate::unpack::Layout;

/// Bytes that may wait for an earlier input, for each thread, and for how many threads there is more.
const AHEAD: usize = 12 << 20;
const MOST_AHEAD: usize = 16;

/// Inputs that may be open at once, for each thread.
const MOST_OPEN: usize = 2;

/// The last of that is for inputs of which little waits, so that one of which all is kept does not stop the others.
const RESERVE: usize = 4 << 20;
const LITTLE: usize = 1 << 20;

/// How often is looked again before a thread sleeps, and for how long each time: what a short wait takes is less than
/// what sleeping costs.
const LOOKS: usize = 4;
const PAUSES: usize = 64;

/// Inputs that threads read together.
pub(crate) struct Lanes<'j> {
    places: &'j [InputPlace],
    max_line: usize,
    chunk: usize,
    threads: usize,
    progress: &'j Progress,
    /// The input whose blocks are next.
    front: AtomicUsize,
    state: Mutex<State>,
    changed: Condvar,
}

/// What one thread keeps between its blocks.
#[derive(Default)]
pub(crate) struct Hand {
    /// The input that it has read of last.
    input: usize,
    apart: Apart,
}

#[derive(Default)]
struct State {
    /// Inputs that have been begun and not been read to their end, in order.
    lanes: VecDeque<Lane>,
    /// The input that is begun next.
    next: usize,
    /// Blocks that have been read by one thread for whichever has time.
    ready: VecDeque<Block>,
    /// Memory for ranges.
    spare: Vec<Block>,
    /// Ranges that have been cut and not been handed out, and other blocks that are ready.
    ranges: usize,
    /// Bytes of blocks that wait for an earlier input.
    parked: usize,
    waiting: usize,
    /// A thread has had nothing to read: decoding goes on without a break, and others sieve.
    is_scarce: bool,
    closed: bool,
}

struct Lane {
    input: usize,
    reader: Reader,
    /// Bytes of its blocks that wait for an earlier input.
    parked: usize,
    /// It is not read before its turn.
    waits: bool,
}

enum Reader {
    /// Not opened yet.
    Closed,
    /// A thread has it.
    Busy,
    Whole(Box<Open>),
    Split(Box<Split>),
}

enum Task {
    End,
    Take(Block),
    Open { input: usize, ahead: bool },
    Read { input: usize, open: Box<Open> },
    Carve { input: usize, carver: Box<Carver> },
}

impl<'j> Lanes<'j> {
    pub(crate) fn new(
        places: &'j [InputPlace],
        max_line: usize,
        chunk: usize,
        threads: usize,
        progress: &'j Progress,
    ) -> Self {
        Lanes {
            places,
            max_line,
            chunk: chunk.max(1),
            threads,
            progress,
            front: AtomicUsize::new(0),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Fills a block. `false`: there is no more. Blocks come in any order, and say where they stand. An error has its
    /// place in the order too; nothing comes behind it that will be asked for.
    pub(crate) fn next(&self, block: &mut Block, hand: &mut Hand) -> Result<bool, JobError> {
        loop {
            match self.task(hand) {
                Task::End => return Ok(false),
                Task::Take(ready) => {
                    let used = std::mem::replace(block, ready);
                    self.lock().spare.push(used);
                    return Ok(true);
                }
                Task::Open { input, ahead } => self
                    .open(input, ahead)
                    .map_err(|error| self.fail(input, 0, block, error))?,
                Task::Read { input, open } => {
                    if self.read(input, open, block)? {
                        return Ok(true);
                    }
                }
                Task::Carve { input, carver } => self.carve(input, carver, block, hand),
            }
        }
    }

    /// Whether blocks of this input have to wait for those of an earlier one.
    pub(crate) fn is_ahead(&self, input: usize) -> bool {
        self.front.load(Ordering::Relaxed) != input
    }

    /// Counts bytes that wait for an earlier input.
    pub(crate) fn park(&self, input: usize, bytes: usize) {
        let mut state = self.lock();
        state.parked += bytes;
        if let Some(lane) = state.lane(input) {
            lane.parked += bytes;
        }
    }

    /// Counts them out.
    pub(crate) fn unpark(&self, bytes: usize) {
        let mut state = self.lock();
        state.parked = state.parked.saturating_sub(bytes);
        self.wake(&state);
    }

    /// The blocks of this input are next.
    pub(crate) fn advance(&self, input: usize) {
        let state = self.lock();
        self.front.store(input, Ordering::Relaxed);
        self.wake(&state);
    }

    /// Hands out nothing more.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// What to do next; waits until there is something.
    fn task(&self, hand: &mut Hand) -> Task {
        let mut looks = 0;
        let mut state = self.lock();
        loop {
            if let Some(task) = self.find_task(&mut state, hand) {
                return task;
            }
            state.is_scarce = true;
            looks += 1;
            if looks <= LOOKS {
                drop(state);
                (0..PAUSES).for_each(|_| std::hint::spin_loop());
                state = self.lock();
                continue;
            }
            state.waiting += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    fn find_task(&self, state: &mut State, hand: &mut Hand) -> Option<Task> {
        if state.closed {
            return Some(Task::End);
        }
        let front = self.front.load(Ordering::Relaxed);
        let goes_on = state.is_scarce && state.ready.len() < self.threads && hand.input == front;
        if let Some(task) = goes_on.then(|| state.read_on(front)).flatten() {
            return Some(task);
        }
        // In their order; see `State::share`.
        if let Some(block) = state.ready.pop_front() {
            state.ranges -= 1;
            self.wake(state);
            hand.input = block.input;
            return Some(Task::Take(block));
        }
        self.find_input(state, hand, front)
    }

    fn find_input(&self, state: &mut State, hand: &mut Hand, front: usize) -> Option<Task> {
        let most = AHEAD * self.threads.min(MOST_AHEAD);
        let has_room = state.parked < most;
        let is_roomy = state.parked < most - RESERVE;
        let may_cut = state.ranges < 2 * self.threads;
        let may_go = |lane: &Lane| has_room && !lane.waits && (is_roomy || lane.parked < LITTLE);
        // The own input first, whose decoder is in this core's cache.
        let own = state.lanes.iter().position(|lane| lane.input == hand.input);
        let order = own.into_iter().chain(0..state.lanes.len());
        for at in order {
            let lane = &mut state.lanes[at];
            let may_read = lane.input == front || may_go(lane);
            let task = if may_read { lane.task(front, may_cut) } else { None };
            if task.is_some() {
                hand.input = lane.input;
                state.is_scarce &= hand.input == front;
                return task;
            }
        }
        let input = state.next;
        if input == self.places.len() {
            return state.lanes.is_empty().then_some(Task::End);
        }
        let may_begin = input == front || (has_room && state.lanes.len() <= MOST_OPEN * self.threads);
        may_begin.then(|| {
            state.next += 1;
            state.lanes.push_back(Lane::new(input));
            hand.input = input;
            state.is_scarce = false;
            Task::Open {
                input,
                ahead: input != front,
            }
        })
    }

    fn open(&self, input: usize, ahead: bool) -> Result<(), JobError> {
        let place = &self.places[input];
        if ahead && !is_file(place) {
            // A pipe may keep us waiting.
            self.put(input, Reader::Closed, true);
            return Ok(());
        }
        let mut open = Box::new(Open::new(place, self.max_line)?);
        let waits = ahead && !open.input.bound();
        let is_lines = Layout::detect(open.input.name(), b"{") == Some(Layout::Lines);
        let carver = (self.threads > 1 && is_lines).then(|| Carver::new(&open.input, self.chunk));
        let reader = match carver.flatten() {
            Some(carver) => Reader::Split(Box::new(Split::new(carver, open))),
            None => Reader::Whole(open),
        };
        self.put(input, reader, waits);
        Ok(())
    }

    /// Reads the next block in order. `false`: it was left to another thread, or cannot be read before its turn.
    fn read(&self, input: usize, mut open: Box<Open>, block: &mut Block) -> Result<bool, JobError> {
        block.clear(self.chunk);
        block.input = input;
        let sequence = open.sequence();
        if let Err(error) = open.next(block, self.chunk, self.progress) {
            if open.input.unbound() {
                self.put(input, Reader::Whole(open), true);
                return Ok(false);
            }
            return Err(self.fail(input, sequence, block, error));
        }
        let mut state = self.lock();
        if block.last {
            state.lanes.retain(|lane| lane.input != input);
        } else if let Some(lane) = state.lane(input) {
            (lane.waits, lane.reader) = (!open.is_light(), Reader::Whole(open));
        }
        // Before another thread can read what comes next.
        let is_left = state.share(block, self.threads);
        self.wake(&state);
        Ok(!is_left)
    }

    /// Cuts a range, decodes it, and makes lines of what is next.
    fn carve(&self, input: usize, mut carver: Box<Carver>, block: &mut Block, hand: &mut Hand) {
        let segment = carver.next(&mut hand.apart.packed);
        let mut state = self.lock();
        let Some(split) = state.split(input) else { return };
        match segment {
            Some(segment) => {
                let (number, file) = (split.cut, split.file.clone());
                split.cut += 1;
                split.carver = Some(carver);
                state.ranges += 1;
                self.wake(&state);
                drop(state);
                let decoded = Decoded::new(std::mem::take(block), segment, &file, &mut hand.apart, self.chunk);
                let mut state = self.lock();
                *block = state.spare.pop().unwrap_or_default();
                match state.split(input) {
                    Some(split) => drop(split.done.insert(number, decoded)),
                    None => state.discard(decoded),
                }
            }
            None => {
                split.ended = Some(carver.offset());
                drop(state);
            }
        }
        self.frame(input);
    }

    /// Makes lines of the ranges that are next, unless another thread is at it.
    fn frame(&self, input: usize) {
        loop {
            let mut state = self.lock();
            let Some(split) = state.split(input) else { return };
            let Some(mut open) = split.open.take() else { return };
            if let Some(rest) = split.rest() {
                return self.read_whole(&mut state, input, open, rest);
            }
            let Some(mut decoded) = split.done.remove(&split.framed) else {
                split.open = Some(open);
                return;
            };
            split.framed += 1;
            drop(state);
            decoded.block.input = input;
            let is_framed = decoded.frame(&mut open, self.progress);
            let mut state = self.lock();
            if !is_framed {
                let start = decoded.segment.start;
                state.discard(decoded);
                return self.read_whole(&mut state, input, open, start);
            }
            let block = decoded.block;
            if block.lines.is_empty() && !block.too_long {
                state.ranges -= 1;
                state.spare.push(block);
            } else {
                state.ready.push_back(block);
            }
            let waits = !open.is_light();
            if let Some(lane) = state.lane(input) {
                lane.waits = waits;
            }
            if let Some(split) = state.split(input) {
                split.open = Some(open);
            }
            self.wake(&state);
        }
    }

    /// From here on a file is read in order.
    fn read_whole(&self, state: &mut State, input: usize, mut open: Box<Open>, offset: u64) {
        // What has been decoded behind was decoded in vain. A file that cannot be read there says so when it is read.
        let _ = open.input.restart(offset);
        let Some(lane) = state.lane(input) else { return };
        if let Reader::Split(split) = std::mem::replace(&mut lane.reader, Reader::Whole(open)) {
            split.done.into_values().for_each(|decoded| state.discard(decoded));
        }
        self.wake(state);
    }

    fn put(&self, input: usize, reader: Reader, waits: bool) {
        let mut state = self.lock();
        if let Some(lane) = state.lane(input) {
            (lane.reader, lane.waits) = (reader, waits);
        }
        self.wake(&state);
    }

    /// Gives an error its place; what is behind is not read.
    fn fail(&self, input: usize, sequence: u64, block: &mut Block, error: JobError) -> JobError {
        block.clear(self.chunk);
        (block.input, block.sequence) = (input, sequence);
        let mut state = self.lock();
        let kept = state.lanes.partition_point(|lane| lane.input < input);
        for lane in state.lanes.split_off(kept) {
            if let Reader::Split(split) = lane.reader {
                split.done.into_values().for_each(|decoded| state.discard(decoded));
            }
        }
        state.next = self.places.len();
        self.wake(&state);
        error
    }

    /// Wakes those who wait; that costs a system call, so only if there are any.
    fn wake(&self, state: &State) {
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lane(&mut self, input: usize) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.input == input)
    }

    fn split(&mut self, input: usize) -> Option<&mut Split> {
        match &mut self.lane(input)?.reader {
            Reader::Split(split) => Some(split),
            _ => None,
        }
    }

    /// The next block of an input that is read in order, if no other thread is at it.
    fn read_on(&mut self, input: usize) -> Option<Task> {
        let lane = self.lane(input)?;
        match std::mem::replace(&mut lane.reader, Reader::Busy) {
            Reader::Whole(open) => Some(Task::Read { input, open }),
            other => {
                lane.reader = other;
                None
            }
        }
    }

    /// Leaves a block to others, to go on decoding, if they have nothing else to do. Blocks of an input are handed out in
    /// their order, or those behind a missing one could take all memory there is; so it may be another that stays.
    fn share(&mut self, block: &mut Block, most: usize) -> bool {
        if !self.is_scarce && self.ready.is_empty() {
            return false;
        }
        let is_left = self.is_scarce && self.ready.len() < most;
        let other = if is_left {
            self.ranges += 1;
            self.spare.pop()
        } else {
            self.ready.pop_front()
        };
        let read = std::mem::replace(block, other.unwrap_or_default());
        self.ready.push_back(read);
        is_left
    }

    fn discard(&mut self, decoded: Decoded) {
        self.ranges -= 1;
        self.spare.push(decoded.block);
    }
}

impl Lane {
    fn new(input: usize) -> Lane {
        Lane {
            input,
            reader: Reader::Busy,
            parked: 0,
            waits: false,
        }
    }

    fn task(&mut self, front: usize, may_cut: bool) -> Option<Task> {
        let input = self.input;
        match std::mem::replace(&mut self.reader, Reader::Busy) {
            Reader::Closed => Some(Task::Open {
                input,
                ahead: input != front,
            }),
            Reader::Whole(open) => Some(Task::Read { input, open }),
            Reader::Split(mut split) => {
                let carver = if may_cut && split.ended.is_none() {
                    split.carver.take()
                } else {
                    None
                };
                self.reader = Reader::Split(split);
                carver.map(|carver| Task::Carve { input, carver })
            }
            Reader::Busy => None,
        }
    }
}

fn is_file(place: &InputPlace) -> bool {
    match place {
        InputPlace::Stdin => false,
        InputPlace::File(path) => std::fs::metadata(path).is_ok_and(|data| data.is_file()),
    }
}

#[cfg(test)]
mod tests;
