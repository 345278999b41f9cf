//! `fhirehose pull`: from the flags to a pull, and from its end to an exit code.

pub(crate) mod args;
mod credentials;
pub(crate) mod page;
mod resolve;
mod run;
mod saved;
mod summary;

pub(crate) use run::run;
