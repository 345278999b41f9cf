//! Sample data from a folder outside the project: every line of its `*.ndjson` and `*.ndjson.gz` files.

use flate2::read::MultiGzDecoder;
use serde_json::Value;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The folder that the environment names, if any.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    std::env::var_os("FHIREHOSE_DATA")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// The data files of a folder, sorted by name.
///
/// # Errors
///
/// The folder cannot be read.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(".ndjson") || name.ends_with(".ndjson.gz") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Hands every resource of a file to `take`, in order. Blank lines do not count.
///
/// # Errors
///
/// The file cannot be read, or a line is no JSON.
pub fn each_resource(path: &Path, mut take: impl FnMut(&Value)) -> io::Result<()> {
    for line in BufReader::new(open(path)?).lines() {
        let line = line?;
        if !line.trim().is_empty() {
            take(&serde_json::from_str(&line)?);
        }
    }
    Ok(())
}

/// All bytes of a file, unpacked.
///
/// # Errors
///
/// The file cannot be read.
pub fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let file = File::open(path)?;
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    Ok(if packed {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    })
}
