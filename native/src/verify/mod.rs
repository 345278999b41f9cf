//! An export held against its manifest: files, counts, sizes, checksums, types, duplicates, deletions, references.
//!
//! Every line is read to its last byte. Of each resource 36 bytes are remembered, in which the id is a keyed hash; they are
//! sorted within a budget of memory, on disk if need be, so that all that is said of one id comes together. Neither ids nor
//! contents are told, only places.

mod found;
mod judge;
mod key;
mod links;
mod listing;
mod scan;
mod stored;
mod sums;

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use fhirehose_core::client::manifest::{Asked, Checked, Generation, Manifest, Severity, check};
use fhirehose_core::position::Position;
use fhirehose_core::search::kind::date::read_instant;
use fhirehose_core::search::table::Registry;
use fhirehose_core::sink::FileKind;

pub use found::{Finding, MOST_PLACES, Spot};
pub use links::Written;

use crate::cancel::Cancel;
use crate::inputs::InputPlace;
use crate::job::{JobError, Progress};
use crate::output_error::OutputError;
use crate::snapshot::sorted::Runs;
use judge::Judge;
use key::{Ids, Record};
use listing::{Listed, about};
use scan::{Role, Scan, Scanned, Seen};

/// The file of checksums in an export's folder.
pub const SUMS: &str = "SHA256SUMS";

/// What is to be verified, and how.
#[derive(Clone, Debug)]
pub struct Task {
    /// The export's folder.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: PathBuf,
    /// The types that there are.
    pub registry: Registry,
    /// Look for references that lead nowhere, too.
    pub references: bool,
    /// Threads that read; at least 1.
    pub threads: usize,
    /// Bytes to sort in.
    pub memory: usize,
    /// Longest line in bytes.
    pub max_line: usize,
    /// Bytes read at once.
    pub chunk: usize,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The generation of the guide that the manifest keeps to.
    pub generation: Generation,
    /// Files that were read.
    pub files: usize,
    /// Lines that are not blank.
    pub lines: u64,
    /// Resources in `output`, without headers.
    pub resources: u64,
    /// Resources that `deleted` names.
    pub deletions: u64,
    /// Bytes of the lines.
    pub bytes: u64,
    /// Bytes as stored.
    pub stored: u64,
    /// Checksums that are right; `None`: there is no [`SUMS`].
    pub sums: Option<u64>,
    /// How references are written, if they were looked at.
    pub written: Option<Written>,
    /// References that lead nowhere, by type.
    pub dangling: Vec<Dangling>,
    /// All that is wrong: the manifest first, then files in its order, then what is about several.
    pub findings: Vec<Finding>,
    /// Runs that were sorted on disk.
    pub runs_on_disk: u64,
}

impl Verified {
    /// Whether all is as it should be. Notes do not count.
    pub fn is_well(&self) -> bool {
        let is_note = |finding: &Finding| finding.severity == Severity::Note;
        self.findings.iter().all(is_note) && self.dangling.is_empty()
    }
}

/// References from one type to another that lead to nothing in the export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dangling {
    /// Type of the resources that refer.
    pub from: String,
    /// Type that they refer to.
    pub to: String,
    /// How many references.
    pub count: u64,
    /// Where, the first of them.
    pub places: Vec<Spot>,
}

/// Why an export could not be verified.
#[derive(Debug)]
#[non_exhaustive]
pub enum VerifyError {
    /// The folder or its manifest cannot be read.
    Unreadable(PathBuf, io::Error),
    /// Something else, or somebody asked to stop.
    Job(JobError),
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VerifyError::Unreadable(path, error) => write!(f, "{}: {error}", path.display()),
            VerifyError::Job(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for VerifyError {}

impl From<JobError> for VerifyError {
    fn from(error: JobError) -> Self {
        VerifyError::Job(error)
    }
}

/// Holds an export against its manifest.
pub fn verify(task: &Task, progress: &Progress, cancel: &Cancel) -> Result<Verified, VerifyError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |error| VerifyError::Unreadable(path, error)
    };
    let text = listing::read_regular(&task.manifest).map_err(unreadable(&task.manifest))?;
    let asked = Asked {
        stored: true,
        ..Asked::default()
    };
    let Checked {
        generation,
        manifest,
        findings: told,
    } = check(&text, asked);
    let mut findings: Vec<Finding> = told
        .into_iter()
        .map(|finding| of_manifest(&task.manifest, &text, finding))
        .collect();
    let mut verified = Verified {
        generation,
        files: 0,
        lines: 0,
        resources: 0,
        deletions: 0,
        bytes: 0,
        stored: 0,
        sums: None,
        written: None,
        dangling: Vec::new(),
        findings: Vec::new(),
        runs_on_disk: 0,
    };
    let Some(manifest) = manifest else {
        verified.findings = findings;
        return Ok(verified);
    };
    if manifest.next.is_some() {
        let message = "the manifest is one page of several; the files of the others are not verified";
        findings.push(about(
            Severity::Warning,
            "more-pages",
            &task.manifest.display().to_string(),
            message,
        ));
    }
    let in_folder = unreadable(&task.folder);
    let files = listing::listed(&task.folder, &manifest.files, &mut findings);
    let files = files.and_then(|files| {
        listing::unlisted(&task.folder, &task.manifest, &files, &mut findings)?;
        Ok(files)
    });
    let files = files.map_err(in_folder)?;
    let work = Work::begin(cancel)?;
    lines(
        task,
        &manifest,
        &files,
        &work,
        progress,
        cancel,
        &mut verified,
        &mut findings,
    )?;
    drop(work);
    let sums = sums::check(&task.folder, &files, task.threads, cancel, &mut findings);
    verified.sums = sums.map_err(unreadable(&task.folder.join(SUMS)))?;
    if cancel.is_stopped() {
        return Err(JobError::Interrupted.into());
    }
    verified.findings = findings;
    Ok(verified)
}

fn of_manifest(path: &Path, text: &[u8], finding: fhirehose_core::client::manifest::Finding) -> Finding {
    let name = path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    );
    let place = match finding.path.as_str() {
        "" => String::new(),
        path => format!("{path}: "),
    };
    Finding {
        severity: finding.severity,
        rule: finding.rule,
        file: Some(name.clone()),
        count: 1,
        places: vec![Spot {
            file: name,
            at: fhirehose_core::client::json::position(text, finding.span.start),
        }],
        message: format!("{place}{} ({})", finding.message, finding.section),
    }
}

/// Reads all lines, and judges what they say.
#[expect(clippy::too_many_arguments, reason = "the parts of one function, called once")]
fn lines(
    task: &Task,
    manifest: &Manifest,
    files: &[Listed],
    work: &Work<'_>,
    progress: &Progress,
    cancel: &Cancel,
    verified: &mut Verified,
    findings: &mut Vec<Finding>,
) -> Result<(), JobError> {
    let organized_by = manifest.organized_by.as_ref();
    let places: Vec<InputPlace> = files.iter().map(|file| InputPlace::File(file.path.clone())).collect();
    let roles: Vec<Role> = files
        .iter()
        .map(|file| role(file, &task.registry, organized_by.is_some()))
        .collect();
    let threads = task.threads.max(1);
    let random = || RandomState::new().build_hasher().finish();
    let scan = Scan {
        places: &places,
        roles: &roles,
        registry: &task.registry,
        organized_by: organized_by.and_then(|name| task.registry.type_index(name)),
        taken: manifest.transaction_time.as_deref().and_then(read_instant),
        references: task.references,
        ids: Ids::new([random(), random()]),
        threads,
        max_line: task.max_line,
        chunk: task.chunk,
        budget: task.memory / threads,
        cancel,
    };
    let runs: Runs<Record> = Runs::new(work.folder.path(), cancel);
    let scanned = scan::scan(&scan, &runs, progress)?;
    for (index, file) in files.iter().enumerate() {
        of_file(file, index, &scanned, organized_by.is_some(), findings);
        let seen = &scanned.files[index];
        verified.lines += seen.lines;
        verified.bytes += seen.bytes;
        verified.stored += file.size;
        verified.deletions += seen.deletions;
        if file.item.kind == FileKind::Output {
            verified.resources += seen.resources;
        }
    }
    verified.files = files.len();
    verified.written = task.references.then_some(scanned.written);
    let mut judge = Judge::new(&scanned, files, &task.registry, organized_by.is_some());
    verified.runs_on_disk = judge.run(runs)?;
    verified.dangling = judge.finish(findings);
    Ok(())
}

/// What the lines of a file should be.
fn role(file: &Listed, registry: &Registry, is_organized: bool) -> Role {
    let named = file.item.type_name.as_ref().and_then(|name| registry.type_index(name));
    Role {
        kind: file.item.kind,
        type_index: match file.item.kind {
            FileKind::Output if is_organized => None,
            FileKind::Output => named,
            FileKind::Deleted => registry.type_index("Bundle"),
            FileKind::Error => registry.type_index("OperationOutcome"),
        },
    }
}

/// What is wrong with one file.
fn of_file(file: &Listed, index: usize, scanned: &Scanned, is_organized: bool, findings: &mut Vec<Finding>) {
    let seen = &scanned.files[index];
    let name = file.name.as_str();
    let damaged = scanned.damaged.iter().find(|(damaged, _)| *damaged == index);
    if let Some((_, why)) = damaged {
        findings.push(about(
            Severity::Error,
            "damaged",
            name,
            format!("cannot be read to its end: {why}"),
        ));
    }
    // One that is empty, and may not be, is read to its end without a word.
    let is_damaged = stored::check(file, seen, damaged.is_some(), findings);
    for (fault, tally) in &seen.faults {
        let (count, places) = tally.clone().finish();
        let spot = |(place, column): (key::Where, u32)| {
            let (_, line) = scanned.line(place)?;
            let at = Position {
                line,
                column: u64::from(column),
            };
            Some(Spot {
                file: file.name.clone(),
                at,
            })
        };
        findings.push(Finding {
            severity: fault.severity(),
            rule: fault.rule(),
            file: Some(file.name.clone()),
            count,
            places: places.into_iter().filter_map(spot).collect(),
            message: fault.message(),
        });
    }
    // What a damaged file does not hold has been told.
    if !is_damaged {
        count(file, seen, findings);
    }
    if !is_organized || file.item.kind != FileKind::Output {
        return;
    }
    if seen.begins_without_header() {
        let message = "resources stand before the first header";
        findings.push(about(Severity::Error, "no-header", name, message));
    }
    if seen.headers.is_empty() && seen.types.len() > 1 {
        let message = "several types in a file without headers";
        findings.push(about(Severity::Error, "mixed-types", name, message));
    }
}

/// Holds the number of lines against the manifest's.
fn count(file: &Listed, seen: &Seen, findings: &mut Vec<Finding>) {
    let kind = file.item.kind;
    match file.item.count {
        Some(count) if !is_counted(count, seen, kind) => {
            let message = format!("the manifest counts {count}, the file has {}", counted(seen, kind));
            findings.push(about(Severity::Error, "count", &file.name, message));
        }
        None if seen.lines == 0 => {
            let message = "the file has no lines, and no count says that it should not";
            findings.push(about(Severity::Warning, "empty-file", &file.name, message));
        }
        _ => {}
    }
}

/// Resources of output, without headers; messages; of deletions the Bundles.
fn counted(seen: &Seen, kind: FileKind) -> u64 {
    match kind {
        FileKind::Output => seen.lines - seen.headers.len() as u64,
        FileKind::Deleted | FileKind::Error => seen.lines,
    }
}

/// Some count headers, and some count deletions instead of the Bundles that they stand in.
fn is_counted(count: u64, seen: &Seen, kind: FileKind) -> bool {
    count == counted(seen, kind)
        || kind == FileKind::Deleted && count == seen.deletions
        || kind == FileKind::Output && !seen.headers.is_empty() && count == seen.lines
}

/// A folder for what does not fit into memory, gone when this is dropped or the job aborted. What cannot be removed is left
/// to whoever cleans up temporary files.
struct Work<'c> {
    folder: tempfile::TempDir,
    cancel: &'c Cancel,
}

impl<'c> Work<'c> {
    fn begin(cancel: &'c Cancel) -> Result<Work<'c>, JobError> {
        // An abort removes what there is: nothing may be made while it does, or after.
        let mut work = cancel.work();
        if cancel.is_stopped() {
            return Err(JobError::Interrupted);
        }
        let made = tempfile::Builder::new().prefix("fhirehose-verify-").tempdir();
        let folder = made.map_err(|error| OutputError::new("make", "a folder for temporary files", &error))?;
        work.partial = Some(folder.path().to_owned());
        drop(work);
        Ok(Work { folder, cancel })
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.cancel.work().partial = None;
    }
}

#[cfg(test)]
mod tests;
