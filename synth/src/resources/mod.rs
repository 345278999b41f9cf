//! The resource types, one file a family. Each function appends one line, without its newline, to the pen.

pub(crate) mod billing;
pub(crate) mod care;
pub(crate) mod clinical;
pub(crate) mod cohort;
pub(crate) mod documents;
pub(crate) mod drugs;
pub(crate) mod encounter;
pub(crate) mod observation;
pub(crate) mod patient;
pub(crate) mod procedures;
pub(crate) mod provenance;
pub(crate) mod providers;
