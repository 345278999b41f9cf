//! A proxy between a bulk client and a server that breaks what passes through it, in ways that a seed decides.
//!
//! Threads and sockets only, HTTP/1.1. Without faults it passes everything on as it is, in bounded memory.
//!
//! A server is started with the proxy's [`origin`](Proxy::origin) as its public URL, so that all its URLs lead through the
//! proxy. Which fault a request meets depends on the seed and on the number of the request alone.
//!
//! No fault makes a wrong answer that no client could find out. Bytes are flipped only where a digest or gzip tells. A
//! manifest is reordered, shortened or given another time only when a file of it has been asked for before: who sees such a
//! manifest first cannot know better.

mod answers;
mod change;
mod draw;
mod exchange;
mod manifest;
#[cfg(test)]
mod tests;
mod waits;
mod wire;

use std::collections::{HashMap, HashSet};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use draw::{Fault, Faults};

/// What a request is about, by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// `$export`.
    Kickoff,
    /// The state of a job, its manifest, a page of it.
    Status,
    /// A file.
    File,
    /// The deletion of a job.
    Delete,
    /// The request for a token.
    Token,
    /// Anything else.
    Other,
}

/// Which of the proxy's two listeners was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    /// [`Proxy::origin`].
    Main,
    /// [`Proxy::other_origin`].
    Other,
}

/// A request that came by.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its method.
    pub method: String,
    /// Its path without the query.
    pub path: String,
    /// What it is about.
    pub class: Class,
    /// Where it came in.
    pub at: At,
    /// Whether it had an `Authorization` header.
    pub authorized: bool,
    /// Whether it asked for a part of the file.
    pub has_range: bool,
    /// What was done to it or to its answer.
    pub fault: Option<Fault>,
    /// The fault in detail: a status, a place.
    pub detail: String,
    /// The status of the answer; 0 where none was given, or none yet.
    pub status: u16,
}

/// How far things have gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Requests that have come.
    pub requests: usize,
    /// Bytes of bodies that went to the client.
    pub bytes: u64,
}

/// The proxy. It ends when it goes.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    faults: Faults,
    main: u16,
    other: u16,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    seed: u64,
    target: Option<String>,
    is_calm: bool,
    has_ended: bool,
    seen: Vec<Seen>,
    bytes: u64,
    /// Last parts of the paths of files that were asked for.
    asked: HashSet<String>,
    /// What stands behind a path at the other origin: it opens the file without a token, as signed URLs do.
    signed: HashMap<String, Signed>,
}

/// What a signed URL stands for.
#[derive(Clone, Debug)]
struct Signed {
    target: String,
    authorization: Option<String>,
}

impl Proxy {
    /// Listens on two ports of this machine. Until it is told where to, it answers everything with 503.
    ///
    /// # Panics
    ///
    /// Where this machine gives no ports.
    #[must_use]
    pub fn listen(seed: u64, faults: Faults) -> Proxy {
        let bind = || TcpListener::bind("127.0.0.1:0").expect("a port");
        let (main, other) = (bind(), bind());
        let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            faults,
            main: port(&main),
            other: port(&other),
            state: Mutex::new(State {
                seed,
                ..State::default()
            }),
            changed: Condvar::new(),
        });
        for (listener, at) in [(main, At::Main), (other, At::Other)] {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || accept(&shared, &listener, at));
        }
        Proxy { shared }
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.shared.main)
    }

    /// Another host, as far as clients can tell: where redirects lead. Who comes here with an `Authorization` header is
    /// refused, as stores with signed URLs do.
    #[must_use]
    pub fn other_origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.shared.other)
    }

    /// From now on requests go to this server, `http://127.0.0.1:PORT`; what stands behind the port is left out.
    pub fn forward_to(&self, target: &str) {
        let address = target.trim_start_matches("http://");
        let address = address.split('/').next().unwrap_or(address);
        self.shared.lock().target = Some(address.to_owned());
    }

    /// All requests so far, in the order in which they came.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// How far things have gone.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.shared.lock().progress()
    }

    /// Waits until things have gone so far, or for so long; tells whether they have.
    pub fn wait_until(&self, limit: Duration, mut is_far: impl FnMut(Progress) -> bool) -> bool {
        let end = Instant::now() + limit;
        let mut state = self.shared.lock();
        while !is_far(state.progress()) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.shared.wait(state, left);
        }
        true
    }

    /// From now on it is as if it had just begun, with this seed; where it leads to stays. For when nobody uses it.
    pub fn begin_anew(&self, seed: u64) {
        let mut state = self.shared.lock();
        *state = State {
            seed,
            target: state.target.take(),
            ..State::default()
        };
    }

    /// No more faults from now on; what hangs is let go.
    pub fn calm(&self) {
        self.shared.lock().is_calm = true;
        self.shared.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.lock().has_ended = true;
        self.shared.changed.notify_all();
        // Who waits for connections finds out by one.
        for port in [self.shared.main, self.shared.other] {
            let _ = TcpStream::connect(("127.0.0.1", port));
        }
    }
}

impl State {
    fn progress(&self) -> Progress {
        Progress {
            requests: self.seen.len(),
            bytes: self.bytes,
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, limit);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Lets time pass, but not beyond the end of the faults.
    fn pause(&self, length: Duration) {
        let end = Instant::now() + length;
        let mut state = self.lock();
        while !state.is_calm && !state.has_ended {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.wait(state, left);
        }
    }

    fn is_over(&self) -> bool {
        let state = self.lock();
        state.is_calm || state.has_ended
    }

    /// Takes down that bytes went to the client.
    fn count(&self, bytes: usize) {
        self.lock().bytes += bytes as u64;
        self.changed.notify_all();
    }

    /// Takes down what became of a request.
    fn note(&self, number: usize, change: impl FnOnce(&mut Seen)) {
        if let Some(seen) = self.lock().seen.get_mut(number) {
            change(seen);
        }
    }
}

fn accept(shared: &Arc<Shared>, listener: &TcpListener, at: At) {
    for stream in listener.incoming() {
        if shared.lock().has_ended {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        std::thread::spawn(move || exchange::serve(&shared, stream, at));
    }
}
