//! Looks at the data again when the system tells that something in its folder has changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use fhirehose_store::Time;
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use super::error::CatalogueError;
use super::keeper::{Keeper, Reloaded, real};

/// However long files are written to, something is done after so many times the quiet time.
const MOST_WAITS: u32 = 30;

/// Ends the watching when it is dropped.
#[derive(Debug)]
pub struct Watch {
    watcher: Option<RecommendedWatcher>,
    told: Sender<Told>,
}

enum Told {
    Changed,
    End,
}

impl Keeper {
    /// Reloads whenever the data has changed and then been left alone for the time `quiet`, on a thread of its own. Each
    /// reload's end is given to `told`. Some file systems (of other machines) do not tell of changes: there it has to be
    /// asked for.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn watch(
        self: &Arc<Self>,
        quiet: Duration,
        now: impl Fn() -> Time + Send + 'static,
        told: impl Fn(Result<Reloaded, CatalogueError>) + Send + 'static,
    ) -> Result<Watch, CatalogueError> {
        let failed = |text: String| CatalogueError::Watch {
            path: self.data.clone(),
            text,
        };
        let (sender, receiver) = channel();
        let state = real(&self.state);
        let events = sender.clone();
        let handler = move |event: notify::Result<Event>| {
            if is_change(&event, &state) {
                // The thread may have ended.
                let _ = events.send(Told::Changed);
            }
        };
        let mut watcher = notify::recommended_watcher(handler).map_err(|error| failed(error.to_string()))?;
        // The links on the way to the folder are nothing to watch.
        watcher
            .watch(&real(&self.data), RecursiveMode::Recursive)
            .map_err(|error| failed(error.to_string()))?;
        let keeper = self.clone();
        let work = move || {
            while next_change(&receiver, quiet) {
                told(keeper.reload(now()));
            }
        };
        let thread = std::thread::Builder::new().name("catalogue".to_owned());
        thread.spawn(work).map_err(|error| failed(error.to_string()))?;
        // What changed since the data was read and before it was watched.
        let _ = sender.send(Told::Changed);
        Ok(Watch {
            watcher: Some(watcher),
            told: sender,
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.watcher.take());
        // A reload that has begun is not waited for.
        let _ = self.told.send(Told::End);
    }
}

/// Waits for a change, and then until there is quiet. `false`: it is over.
fn next_change(told: &Receiver<Told>, quiet: Duration) -> bool {
    let Ok(Told::Changed) = told.recv() else { return false };
    let most = Instant::now() + quiet * MOST_WAITS;
    loop {
        let rest = most.saturating_duration_since(Instant::now());
        match told.recv_timeout(quiet.min(rest)) {
            Ok(Told::Changed) => {}
            Ok(Told::End) | Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => return true,
        }
    }
}

/// Whether something may have changed; reading tells of itself, too. What cannot be told may be a change.
fn is_change(event: &notify::Result<Event>, state: &Path) -> bool {
    let Ok(event) = event else { return true };
    let is_own = |path: &PathBuf| path.starts_with(state);
    let is_reading = matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write));
    !is_reading && (event.paths.is_empty() || !event.paths.iter().all(is_own))
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, ModifyKind};

    use super::*;

    #[test]
    fn reading_and_the_own_files_are_no_change() {
        let state = Path::new("/data/.state");
        let told = |kind, paths: &[&str]| {
            let event = paths
                .iter()
                .fold(Event::new(kind), |event, path| event.add_path(path.into()));
            is_change(&Ok(event), state)
        };
        let (created, modified) = (EventKind::Create(CreateKind::File), EventKind::Modify(ModifyKind::Any));
        assert!(told(created, &["/data/a.ndjson"]));
        assert!(told(modified, &["/data/.state/x", "/data/a.ndjson"]));
        assert!(told(
            EventKind::Access(AccessKind::Close(AccessMode::Write)),
            &["/data/a.ndjson"]
        ));
        assert!(told(EventKind::Other, &[]));
        assert!(is_change(&Err(notify::Error::generic("lost")), state));
        assert!(!told(
            EventKind::Access(AccessKind::Open(AccessMode::Any)),
            &["/data/a.ndjson"]
        ));
        assert!(!told(
            EventKind::Access(AccessKind::Close(AccessMode::Read)),
            &["/data/a.ndjson"]
        ));
        assert!(!told(modified, &["/data/.state/catalogue/x"]));
    }

    #[test]
    fn changes_that_come_together_are_one() {
        let (sender, receiver) = channel();
        (0..100).for_each(|_| sender.send(Told::Changed).expect("open"));
        let quiet = Duration::from_millis(1);
        assert!(next_change(&receiver, quiet));
        sender.send(Told::End).expect("open");
        assert!(!next_change(&receiver, quiet));
        sender.send(Told::Changed).expect("open");
        drop(sender);
        assert!(!next_change(&receiver, quiet));
    }

    #[test]
    fn who_never_stops_writing_is_not_waited_for() {
        let (sender, receiver) = channel();
        let (stop, stopped) = channel::<()>();
        let writer = std::thread::spawn(move || {
            while stopped.recv_timeout(Duration::from_micros(100)).is_err() {
                sender.send(Told::Changed).expect("open");
            }
        });
        assert!(next_change(&receiver, Duration::from_millis(2)));
        stop.send(()).expect("open");
        writer.join().expect("ends");
    }
}
