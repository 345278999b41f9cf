//! What the server says of itself: its CapabilityStatement, its operations, its OpenAPI document.

mod capability;
mod openapi;
mod operations;

pub use capability::{Described, capability_statement, fhir_version};
pub use openapi::openapi;
pub use operations::operation_definition;
