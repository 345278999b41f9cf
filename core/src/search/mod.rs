//! FHIR search: generated tables, and text compiled into typed predicates over captured values.

pub mod expr;
pub mod lower;
pub mod table;
