//! Jobs: what can become of one.

pub mod order;
pub mod state;
