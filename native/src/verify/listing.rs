//! The files that a manifest lists, found in the folder of the export, and the files there that it does not list.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use fhirehose_core::client::manifest::{Item, Severity};

use super::SUMS;
use super::found::Finding;
use crate::folder::{MANIFEST, PARTIAL};
use crate::inputs::is_data_name;

/// A file that the manifest lists and that is there.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// Relative to the folder, `/` between parts.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) item: Item,
    /// Bytes as stored.
    pub(super) size: u64,
    /// A block of another file goes on in it.
    pub(super) continues: bool,
}

/// Folders that are there as long as files are being written: of an export, and of a pull, which is a crate above this one.
const UNFINISHED: [&str; 2] = [PARTIAL, ".fhirehose-pull"];

/// Deepest folder that is looked into for files that are not listed.
const DEEPEST: usize = 16;

/// How many of the files that are not listed are named one by one.
const MOST_NAMED: u64 = 100;

/// Finds every item's file. What is missing, lies elsewhere or is listed twice is a finding.
pub(super) fn listed(folder: &Path, items: &[Item], findings: &mut Vec<Finding>) -> io::Result<Vec<Listed>> {
    let home = fs::canonicalize(folder)?;
    let mut found: Vec<Listed> = Vec::new();
    let mut by_path: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for item in items {
        let shown = open_part(&item.url);
        let wrong = |rule, message: &str| about(Severity::Error, rule, &shown, message);
        let path = match locate(&home, &item.url) {
            Ok(path) => path,
            Err(Unfound::Outside) => {
                findings.push(wrong(
                    "outside",
                    "the manifest names a file outside of the export's folder; it is not read",
                ));
                continue;
            }
            Err(Unfound::Missing) => {
                findings.push(wrong("missing-file", "the manifest lists it, and it is not there"));
                continue;
            }
        };
        if by_path.contains_key(&path) {
            findings.push(wrong("listed-twice", "the manifest lists the file twice"));
            continue;
        }
        by_path.insert(path.clone(), found.len());
        found.push(Listed {
            name: relative(&home, &path),
            size: fs::metadata(&path)?.len(),
            path,
            item: item.clone(),
            continues: false,
        });
    }
    let targets = items
        .iter()
        .filter_map(|item| locate(&home, item.continues_in.as_ref()?).ok());
    for target in targets.collect::<Vec<_>>() {
        if let Some(index) = by_path.get(&target) {
            found[*index].continues = true;
        }
    }
    Ok(found)
}

/// Tells files in the folder that are not listed.
pub(super) fn unlisted(
    folder: &Path,
    manifest: &Path,
    listed: &[Listed],
    findings: &mut Vec<Finding>,
) -> io::Result<()> {
    let home = fs::canonicalize(folder)?;
    for name in UNFINISHED.iter().filter(|name| home.join(name).exists()) {
        let message = "an export or pull into this folder is at work, or was killed";
        findings.push(about(Severity::Error, "unfinished", name, message));
    }
    let manifest = fs::canonicalize(manifest)?;
    let mut known: Vec<&Path> = listed.iter().map(|file| file.path.as_path()).collect();
    known.sort_unstable();
    let own = home.join(MANIFEST);
    let is_known =
        |path: &Path| path == manifest || path == own || path == home.join(SUMS) || known.binary_search(&path).is_ok();
    let mut others = Vec::new();
    walk(&home, DEEPEST, &is_known, &mut others)?;
    others.sort_unstable();
    let mut left_out = 0;
    for path in others {
        let name = relative(&home, &path);
        let is_data = path
            .file_name()
            .is_some_and(|name| is_data_name(&name.to_string_lossy()));
        if findings
            .iter()
            .filter(|finding| finding.rule == "unlisted-file")
            .count() as u64
            >= MOST_NAMED
        {
            left_out += 1;
            continue;
        }
        let severity = if is_data { Severity::Error } else { Severity::Note };
        findings.push(about(
            severity,
            "unlisted-file",
            &name,
            "the manifest does not list the file",
        ));
    }
    if left_out > 0 {
        findings.push(Finding {
            severity: Severity::Error,
            rule: "unlisted-file",
            file: None,
            count: left_out,
            places: Vec::new(),
            message: "more files that the manifest does not list".to_owned(),
        });
    }
    Ok(())
}

fn walk(folder: &Path, depth: usize, is_known: &dyn Fn(&Path) -> bool, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() && depth > 0 {
            walk(&path, depth - 1, is_known, found)?;
        } else if !kind.is_dir() && !is_known(&path) && !fs::canonicalize(&path).is_ok_and(|real| is_known(&real)) {
            found.push(path);
        }
    }
    Ok(())
}

/// A finding about one file.
pub(super) fn about(severity: Severity, rule: &'static str, file: &str, message: impl Into<String>) -> Finding {
    Finding {
        severity,
        rule,
        file: Some(file.to_owned()),
        count: 1,
        places: Vec::new(),
        message: message.into(),
    }
}

fn relative(home: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(home).unwrap_or(path);
    let parts = inside.components().map(|part| part.as_os_str().to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}

/// A URL without what may be a signature.
fn open_part(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// Why there is no file to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfound {
    Missing,
    Outside,
}

/// The file that a URL names, in this folder, whose path is canonical. Of an absolute URL it is the longest end of its
/// path that is there: exports are fetched from a server and put into a folder.
pub(super) fn locate(home: &Path, url: &str) -> Result<PathBuf, Unfound> {
    let path = open_part(url);
    let (path, is_absolute) = match path.split_once("://") {
        Some((_, rest)) => (rest.split_once('/').map_or("", |(_, path)| path), true),
        None => (path.strip_prefix('/').unwrap_or(&path), path.starts_with('/')),
    };
    if !is_absolute {
        return inside(home, path);
    }
    let mut rest = path;
    loop {
        if let found @ Ok(_) = inside(home, rest) {
            return found;
        }
        rest = rest.split_once('/').ok_or(Unfound::Missing)?.1;
    }
}

/// The file of a relative path: as it is meant, with escapes taken out, or as it is written.
fn inside(home: &Path, path: &str) -> Result<PathBuf, Unfound> {
    let meant = percent_decoded(path).map(|decoded| named(home, &decoded));
    match meant {
        Some(found @ Ok(_)) => found,
        Some(Err(Unfound::Outside)) => Err(Unfound::Outside),
        _ => named(home, path),
    }
}

/// The file of this name in the folder, whose path is canonical.
pub(super) fn named(home: &Path, name: &str) -> Result<PathBuf, Unfound> {
    if name.is_empty() || name.contains('\0') {
        return Err(Unfound::Missing);
    }
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if !Path::new(name).components().all(is_plain) {
        return Err(Unfound::Outside);
    }
    match fs::canonicalize(home.join(name)) {
        Ok(real) if !real.starts_with(home) => Err(Unfound::Outside),
        Ok(real) if real.is_file() => Ok(real),
        _ => Err(Unfound::Missing),
    }
}

/// `None`: there is no escape in it, or what comes out is no text.
fn percent_decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return None;
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        out.push((high * 16 + low) as u8);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_into_the_folder_or_nowhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = fs::canonicalize(folder.path()).expect("a path").join("home");
        for file in [
            "home/a.ndjson",
            "home/files/b c.ndjson",
            "home/50%25.ndjson",
            "secret.ndjson",
        ] {
            let path = home.parent().expect("a parent").join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
            fs::write(path, "").expect("writes");
        }
        let cases = [
            ("a.ndjson", Ok("a.ndjson")),
            ("./a.ndjson?sig=1", Ok("a.ndjson")),
            ("files/b%20c.ndjson", Ok("files/b c.ndjson")),
            ("50%25.ndjson", Ok("50%25.ndjson")),
            ("https://x/base/files/b%20c.ndjson#y", Ok("files/b c.ndjson")),
            ("https://x/a.ndjson", Ok("a.ndjson")),
            ("/a.ndjson", Ok("a.ndjson")),
            ("file:///x/y/a.ndjson", Ok("a.ndjson")),
            ("b.ndjson", Err(Unfound::Missing)),
            ("files", Err(Unfound::Missing)),
            ("", Err(Unfound::Missing)),
            ("?id=5", Err(Unfound::Missing)),
            ("https://x", Err(Unfound::Missing)),
            ("../secret.ndjson", Err(Unfound::Outside)),
            ("%2e%2e/secret.ndjson", Err(Unfound::Outside)),
            ("files/../../secret.ndjson", Err(Unfound::Outside)),
            ("%00", Err(Unfound::Missing)),
        ];
        for (url, expected) in cases {
            assert_eq!(locate(&home, url), expected.map(|name| home.join(name)), "{url}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_nowhere_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = fs::canonicalize(folder.path()).expect("a path").join("home");
        fs::create_dir(&home).expect("makes");
        fs::write(folder.path().join("secret.ndjson"), "").expect("writes");
        std::os::unix::fs::symlink("../secret.ndjson", home.join("a.ndjson")).expect("links");
        assert_eq!(locate(&home, "a.ndjson"), Err(Unfound::Outside));
    }
}
