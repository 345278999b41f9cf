//! `fhirehose serve` and `fhirehose client`: flags, environment and configuration file into a server's settings.

pub(crate) mod args;
mod client;
mod config;
mod logs;
mod resolve;
mod run;

pub(crate) use client::run as client;
pub(crate) use run::run;
