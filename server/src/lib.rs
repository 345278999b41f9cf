//! The server: Oracle's Bulk Export API and HL7's Bulk Data Access guide over plain files.
//!
//! The rules are functions of their arguments (`profile`, `kickoff`, `outcome`, `job`, `manifest`, `polling`); around them
//! stand what is kept and sent (`catalogue`, `outputs`, `files`, `auth`), what works (`runner`, `net`), and the routes.
//! [`serve::serve`] puts them together. See `ARCHITECTURE.md`.

pub mod access;
pub mod app;
pub mod auth;
pub mod browser;
pub mod catalogue;
pub mod discovery;
pub mod files;
mod handlers;
pub mod job;
pub mod kickoff;
pub mod manifest;
pub mod net;
pub mod offer;
pub mod origins;
pub mod outcome;
pub mod outputs;
pub mod page;
pub mod polling;
pub mod profile;
mod random;
mod reply;
mod routes;
pub mod runner;
pub mod serve;
mod snapshot;
