//! The server's rules, without HTTP and without a runtime: what is offered, how a kick-off is read, how a job goes on.
//!
//! Everything here is a function of its arguments; clock, data and stores come in from outside. See `ARCHITECTURE.md`.

pub mod access;
pub mod auth;
pub mod catalogue;
pub mod files;
pub mod job;
pub mod kickoff;
pub mod manifest;
pub mod net;
pub mod offer;
pub mod outcome;
pub mod outputs;
pub mod polling;
pub mod profile;
pub mod runner;
