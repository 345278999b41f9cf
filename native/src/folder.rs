//! A folder of output: files stand under their final names only when all of them are complete.
//!
//! Everything is written into a hidden folder inside. At the end the data are synced once, the files renamed, and the
//! manifest last; a run that fails or is killed leaves no manifest and no file under a final name.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fhirehose_core::error::Error;
use fhirehose_core::report::Report;
use fhirehose_core::sink::{FileKind, FileName, Origin, Sink, Stored};

use crate::cancel::Cancel;
use crate::clones::Cloned;
use crate::codec_out::{BlockEncoder, Compression};
use crate::compress::{Compressed, Queue, Writer};
use crate::inputs::InputPlace;
use crate::job::JobError;
use crate::output_error::OutputError;
use crate::publish::{Early, Publisher};
use crate::writeback::{self, Writeback};

/// Name of the hidden folder in which an export lies until it is complete.
pub(crate) const PARTIAL: &str = ".fhirehose-partial";
const LOCK: &str = "lock";
/// Name of the manifest in its folder.
pub const MANIFEST: &str = "manifest.json";

/// Runs of at least this many bytes are written straight from the input block.
const DIRECT: usize = 64 << 10;
const BUFFER: usize = 256 << 10;

/// Writes files into a folder.
pub(crate) struct FolderSink {
    folder: PathBuf,
    partial: PathBuf,
    /// Held as long as the sink lives, so that a second export into the folder is refused.
    _lock: File,
    made_folder: bool,
    force: bool,
    is_durable: bool,
    compression: Compression,
    queue: Arc<Queue>,
    encoder: BlockEncoder,
    most_waiting: usize,
    /// Closed files: where they are, and their final names.
    closed: Vec<(PathBuf, String)>,
    /// Inputs that may be cloned.
    inputs: Vec<InputPlace>,
    cloned: Vec<usize>,
    compressed: Vec<(String, Arc<Compressed>)>,
    cancel: Cancel,
    writeback: Writeback,
    committed: bool,
    temporaries: u64,
    publisher: Option<Publisher>,
}

/// An open file of the folder.
pub(crate) struct OutputFile {
    temporary: PathBuf,
    name: String,
    /// What is told of it before the end.
    early: Option<Early>,
    writer: FileWriter,
}

enum FileWriter {
    Plain(Plain),
    Compressed(Writer),
}

struct Plain {
    file: File,
    buffer: Vec<u8>,
    size: u64,
    /// The file is a clone of an input, and nothing else has been written.
    cloned: Option<Cloned>,
}

impl FolderSink {
    /// Makes the folder, if need be, and its hidden one. Refuses a folder with something in it, unless forced.
    pub(crate) fn create(
        folder: &Path,
        force: bool,
        compression: Compression,
        threads: usize,
        queue: Arc<Queue>,
        cancel: &Cancel,
    ) -> Result<FolderSink, OutputError> {
        // Held until an abort knows what to remove.
        let mut work = cancel.work();
        let made_folder = !folder.exists();
        fs::create_dir_all(folder).map_err(OutputError::at("make", folder))?;
        let partial = folder.join(PARTIAL);
        let lock = take_lock(folder, &partial)?;
        let encoder = compression.encoder().map_err(|error| {
            OutputError::new("compress for", folder.display().to_string(), &io::Error::other(error))
        })?;
        let sink = FolderSink {
            folder: folder.to_owned(),
            partial: partial.clone(),
            _lock: lock,
            made_folder,
            force,
            is_durable: true,
            compression,
            queue,
            encoder,
            most_waiting: 2 * threads + 2,
            closed: Vec::new(),
            inputs: Vec::new(),
            cloned: Vec::new(),
            compressed: Vec::new(),
            cancel: cancel.clone(),
            writeback: Writeback::default(),
            committed: false,
            temporaries: 0,
            publisher: None,
        };
        if !force && !is_empty(folder)? {
            return Err(OutputError::refused(
                folder,
                "the folder is not empty; `--force` replaces an export in it",
            ));
        }
        work.partial = Some(partial);
        work.made = made_folder.then(|| folder.to_owned());
        Ok(sink)
    }

    /// Lets whole inputs be cloned, if the file system can.
    pub(crate) fn with_inputs(mut self, inputs: &[InputPlace]) -> Self {
        self.inputs = inputs.to_vec();
        self
    }

    /// Tells of files as they are completed.
    pub(crate) fn with_publisher(mut self, publisher: Publisher) -> Self {
        self.publisher = Some(publisher);
        self
    }

    fn publish(&mut self) -> Result<(), Error> {
        match &mut self.publisher {
            Some(publisher) => publisher.publish(&self.folder, &self.cancel).map_err(to_core),
            None => Ok(()),
        }
    }

    /// Inputs that have been cloned, by their numbers: they have to be what they were when they were read.
    pub(crate) fn cloned(&self) -> &[usize] {
        &self.cloned
    }

    /// A new file in the hidden folder for what is no output; its maker removes it.
    pub(crate) fn temporary(&mut self, name: &str) -> Result<(PathBuf, File), OutputError> {
        let path = self.partial.join(format!("{name}-{}", self.temporaries));
        self.temporaries += 1;
        let _work = self.cancel.work();
        if self.cancel.is_stopped() {
            let interrupted = io::Error::from(io::ErrorKind::Interrupted);
            return Err(OutputError::new("make", name, &interrupted));
        }
        let file = File::create(&path).map_err(OutputError::at("make the temporary file", &path))?;
        Ok((path, file))
    }

    /// Encoders for threads that help to compress, at most so many; none where nothing is compressed.
    pub(crate) fn helpers(&self, most: usize) -> Vec<BlockEncoder> {
        match self.compression {
            Compression::None => Vec::new(),
            compression => (0..most).map_while(|_| compression.encoder().ok()).collect(),
        }
    }

    /// The hidden folder, where whatever else a job needs may lie until its end: it is removed with all that is in it.
    pub(crate) fn partial(&self) -> &Path {
        &self.partial
    }

    /// Sets the stored sizes of compressed files, which are known only now.
    pub(crate) fn complete(&self, report: &mut Report) -> Result<(), OutputError> {
        if let Some(failure) = self.queue.failure() {
            return Err(failure);
        }
        // There may be very many files.
        let mut sizes = HashMap::with_capacity(self.compressed.len());
        for (name, file) in &self.compressed {
            let incomplete = || OutputError::new("complete", name, &io::Error::other("a block is missing"));
            sizes.insert(name.as_str(), file.size().ok_or_else(incomplete)?);
        }
        for entry in &mut report.files {
            entry.size = sizes.get(entry.path.as_str()).copied().unwrap_or(entry.size);
        }
        Ok(())
    }

    /// Whether files get their names only when they are on the disk; without this they do.
    pub(crate) fn durable(mut self, is_durable: bool) -> FolderSink {
        self.is_durable = is_durable;
        self
    }

    /// Gives every file its final name, the manifest last.
    pub(crate) fn commit(mut self, manifest: &str) -> Result<(), JobError> {
        let cancel = self.cancel.clone();
        let mut work = cancel.work();
        if cancel.is_stopped() {
            return Err(JobError::Interrupted);
        }
        let unfinished = self.partial.join(MANIFEST);
        fs::write(&unfinished, manifest).map_err(OutputError::at("write", &unfinished))?;
        self.writeback.finish();
        if self.is_durable {
            sync(&self.folder)?;
        }
        let final_manifest = self.folder.join(MANIFEST);
        if self.force {
            remove_if_there(&final_manifest)?;
            self.remove_earlier()?;
        }
        let rest = self.publisher.iter_mut().flat_map(Publisher::take_rest);
        self.closed.extend(rest);
        let mut renamed = Vec::new();
        for (temporary, name) in std::mem::take(&mut self.closed) {
            if let Err(error) = self.rename(&temporary, &self.folder.join(&name)) {
                renamed.iter().for_each(|path: &PathBuf| drop(fs::remove_file(path)));
                return Err(error.into());
            }
            renamed.push(self.folder.join(&name));
        }
        self.rename(&unfinished, &final_manifest)?;
        work.committed = true;
        work.partial = None;
        work.made = None;
        self.committed = true;
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), OutputError> {
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(OutputError::at("make", parent))?;
        }
        fs::rename(from, to).map_err(OutputError::at("rename a finished file to", to))
    }

    /// Removes the data files of an earlier export; nothing else that lies in the folder.
    fn remove_earlier(&self) -> Result<(), OutputError> {
        for folder in [
            self.folder.clone(),
            self.folder.join("deleted"),
            self.folder.join("error"),
        ] {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                if is_data_file(&entry.file_name().to_string_lossy()) {
                    remove_if_there(&entry.path())?;
                }
            }
        }
        for name in ["deleted", "error"] {
            // One with something else in it stays.
            let _ = fs::remove_dir(self.folder.join(name));
        }
        Ok(())
    }
}

impl Drop for FolderSink {
    fn drop(&mut self) {
        // Nothing can be done about a failure here; the next export into the folder cleans up.
        let _ = fs::remove_dir_all(&self.partial);
        if let Some(publisher) = self.publisher.as_mut().filter(|_| !self.committed) {
            publisher.remove();
        }
        if !self.committed && self.made_folder {
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

impl Sink for FolderSink {
    type File = OutputFile;

    fn create(&mut self, name: &FileName) -> Result<OutputFile, Error> {
        let early = self.publisher.as_ref().filter(|_| name.kind == FileKind::Output);
        let mut early = early.map(|_| Early {
            name: name.clone(),
            path: String::new(),
            resources: 0,
        });
        let name = format!("{name}{}", self.compression.extension());
        let temporary = self.partial.join(name.replace('/', "-"));
        // An abort removes what there is: nothing may be made while it does, or after.
        let _work = self.cancel.work();
        if self.cancel.is_stopped() {
            let interrupted = io::Error::from(io::ErrorKind::Interrupted);
            return Err(to_core(OutputError::new("make", &name, &interrupted)));
        }
        let file = File::create(&temporary)
            .map_err(OutputError::at("make", &temporary))
            .map_err(to_core)?;
        let writer = match self.compression {
            Compression::None => FileWriter::Plain(Plain {
                file,
                buffer: Vec::with_capacity(BUFFER),
                size: 0,
                cloned: None,
            }),
            compression => FileWriter::Compressed(Writer::new(&name, compression, Box::new(file))),
        };
        if let Some(early) = &mut early {
            early.path = name.clone();
        }
        Ok(OutputFile {
            temporary,
            name,
            early,
            writer,
        })
    }

    fn write(&mut self, file: &mut OutputFile, lines: &[u8]) -> Result<(), Error> {
        match &mut file.writer {
            FileWriter::Plain(plain) => {
                let before = plain.size / writeback::STEP;
                let written = plain.write(lines);
                written.map_err(|error| to_core(OutputError::new("write", &file.name, &error)))?;
                if self.is_durable && plain.size / writeback::STEP > before {
                    self.writeback.start(&plain.file);
                }
            }
            FileWriter::Compressed(writer) => {
                writer.push(lines, &self.queue);
                while self.queue.len() > self.most_waiting {
                    self.queue.help(&mut self.encoder);
                }
                if let Some(failure) = self.queue.failure() {
                    return Err(to_core(failure));
                }
                if let Some(early) = &mut file.early {
                    early.resources += memchr::memchr_iter(b'\n', lines).count() as u64;
                    self.publish()?;
                }
            }
        }
        Ok(())
    }

    fn write_from(&mut self, file: &mut OutputFile, lines: &[u8], origin: Origin) -> Result<(), Error> {
        if let FileWriter::Plain(plain) = &mut file.writer {
            if plain.size == 0 {
                plain.cloned = Cloned::of(&self.inputs, origin, lines, &plain.file);
                self.cloned.extend(plain.cloned.is_some().then_some(origin.input));
            }
            if plain
                .cloned
                .as_ref()
                .is_some_and(|cloned| cloned.holds(origin, plain.size, lines))
            {
                plain.size += lines.len() as u64;
                return Ok(());
            }
        }
        self.write(file, lines)
    }

    fn close(&mut self, file: OutputFile) -> Result<Stored, Error> {
        let OutputFile {
            temporary,
            name,
            early,
            writer,
        } = file;
        let size = match writer {
            FileWriter::Plain(mut plain) => {
                plain
                    .finish()
                    .map_err(|error| to_core(OutputError::new("write", &name, &error)))?;
                plain.size
            }
            FileWriter::Compressed(writer) => {
                let compressed = writer.finish(&self.queue);
                self.compressed.push((name.clone(), compressed.clone()));
                if let (Some(early), Some(publisher)) = (early, &mut self.publisher) {
                    publisher.add(temporary, early, compressed);
                    return Ok(Stored { name, size: 0 });
                }
                0
            }
        };
        self.closed.push((temporary, name.clone()));
        Ok(Stored { name, size })
    }
}

impl Plain {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.end_clone()?;
        self.size += lines.len() as u64;
        if self.buffer.len() + lines.len() > BUFFER || lines.len() >= DIRECT {
            self.file.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        if lines.len() >= DIRECT {
            return self.file.write_all(lines);
        }
        self.buffer.extend_from_slice(lines);
        Ok(())
    }

    fn end_clone(&mut self) -> io::Result<()> {
        match self.cloned.take() {
            Some(cloned) => cloned.end(&mut self.file, self.size),
            None => Ok(()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.end_clone()?;
        self.file.write_all(&self.buffer)
    }
}

pub(crate) fn to_core(error: OutputError) -> Error {
    Error::sink("output", error)
}

/// Makes the hidden folder and locks it. One that a killed export left behind is unlocked, and is made anew.
fn take_lock(folder: &Path, partial: &Path) -> Result<File, OutputError> {
    fs::create_dir_all(partial).map_err(OutputError::at("write into", folder))?;
    let path = partial.join(LOCK);
    let lock = File::create(&path).map_err(OutputError::at("write into", folder))?;
    let is_ours = match lock.try_lock() {
        // An export that ended in this moment removed the file that it had locked: that lock keeps nobody out.
        Ok(()) => stands_at(&lock, &path),
        Err(TryLockError::WouldBlock) => false,
        // File systems without locks: go on without.
        Err(TryLockError::Error(_)) => true,
    };
    if !is_ours {
        return Err(OutputError::refused(
            folder,
            "another export is writing into this folder",
        ));
    }
    let entries = fs::read_dir(partial).map_err(OutputError::at("read", partial))?;
    for entry in entries.flatten().filter(|entry| entry.file_name() != LOCK) {
        remove_if_there(&entry.path())?;
    }
    Ok(lock)
}

/// Whether this very file is what the path leads to.
fn stands_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let place = |data: &fs::Metadata| (data.dev(), data.ino());
        matches!((file.metadata(), fs::metadata(path)), (Ok(ref file), Ok(ref there)) if place(file) == place(there))
    }
    #[cfg(not(unix))]
    {
        // A file that is open cannot be replaced there.
        let _ = file;
        path.exists()
    }
}

fn is_empty(folder: &Path) -> Result<bool, OutputError> {
    let entries = fs::read_dir(folder).map_err(OutputError::at("read", folder))?;
    Ok(entries.flatten().all(|entry| entry.file_name() == PARTIAL))
}

fn remove_if_there(path: &Path) -> Result<(), OutputError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OutputError::at("remove", path)(error)),
        _ => Ok(()),
    }
}

/// `Type.000.ndjson` with or without the ending of a codec.
fn is_data_file(name: &str) -> bool {
    let mut parts = name.split('.');
    let is_type = parts
        .next()
        .is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !part.is_empty());
    let is_number = parts
        .next()
        .is_some_and(|part| part.len() >= 3 && part.bytes().all(|byte| byte.is_ascii_digit()));
    is_type
        && is_number
        && parts.next() == Some("ndjson")
        && matches!(parts.next(), None | Some("gz" | "zst"))
        && parts.next().is_none()
}

/// Puts everything of a folder's file system on the disk at once: for many files far cheaper than one by one.
///
/// # Errors
/// The folder cannot be opened, or something could not be written.
pub fn sync(folder: &Path) -> Result<(), OutputError> {
    let file = File::open(folder).map_err(OutputError::at("open", folder))?;
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(&file).map_err(|error| OutputError::at("sync", folder)(error.into()))?;
    #[cfg(not(target_os = "linux"))]
    file.sync_all().map_err(OutputError::at("sync", folder))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_lock_that_was_removed_keeps_nobody_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(LOCK);
        let held = File::create(&path).expect("creates");
        assert!(stands_at(&held, &path));
        fs::remove_file(&path).expect("removes");
        assert!(!stands_at(&held, &path));
        File::create(&path).expect("creates");
        assert!(!stands_at(&held, &path));
    }

    #[test]
    fn only_data_files_of_ours_are_replaced() {
        for name in [
            "Patient.000.ndjson",
            "Observation.012.ndjson.gz",
            "OperationOutcome.1000.ndjson.zst",
        ] {
            assert!(is_data_file(name), "{name}");
        }
        for name in [
            "Patient.ndjson",
            "notes.txt",
            "a.b.ndjson",
            "Patient.000.ndjson.bak",
            "Patient.00.ndjson",
            "Patient.000.ndjson.gz.x",
        ] {
            assert!(!is_data_file(name), "{name}");
        }
    }
}
