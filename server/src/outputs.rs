//! The files of jobs: where they lie, how they are opened, and when their folders go.
//!
//! `ROOT/<job>/<attempt>/` is what the engine laid down: `Type.000.ndjson.gz`, and the folders `deleted` and `error`. No
//! attempt writes into the folder of another.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use fhirehose_store::Folder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Place;
use object_store::{GetResultPayload, ObjectStoreExt};

/// The files of all jobs.
#[derive(Debug)]
pub struct Outputs {
    root: PathBuf,
    store: LocalFileSystem,
    held: Arc<Held>,
}

/// Where marks of jobs lie, in the root: no name of a job.
const MARKS: &str = ".marks";

/// How many senders each job has.
#[derive(Debug, Default)]
struct Held(Mutex<HashMap<String, usize>>);

/// As long as it lives, the folders of a job stay: somebody sends files of it.
#[derive(Debug)]
#[must_use]
pub struct Hold {
    held: Arc<Held>,
    job: String,
}

/// A file that can be sent.
#[derive(Debug)]
pub struct Opened {
    /// The file, at its beginning. It can be read to its end even if its folder goes meanwhile.
    pub file: File,
    /// Its length.
    pub len: u64,
    /// When it was written.
    pub modified: SystemTime,
}

/// Why a file cannot be had.
#[derive(Debug)]
pub enum OutputsError {
    /// The name of a job or file is none.
    BadName,
    /// There is no such file.
    NotFound,
    /// The system says no.
    Io(io::Error),
}

impl fmt::Display for OutputsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OutputsError::BadName => f.write_str("that is no name of a job or file"),
            OutputsError::NotFound => f.write_str("there is no such file"),
            OutputsError::Io(error) => write!(f, "the files of a job cannot be read or removed: {}", error.kind()),
        }
    }
}

impl std::error::Error for OutputsError {}

impl From<io::Error> for OutputsError {
    fn from(error: io::Error) -> Self {
        OutputsError::Io(error)
    }
}

/// Most bytes of an id or name.
const MOST_NAME: usize = 200;

fn is_id(text: &str) -> bool {
    (1..=MOST_NAME).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// One component of a path, not hidden.
fn is_file_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=MOST_NAME).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(is_plain)
}

impl Outputs {
    /// Takes a folder for the files of jobs; made if it does not exist.
    ///
    /// # Errors
    /// It cannot be made or looked at.
    pub fn open(root: &Path) -> Result<Outputs, OutputsError> {
        let is_new = !root.exists();
        fs::create_dir_all(root)?;
        let root = root.canonicalize()?;
        #[cfg(unix)]
        if is_new {
            // Of its owner only: what lies in it is patients' data.
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&root, fs::Permissions::from_mode(0o700))?;
        }
        let store =
            LocalFileSystem::new_with_prefix(&root).map_err(|error| OutputsError::Io(io::Error::other(error)))?;
        Ok(Outputs {
            root,
            store,
            held: Arc::default(),
        })
    }

    /// The folder of an attempt.
    ///
    /// # Errors
    /// The id is none.
    pub fn attempt_folder(&self, job: &str, attempt: u32) -> Result<PathBuf, OutputsError> {
        Ok(self.job_folder(job)?.join(attempt.to_string()))
    }

    fn job_folder(&self, job: &str) -> Result<PathBuf, OutputsError> {
        if is_id(job) {
            Ok(self.root.join(job))
        } else {
            Err(OutputsError::BadName)
        }
    }

    /// Where a file is, for [`Outputs::open_file`].
    ///
    /// # Errors
    /// The id or the name is none.
    pub fn place(&self, job: &str, attempt: u32, folder: Folder, name: &str) -> Result<Place, OutputsError> {
        if !is_id(job) || !is_file_name(name) {
            return Err(OutputsError::BadName);
        }
        Ok(Place::from(match folder {
            Folder::Output => format!("{job}/{attempt}/{name}"),
            Folder::Deleted | Folder::Error => format!("{job}/{attempt}/{}/{name}", folder.name()),
        }))
    }

    /// Opens a file.
    ///
    /// # Errors
    /// It is not there, or cannot be opened.
    pub async fn open_file(&self, place: &Place) -> Result<Opened, OutputsError> {
        let got = self.store.get(place).await.map_err(|error| match error {
            object_store::Error::NotFound { .. } => OutputsError::NotFound,
            other => OutputsError::Io(io::Error::other(other)),
        })?;
        match got.payload {
            GetResultPayload::File(file, _) => Ok(Opened {
                file,
                len: got.meta.size,
                modified: got.meta.last_modified.into(),
            }),
            GetResultPayload::Stream(_) => Err(OutputsError::Io(io::ErrorKind::Unsupported.into())),
        }
    }

    /// Leaves a mark of a job for its later attempts. Blocks.
    ///
    /// # Errors
    /// The id is none, or the mark cannot be written.
    pub fn mark(&self, job: &str, text: &str) -> Result<(), OutputsError> {
        self.job_folder(job)?;
        let folder = self.root.join(MARKS);
        fs::create_dir_all(&folder)?;
        let unfinished = folder.join(format!("{job}.new"));
        fs::write(&unfinished, text)?;
        Ok(fs::rename(unfinished, folder.join(job))?)
    }

    /// The mark of a job, if it has one. Blocks.
    ///
    /// # Errors
    /// The id is none, or the mark cannot be read.
    pub fn marked(&self, job: &str) -> Result<Option<String>, OutputsError> {
        self.job_folder(job)?;
        match fs::read_to_string(self.root.join(MARKS).join(job)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => Ok(Some(read?)),
        }
    }

    /// Keeps the folders of a job for as long as the answer lives.
    pub fn hold(&self, job: &str) -> Hold {
        *self.held.lock().entry(job.to_owned()).or_default() += 1;
        Hold {
            held: self.held.clone(),
            job: job.to_owned(),
        }
    }

    /// Whether files of the job are being sent.
    #[must_use]
    pub fn is_held(&self, job: &str) -> bool {
        self.held.lock().contains_key(job)
    }

    /// Removes the folders of attempts, and the job's own if nothing is left in it. What is not there is no error.
    ///
    /// # Errors
    /// The id is none, or something cannot be removed.
    pub async fn remove(&self, job: &str, attempts: RangeInclusive<u32>) -> Result<(), OutputsError> {
        let folder = self.job_folder(job)?;
        blocking(move || remove_attempts(&folder, &attempts)).await
    }

    /// Removes everything that lies under the name of a job.
    ///
    /// # Errors
    /// The id is none, or something cannot be removed.
    pub async fn remove_all(&self, job: &str) -> Result<(), OutputsError> {
        let folder = self.job_folder(job)?;
        let mark = self.root.join(MARKS).join(job);
        let remove = move || {
            absent_is_fine(fs::remove_file(mark))?;
            absent_is_fine(fs::remove_dir_all(folder))
        };
        blocking(remove).await
    }

    /// The jobs that have a folder or a mark, in no order; some twice.
    ///
    /// # Errors
    /// The root cannot be read.
    pub async fn jobs(&self) -> Result<Vec<String>, OutputsError> {
        let root = self.root.clone();
        let list = move || {
            let mut names = names(&root)?;
            let marks = root.join(MARKS);
            if marks.exists() {
                names.extend(self::names(&marks)?);
            }
            Ok(names)
        };
        blocking(list).await
    }
}

/// The names of jobs in a folder.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
    let names = names.collect::<io::Result<Vec<_>>>()?;
    Ok(names.into_iter().flatten().filter(|name| is_id(name)).collect())
}

async fn blocking<T, F>(work: F) -> Result<T, OutputsError>
where
    T: Send + 'static,
    F: FnOnce() -> io::Result<T> + Send + 'static,
{
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other)?.map_err(OutputsError::Io)
}

fn absent_is_fine(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Looks for what is there, however many attempts are asked for.
fn remove_attempts(folder: &Path, attempts: &RangeInclusive<u32>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return absent_is_fine(Err(error)),
    };
    let mut is_empty = true;
    for entry in entries {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        if number.is_some_and(|number| attempts.contains(&number)) {
            absent_is_fine(fs::remove_dir_all(entry.path()))?;
        } else {
            is_empty = false;
        }
    }
    if is_empty {
        // Another attempt may begin in it just now.
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.held.lock();
        if let Some(count) = held.get_mut(&self.job) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.job);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn outputs() -> (tempfile::TempDir, Outputs) {
        let folder = tempfile::tempdir().expect("a folder");
        let outputs = Outputs::open(&folder.path().join("jobs")).expect("opens");
        (folder, outputs)
    }

    fn write(outputs: &Outputs, attempt: u32, name: &str) {
        let path = outputs.attempt_folder("a-1", attempt).expect("an id").join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, name).expect("writes");
    }

    fn run<F: Future>(future: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(future)
    }

    #[test]
    fn files_are_opened_where_the_engine_lays_them() {
        let (_folder, outputs) = outputs();
        for (folder, path) in [
            (Folder::Output, "Patient.000.ndjson.gz"),
            (Folder::Deleted, "deleted/Patient.000.ndjson.gz"),
            (Folder::Error, "error/Patient.000.ndjson.gz"),
        ] {
            write(&outputs, 2, path);
            let place = outputs
                .place("a-1", 2, folder, "Patient.000.ndjson.gz")
                .expect("a name");
            let mut opened = run(outputs.open_file(&place)).expect("opens");
            let mut text = String::new();
            opened.file.read_to_string(&mut text).expect("reads");
            assert_eq!((text.as_str(), opened.len), (path, path.len() as u64));
            assert!(opened.modified > SystemTime::UNIX_EPOCH);
        }
        let place = outputs
            .place("a-1", 1, Folder::Output, "Patient.000.ndjson.gz")
            .expect("a name");
        assert!(matches!(run(outputs.open_file(&place)), Err(OutputsError::NotFound)));
    }

    #[test]
    fn names_lead_nowhere_else() {
        let (_folder, outputs) = outputs();
        let long = "a".repeat(MOST_NAME + 1);
        for id in ["", ".", "..", "a/b", "a\\b", "../a", "a.b", "é", "a\0", &long] {
            assert!(outputs.attempt_folder(id, 1).is_err(), "{id:?}");
            assert!(outputs.place(id, 1, Folder::Output, "x").is_err(), "{id:?}");
            assert!(run(outputs.remove(id, 0..=9)).is_err(), "{id:?}");
            assert!(run(outputs.remove_all(id)).is_err(), "{id:?}");
        }
        for name in ["", ".", "..", ".fhirehose-partial", "a/b", "..%2f", "a\0", "é", &long] {
            assert!(outputs.place("a", 1, Folder::Output, name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn attempts_are_removed_alone() {
        let (_folder, outputs) = outputs();
        for attempt in [1, 2, 3, 12] {
            write(&outputs, attempt, "error/x");
        }
        let there = |attempt| outputs.attempt_folder("a-1", attempt).expect("an id").exists();
        run(outputs.remove("a-1", 2..=u32::MAX - 1)).expect("removes");
        assert_eq!([1, 2, 3, 12].map(there), [true, false, false, false]);
        assert_eq!(run(outputs.jobs()).expect("lists"), ["a-1"]);
        for _ in 0..2 {
            run(outputs.remove("a-1", 1..=1)).expect("removes");
        }
        assert!(run(outputs.jobs()).expect("lists").is_empty(), "nothing is left of it");
        write(&outputs, 1, "x");
        for _ in 0..2 {
            run(outputs.remove_all("a-1")).expect("removes");
        }
        assert!(run(outputs.jobs()).expect("lists").is_empty());
    }

    #[test]
    fn a_job_is_held_until_the_last_sender_is_gone() {
        let (_folder, outputs) = outputs();
        let (first, second) = (outputs.hold("a"), outputs.hold("a"));
        assert!(outputs.is_held("a") && !outputs.is_held("b"));
        drop(first);
        assert!(outputs.is_held("a"));
        drop(second);
        assert!(!outputs.is_held("a"));
    }
}
