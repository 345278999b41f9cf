//! Jobs: what can become of one.

pub mod state;
