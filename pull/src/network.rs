//! The threads that requests and downloads are driven by, each with a runtime of its own.
//!
//! Tokio's own runtime of several threads panics where the system gives it none. Here each thread is asked for, and those that
//! come share the work; where none comes, the thread that drives the pull does it between its own steps.

use std::future::Future;
use std::io;
use std::net::ToSocketAddrs as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

/// Most threads: they only pass on what comes.
const MOST: usize = 4;

/// Runs what waits for the network.
pub(crate) struct Network {
    main: Runtime,
    hands: Vec<Hand>,
    turn: AtomicUsize,
}

/// A thread. It ends when this is dropped, with all that it was at.
struct Hand {
    runtime: Handle,
    _stop: oneshot::Sender<()>,
}

impl Network {
    /// With as many threads as make sense here and can be had.
    pub(crate) fn new() -> io::Result<Network> {
        let wanted = thread::available_parallelism().map_or(2, usize::from).min(MOST);
        Network::with(wanted, |work| {
            thread::Builder::new().name("network".to_owned()).spawn(work).map(drop)
        })
    }

    fn with(wanted: usize, start: impl Fn(Box<dyn FnOnce() + Send>) -> io::Result<()>) -> io::Result<Network> {
        let main = runtime()?;
        let hands = (0..wanted).map(|_| Hand::new(&start));
        Ok(Network {
            main,
            hands: hands.map_while(Result::ok).collect(),
            turn: AtomicUsize::new(0),
        })
    }

    /// Drives this one on the thread that calls.
    pub(crate) fn block_on<T>(&self, task: impl Future<Output = T>) -> T {
        self.main.block_on(task)
    }

    /// Begins a task, on each thread in its turn.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let hand = turn.checked_rem(self.hands.len()).map(|turn| &self.hands[turn].runtime);
        hand.unwrap_or(self.main.handle()).spawn(task);
    }
}

impl Hand {
    fn new(start: impl Fn(Box<dyn FnOnce() + Send>) -> io::Result<()>) -> io::Result<Hand> {
        let runtime = runtime()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        start(Box::new(move || {
            // That nobody holds the other end any more is what is waited for.
            let _ = runtime.block_on(stopped);
        }))?;
        Ok(Hand {
            runtime: handle,
            _stop: stop,
        })
    }
}

/// A runtime that needs no thread.
pub(crate) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Addresses of names, as the system knows them; what asks it blocks. Tokio's threads for what blocks panic where there are
/// none; here it is a connection that is not made.
#[derive(Debug)]
pub(crate) struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let (tell, told) = oneshot::channel();
        let host = name.as_str().to_owned();
        let started = thread::Builder::new().name("names".to_owned()).spawn(move || {
            // The connection may have been given up meanwhile.
            let _ = tell.send((host.as_str(), 0).to_socket_addrs());
        });
        Box::pin(async move {
            started?;
            let addresses: Addrs = Box::new(told.await??);
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where tasks are run, with so many threads to be had.
    fn places(given: usize) -> Vec<String> {
        let left = AtomicUsize::new(given);
        let network = Network::with(3, |work| {
            let has_one = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            has_one.map_err(|_| io::Error::from(io::ErrorKind::WouldBlock))?;
            thread::Builder::new().name("hand".to_owned()).spawn(work).map(drop)
        });
        let network = network.expect("needs no thread");
        network.block_on(async {
            let mut places = Vec::new();
            for _ in 0..4 {
                let (tell, told) = oneshot::channel();
                network.spawn(async {
                    let place = thread::current();
                    tell.send(format!("{:?} {:?}", place.id(), place.name()))
                        .expect("waits");
                });
                places.push(told.await.expect("runs"));
            }
            places
        })
    }

    #[test]
    fn the_threads_that_can_be_had_share_the_work_and_without_any_it_is_done_all_the_same() {
        for (given, different) in [(3, 3), (2, 2), (1, 1), (0, 1)] {
            let mut places = places(given);
            let here = thread::current().id();
            let is_here = |place: &String| place.starts_with(&format!("{here:?} "));
            assert_eq!(
                places.iter().filter(|place| is_here(place)).count(),
                if given == 0 { 4 } else { 0 }
            );
            places.sort();
            places.dedup();
            assert_eq!(places.len(), different, "{places:?}");
        }
    }

    #[test]
    fn names_of_this_machine_are_known() {
        let network = Network::new().expect("needs no thread");
        let resolved = |name: &str| network.block_on(Names.resolve(name.parse().expect("a name")));
        let mut addresses = resolved("localhost").expect("known");
        assert!(addresses.all(|address| address.ip().is_loopback()));
        assert!(resolved("no\0name").is_err());
    }
}
