//! The engine behind a WebAssembly boundary: chunks of bytes and short JSON texts cross it, never records.
//!
//! Two classes: a [`Plan`], compiled from a request, and a [`Run`], which takes chunks and gives chunks of files back. What is
//! nice to use is written in TypeScript on top (`wasm/npm`). Errors cross as JSON texts ([`fault`]); none holds record
//! contents, and no input makes the module panic.

pub mod fault;
pub mod listing;
pub mod manifest;
pub mod parameters;
pub mod plan;
pub mod report;
pub mod request;
pub mod run;
mod segments;
pub mod tables;

pub use manifest::Manifest;
pub use plan::Plan;
pub use run::Run;
