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
    told: Sender<Told>,
}

#[derive(Debug)]
enum Told {
    Changed,
    End,
}

/// The folder that is watched. It may be put in the place of another, or be a link that is put elsewhere: then only the
/// folder around it tells, and what is watched is not the data any more.
struct Watched {
    watcher: RecommendedWatcher,
    folder: PathBuf,
    /// Which folder is watched; `None`: none.
    real: Option<(PathBuf, u64)>,
}

impl Keeper {
    /// Reloads whenever the data has changed and then been left alone for the time `quiet`, on a thread of its own. Each
    /// reload's end is given to `told`; the first comes soon, for what has changed since the data was read. Some file
    /// systems (of other machines) do not tell of changes: there it has to be asked for.
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
        let events = sender.clone();
        let place = Place::of(&self.data, &self.state);
        let around = place.around.clone();
        let handler = move |event: notify::Result<Event>| {
            if place.is_change(&event) {
                // The thread may have ended.
                let _ = events.send(Told::Changed);
            }
        };
        let watcher = notify::recommended_watcher(handler).map_err(|error| failed(error.to_string()))?;
        let mut watched = Watched {
            watcher,
            folder: self.data.clone(),
            real: None,
        };
        watched.renew().map_err(|error| failed(error.to_string()))?;
        if let Some(around) = around {
            // It may belong to somebody else; then a new folder in the place of this one is not seen.
            let _ = watched.watcher.watch(&around, RecursiveMode::NonRecursive);
        }
        let keeper = self.clone();
        let work = move || {
            while next_change(&receiver, quiet) {
                // Before it is read, so that nothing is missed. What cannot be watched cannot be read either.
                let _ = watched.renew();
                told(keeper.reload(now()));
            }
        };
        let thread = std::thread::Builder::new().name("catalogue".to_owned());
        thread.spawn(work).map_err(|error| failed(error.to_string()))?;
        let _ = sender.send(Told::Changed);
        Ok(Watch { told: sender })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // A reload that has begun is not waited for.
        let _ = self.told.send(Told::End);
    }
}

impl Watched {
    /// Watches the folder that the data is by now.
    fn renew(&mut self) -> notify::Result<()> {
        let path = real(&self.folder);
        let now = path.metadata().map(|data| (path.clone(), number(&data)));
        if self.real.is_some() && self.real.as_ref() == now.as_ref().ok() {
            return Ok(());
        }
        if let Some((old, _)) = self.real.take() {
            // It may be gone, and its watch with it.
            let _ = self.watcher.unwatch(&old);
        }
        let now = now?;
        self.watcher.watch(&path, RecursiveMode::Recursive)?;
        self.real = Some(now);
        Ok(())
    }
}

#[cfg(unix)]
fn number(data: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(data)
}

#[cfg(not(unix))]
fn number(_: &std::fs::Metadata) -> u64 {
    0
}

/// Waits for a change, and then until there is quiet. `false`: it is over.
fn next_change(told: &Receiver<Told>, quiet: Duration) -> bool {
    let Ok(Told::Changed) = told.recv() else { return false };
    let most = Instant::now() + quiet * MOST_WAITS;
    loop {
        let rest = most.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return true;
        }
        match told.recv_timeout(quiet.min(rest)) {
            Ok(Told::Changed) => {}
            Ok(Told::End) | Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => return true,
        }
    }
}

/// Where events may come from.
struct Place {
    /// The folder that the data folder, or the link to it, lies in.
    around: Option<PathBuf>,
    /// The data folder in it.
    folder: PathBuf,
    state: PathBuf,
}

impl Place {
    fn of(data: &Path, state: &Path) -> Place {
        let named = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
        let (around, folder) = match (named.parent(), named.file_name()) {
            (Some(around), Some(name)) => (Some(real(around)), real(around).join(name)),
            _ => (None, named.clone()),
        };
        Place {
            around,
            folder,
            state: real(state),
        }
    }

    /// Whether something may have changed; reading tells of itself, too. What cannot be told may be a change.
    fn is_change(&self, event: &notify::Result<Event>) -> bool {
        let Ok(event) = event else { return true };
        let is_beside = |path: &Path| path.parent() == self.around.as_deref() && path != self.folder;
        let is_around = |path: &Path| self.around.as_deref() == Some(path);
        let counts = |path: &PathBuf| !path.starts_with(&self.state) && !is_beside(path) && !is_around(path);
        let is_reading = matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write));
        !is_reading && (event.paths.is_empty() || event.paths.iter().any(counts))
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, ModifyKind, RemoveKind};

    use super::*;

    #[test]
    fn reading_and_the_own_files_are_no_change() {
        let place = Place {
            around: Some("/srv".into()),
            folder: "/srv/data".into(),
            state: "/srv/data/.state".into(),
        };
        let told = |kind, paths: &[&str]| {
            let event = paths
                .iter()
                .fold(Event::new(kind), |event, path| event.add_path(path.into()));
            place.is_change(&Ok(event))
        };
        let (created, modified) = (EventKind::Create(CreateKind::File), EventKind::Modify(ModifyKind::Any));
        assert!(told(created, &["/srv/data/a.ndjson"]));
        assert!(told(modified, &["/srv/data/.state/x", "/srv/data/a.ndjson"]));
        assert!(told(
            EventKind::Access(AccessKind::Close(AccessMode::Write)),
            &["/srv/data/a.ndjson"]
        ));
        assert!(told(EventKind::Other, &[]));
        assert!(told(created, &["/srv/data"]));
        assert!(told(
            EventKind::Remove(RemoveKind::File),
            &["/elsewhere/linked/a.ndjson"]
        ));
        assert!(!told(created, &["/srv/beside"]));
        assert!(!told(modified, &["/srv"]));
        assert!(place.is_change(&Err(notify::Error::generic("lost"))));
        assert!(!told(
            EventKind::Access(AccessKind::Open(AccessMode::Any)),
            &["/srv/data/a.ndjson"]
        ));
        assert!(!told(
            EventKind::Access(AccessKind::Close(AccessMode::Read)),
            &["/srv/data/a.ndjson"]
        ));
        assert!(!told(modified, &["/srv/data/.state/catalogue/x"]));
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
            while stopped.try_recv().is_err() {
                sender.send(Told::Changed).expect("open");
            }
        });
        assert!(next_change(&receiver, Duration::from_millis(2)));
        stop.send(()).expect("open");
        writer.join().expect("ends");
    }
}
