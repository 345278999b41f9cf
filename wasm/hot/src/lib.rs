//! The loop over lines, compiled for speed in a module that is compiled for size.
//!
//! A profile has one level of optimisation for a crate. A function that is marked `inline` is compiled in the crates that
//! call it, at their level; those of the core that run for every line are so marked where the target is WebAssembly, and this
//! crate is the one that calls them.

use fhirehose_core::plan::Plan;
use fhirehose_core::sieve::{self, Batch, Scratch};

/// Sieves a block of whole lines; see [`sieve::run`].
pub fn sieve(plan: &Plan, block: &[u8], scratch: &mut Scratch, batch: &mut Batch) {
    sieve::run(plan, block, scratch, batch);
}
