//! The command line's inputs as a list of places: files, folders, patterns, standard input.

mod pattern;

use std::collections::HashMap;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pattern::Matcher;

use crate::folder::{MANIFEST, PARTIAL};

/// What files in a folder must end with, after the ending of a codec is taken off.
const TYPES: [&str; 3] = [".ndjson", ".jsonl", ".json"];
const CODECS: [&str; 5] = [".gz", ".zst", ".br", ".bz2", ".xz"];

/// One place to read from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum InputPlace {
    /// Standard input, written `-`.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl fmt::Display for InputPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// What shows that a file was written to: its length, the times of its last change (of which one can be set back, and the
/// other cannot), and which file it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp(Option<(u64, Option<SystemTime>, Identity)>);

/// Which file it is, and when the system last changed anything of it: in whole seconds and nanoseconds.
type Identity = (u64, i64, i64);

impl Stamp {
    /// Of a place as it is now. Of what is no file, or cannot be looked at, there is nothing to tell.
    pub fn of(place: &InputPlace) -> Stamp {
        let InputPlace::File(path) = place else {
            return Stamp(None);
        };
        let data = fs::metadata(path).ok();
        Stamp(data.map(|data| (data.len(), data.modified().ok(), identity(&data))))
    }

    /// The file's length, if there is a file.
    pub fn length(&self) -> Option<u64> {
        self.0.map(|(length, ..)| length)
    }

    /// The same in letters, to be kept and compared later; `None`: there is nothing to compare by.
    pub fn text(&self) -> Option<String> {
        let (length, changed, (number, seconds, nanoseconds)) = self.0?;
        // A time before 1970 is as good as any other.
        let (sign, since) = match changed?.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => ("", since),
            Err(before) => ("-", before.duration()),
        };
        Some(format!(
            "{length} {sign}{}.{:09} {number} {seconds}.{nanoseconds:09}",
            since.as_secs(),
            since.subsec_nanos()
        ))
    }
}

#[cfg(unix)]
fn identity(data: &fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (data.ino(), data.ctime(), data.ctime_nsec())
}

#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> Identity {
    (0, 0, 0)
}

/// Whether inputs were named wrongly, or could not be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputsErrorKind {
    /// The request makes no sense as written.
    Usage,
    /// The file system says no.
    Io,
}

/// What is wrong with the inputs named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputsError {
    /// No input was named.
    Nothing,
    /// There is no such file or folder.
    Missing(PathBuf),
    /// A file or folder cannot be looked at.
    Unreadable(PathBuf, io::ErrorKind),
    /// A folder holds no file that looks like FHIR data.
    EmptyFolder(PathBuf),
    /// An export into a folder is still at work, or was killed: what lies there is not all of it.
    Unfinished(PathBuf),
    /// A pattern matches nothing.
    NoMatch(String),
    /// A pattern is not well formed; the number is where.
    BadPattern(String, usize),
    /// One file was named twice, perhaps by two paths; both as named.
    Twice(PathBuf, PathBuf),
    /// `-` was given twice.
    StdinTwice,
}

impl InputsError {
    /// Which kind of failure it is, for the exit code.
    pub fn kind(&self) -> InputsErrorKind {
        match self {
            Self::Missing(_) | Self::Unreadable(..) | Self::Unfinished(_) => InputsErrorKind::Io,
            Self::Nothing
            | Self::EmptyFolder(_)
            | Self::NoMatch(_)
            | Self::BadPattern(..)
            | Self::Twice(..)
            | Self::StdinTwice => InputsErrorKind::Usage,
        }
    }
}

impl fmt::Display for InputsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("expected at least one input"),
            Self::Missing(path) => write!(f, "{}: no such file or folder", path.display()),
            Self::Unreadable(path, kind) => write!(f, "{}: cannot read: {kind}", path.display()),
            Self::EmptyFolder(path) => {
                write!(f, "{}: no .ndjson, .jsonl or .json file in this folder", path.display())
            }
            Self::Unfinished(path) => {
                write!(
                    f,
                    "{}: an export into this folder has not been completed",
                    path.display()
                )
            }
            Self::NoMatch(pattern) => write!(f, "{pattern}: the pattern matches no file"),
            Self::BadPattern(pattern, at) => write!(f, "{pattern}: the pattern is wrong at character {at}"),
            Self::Twice(first, second) if first == second => write!(f, "{}: named twice", first.display()),
            Self::Twice(first, second) => {
                write!(f, "{}: the same file as {}", second.display(), first.display())
            }
            Self::StdinTwice => f.write_str("standard input (-) can be read only once"),
        }
    }
}

impl Error for InputsError {}

/// Expands what was named, in its order:
///
/// - `-` is standard input;
/// - a file is taken whatever its name;
/// - a folder gives its files and those of its subfolders that end in `.ndjson`, `.jsonl` or `.json`, with or without
///   `.gz`, `.zst`, `.br`, `.bz2` or `.xz` behind, sorted by path. Hidden files and folders, `manifest.json` and
///   links to folders are left out; one that an export has begun to fill and not completed is an error;
/// - a name that does not exist but has `*`, `?` or `[` is a pattern (`**` for any depth); what it matches, sorted, is
///   taken as if the shell had expanded it. Hidden files need their dot written.
///
/// # Errors
/// All that is wrong, in order: the list is never empty.
pub fn expand(named: &[OsString]) -> Result<Vec<InputPlace>, Vec<InputsError>> {
    let mut expansion = Expansion::default();
    if named.is_empty() {
        expansion.errors.push(InputsError::Nothing);
    }
    for name in named {
        if let Err(error) = expansion.add_named(name) {
            expansion.errors.push(error);
        }
    }
    if expansion.errors.is_empty() {
        Ok(expansion.places)
    } else {
        Err(expansion.errors)
    }
}

#[derive(Default)]
struct Expansion {
    places: Vec<InputPlace>,
    /// Canonical paths, with the path each was first named by.
    seen: HashMap<PathBuf, PathBuf>,
    errors: Vec<InputsError>,
}

impl Expansion {
    fn add_named(&mut self, name: &OsString) -> Result<(), InputsError> {
        if name == "-" {
            if self.places.contains(&InputPlace::Stdin) {
                return Err(InputsError::StdinTwice);
            }
            self.places.push(InputPlace::Stdin);
            return Ok(());
        }
        let path = Path::new(name);
        match fs::metadata(path) {
            Ok(_) => self.add_existing(path),
            Err(e) if e.kind() == io::ErrorKind::NotFound => match name.to_str() {
                Some(pattern) if pattern.contains(['*', '?', '[']) => self.add_matches(pattern),
                _ => Err(InputsError::Missing(path.to_owned())),
            },
            Err(e) => Err(InputsError::Unreadable(path.to_owned(), e.kind())),
        }
    }

    fn add_matches(&mut self, pattern: &str) -> Result<(), InputsError> {
        let matcher = Matcher::new(pattern).map_err(|error| InputsError::BadPattern(pattern.to_owned(), error.pos))?;
        let found = matcher
            .matches()
            .map_err(|(path, error)| InputsError::Unreadable(path, error.kind()))?;
        if found.is_empty() {
            return Err(InputsError::NoMatch(pattern.to_owned()));
        }
        found.iter().try_for_each(|path| self.add_existing(path))
    }

    fn add_existing(&mut self, path: &Path) -> Result<(), InputsError> {
        let unreadable = |e: io::Error| InputsError::Unreadable(path.to_owned(), e.kind());
        if !fs::metadata(path).map_err(unreadable)?.is_dir() {
            return self.add_file(path);
        }
        let mut files = Vec::new();
        collect(path, &mut files)?;
        if files.is_empty() {
            return Err(InputsError::EmptyFolder(path.to_owned()));
        }
        files.sort();
        files.iter().try_for_each(|file| self.add_file(file))
    }

    fn add_file(&mut self, path: &Path) -> Result<(), InputsError> {
        let canonical = match fs::canonicalize(path) {
            Ok(canonical) => canonical,
            // A pipe by its descriptor (`/dev/stdin`, `/dev/fd/63` of a shell's `<(…)`) can be read, but has no path.
            Err(_) if fs::metadata(path).is_ok_and(|data| !data.is_file() && !data.is_dir()) => path.to_owned(),
            Err(e) => return Err(InputsError::Unreadable(path.to_owned(), e.kind())),
        };
        if let Some(first) = self.seen.insert(canonical, path.to_owned()) {
            return Err(InputsError::Twice(first, path.to_owned()));
        }
        self.places.push(InputPlace::File(path.to_owned()));
        Ok(())
    }
}

/// Collects a folder's files. Links to folders are not followed, so that there is an end.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), InputsError> {
    let unreadable = |path: &Path, e: &io::Error| InputsError::Unreadable(path.to_owned(), e.kind());
    // Killed between two renames it leaves whole files, and none that tells which are missing.
    if folder.join(PARTIAL).exists() && !folder.join(MANIFEST).exists() {
        return Err(InputsError::Unfinished(folder.to_owned()));
    }
    for entry in fs::read_dir(folder).map_err(|e| unreadable(folder, &e))? {
        let entry = entry.map_err(|e| unreadable(folder, &e))?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        if entry.file_type().map_err(|e| unreadable(&path, &e))?.is_dir() {
            collect(&path, files)?;
        } else if is_data_name(&name) {
            // Followed: a link to a file counts, and a broken one is an error rather than data left out.
            if fs::metadata(&path).map_err(|e| unreadable(&path, &e))?.is_file() {
                files.push(path);
            }
        }
    }
    Ok(())
}

/// Whether a file in a folder looks like FHIR data by its name.
pub(crate) fn is_data_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let stem = CODECS
        .iter()
        .find_map(|codec| name.strip_suffix(codec))
        .unwrap_or(&name);
    name != MANIFEST && TYPES.iter().any(|kind| stem.len() > kind.len() && stem.ends_with(kind))
}

#[cfg(test)]
mod tests {
    use super::{InputPlace, InputsError, InputsErrorKind, Stamp, expand};
    use std::ffi::OsString;
    use std::fs::{self, File};
    use std::path::{Path, PathBuf};
    use std::time::SystemTime;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, b"{}\n").expect("writes");
        }
        folder
    }

    fn args(folder: &Path, names: &[&str]) -> Vec<OsString> {
        names
            .iter()
            .map(|name| {
                if *name == "-" {
                    "-".into()
                } else {
                    folder.join(name).into_os_string()
                }
            })
            .collect()
    }

    fn names(folder: &Path, places: &[InputPlace]) -> Vec<String> {
        let name = |place: &InputPlace| match place {
            InputPlace::Stdin => "-".to_owned(),
            InputPlace::File(path) => path.strip_prefix(folder).expect("inside").display().to_string(),
        };
        places.iter().map(name).collect()
    }

    #[track_caller]
    fn expanded(folder: &tempfile::TempDir, named: &[&str]) -> Vec<String> {
        let places = expand(&args(folder.path(), named)).expect("expands");
        names(folder.path(), &places)
    }

    #[track_caller]
    fn errors(folder: &tempfile::TempDir, named: &[&str]) -> Vec<InputsError> {
        expand(&args(folder.path(), named)).expect_err("errors")
    }

    #[test]
    fn a_stamp_in_letters_changes_with_the_file() {
        let folder = folder(&["a.ndjson"]);
        let place = InputPlace::File(folder.path().join("a.ndjson"));
        let first = Stamp::of(&place);
        let text = first.text().expect("a file");
        assert_eq!(Stamp::of(&place).text(), Some(text.clone()));
        std::fs::write(folder.path().join("a.ndjson"), "longer than it was").expect("writes");
        assert_ne!(Stamp::of(&place).text(), Some(text));
        assert_eq!(Stamp::of(&place).length(), Some(18));
        let old = SystemTime::UNIX_EPOCH - std::time::Duration::from_millis(1500);
        let file = File::options()
            .append(true)
            .open(folder.path().join("a.ndjson"))
            .expect("opens");
        file.set_modified(old).expect("sets");
        assert!(
            Stamp::of(&place)
                .text()
                .is_some_and(|text| text.contains(" -1.500000000 "))
        );
        let missing = Stamp::of(&InputPlace::File(folder.path().join("b")));
        assert_eq!((missing.length(), missing.text()), (None, None));
    }

    #[test]
    fn folders_give_their_data_files_sorted() {
        let folder = folder(&[
            "b.ndjson",
            "a.ndjson.gz",
            "sub/c.jsonl.zst",
            "sub/deep/d.json.br",
            "e.JSON.bz2",
            "f.ndjson.xz",
            "manifest.json",
            "sub/manifest.json",
            ".hidden.ndjson",
            ".git/x.ndjson",
            "readme.txt",
            "log.gz",
            "x.ndjson.bak",
            "g.json",
        ]);
        let expected = [
            "a.ndjson.gz",
            "b.ndjson",
            "e.JSON.bz2",
            "f.ndjson.xz",
            "g.json",
            "sub/c.jsonl.zst",
            "sub/deep/d.json.br",
        ];
        assert_eq!(expanded(&folder, &[""]), expected);
    }

    #[test]
    fn order_of_arguments_is_kept() {
        let folder = folder(&["z.bin", "d/b.ndjson", "d/a.ndjson"]);
        assert_eq!(
            expanded(&folder, &["z.bin", "-", "d"]),
            ["z.bin", "-", "d/a.ndjson", "d/b.ndjson"]
        );
    }

    #[test]
    fn patterns_match_like_a_shell() {
        let folder = folder(&["b.ndjson", "a.ndjson", ".h.ndjson", "d/c.ndjson", "[x].ndjson"]);
        assert_eq!(expanded(&folder, &["[ab].ndjson"]), ["a.ndjson", "b.ndjson"]);
        assert_eq!(expanded(&folder, &["**/c.nd*"]), ["d/c.ndjson"]);
        assert_eq!(
            expanded(&folder, &["[x].ndjson"]),
            ["[x].ndjson"],
            "a file of that very name comes first"
        );
        assert_eq!(
            expanded(&folder, &["d*"]),
            ["d/c.ndjson"],
            "a folder that matches is expanded"
        );
        assert!(matches!(errors(&folder, &["*.gz"])[..], [InputsError::NoMatch(_)]));
        assert!(matches!(errors(&folder, &["a***"])[..], [InputsError::BadPattern(..)]));
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let folder = folder(&["a.ndjson", "empty/readme.txt"]);
        let errors = errors(&folder, &["none", "empty", "-", "a.ndjson", "-", "./a.ndjson"]);
        let path = |name: &str| folder.path().join(name);
        let expected = [
            InputsError::Missing(path("none")),
            InputsError::EmptyFolder(path("empty")),
            InputsError::StdinTwice,
            InputsError::Twice(path("a.ndjson"), path("./a.ndjson")),
        ];
        assert_eq!(errors, expected);
        let kinds: Vec<_> = errors.iter().map(InputsError::kind).collect();
        assert_eq!(kinds[0], InputsErrorKind::Io);
        assert!(kinds[1..].iter().all(|kind| *kind == InputsErrorKind::Usage));
        assert_eq!(expand(&[]), Err(vec![InputsError::Nothing]));
    }

    #[test]
    fn a_file_and_its_folder_are_the_same_file_twice() {
        let folder = folder(&["d/a.ndjson", "d/b.ndjson"]);
        assert!(matches!(
            errors(&folder, &["d/a.ndjson", "d"])[..],
            [InputsError::Twice(..)]
        ));
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_utf8_match_too() {
        use std::os::unix::ffi::OsStrExt;
        let folder = folder(&["a.ndjson", "d/c.ndjson"]);
        let name = std::ffi::OsStr::from_bytes(b"b\xff.ndjson");
        fs::write(folder.path().join(name), b"{}\n").expect("writes");
        fs::write(folder.path().join("d").join(name), b"{}\n").expect("writes");
        assert_eq!(expanded(&folder, &["*.ndjson"]).len(), 2);
        assert_eq!(expanded(&folder, &["**/*.ndjson"]).len(), 4);
        assert_eq!(expanded(&folder, &["b?.ndjson"]).len(), 1);
    }

    #[test]
    fn any_depth_means_none_too_and_leaves_out_what_is_hidden() {
        let folder = folder(&[
            "a/x.ndjson",
            "a/b/x.ndjson",
            "a/b/c/x.ndjson",
            "a/.h/x.ndjson",
            ".x.ndjson",
        ]);
        let all = ["a/b/c/x.ndjson", "a/b/x.ndjson", "a/x.ndjson"];
        assert_eq!(expanded(&folder, &["a/**/x.ndjson"]), all);
        assert_eq!(expanded(&folder, &["**/**/x.nd*"]), all);
        assert_eq!(
            expanded(&folder, &["a/**"]),
            all,
            "a folder once, with all that is in it"
        );
        assert_eq!(expanded(&folder, &["a/.h/x.*"]), ["a/.h/x.ndjson"]);
        assert_eq!(expanded(&folder, &["a/../a/*/x.ndjson"]), ["a/../a/b/x.ndjson"]);
        assert_eq!(expanded(&folder, &[".*"]), [".x.ndjson"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_to_files_only() {
        let folder = folder(&["d/a.ndjson"]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("d/up")).expect("a link");
        assert_eq!(expanded(&folder, &["d"]), ["d/a.ndjson"]);
        std::os::unix::fs::symlink(folder.path().join("d/a.ndjson"), folder.path().join("l.ndjson")).expect("a link");
        assert!(matches!(
            errors(&folder, &["d", "l.ndjson"])[..],
            [InputsError::Twice(..)]
        ));
        std::os::unix::fs::symlink(PathBuf::from("nowhere"), folder.path().join("d/b.ndjson")).expect("a link");
        assert!(matches!(errors(&folder, &["d"])[..], [InputsError::Unreadable(..)]));
    }

    #[test]
    fn a_folder_that_an_export_has_not_completed_is_an_error() {
        let folder = folder(&[
            "data/a.ndjson",
            "data/out/Patient.000.ndjson",
            "data/out/.fhirehose-partial/lock",
        ]);
        let data = args(folder.path(), &["data"]);
        let unfinished = InputsError::Unfinished(folder.path().join("data/out"));
        assert_eq!(expand(&data), Err(vec![unfinished]));
        // Somebody began to replace a complete one.
        fs::write(folder.path().join("data/out/manifest.json"), b"{}").expect("writes");
        assert_eq!(expand(&data).map(|places| places.len()), Ok(2));
    }
}
