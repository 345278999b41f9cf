//! The output folder while a pull is under way: a hidden folder in it holds the journal, the parts and how to go on.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use fhirehose_native::folder::MANIFEST;

use crate::error::PullError;
use crate::journal;

/// Name of the hidden folder.
const HIDDEN: &str = ".fhirehose-pull";
/// Its name when the output stands: what is left of it is rubbish.
const DONE: &str = ".fhirehose-pull-done";
const JOURNAL: &str = "journal";
const SAVED: &str = "saved";
/// A file that is there as soon as the first file of the output has its name.
const FINISHING: &str = "finishing";

/// The output folder, locked.
#[derive(Debug)]
pub(crate) struct Folder {
    /// Where the output goes.
    pub(crate) out: PathBuf,
    hidden: PathBuf,
    /// Held as long as the pull runs.
    _lock: File,
}

impl Folder {
    /// Takes a folder that is new or empty, and remembers how the pull is gone on with. One that was killed before it had
    /// asked anybody anything leaves nothing to go on with: its folder is taken over.
    pub(crate) fn create(out: &Path, saved: &str) -> Result<Folder, PullError> {
        fs::create_dir_all(out).map_err(|error| PullError::disk("make", out, &error))?;
        remove_done(out);
        let entries = fs::read_dir(out).map_err(|error| PullError::disk("read", out, &error))?;
        if entries.flatten().any(|entry| entry.file_name() != HIDDEN) {
            return Err(PullError::usage(format!(
                "{} is not empty; a pull needs a folder that is new or empty",
                out.display()
            )));
        }
        if has_begun(out)? {
            return Err(PullError::usage(format!(
                "a pull into {} was begun before: `fhirehose pull --resume {0}` goes on with it, `--cancel {0}` ends it",
                out.display()
            )));
        }
        let hidden = out.join(HIDDEN);
        let parts = hidden.join("parts");
        fs::create_dir_all(&parts).map_err(|error| PullError::disk("make", &parts, &error))?;
        only_for_us(&hidden);
        let folder = Folder::locked(out, hidden)?;
        let journal = folder.journal();
        match fs::remove_file(&journal) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(PullError::disk("remove", &journal, &error));
            }
            _ => {}
        }
        write_whole(&folder.hidden.join(SAVED), saved)?;
        Ok(folder)
    }

    /// Takes a folder that a pull was begun in.
    pub(crate) fn open(out: &Path) -> Result<Folder, PullError> {
        let hidden = out.join(HIDDEN);
        if !hidden.is_dir() {
            return Err(PullError::usage(format!(
                "no pull is under way in {}: there is nothing to resume",
                out.display()
            )));
        }
        let folder = Folder::locked(out, hidden)?;
        // Whoever has removed them has only removed what can be fetched again.
        let parts = folder.parts();
        fs::create_dir_all(&parts).map_err(|error| PullError::disk("make", &parts, &error))?;
        Ok(folder)
    }

    fn locked(out: &Path, hidden: PathBuf) -> Result<Folder, PullError> {
        let path = hidden.join("lock");
        let lock = File::create(&path).map_err(|error| PullError::disk("make", &path, &error))?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => Err(PullError::usage(format!(
                "another pull is writing into {}",
                out.display()
            ))),
            // File systems without locks: go on without.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Folder {
                out: out.to_owned(),
                hidden,
                _lock: lock,
            }),
        }
    }

    /// The journal.
    pub(crate) fn journal(&self) -> PathBuf {
        self.hidden.join(JOURNAL)
    }

    /// Where parts lie until all of them are there.
    pub(crate) fn parts(&self) -> PathBuf {
        self.hidden.join("parts")
    }

    /// Removes what no receipt names: downloads that a crash cut.
    pub(crate) fn sweep(&self, is_named: impl Fn(&str) -> bool) -> Result<(), PullError> {
        let parts = self.parts();
        let entries = fs::read_dir(&parts).map_err(|error| PullError::disk("read", &parts, &error))?;
        for entry in entries.flatten() {
            if !is_named(&entry.file_name().to_string_lossy()) {
                let path = entry.path();
                let removed = if path.is_dir() {
                    fs::remove_dir_all(&path)
                } else {
                    fs::remove_file(&path)
                };
                removed.map_err(|error| PullError::disk("remove", &path, &error))?;
            }
        }
        Ok(())
    }

    /// Whether the output is being given its names.
    pub(crate) fn is_finishing(&self) -> bool {
        self.hidden.join(FINISHING).exists()
    }

    /// Before the first name is given: nothing of anybody else's may stand there.
    pub(crate) fn begin_to_finish<'n>(&self, names: impl Iterator<Item = &'n str>) -> Result<(), PullError> {
        if self.is_finishing() {
            return Ok(());
        }
        let mut names = names.map(|name| self.out.join(name));
        if let Some(there) = names.find(|path| path.exists()) {
            return Err(PullError::usage(format!(
                "{} is there already, and is not of this pull; when it is gone, --resume goes on",
                there.display()
            )));
        }
        write_whole(&self.hidden.join(FINISHING), "")
    }

    /// The output stands, or is not wanted any more: the hidden folder goes, in one step.
    pub(crate) fn remove_hidden(self) -> Result<(), PullError> {
        let done = self.out.join(DONE);
        let renamed = fs::rename(&self.hidden, &done);
        renamed.map_err(|error| PullError::disk("remove", &self.hidden, &error))?;
        fs::remove_dir_all(&done).map_err(|error| PullError::disk("remove", &done, &error))
    }
}

/// Removes what a pull that was killed when it had ended has left.
fn remove_done(out: &Path) {
    // What cannot be removed is hidden, and is of no consequence.
    let _ = fs::remove_dir_all(out.join(DONE));
}

/// Whether a pull that was begun in a folder has remembered anything: only then has it asked anybody.
///
/// # Errors
/// The journal is there and cannot be read: who knows what it says.
pub fn has_begun(out: &Path) -> Result<bool, PullError> {
    let path = journal_of(out);
    match path.try_exists() {
        Ok(false) => Ok(false),
        _ => journal::read(&path).map(|lines| !lines.is_empty()),
    }
}

/// Whether a folder holds an output that is complete, and no pull is under way in it. Removes what a pull that was killed in
/// its last moment has left.
pub fn is_complete(out: &Path) -> bool {
    remove_done(out);
    !out.join(HIDDEN).exists() && out.join(MANIFEST).exists()
}

/// What was saved of the pull that was begun in a folder, for going on with it.
///
/// # Errors
/// No pull is under way there, or the file cannot be read.
pub fn saved(out: &Path) -> Result<String, PullError> {
    let path = out.join(HIDDEN).join(SAVED);
    if !path.exists() {
        return Err(PullError::usage(format!(
            "no pull is under way in {}: there is nothing to go on with",
            out.display()
        )));
    }
    fs::read_to_string(&path).map_err(|error| PullError::disk("read", &path, &error))
}

/// Where the journal of a folder is, for looking at it only.
pub(crate) fn journal_of(out: &Path) -> PathBuf {
    out.join(HIDDEN).join(JOURNAL)
}

/// Writes a small file that is there whole or not at all.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<(), PullError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let written = written.and_then(|()| fs::rename(&temporary, path));
    written.map_err(|error| PullError::disk("write", path, &error))
}

/// Other people of the machine have no business with half an export.
fn only_for_us(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // A file system without rights: nothing can be done.
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
    }
    #[cfg(not(unix))]
    let _ = path;
}
