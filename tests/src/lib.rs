//! Cases as data, the slow oracle, and end-to-end tests.

pub mod data;
pub mod oracle;
pub mod requests;
