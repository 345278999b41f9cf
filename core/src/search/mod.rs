//! FHIR search: generated tables, and text compiled into typed predicates over captured values.

pub mod code_list;
pub mod expr;
pub mod kind;
pub mod leaf;
pub mod listing;
pub mod lower;
pub mod needle;
pub mod query;
pub mod refusals;
pub mod supplied;
pub mod table;
