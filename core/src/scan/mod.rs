//! Bytes, lines and JSON. Knows nothing of FHIR.

pub mod json;
pub mod learned;
pub mod simd;
pub mod slots;
pub(crate) mod spare;
pub mod text;
pub mod trie;
pub mod walk;
