//! What `merge` and `diff` share: exports read as sets of records, sorted by id within a budget of memory, and the lines
//! that stand written again.
//!
//! The inputs are read twice. The first pass checks every line and makes an `entry` of it, some 90 bytes with the id,
//! the time and a hash of the content; entries are sorted on disk (`sorted`), so that all that is known of one id comes
//! together, in the order of arguments and lines (`held`). What stands is one bit a line (`marks`). The second pass
//! writes the lines whose bit is set, in the order of the inputs.
//!
//! Rejected: whole lines in partitions on disk. That writes and reads everything once more, needs a disk as large as the
//! data, and scatters the lines of a patient over the output.

pub mod argument;
pub(crate) mod entry;
pub(crate) mod held;
pub(crate) mod marks;
mod pass;
mod rewrite;
mod scan;
pub(crate) mod session;
pub(crate) mod sorted;
pub mod tally;
pub mod task;
