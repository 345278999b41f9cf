//! The protocol of a bulk client without I/O: given what came back, what to do next (Bulk Data guide; SPEC 2.3, 2.11-2.15).

mod backoff;
mod http_date;
mod journal;
pub mod json;
mod kickoff;
mod lines;
mod machine;
pub mod manifest;
mod order;
mod received;
mod retry_after;
mod said;
mod select;
mod settings;
mod step;
mod url;

pub use journal::whole_lines;
pub use kickoff::kick_off;
pub use lines::Lines;
pub use machine::{Client, Facts, FileState, Known, Phase};
pub use order::{Level, Method, Order, Spelling};
pub use received::{Enforce, asks_for_elements, received, undone};
pub use select::Select;
pub use settings::{Millis, Settings};
pub use step::{Answer, Call, CallId, Event, Failure, Fetch, FileNo, Step, Trouble, Unfetched, What};
