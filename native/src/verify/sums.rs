//! Checksums: a file `SHA256SUMS` in the format of `sha256sum`, held against the files of an export.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use fhirehose_core::client::manifest::Severity;
use sha2::{Digest, Sha256};

use super::SUMS;
use super::found::Finding;
use super::listing::{Listed, Unfound, about, named};
use crate::cancel::Cancel;

const CHUNK: usize = 256 << 10;

/// A line of the file.
#[derive(Debug, PartialEq, Eq)]
struct Sum {
    name: String,
    sum: [u8; 32],
}

/// What came of it: how many sums are right, if there is such a file.
pub(super) fn check(
    folder: &Path,
    listed: &[Listed],
    threads: usize,
    cancel: &Cancel,
    findings: &mut Vec<Finding>,
) -> io::Result<Option<u64>> {
    let home = fs::canonicalize(folder)?;
    let text = match named(&home, SUMS) {
        Ok(path) => fs::read(path)?,
        Err(Unfound::Missing) => return Ok(None),
        Err(Unfound::Outside) => {
            let message = "is a link to a file outside of the export's folder; it is not read";
            findings.push(about(Severity::Error, "outside", SUMS, message));
            return Ok(None);
        }
        Err(Unfound::Irregular) => {
            let message = "is no regular file; it is not read";
            findings.push(about(Severity::Error, "not-a-file", SUMS, message));
            return Ok(None);
        }
    };
    let mut files: Vec<(Sum, PathBuf)> = Vec::new();
    let mut by_path: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let wrong = |rule, name: &str, message: &str| about(Severity::Error, rule, name, message);
        let Some(sum) = read(line) else {
            let message = format!("line {} is not in the format of sha256sum", index + 1);
            findings.push(about(Severity::Error, "checksum-format", SUMS, message));
            continue;
        };
        // A name, not a URL: what looks like an escape in it is one of the file system's.
        let path = match named(&home, &sum.name) {
            Ok(path) => path,
            Err(Unfound::Outside) => {
                findings.push(wrong(
                    "outside",
                    SUMS,
                    "names a file outside of the export's folder; it is not read",
                ));
                continue;
            }
            Err(Unfound::Missing) => {
                findings.push(wrong(
                    "missing-file",
                    &sum.name,
                    "SHA256SUMS lists it, and it is not there",
                ));
                continue;
            }
            Err(Unfound::Irregular) => {
                findings.push(wrong(
                    "not-a-file",
                    &sum.name,
                    "SHA256SUMS lists it, and it is no regular file",
                ));
                continue;
            }
        };
        match by_path.get(&path) {
            Some(other) if files[*other].0.sum != sum.sum => {
                findings.push(wrong(
                    "checksum-twice",
                    &sum.name,
                    "SHA256SUMS has two different sums of it",
                ));
            }
            Some(_) => {}
            None => {
                by_path.insert(path.clone(), files.len());
                files.push((sum, path));
            }
        }
    }
    for file in listed.iter().filter(|file| !by_path.contains_key(&file.path)) {
        findings.push(about(
            Severity::Error,
            "no-checksum",
            &file.name,
            "SHA256SUMS does not list it",
        ));
    }
    let (right, mut wrong) = compare(&files, threads, cancel);
    wrong.sort_by(|one, other| one.file.cmp(&other.file));
    findings.extend(wrong);
    Ok(Some(right))
}

/// Hashes every file; each by one thread.
fn compare(files: &[(Sum, PathBuf)], threads: usize, cancel: &Cancel) -> (u64, Vec<Finding>) {
    let next = AtomicUsize::new(0);
    let results = Mutex::new((0, Vec::new()));
    let work = || {
        let mut buffer = vec![0; CHUNK];
        while let Some((sum, path)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let hashed = hash(path, &mut buffer, cancel);
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            match hashed {
                Ok(Some(found)) if found == sum.sum => results.0 += 1,
                Ok(Some(_)) => {
                    let message = "its SHA-256 is not that of SHA256SUMS";
                    results.1.push(about(Severity::Error, "checksum", &sum.name, message));
                }
                Ok(None) => break,
                Err(error) => {
                    let message = format!("cannot read: {error}");
                    results.1.push(about(Severity::Error, "unreadable", &sum.name, message));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        // Where the system gives no more threads, those that there are do the work.
        let mut others = (1..threads.min(files.len())).map(|_| std::thread::Builder::new().spawn_scoped(scope, work));
        while let Some(Ok(_)) = others.next() {}
        work();
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// `None`: somebody asked to stop.
fn hash(path: &Path, buffer: &mut [u8], cancel: &Cancel) -> io::Result<Option<[u8; 32]>> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    loop {
        if cancel.is_stopped() {
            return Ok(None);
        }
        match file.read(buffer) {
            Ok(0) => return Ok(Some(hasher.finalize().into())),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads a line: 64 digits, a blank, a blank or `*`, a name. With a backslash in front the name has escapes.
fn read(line: &[u8]) -> Option<Sum> {
    let line = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).ok()?;
    let (line, is_escaped) = match line.strip_prefix('\\') {
        Some(line) => (line, true),
        None => (line, false),
    };
    let (digits, rest) = line.split_at_checked(64)?;
    let name = rest.strip_prefix("  ").or_else(|| rest.strip_prefix(" *"))?;
    let mut sum = [0; 32];
    for (byte, pair) in sum.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        *byte = (digit(0)? * 16 + digit(1)?) as u8;
    }
    let name = if is_escaped { unescaped(name)? } else { name.to_owned() };
    (!name.is_empty()).then_some(Sum { name, sum })
}

fn unescaped(name: &str) -> Option<String> {
    let mut out = String::with_capacity(name.len());
    let mut letters = name.chars();
    while let Some(letter) = letters.next() {
        out.push(match letter {
            '\\' => match letters.next()? {
                'n' => '\n',
                'r' => '\r',
                '\\' => '\\',
                _ => return None,
            },
            letter => letter,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_sha256sum() {
        let digits = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let name = |line: String| read(line.as_bytes()).map(|sum| sum.name);
        assert_eq!(name(format!("{digits}  a b.ndjson")).as_deref(), Some("a b.ndjson"));
        assert_eq!(
            name(format!("{} *x/y\r", digits.to_uppercase())).as_deref(),
            Some("x/y")
        );
        assert_eq!(name(format!("\\{digits}  a\\\\b\\nc")).as_deref(), Some("a\\b\nc"));
        for wrong in [
            format!("{digits} a"),
            format!("{digits}  "),
            format!("{}  a", &digits[1..]),
            format!("{}g  a", &digits[1..]),
            format!("\\{digits}  a\\x"),
            "SHA256 (a) = 00".to_owned(),
        ] {
            assert_eq!(name(wrong.clone()), None, "{wrong}");
        }
        let read = read(format!("{digits}  a").as_bytes()).expect("a sum");
        assert_eq!(read.sum, <[u8; 32]>::from(Sha256::digest(b"")));
    }
}
