//! Jobs: what can become of one.

pub mod facts;
pub mod order;
pub mod shown;
