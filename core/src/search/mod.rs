//! FHIR search: generated tables, and text compiled into typed predicates over captured values.

pub mod table;
