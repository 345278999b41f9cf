//! The sans-IO engine of fhirehose: NDJSON in, exactly the right FHIR resources out.
//!
//! Nothing here opens a file, asks the clock or awaits. See `ARCHITECTURE.md`.

pub mod search;
