//! What was found of each file, kept in the state folder until the file changes.
//!
//! For each file of the data there is one here, named by a hash of its path: two lines that say what follows, the ids of
//! its Patients, its Groups, and a hash of all that. Whatever is not as it should be is as if it were not there. Ids and
//! Groups are patients' data: nobody but the server's own user may read them.

use std::collections::{BTreeMap, HashSet};
use std::fmt::{self, Write as _};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use fhirehose_core::search::table::Registry;
use fhirehose_native::inputs::Stamp;
use fhirehose_native::survey::{Count, InputFacts};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::CatalogueError;

/// The first line. The number goes up with whatever changes what the same file would give.
const TITLE: &str = "fhirehose catalogue 1";
const FOLDER: &str = "catalogue";
const ENDING: &str = ".facts";
const UNFINISHED: &str = ".new";

/// The folder.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    /// The types by which lines were read: of others the same file would give something else.
    version: String,
}

/// What was kept cannot be used.
#[derive(Debug)]
pub(super) struct Unusable(&'static str);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The second line.
#[derive(Serialize, Deserialize)]
struct Head {
    version: String,
    stamp: String,
    /// Resources, bytes, latest change in nanoseconds.
    types: BTreeMap<String, (u64, u64, Option<String>)>,
    deletions: u64,
    bad: u64,
    /// Bytes of all ids, and of each Group.
    patients: usize,
    groups: Vec<usize>,
}

impl Cache {
    /// Makes the folder if need be.
    pub(super) fn open(state: &Path, registry: &Registry) -> Result<Cache, CatalogueError> {
        let folder = state.join(FOLDER);
        make_private(&folder).map_err(|error| CatalogueError::State {
            path: folder.clone(),
            kind: error.kind(),
        })?;
        Ok(Cache {
            folder,
            version: format!("{:?}", registry.version()),
        })
    }

    /// What was found of the file, if it has not changed since. `Ok(None)`: nothing is known of it as it is now.
    pub(super) fn load(&self, path: &Path, stamp: &Stamp) -> Result<Option<InputFacts>, Unusable> {
        let Some(stamp) = stamp.text() else { return Ok(None) };
        let bytes = match fs::read(self.place(path)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(_) => return Err(Unusable("it cannot be read")),
        };
        let rest = bytes
            .strip_prefix(TITLE.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"\n"));
        let rest = rest.ok_or(Unusable("it is of another version"))?;
        let damaged = || Unusable("it is damaged");
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
        let head: Head = serde_json::from_slice(&rest[..end]).map_err(|_| damaged())?;
        if head.stamp != stamp || head.version != self.version {
            return Ok(None);
        }
        let (whole, hash) = bytes.split_last_chunk::<32>().ok_or_else(damaged)?;
        if Sha256::digest(whole)[..] != hash[..] {
            return Err(damaged());
        }
        let body = rest[end + 1..].strip_suffix(hash).ok_or_else(damaged)?;
        facts(head, body).map(Some).ok_or_else(damaged)
    }

    /// Keeps what was found of the file, in place of what was known before.
    pub(super) fn save(&self, path: &Path, stamp: &Stamp, facts: &InputFacts) -> io::Result<()> {
        let Some(stamp) = stamp.text() else { return Ok(()) };
        let time = |count: &Count| count.newest.map(|at| at.to_string());
        let types = facts.types.iter();
        let head = Head {
            version: self.version.clone(),
            stamp,
            types: types
                .map(|(name, count)| (name.clone(), (count.resources, count.bytes, time(count))))
                .collect(),
            deletions: facts.deletions,
            bad: facts.bad,
            patients: facts.patients.len(),
            groups: facts.groups.iter().map(Vec::len).collect(),
        };
        let place = self.place(path);
        let unfinished = place.with_extension(UNFINISHED.trim_start_matches('.'));
        let file = private_file().open(&unfinished)?;
        let mut out = Hashing {
            file: io::BufWriter::new(file),
            hash: Sha256::new(),
        };
        out.write(TITLE.as_bytes())?;
        out.write(b"\n")?;
        out.write(&serde_json::to_vec(&head)?)?;
        out.write(b"\n")?;
        out.write(&facts.patients)?;
        for group in &facts.groups {
            out.write(group)?;
            out.write(b"\n")?;
        }
        let Hashing { mut file, hash } = out;
        file.write_all(&hash.finalize())?;
        file.into_inner()?;
        fs::rename(&unfinished, &place)
    }

    /// Removes what is known of other files than these, and what was never finished.
    pub(super) fn keep_only<'p>(&self, paths: impl Iterator<Item = &'p Path>) -> io::Result<()> {
        let kept: HashSet<PathBuf> = paths.map(|path| self.place(path)).collect();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_own = name.ends_with(ENDING) || name.ends_with(UNFINISHED);
            if is_own && !kept.contains(&path) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    fn place(&self, path: &Path) -> PathBuf {
        // The same file by a relative path and from another place is another file.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let hash = Sha256::digest(path.as_os_str().as_encoded_bytes());
        let mut name = String::with_capacity(40);
        for byte in &hash[..16] {
            // Writing to a string cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        self.folder.join(name + ENDING)
    }
}

/// Writes and hashes.
struct Hashing {
    file: io::BufWriter<fs::File>,
    hash: Sha256,
}

impl Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.file.write_all(bytes)
    }
}

fn facts(head: Head, body: &[u8]) -> Option<InputFacts> {
    let (patients, mut rest) = body.split_at_checked(head.patients)?;
    let mut groups = Vec::new();
    for length in head.groups {
        let (group, behind) = rest.split_at_checked(length)?;
        groups.push(group.to_vec());
        rest = behind.strip_prefix(b"\n")?;
    }
    let mut types = BTreeMap::new();
    for (name, (resources, bytes, newest)) in head.types {
        let newest = match newest {
            Some(text) => Some(text.parse().ok()?),
            None => None,
        };
        types.insert(
            name,
            Count {
                resources,
                bytes,
                newest,
            },
        );
    }
    rest.is_empty().then(|| InputFacts {
        types,
        patients: patients.to_vec(),
        groups,
        deletions: head.deletions,
        bad: head.bad,
    })
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // It may have been there before.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(folder)
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use fhirehose_native::inputs::InputPlace;

    use super::*;

    struct Kept {
        folder: tempfile::TempDir,
        cache: Cache,
        data: PathBuf,
        stamp: Stamp,
    }

    fn kept() -> Kept {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("a.ndjson");
        fs::write(&data, "{}").expect("writes");
        let stamp = Stamp::of(&InputPlace::File(data.clone()));
        let cache = Cache::open(&folder.path().join("state"), &Registry::r4()).expect("opens");
        cache.save(&data, &stamp, &some()).expect("saves");
        Kept {
            folder,
            cache,
            data,
            stamp,
        }
    }

    fn some() -> InputFacts {
        let count = |resources, newest| Count {
            resources,
            bytes: 7,
            newest,
        };
        InputFacts {
            types: [("Patient", count(2, Some(-5))), ("Group", count(2, None))]
                .map(|(name, count)| (name.to_owned(), count))
                .into(),
            patients: b"a\nb\n".to_vec(),
            groups: vec![br#"{"id":"g"}"#.to_vec(), br#"{"id":"h"}"#.to_vec()],
            deletions: 3,
            bad: 4,
        }
    }

    impl Kept {
        fn load(&self) -> Result<Option<InputFacts>, String> {
            self.cache
                .load(&self.data, &self.stamp)
                .map_err(|error| error.to_string())
        }
    }

    #[test]
    fn what_was_kept_comes_back() {
        let kept = kept();
        assert_eq!(kept.load(), Ok(Some(some())));
        let none = InputFacts::default();
        kept.cache.save(&kept.data, &kept.stamp, &none).expect("saves");
        assert_eq!(kept.load(), Ok(Some(none)));
    }

    #[test]
    fn of_a_file_that_has_changed_nothing_is_known() {
        let mut kept = kept();
        fs::write(&kept.data, "{} ").expect("writes");
        kept.stamp = Stamp::of(&InputPlace::File(kept.data.clone()));
        assert_eq!(kept.load(), Ok(None));
        fs::remove_file(&kept.data).expect("removes");
        kept.stamp = Stamp::of(&InputPlace::File(kept.data.clone()));
        assert_eq!(kept.load(), Ok(None));
    }

    #[test]
    fn facts_by_other_types_are_not_used() {
        let mut kept = kept();
        kept.cache = Cache::open(&kept.folder.path().join("state"), &Registry::r5()).expect("opens");
        assert_eq!(kept.load(), Ok(None));
    }

    #[test]
    fn every_damage_is_noticed() {
        let kept = kept();
        let place = kept.cache.place(&kept.data);
        let bytes = fs::read(&place).expect("reads");
        for at in 0..bytes.len() {
            fs::write(&place, &bytes[..at]).expect("writes");
            assert!(!matches!(kept.load(), Ok(Some(_))), "cut at {at}");
            let mut other = bytes.clone();
            other[at] ^= 1;
            fs::write(&place, &other).expect("writes");
            assert!(!matches!(kept.load(), Ok(Some(_))), "changed at {at}");
        }
        fs::write(&place, [&bytes[..], b"x"].concat()).expect("writes");
        assert_eq!(kept.load(), Err("it is damaged".to_owned()));
        fs::write(&place, "fhirehose catalogue 0\n{}\n").expect("writes");
        assert_eq!(kept.load(), Err("it is of another version".to_owned()));
    }

    #[test]
    fn what_is_not_data_any_more_is_removed_and_nothing_else() {
        let kept = kept();
        let folder = kept.folder.path().join("state").join(FOLDER);
        let unfinished = folder.join("00.new");
        fs::write(&unfinished, "").expect("writes");
        fs::write(folder.join("other"), "").expect("writes");
        kept.cache
            .keep_only([kept.data.as_path()].into_iter())
            .expect("removes");
        assert!(kept.load() == Ok(Some(some())) && !unfinished.exists());
        kept.cache.keep_only(std::iter::empty()).expect("removes");
        assert_eq!(kept.load(), Ok(None));
        assert!(folder.join("other").exists());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let kept = kept();
        let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
        let folder = kept.folder.path().join("state").join(FOLDER);
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&kept.cache.place(&kept.data)), 0o600);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("sets");
        Cache::open(&kept.folder.path().join("state"), &Registry::r4()).expect("opens");
        assert_eq!(mode(&folder), 0o700);
    }
}
