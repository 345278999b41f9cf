//! The engine behind a WebAssembly boundary: chunks of bytes and short JSON texts cross it, never records.
//!
//! A [`Plan`], compiled from a request; a [`Run`], which takes chunks and gives chunks of files back; a [`Bulk`] client, which
//! says what to ask a server for, and its [`Download`]s. What is nice to use is written in TypeScript on top (`wasm/npm`). Errors cross as JSON texts ([`fault`]); none holds record
//! contents, and no input makes the module panic.

pub mod bulk;
pub mod bytes;
pub mod fault;
mod group;
pub mod listing;
pub mod manifest;
pub mod parameters;
pub mod plan;
pub mod report;
pub mod request;
pub mod run;
mod segments;
pub mod sha256;
pub mod tables;

pub use bulk::{Bulk, Download};
pub use manifest::Manifest;
pub use plan::Plan;
pub use run::Run;
pub use sha256::Sum;
