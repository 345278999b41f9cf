//! The sans-IO engine of fhirehose: NDJSON in, exactly the right FHIR resources out.
//!
//! Nothing here opens a file, asks the clock or awaits. See `ARCHITECTURE.md`.

pub mod client;
pub mod cohort;
pub mod content;
pub mod deleted;
pub mod deletion;
pub mod error;
pub mod export;
pub mod filter;
pub mod frame;
pub mod gather;
pub mod ids;
pub mod links;
pub mod manifest;
pub mod membership;
pub mod names;
pub mod newest;
pub mod order;
pub mod outcome;
#[cfg(any(test, target_arch = "wasm32"))]
mod packed;
pub mod partition;
pub mod plan;
pub mod position;
mod prefilter;
pub mod problem;
pub mod profile;
pub mod project;
pub mod quote;
pub mod record;
pub mod report;
pub mod request;
pub mod roll;
pub mod router;
pub mod scan;
pub mod search;
pub mod sieve;
pub mod sink;
#[cfg(feature = "stream")]
pub mod stream;
