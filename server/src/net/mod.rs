//! The listener: connections, their bounds in time and number, TLS, and how they end.
//!
//! Not `axum::serve`, which has no bound on connections and cuts nobody: here a client that is slow with a head, lets a
//! connection lie, or takes nothing of its answer loses the connection, and costs no thread until then.

mod body;
mod connection;
mod serve;
#[cfg(test)]
mod tests;
pub mod tls;
mod watch;

use std::time::Duration;

pub use body::{BodyFault, read_body};
pub use serve::{bind, serve};

/// Bounds of a listener and of each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many connections there may be at once. Those beyond are told 503 and closed.
    pub connections: usize,
    /// The longest head of a request, which is also what is read at once; less than 8 KB is taken for 8 KB.
    pub header_bytes: usize,
    /// How long a TLS handshake may take.
    pub handshake_time: Duration,
    /// How long a head may take: from the beginning of the connection, or from its first byte.
    pub header_time: Duration,
    /// How long there may be no request, or one on the way without a byte moving.
    pub idle_time: Duration,
    /// How long a client may take nothing of what is ready for it. Systems tell of room in their own buffer when a third
    /// of it is free, which may be a megabyte: a slow client seems to stand still for as long as that takes it.
    pub stall_time: Duration,
    /// How long it may take from a head to the head of its answer, the request's body included.
    pub request_time: Duration,
    /// How long requests may go on after a shutdown began.
    pub drain_time: Duration,
    /// How many requests there may be at once on one connection of HTTP/2.
    pub streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 10_000,
            header_bytes: 64 << 10,
            handshake_time: Duration::from_secs(10),
            header_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            stall_time: Duration::from_secs(180),
            request_time: Duration::from_secs(60),
            drain_time: Duration::from_secs(30),
            streams: 64,
        }
    }
}
