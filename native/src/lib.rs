//! Threads, files and codecs around fhirehose-core.

mod ahead;
pub mod cancel;
mod clones;
pub mod codec_out;
pub mod cohort;
pub mod cohort_error;
mod compress;
pub mod diff;
pub mod folder;
pub mod gzip;
mod head;
pub mod inflate;
pub mod inputs;
pub mod job;
pub mod merge;
mod organize;
pub mod output_error;
pub mod passes;
mod pool;
pub mod publish;
mod run;
pub mod snapshot;
mod source;
mod stdout;
pub mod survey;
pub mod unpack;
pub mod verify;
pub mod writeback;

pub use run::{Exported, run, run_for_clients};
