//! The second pass: the lines that stand are written, in the order of the inputs.

use std::sync::atomic::Ordering;

use fhirehose_core::plan::Plan;
use fhirehose_core::router::Router;
use fhirehose_core::sieve::{self, Batch, Scratch};

use crate::folder::{FolderSink, OutputFile};
use crate::job::{JobError, Progress};
use crate::pool;
use crate::snapshot::marks::Marks;
use crate::snapshot::pass::{Lines, Take, Work};

/// One thread of the pass.
pub(crate) struct Rewriter<'r> {
    /// Keeps everything, and trusts the lines: they have been checked.
    plan: &'r Plan,
    marks: &'r Marks,
    scratch: Scratch,
}

/// What came of a block.
#[derive(Default)]
pub(crate) struct Rewritten {
    /// The lines that stand; empty where all of the block do.
    kept: Vec<u8>,
    all: bool,
    batch: Batch,
}

impl<'r> Rewriter<'r> {
    pub(crate) fn new(plan: &'r Plan, marks: &'r Marks) -> Rewriter<'r> {
        Rewriter {
            plan,
            marks,
            scratch: Scratch::default(),
        }
    }

    /// Collects the lines that stand; `true`: all of them do, and nothing was collected.
    fn collect(&self, first: u64, block: &[u8], kept: &mut Vec<u8>) -> bool {
        kept.clear();
        // Where the run of marked lines at hand begins.
        let mut run = 0;
        let mut start = 0;
        let mut all = true;
        for (line, newline) in (first..).zip(memchr::memchr_iter(b'\n', block)) {
            if !self.marks.has(line) {
                kept.extend_from_slice(&block[run..start]);
                run = newline + 1;
                all = false;
            }
            start = newline + 1;
        }
        if !all {
            kept.extend_from_slice(&block[run..start]);
        }
        all
    }
}

impl Work for Rewriter<'_> {
    type Batch = Rewritten;

    fn block(&mut self, lines: &Lines, out: &mut Rewritten) -> Result<(), JobError> {
        let block = lines.block.lines();
        out.all = self.collect(lines.first, block, &mut out.kept);
        let lines = if out.all { block } else { &out.kept };
        sieve::run(self.plan, lines, &mut self.scratch, &mut out.batch);
        // What was read has been counted by the first pass.
        (out.batch.lines, out.batch.bytes) = (0, 0);
        out.batch.read.clear();
        Ok(())
    }

    fn end(self) {}
}

/// The ordered half of the pass.
pub(crate) struct Files<'r> {
    pub(crate) router: &'r mut Router<OutputFile>,
    pub(crate) sink: &'r mut FolderSink,
    pub(crate) progress: &'r Progress,
    /// Bad lines: the first pass found none of these, so the input has changed.
    pub(crate) strange: u64,
}

impl Take<Rewritten> for Files<'_> {
    fn take(&mut self, lines: &Lines, written: &Rewritten) -> Result<(), JobError> {
        self.strange += written.batch.bad.len() as u64;
        if self.strange > 0 {
            return Ok(());
        }
        let bytes = if written.all {
            lines.block.lines()
        } else {
            &written.kept
        };
        self.router
            .take(bytes, &written.batch, false, self.sink)
            .map_err(pool::from_core)?;
        self.progress.kept.store(self.router.kept(), Ordering::Relaxed);
        Ok(())
    }
}
