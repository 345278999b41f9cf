//! The promises of the generator, one module a promise.

mod coverage;
mod determinism;
mod faults;
mod reading;
mod validity;
