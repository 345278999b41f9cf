//! An argument of `merge` or `diff` as files to read: an export with its manifest, or folders and files of NDJSON.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use fhirehose_core::frame::MAX_MAX_LINE;
use fhirehose_core::scan::json::{Json, Kind};
use fhirehose_core::scan::slots::Capture;
use fhirehose_core::scan::trie::Trie;
use fhirehose_core::scan::walk::{self, Flow, WalkScratch, Walked, Watch};
use fhirehose_core::search::kind::date::{self, Nanos};

use crate::folder::MANIFEST;
use crate::inputs::{self, InputPlace, InputsError, InputsErrorKind};
use crate::unpack::{Layout, Unpacker};

/// The mark in the manifest of a delta whose versions replace what stands before them, whatever their times; see
/// `diff`.
pub const REPLACES: &str = "urn:fhirehose:replaces";

/// One argument: what is read for it, and what its manifest says.
#[derive(Clone, Debug)]
pub struct Argument {
    /// As the user named it.
    pub name: String,
    /// Its files in order.
    pub inputs: Vec<ArgumentInput>,
    /// The instant of the snapshot, if there is a manifest that tells it.
    pub transaction_time: Option<Moment>,
    /// The manifest has the mark [`REPLACES`].
    pub replaces: bool,
}

/// A file of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentInput {
    /// Where it is.
    pub place: InputPlace,
    /// What its lines are.
    pub role: Role,
    /// How many lines the manifest says it has.
    pub count: Option<u64>,
}

/// What the lines of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Resources, Bundles among them: the manifest lists the file under `output`.
    Resources,
    /// Deletions: the manifest lists the file under `deleted`, or it lies in a folder of that name.
    Deletions,
    /// Resources; but a Bundle of deletions is one.
    Either,
}

/// An instant as it was written, and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// As written.
    pub text: String,
    /// The point in time.
    pub at: Nanos,
}

/// Why an argument cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArgumentError {
    /// It names no files.
    Inputs(InputsError),
    /// It can be read only once: standard input, a pipe.
    Pipe(String),
    /// Its manifest cannot be used: the file, and why.
    Manifest(PathBuf, String),
    /// Its output is organized by a resource, so its files hold headers and repeat resources.
    Organized(PathBuf),
    /// The manifest lists a file that is not there: the manifest and the file.
    MissingFile(PathBuf, String),
    /// An argument is older than one before it: both names and times.
    BackInTime([(String, String); 2]),
}

impl Role {
    /// In a document the resources stand in entries, and so do deletions: a Bundle that deletes is never a resource.
    fn of_file(self, file: &Path) -> Role {
        match Layout::detect(&file.to_string_lossy(), b"{") {
            Some(Layout::Documents) if self == Role::Resources => Role::Either,
            _ => self,
        }
    }
}

impl ArgumentError {
    /// Whether the command line is wrong, or a file.
    pub fn kind(&self) -> InputsErrorKind {
        match self {
            Self::Inputs(error) => error.kind(),
            Self::Pipe(_) | Self::Organized(_) | Self::BackInTime(_) => InputsErrorKind::Usage,
            Self::Manifest(..) | Self::MissingFile(..) => InputsErrorKind::Io,
        }
    }
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inputs(error) => write!(f, "{error}"),
            Self::Pipe(name) => write!(f, "{name}: the inputs are read twice, and a pipe cannot be"),
            Self::Manifest(path, text) => write!(f, "{}: {text}", path.display()),
            Self::Organized(path) => {
                write!(
                    f,
                    "{}: expected files by type; this export is organized by a resource",
                    path.display()
                )
            }
            Self::MissingFile(path, file) => {
                write!(
                    f,
                    "{}: the export is incomplete: {file} is listed and not there",
                    path.display()
                )
            }
            Self::BackInTime([earlier, later]) => write!(
                f,
                "{}: its transactionTime {} is older than {} of {} before it; give exports in the order of their times",
                later.0, later.1, earlier.1, earlier.0
            ),
        }
    }
}

impl std::error::Error for ArgumentError {}

impl Argument {
    /// Finds the files of an argument. A folder with a `manifest.json` is an export: the files that are listed are read
    /// and no others, and each must be there. Of other folders the files in `error` are left out.
    ///
    /// # Errors
    /// All that is wrong, in order; never an empty list.
    pub fn open(name: &OsStr) -> Result<Argument, Vec<ArgumentError>> {
        let path = Path::new(name);
        let manifest = if path.file_name() == Some(OsStr::new(MANIFEST)) {
            path.to_owned()
        } else {
            path.join(MANIFEST)
        };
        if manifest.is_file() {
            return Self::of_manifest(name, &manifest);
        }
        let plain = |errors: Vec<InputsError>| errors.into_iter().map(ArgumentError::Inputs).collect::<Vec<_>>();
        let places = inputs::expand(&[name.to_owned()]).map_err(plain)?;
        let mut errors = Vec::new();
        let mut found = Vec::new();
        for place in places {
            let InputPlace::File(file) = &place else {
                errors.push(ArgumentError::Pipe(place.to_string()));
                continue;
            };
            if fs::metadata(file).is_ok_and(|data| !data.is_file()) {
                errors.push(ArgumentError::Pipe(place.to_string()));
            }
            let inside = file.strip_prefix(path).unwrap_or(Path::new("")).parent();
            let lies_in = |folder: &str| {
                let mut parts = inside.into_iter().flat_map(Path::components);
                parts.any(|part| part == Component::Normal(OsStr::new(folder)))
            };
            if lies_in("error") {
                continue;
            }
            let role = if lies_in("deleted") {
                Role::Deletions
            } else {
                Role::Either
            };
            found.push(ArgumentInput {
                place,
                role,
                count: None,
            });
        }
        if found.is_empty() && errors.is_empty() {
            errors.push(ArgumentError::Inputs(InputsError::EmptyFolder(path.to_owned())));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Argument {
            name: path.display().to_string(),
            inputs: found,
            transaction_time: None,
            replaces: false,
        })
    }

    fn of_manifest(name: &OsStr, path: &Path) -> Result<Argument, Vec<ArgumentError>> {
        let unusable = |text: &str| vec![ArgumentError::Manifest(path.to_owned(), text.to_owned())];
        let unreadable = |error: io::Error| unusable(&format!("cannot read: {error}"));
        let bytes = fs::read(path).map_err(unreadable)?;
        let line = one_line(&bytes).ok_or_else(|| unusable("expected a JSON object"))?;
        let json = Json::new(&line);
        if json.get("outputOrganizedBy").is_some_and(Json::is_value) {
            return Err(vec![ArgumentError::Organized(path.to_owned())]);
        }
        if json
            .each_of("link")
            .any(|link| text(link, "relation").as_deref() == Some("next"))
        {
            return Err(unusable("this is one page of a manifest; all of them are needed"));
        }
        let transaction_time = match text(json, "transactionTime") {
            None => None,
            Some(text) => {
                let at = date::read_instant(&text).ok_or_else(|| unusable("its transactionTime is no instant"))?;
                Some(Moment { text, at })
            }
        };
        if json.get("output").is_none_or(|output| output.kind() != Kind::Array) {
            return Err(unusable("expected the manifest of an export, with a list `output`"));
        }
        let mut found = Vec::new();
        let mut errors = Vec::new();
        let folder = path.parent().unwrap_or(Path::new(""));
        for (list, role) in [("output", Role::Resources), ("deleted", Role::Deletions)] {
            for item in json.each_of(list).filter(|item| item.kind() != Kind::Null) {
                let url = text(item, "url").ok_or_else(|| unusable("a file is listed without its `url`"))?;
                match local(folder, &url) {
                    Some(file) => found.push(ArgumentInput {
                        role: role.of_file(&file),
                        place: InputPlace::File(file),
                        count: item.get("count").and_then(number),
                    }),
                    None => errors.push(ArgumentError::MissingFile(path.to_owned(), url)),
                }
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Argument {
            name: Path::new(name).display().to_string(),
            inputs: found,
            transaction_time,
            replaces: has_mark(json),
        })
    }

    /// The files alone.
    pub fn places(&self) -> impl Iterator<Item = &InputPlace> {
        self.inputs.iter().map(|input| &input.place)
    }
}

/// Refuses arguments that do not stand in the order of their times. Those without a time are skipped.
///
/// # Errors
/// [`ArgumentError::BackInTime`] for each that is older than the newest before it.
pub fn in_order(arguments: &[Argument]) -> Result<(), Vec<ArgumentError>> {
    let mut newest: Option<(&str, &Moment)> = None;
    let mut errors = Vec::new();
    for argument in arguments {
        let Some(moment) = &argument.transaction_time else {
            continue;
        };
        match newest {
            Some((name, before)) if moment.at < before.at => errors.push(ArgumentError::BackInTime([
                (name.to_owned(), before.text.clone()),
                (argument.name.clone(), moment.text.clone()),
            ])),
            _ => newest = Some((&argument.name, moment)),
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// The newest time that any of them tells.
pub fn newest_time(arguments: &[Argument]) -> Option<&str> {
    let moments = arguments
        .iter()
        .filter_map(|argument| argument.transaction_time.as_ref());
    moments
        .max_by_key(|moment| moment.at)
        .map(|moment| moment.text.as_str())
}

struct ToTheEnd;

impl Watch for ToTheEnd {
    fn root_closed(&mut self, _: usize, _: &[u8], _: usize, _: &[Capture]) -> Flow {
        Flow::Continue
    }
}

/// The document as one line that has been checked.
fn one_line(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let mut unpacker = Unpacker::new(MAX_MAX_LINE);
    unpacker.push(bytes, &mut line).ok()?;
    unpacker.finish(&mut line).ok()?;
    let walked = walk::line(&line, 0, &Trie::default(), &mut WalkScratch::default(), &mut ToTheEnd);
    matches!(walked, Ok(Walked::Whole(end)) if end + 1 == line.len()).then_some(line)
}

fn text(json: Json<'_>, name: &str) -> Option<String> {
    Some(json.get(name)?.text()?.decode().into_owned())
}

fn number(json: Json<'_>) -> Option<u64> {
    std::str::from_utf8(json.raw()).ok()?.parse().ok()
}

fn has_mark(manifest: Json<'_>) -> bool {
    let is_true = |json: Option<Json<'_>>| json.is_some_and(|json| json.raw() == b"true");
    let Some(extension) = manifest.get("extension") else {
        return false;
    };
    is_true(extension.get(REPLACES))
        || extension
            .each()
            .any(|item| text(item, "url").as_deref() == Some(REPLACES) && is_true(item.get("valueBoolean")))
}

/// The file beside the manifest that a URL names: of an absolute one, the longest end of its path that is there.
fn local(folder: &Path, url: &str) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let mut rest = match path.split_once("://") {
        Some((_, rest)) => rest,
        None => path,
    };
    let is_absolute = rest.len() < path.len() || path.starts_with('/');
    loop {
        let candidate = Path::new(rest);
        let is_inside = candidate
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let file = folder.join(candidate);
        if is_inside && !rest.is_empty() && file.is_file() {
            return Some(file);
        }
        rest = rest.split_once('/').filter(|_| is_absolute)?.1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(manifest: &str, files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, "{}\n").expect("writes");
        }
        if !manifest.is_empty() {
            fs::write(folder.path().join(MANIFEST), manifest).expect("writes");
        }
        folder
    }

    fn listed(folder: &tempfile::TempDir) -> Vec<(String, Role, Option<u64>)> {
        let argument = Argument::open(folder.path().as_os_str()).expect("opens");
        let name = |place: &InputPlace| {
            let InputPlace::File(path) = place else {
                panic!("a file")
            };
            path.strip_prefix(folder.path()).expect("inside").display().to_string()
        };
        argument
            .inputs
            .iter()
            .map(|input| (name(&input.place), input.role, input.count))
            .collect()
    }

    fn told(folder: &tempfile::TempDir) -> Vec<String> {
        let errors = Argument::open(folder.path().as_os_str()).expect_err("errors");
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_manifest_says_what_is_read() {
        let manifest = r#"{
            "transactionTime": "2024-01-01T00:00:00Z",
            "output": [ { "type": "Patient", "url": "https://x/y/Patient.000.ndjson?sig=1", "count": 1 },
                        { "type": "Bundle", "url": "history.json.gz" } ],
            "deleted": [ { "type": "Bundle", "url": "deleted/Bundle.000.ndjson" } ],
            "error": [ { "type": "OperationOutcome", "url": "error/OperationOutcome.000.ndjson" } ],
            "extension": { "urn:fhirehose:replaces": true }
        }"#;
        let files = [
            "Patient.000.ndjson",
            "history.json.gz",
            "deleted/Bundle.000.ndjson",
            "Left.over.ndjson",
        ];
        let folder = export(manifest, &files);
        let expected = [
            ("Patient.000.ndjson".to_owned(), Role::Resources, Some(1)),
            ("history.json.gz".to_owned(), Role::Either, None),
            ("deleted/Bundle.000.ndjson".to_owned(), Role::Deletions, None),
        ];
        assert_eq!(listed(&folder), expected);
        let argument = Argument::open(folder.path().join(MANIFEST).as_os_str()).expect("opens");
        assert!(argument.replaces);
        assert_eq!(newest_time(&[argument]), Some("2024-01-01T00:00:00Z"));
    }

    #[test]
    fn a_folder_without_one_is_read_whole() {
        let folder = export("", &["a.ndjson", "deleted/b.ndjson", "error/c.ndjson", "sub/d.ndjson"]);
        let expected = [
            ("a.ndjson".to_owned(), Role::Either, None),
            ("deleted/b.ndjson".to_owned(), Role::Deletions, None),
            ("sub/d.ndjson".to_owned(), Role::Either, None),
        ];
        assert_eq!(listed(&folder), expected);
        assert!(told(&export("", &["error/c.ndjson"]))[0].contains("no .ndjson"));
        let folder = export("", &["a.json", "deleted/b.json"]);
        let expected = [
            ("a.json".to_owned(), Role::Either, None),
            ("deleted/b.json".to_owned(), Role::Deletions, None),
        ];
        assert_eq!(listed(&folder), expected);
    }

    #[test]
    fn manifests_that_cannot_be_used() {
        let cases = [
            ("{", "expected a JSON object"),
            ("[]", "expected a JSON object"),
            ("{\"output\": tru}", "expected a JSON object"),
            ("{}", "a list `output`"),
            (r#"{"output":[{"type":"Patient"}]}"#, "without its `url`"),
            (
                r#"{"output":[{"url":"gone.ndjson"}]}"#,
                "incomplete: gone.ndjson is listed",
            ),
            (r#"{"output":[{"url":"../a.ndjson"}]}"#, "incomplete: ../a.ndjson"),
            (r#"{"output":[{"url":"https://x/../a.ndjson/"}]}"#, "incomplete"),
            (r#"{"output":[],"transactionTime":"2024"}"#, "no instant"),
            (
                r#"{"output":[],"outputOrganizedBy":"Patient"}"#,
                "organized by a resource",
            ),
            (r#"{"output":[],"link":[{"relation":"next","url":"x"}]}"#, "one page"),
        ];
        for (manifest, expected) in cases {
            let told = told(&export(manifest, &["a.ndjson"]));
            assert!(told.len() == 1 && told[0].contains(expected), "{manifest}: {told:?}");
        }
    }

    #[test]
    fn arguments_stand_in_the_order_of_their_times() {
        let at = |name: &str, text: &str| Argument {
            name: name.into(),
            inputs: Vec::new(),
            transaction_time: date::read_instant(text).map(|at| Moment { text: text.into(), at }),
            replaces: false,
        };
        let (one, none) = (at("one", "2024-01-01T00:00:00Z"), at("none", "-"));
        let two = at("two", "2024-01-01T02:00:00+01:00");
        assert_eq!(in_order(&[one.clone(), none.clone(), two.clone(), two.clone()]), Ok(()));
        assert_eq!(
            newest_time(&[one.clone(), none.clone(), two.clone()]),
            Some("2024-01-01T02:00:00+01:00")
        );
        assert_eq!(newest_time(std::slice::from_ref(&none)), None);
        let errors = in_order(&[two, none, one]).expect_err("refused");
        assert_eq!(
            errors[0].to_string(),
            "one: its transactionTime 2024-01-01T00:00:00Z is older than 2024-01-01T02:00:00+01:00 of two before it; \
             give exports in the order of their times"
        );
        assert_eq!(errors[0].kind(), InputsErrorKind::Usage);
    }
}
