//! The clock of the machine, as the core's client wants it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fhirehose_core::client::Millis;

/// Milliseconds since 1970 in UTC. A clock that stands before that counts as 1970.
pub(crate) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// How long it is from now until then; nothing if that is over.
pub(crate) fn until(then: Millis) -> Duration {
    Duration::from_millis(then.saturating_sub(now()))
}
