//! The journal: lines that say how far a pull is, each on the disk before what it allows is done.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::error::PullError;

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Begins one that must not be there yet.
    pub(crate) fn create(path: &Path) -> Result<Journal, PullError> {
        let file = OpenOptions::new().append(true).create_new(true).open(path);
        let file = file.map_err(|error| PullError::disk("make", path, &error))?;
        Ok(Journal {
            file,
            path: path.to_owned(),
        })
    }

    /// Reads one, and goes on behind its last whole line: what a crash left of another is cut off.
    pub(crate) fn open(path: &Path) -> Result<(Journal, String), PullError> {
        let text = read(path)?;
        let file = OpenOptions::new().append(true).open(path);
        let mut file = file.map_err(|error| PullError::disk("open", path, &error))?;
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let cut = file.set_len(length).and_then(|()| file.seek(SeekFrom::End(0)));
        cut.map_err(|error| PullError::disk("write", path, &error))?;
        let journal = Journal {
            file,
            path: path.to_owned(),
        };
        Ok((journal, text))
    }

    /// Adds a line; with `sync` it is on the disk when this returns.
    pub(crate) fn append(&mut self, line: &str, sync: bool) -> Result<(), PullError> {
        let whole = format!("{line}\n");
        let mut written = self.file.write_all(whole.as_bytes());
        if sync {
            written = written.and_then(|()| self.file.sync_data());
        }
        written.map_err(|error| PullError::disk("write", &self.path, &error))
    }
}

/// The whole lines of a journal.
pub(crate) fn read(path: &Path) -> Result<String, PullError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
    read.map_err(|error| PullError::disk("read", path, &error))?;
    let end = memchr::memrchr(b'\n', &bytes).map_or(0, |at| at + 1);
    bytes.truncate(end);
    let damaged = |_| PullError::usage(format!("{} is damaged: it is no text", path.display()));
    String::from_utf8(bytes).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_a_crash_cut_is_gone_and_the_next_one_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let mut journal = Journal::create(&path).expect("begins");
        journal.append("{\"a\":1}", true).expect("adds");
        drop(journal);
        let torn = OpenOptions::new().append(true).open(&path);
        torn.expect("opens").write_all(b"{\"b\":").expect("writes");
        let (mut journal, text) = Journal::open(&path).expect("opens");
        assert_eq!(text, "{\"a\":1}\n");
        journal.append("{\"c\":3}", false).expect("adds");
        assert_eq!(read(&path).expect("reads"), "{\"a\":1}\n{\"c\":3}\n");
        assert!(Journal::create(&path).is_err(), "one is there already");
    }
}
