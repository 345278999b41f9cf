//! The protocol of a bulk client without I/O: given what came back, what to do next (Bulk Data guide; SPEC 2.3, 2.11-2.15).

pub mod json;
mod order;
mod settings;
mod step;

pub use order::{Level, Method, Order, Spelling};
pub use settings::{Millis, Settings};
pub use step::{Answer, Call, CallId, Event, Failure, Fetch, FileNo, Step, Trouble, Unfetched, What};
