//! One file at a time: from the network through the engine into parts.

mod attempt;
mod incoming;
mod part;
mod patience;
mod worker;

pub(crate) use attempt::{Attempt, Ended, Held, attempt};
pub(crate) use patience::Patience;
pub(crate) use worker::How;
