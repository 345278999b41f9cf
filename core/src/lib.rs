//! The sans-IO engine of fhirehose: NDJSON in, exactly the right FHIR resources out.
//!
//! Nothing here opens a file, asks the clock or awaits. See `ARCHITECTURE.md`.

pub mod cohort;
pub mod error;
pub mod export;
pub mod filter;
pub mod frame;
pub mod ids;
pub mod manifest;
pub mod membership;
pub mod outcome;
pub mod partition;
pub mod plan;
pub mod position;
pub mod problem;
pub mod project;
pub mod quote;
pub mod report;
pub mod request;
pub mod router;
pub mod scan;
pub mod search;
pub mod sieve;
pub mod sink;
#[cfg(feature = "stream")]
pub mod stream;
