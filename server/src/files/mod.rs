//! Giving out finished files: who may by a signed URL, which coding, which part of it, and the bytes.
//!
//! A file stored as it is has one representation. A file stored as gzip has two, each with its own entity tag: the
//! stored bytes with `Content-Encoding: gzip`, and what they inflate to. Ranges are of stored bytes only: of the
//! inflated representation nobody knows the length beforehand, so it is always sent whole, and says
//! `Accept-Ranges: none`. A tag or date of one representation never selects a part of the other.

mod body;
mod coding;
mod condition;
mod range;
mod send;
mod signed;
#[cfg(test)]
mod tests;

pub use coding::Stored;
pub use send::{Served, send};
pub use signed::{SignedFault, Signer};
