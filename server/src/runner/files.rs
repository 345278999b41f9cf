//! The files of an attempt, ready for the store: their ids, lengths and checksums, and one of what was noted at the kick-off.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fhirehose_core::report::FileEntry;
use fhirehose_core::sink::FileKind;
use fhirehose_native::codec_out::{BlockCutter, Compression};
use fhirehose_native::publish::Early;
use fhirehose_store::{Folder, Secret, StoredFile};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::report::Severities;
use crate::kickoff::Note;

/// Bytes read at once: they stay in a core's cache.
const CHUNK: usize = 128 << 10;

/// Gives files their ids, which are hard to guess and the same for every attempt.
#[derive(Clone, Debug)]
pub(super) struct Ids(Secret);

impl Ids {
    pub(super) fn new(secret: Secret) -> Ids {
        Ids(secret)
    }

    pub(super) fn of(&self, job: &str, folder: Folder, name: &str) -> String {
        // Keys may have any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0.0) else {
            return String::new();
        };
        for part in [job, folder.name(), name] {
            mac.update(part.as_bytes());
            mac.update(&[0]);
        }
        let bytes = mac.finalize().into_bytes();
        bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A file of which only the checksum is missing.
pub(super) struct Written {
    folder: Folder,
    name: String,
    resource_type: Option<String>,
    continues_in: Option<String>,
    count: u64,
}

impl Written {
    /// A file of the engine.
    pub(super) fn by_engine(entry: &FileEntry, is_organized: bool) -> Written {
        let folder = match entry.name.kind {
            FileKind::Output => Folder::Output,
            FileKind::Deleted => Folder::Deleted,
            FileKind::Error => Folder::Error,
        };
        let of_one_type = !(is_organized && folder == Folder::Output);
        Written {
            folder,
            name: last(&entry.path),
            resource_type: of_one_type.then(|| entry.name.type_name.clone()),
            continues_in: entry.continues_in.as_deref().map(last),
            count: entry.resources,
        }
    }

    /// A file of the engine that is complete before the job is. Only files of one type are.
    pub(super) fn early(early: Early) -> Written {
        Written {
            folder: Folder::Output,
            name: last(&early.path),
            resource_type: Some(early.name.type_name),
            continues_in: None,
            count: early.resources,
        }
    }

    fn path(&self, attempt: &Path) -> std::path::PathBuf {
        match self.folder {
            Folder::Output => attempt.join(&self.name),
            Folder::Deleted | Folder::Error => attempt.join(self.folder.name()).join(&self.name),
        }
    }
}

fn last(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// Writes what was noted at the kick-off into an error file of its own, beside those of the engine.
pub(super) fn write_notes(
    attempt: &Path,
    notes: &[Note],
    compression: Compression,
) -> io::Result<Option<(Written, Severities)>> {
    if notes.is_empty() {
        return Ok(None);
    }
    let written = Written {
        folder: Folder::Error,
        name: format!("KickOff.000.ndjson{}", compression.extension()),
        resource_type: Some("OperationOutcome".to_owned()),
        continues_in: None,
        count: notes.len() as u64,
    };
    let text: String = notes.iter().map(Note::line).collect();
    let path = written.path(attempt);
    fs::create_dir_all(path.parent().unwrap_or(attempt))?;
    let bytes = compressed(text.as_bytes(), compression)?;
    let mut file = File::create(&path)?;
    io::Write::write_all(&mut file, &bytes)?;
    // The engine has synced its own; this one is as much part of the job.
    file.sync_all()?;
    let warning = notes.iter().filter(|note| note.is_warning).count() as u64;
    let severities = Severities {
        file: written.name.clone(),
        error: 0,
        warning,
        information: written.count - warning,
    };
    Ok(Some((written, severities)))
}

fn compressed(text: &[u8], compression: Compression) -> io::Result<Vec<u8>> {
    let mut encoder = compression.encoder().map_err(io::Error::other)?;
    let mut assembler = compression.assembler();
    let mut cutter = BlockCutter::new(compression);
    let mut blocks = Vec::new();
    cutter.push(text, |block| blocks.push(block));
    blocks.push(cutter.finish());
    let mut bytes = assembler.begin();
    for block in blocks {
        let encoded = block.encode(&mut encoder).map_err(io::Error::other)?;
        assembler.add(&encoded);
        bytes.extend_from_slice(&encoded.bytes);
    }
    bytes.extend_from_slice(&assembler.finish());
    Ok(bytes)
}

/// How bad the outcomes in the engine's error files are: it writes those about bad lines first.
pub(super) fn severities(files: &[FileEntry], mut bad_lines: u64) -> Vec<Severities> {
    let errors = files.iter().filter(|file| file.name.kind == FileKind::Error);
    let count = |file: &FileEntry| {
        let error = file.resources.min(bad_lines);
        bad_lines -= error;
        Severities {
            file: last(&file.path),
            error,
            warning: file.resources - error,
            information: 0,
        }
    };
    errors.map(count).collect()
}

/// Reads every file once, on so many threads: what is told of a file is what lies there.
pub(super) fn sum(
    attempt: &Path,
    job: &str,
    written: Vec<Written>,
    ids: &Ids,
    threads: usize,
) -> io::Result<Vec<StoredFile>> {
    let next = AtomicUsize::new(0);
    let sums = Mutex::new(vec![None; written.len()]);
    let work = || -> io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        while let Some((index, file)) = at(&written, next.fetch_add(1, Ordering::Relaxed)) {
            let sum = sum_of(&file.path(attempt), &mut buffer)?;
            sums.lock().unwrap_or_else(std::sync::PoisonError::into_inner)[index] = Some(sum);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let helpers = threads.min(written.len()).saturating_sub(1);
        let helpers: Vec<_> = (0..helpers).map(|_| scope.spawn(work)).collect();
        let own = work();
        let panicked = || io::Error::other("a thread failed");
        helpers.into_iter().fold(own, |done, helper| {
            done.and(helper.join().unwrap_or_else(|_| Err(panicked())))
        })
    })?;
    let sums = sums.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let stored = written.into_iter().zip(sums).map(|(file, sum)| {
        let (bytes, sha256) = sum.unwrap_or_default();
        StoredFile {
            id: ids.of(job, file.folder, &file.name),
            name: file.name,
            folder: file.folder,
            resource_type: file.resource_type,
            continues_in: file.continues_in,
            count: file.count,
            bytes,
            sha256,
        }
    });
    Ok(stored.collect())
}

fn at(written: &[Written], index: usize) -> Option<(usize, &Written)> {
    Some((index, written.get(index)?))
}

fn sum_of(path: &Path, buffer: &mut [u8]) -> io::Result<(u64, [u8; 32])> {
    let mut file = File::open(path)?;
    let mut sha = Sha256::new();
    let mut bytes = 0;
    loop {
        match file.read(buffer) {
            Ok(0) => return Ok((bytes, sha.finalize().into())),
            Ok(read) => {
                sha.update(&buffer[..read]);
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_depend_on_secret_job_folder_and_name() {
        let ids = Ids::new(Secret(vec![1; 32]));
        let one = ids.of("a", Folder::Output, "x");
        assert_eq!(one.len(), 32);
        assert_eq!(one, ids.of("a", Folder::Output, "x"));
        let others = [
            ids.of("b", Folder::Output, "x"),
            ids.of("a", Folder::Error, "x"),
            ids.of("a", Folder::Output, "y"),
            Ids::new(Secret(vec![2; 32])).of("a", Folder::Output, "x"),
        ];
        assert!(others.iter().all(|other| *other != one));
    }

    #[test]
    fn sums_are_in_the_order_of_the_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| Written {
            folder: Folder::Output,
            name: name.to_owned(),
            resource_type: None,
            continues_in: None,
            count: 1,
        };
        let names: Vec<String> = (0..50).map(|number| format!("f{number}")).collect();
        for name in &names {
            fs::write(folder.path().join(name), name.repeat(10_000)).expect("writes");
        }
        let ids = Ids::new(Secret(vec![1]));
        for threads in [1, 3] {
            let written = names.iter().map(|name| file(name)).collect();
            let stored = sum(folder.path(), "a", written, &ids, threads).expect("reads");
            for (stored, name) in stored.iter().zip(&names) {
                let text = name.repeat(10_000);
                let sha: [u8; 32] = Sha256::digest(&text).into();
                assert_eq!(
                    (&stored.name, stored.bytes, stored.sha256),
                    (name, text.len() as u64, sha)
                );
            }
        }
        assert!(sum(folder.path(), "a", vec![file("none"), file("f1")], &ids, 2).is_err());
    }

    #[test]
    fn errors_stand_before_warnings() {
        let file = |sequence, resources| FileEntry {
            name: fhirehose_core::sink::FileName {
                kind: FileKind::Error,
                type_name: "OperationOutcome".to_owned(),
                sequence,
            },
            path: format!("error/OperationOutcome.{sequence:03}.ndjson"),
            resources,
            bytes: 0,
            size: 0,
            continues_in: None,
        };
        let counted = severities(&[file(0, 3), file(1, 3), file(2, 1)], 4);
        let counts: Vec<_> = counted.iter().map(|of| (of.error, of.warning)).collect();
        assert_eq!(counts, [(3, 0), (1, 2), (0, 1)]);
        assert_eq!(counted[1].file, "OperationOutcome.001.ndjson");
    }
}
