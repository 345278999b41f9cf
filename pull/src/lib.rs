//! The bulk client over HTTP: drives `fhirehose_core::client`, and puts what it fetches into a folder.
//!
//! Nothing of what is fetched stands under a final name before all of it is there and checked; what a killed pull has done
//! is remembered beside it, and the next one goes on from there.

pub mod auth;
mod checksum;
mod clock;
mod download;
mod driver;
mod error;
mod finish;
mod folder;
mod http;
mod journal;
mod network;
mod page;
mod progress;
mod receipt;
mod report;

pub use checksum::checksum;
pub use driver::{Begin, Pull, cancel, pull};
pub use error::{PullError, PullErrorKind};
pub use finish::{Again, Keep};
pub use folder::{has_begun, is_complete, saved};
pub use http::HttpOptions;
pub use page::manifest;
pub use progress::{Progress, Stop};
pub use report::{Pulled, PulledFile, Status, patients, status};
