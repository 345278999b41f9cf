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

/// Folders that are there as long as files are being written, or until they are cleaned up: of an export, and of a pull and
/// `synth`, which are crates above this one.
const UNFINISHED: [&str; 4] = [
    PARTIAL,
    ".fhirehose-pull",
    ".fhirehose-pull-done",
    ".fhirehose-synth-partial",
];

/// How many of the files that are not listed are named one by one: those named like data, and others.
const MOST_NAMED: usize = 100;

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
            Err(Unfound::Irregular) => {
                findings.push(wrong("not-a-file", "the manifest lists it, and it is no regular file"));
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

/// Tells files in the folder that are not listed, hidden ones as far as they are named like data.
pub(super) fn unlisted(
    folder: &Path,
    manifest: &Path,
    listed: &[Listed],
    findings: &mut Vec<Finding>,
) -> io::Result<()> {
    let home = fs::canonicalize(folder)?;
    for name in UNFINISHED {
        // Also where it is a link that leads nowhere.
        if fs::symlink_metadata(home.join(name)).is_ok() {
            let message = "an export or pull into this folder is at work, or was killed";
            findings.push(about(Severity::Error, "unfinished", name, message));
        }
    }
    let manifest = fs::canonicalize(manifest)?;
    let mut known: Vec<&Path> = listed.iter().map(|file| file.path.as_path()).collect();
    known.sort_unstable();
    // What is no file has been told, and is listed.
    let is_irregular = |finding: &&Finding| finding.rule == "not-a-file";
    let irregular = findings.iter().filter(is_irregular);
    let mut told: Vec<PathBuf> = irregular
        .filter_map(|it| it.file.as_ref())
        .map(|it| home.join(it))
        .collect();
    told.extend([manifest, home.join(MANIFEST), home.join(SUMS)]);
    told.sort_unstable();
    let is_known = |path: &Path| {
        known.binary_search(&path).is_ok() || told.binary_search_by(|told| told.as_path().cmp(path)).is_ok()
    };
    let mut others = Others::default();
    others.walk(&home, &is_known, findings)?;
    tell(Severity::Error, others.data, &home, findings);
    tell(Severity::Note, others.rest, &home, findings);
    Ok(())
}

fn tell(severity: Severity, mut paths: Vec<PathBuf>, home: &Path, findings: &mut Vec<Finding>) {
    paths.sort_unstable();
    for path in paths.iter().take(MOST_NAMED) {
        let message = "the manifest does not list the file";
        findings.push(about(severity, "unlisted-file", &relative(home, path), message));
    }
    if let Some(more @ 1..) = paths.len().checked_sub(MOST_NAMED) {
        findings.push(Finding {
            severity,
            rule: "unlisted-file",
            file: None,
            count: more as u64,
            places: Vec::new(),
            message: "more files that the manifest does not list".to_owned(),
        });
    }
}

/// Files that are not listed.
#[derive(Default)]
struct Others {
    /// Named like data.
    data: Vec<PathBuf>,
    rest: Vec<PathBuf>,
}

impl Others {
    /// Looks into all folders, however deep they are and whatever they are called; links are not followed.
    fn walk(&mut self, home: &Path, is_known: &dyn Fn(&Path) -> bool, findings: &mut Vec<Finding>) -> io::Result<()> {
        let mut open = Vec::new();
        self.look(home, true, is_known, &mut open)?;
        // What is unfinished has been told as a whole.
        open.retain(|(path, _)| !UNFINISHED.iter().any(|name| *path == home.join(name)));
        while let Some((folder, is_shown)) = open.pop() {
            // What is in such a folder nobody knows: it may be somebody else's, or too deep for the system.
            if let Err(error) = self.look(&folder, is_shown, is_known, &mut open) {
                let message = format!("cannot look for files that are not listed: {error}");
                let name = relative(home, &folder);
                findings.push(about(Severity::Warning, "unreadable", &name, message));
            }
        }
        Ok(())
    }

    /// Sorts what is in one folder. `is_shown`: neither it nor what it lies in is hidden.
    fn look(
        &mut self,
        folder: &Path,
        is_shown: bool,
        is_known: &dyn Fn(&Path) -> bool,
        open: &mut Vec<(PathBuf, bool)>,
    ) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_shown = is_shown && !name.starts_with('.');
            if entry.file_type()?.is_dir() {
                open.push((path, is_shown));
                continue;
            }
            let is_data = is_data_name(&name);
            if !is_data && !is_shown || is_known(&path) || fs::canonicalize(&path).is_ok_and(|real| is_known(&real)) {
                continue;
            }
            if is_data { &mut self.data } else { &mut self.rest }.push(path);
        }
        Ok(())
    }
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
    /// A folder, a pipe, a device: to open it may wait for ever.
    Irregular,
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
    let mut unfound = Unfound::Missing;
    loop {
        match inside(home, rest) {
            Err(Unfound::Irregular) => unfound = Unfound::Irregular,
            Err(_) => {}
            found => return found,
        }
        rest = rest.split_once('/').ok_or(unfound)?.1;
    }
}

/// The file of a relative path: as it is meant, with escapes taken out, or as it is written.
fn inside(home: &Path, path: &str) -> Result<PathBuf, Unfound> {
    let meant = percent_decoded(path).map(|decoded| named(home, &decoded));
    match meant {
        None | Some(Err(Unfound::Missing)) => named(home, path),
        Some(found) => found,
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
        Ok(_) => Err(Unfound::Irregular),
        Err(_) => Err(Unfound::Missing),
    }
}

/// The bytes of a file, unless it is something that is never read to its end.
pub(super) fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.is_file() {
        fs::read(path)
    } else {
        Err(io::Error::other("it is no regular file"))
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
            ("files", Err(Unfound::Irregular)),
            ("https://x/y/files", Err(Unfound::Irregular)),
            ("https://x/files/a.ndjson", Ok("a.ndjson")),
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
