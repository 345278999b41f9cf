//! A folder of a built page, read whole: at the start of a server, and by the build where the page goes into the program.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a page is made of, by how the name ends.
const MEDIA_TYPES: [(&str, &str); 9] = [
    ("html", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("webmanifest", "application/manifest+json"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("wasm", "application/wasm"),
    ("table", "application/octet-stream"),
];
/// More than any build of the page, and little enough to be kept in memory.
const MOST_BYTES: u64 = 16 << 20;
const MOST_FILES: usize = 500;
const MOST_DEPTH: usize = 8;

/// A file of the page: its path in the folder with `/`, and where it lies.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) media_type: &'static str,
    pub(crate) path: PathBuf,
}

/// The files of a folder, sorted. What is no part of a page, as what begins with a dot or ends otherwise, is passed over.
///
/// # Errors
/// There is no page in it, or too much, or a link: what it leads to may be anything.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    // The folder itself may be a link: it is the one that was named.
    walk(folder, "", 0, &mut found)?;
    let mut bytes: u64 = 0;
    for file in &found {
        bytes += fs::metadata(&file.path)?.len();
    }
    if found.len() > MOST_FILES || bytes > MOST_BYTES {
        let text = format!("more than {MOST_FILES} files or {MOST_BYTES} bytes: this is no demo page");
        return Err(io::Error::other(text));
    }
    if !found.iter().any(|file| file.name == "index.html") {
        return Err(io::Error::other(
            "there is no index.html; scripts/wasm-demo builds the page",
        ));
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

fn walk(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<Found>) -> io::Result<()> {
    if depth > MOST_DEPTH {
        return Err(io::Error::other("the folders lie too deep"));
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        let kind = entry.file_type()?;
        let name = format!("{prefix}{name}");
        if kind.is_symlink() {
            return Err(io::Error::other(format!("{name} is a link, which is not followed")));
        } else if kind.is_dir() {
            walk(&entry.path(), &format!("{name}/"), depth + 1, found)?;
        } else if let Some(media_type) = media_type(&name) {
            found.push(Found {
                name,
                media_type,
                path: entry.path(),
            });
        }
        if found.len() > MOST_FILES {
            return Ok(());
        }
    }
    Ok(())
}

/// The media type of what belongs to a page; `None`: it does not.
fn media_type(name: &str) -> Option<&'static str> {
    let (_, end) = name.rsplit_once('.')?;
    let known = MEDIA_TYPES.iter().find(|(ending, _)| *ending == end);
    known.map(|(_, media_type)| *media_type)
}
