//! What a pull did: what the server sent, what was dropped of it, and where the output is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fhirehose_core::client::{Client, FileNo, Millis, Phase, Settings, undone};
use fhirehose_core::report::FileEntry;
use fhirehose_core::sink::FileKind;
use fhirehose_native::folder::MANIFEST;

use crate::clock;
use crate::driver::Pull;
use crate::error::PullError;
use crate::finish::{Finished, Said};
use crate::folder::journal_of;
use crate::journal;
use crate::receipt::Receipt;

/// What a pull did.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The job was left to somebody else: there is no output yet.
    pub detached: bool,
    /// Where the status of the job is or was to be had.
    pub status_url: Option<String>,
    /// The manifest of the output.
    pub manifest: PathBuf,
    /// The instant of the server's snapshot.
    pub transaction_time: String,
    /// Files of the output.
    pub output: Vec<FileEntry>,
    /// What the server sent, file by file.
    pub files: Vec<PulledFile>,
    /// Lines that the pass which divided the output anew found not to be FHIR.
    pub divided_bad: u64,
    /// What was noticed: on the server, on its manifest, on what it left undone.
    pub warnings: Vec<String>,
    /// How long this run took.
    pub took: Duration,
}

/// One file of the server.
#[derive(Clone, Debug)]
pub struct PulledFile {
    /// Its number in the manifest, from 0.
    pub number: FileNo,
    /// Which list it stands in.
    pub kind: FileKind,
    /// The type that the manifest names.
    pub type_name: Option<String>,
    /// Bytes that came over the network.
    pub wire: u64,
    /// Bytes of NDJSON.
    pub plain: u64,
    /// Lines that came.
    pub lines: u64,
    /// Lines kept.
    pub kept: u64,
    /// Lines that are not FHIR.
    pub bad: u64,
    /// Lines of a list of errors or deletions that were something else, and dropped.
    pub foreign: u64,
    /// The engine read it.
    pub filtered: bool,
    /// A checksum of the server's was there, and fits.
    pub verified: bool,
    /// Resources that came and were kept, for each type; only where the engine read it.
    pub types: Vec<(String, u64, u64)>,
}

impl PulledFile {
    /// Lines that came and were not wanted.
    pub fn dropped(&self) -> u64 {
        let resources: u64 = self
            .types
            .iter()
            .map(|(_, read, kept)| read.saturating_sub(*kept))
            .sum();
        resources + self.foreign
    }
}

impl Pulled {
    /// Lines that are not FHIR: they are told in `error/`.
    pub fn bad(&self) -> u64 {
        self.sum(|file| file.bad) + self.divided_bad
    }

    /// The sum over all files of the server.
    pub fn sum(&self, of: impl Fn(&PulledFile) -> u64) -> u64 {
        self.files.iter().map(of).sum()
    }
}

/// How far a pull is that was begun in a folder; read from its journal, without asking anybody.
#[derive(Clone, Debug)]
pub struct Status {
    /// What comes next.
    pub phase: String,
    /// Where the status of the job is to be had.
    pub status_url: Option<String>,
    /// The instant of the server's snapshot.
    pub transaction_time: Option<String>,
    /// Files of the manifest, and how many of them are complete.
    pub files: usize,
    /// Complete files.
    pub done: usize,
    /// Bytes of NDJSON in those.
    pub plain: u64,
}

/// Looks at the pull that was begun in a folder.
///
/// # Errors
/// None was, or its journal is damaged.
pub fn status(out: &Path) -> Result<Status, PullError> {
    let path = journal_of(out);
    if !path.exists() {
        return Err(PullError::usage(format!("no pull is under way in {}", out.display())));
    }
    let client = Client::resume(&journal::read(&path)?, &Settings::default(), 0)?;
    let receipts: Vec<Receipt> = client
        .files()
        .filter_map(|file| serde_json::from_str(file.receipt?).ok())
        .collect();
    let facts = client.facts();
    Ok(Status {
        phase: phase(&client.phase(), clock::now()),
        status_url: facts.status_url.map(str::to_owned),
        transaction_time: facts.transaction_time.map(str::to_owned),
        files: client.files().len(),
        done: receipts.len(),
        plain: receipts.iter().map(|receipt| receipt.plain).sum(),
    })
}

/// The patients that the pull in a folder was begun for; `None`: it was not about a list.
///
/// # Errors
/// Its journal cannot be read.
pub fn patients(out: &Path) -> Result<Option<Vec<String>>, PullError> {
    let client = Client::resume(&journal::read(&journal_of(out))?, &Settings::default(), 0)?;
    let patients = client.order().map(|order| order.patients.clone());
    Ok(patients.filter(|ids| !ids.is_empty()))
}

/// What the server's manifest says of the whole.
pub(crate) fn said(client: &Client, is_filtered: bool) -> Said {
    let facts = client.facts();
    Said {
        transaction_time: facts.transaction_time.unwrap_or_default().to_owned(),
        request: client.request_url(),
        // What the engine has taken apart is in no blocks any more.
        organized_by: facts.organized_by.filter(|_| !is_filtered).map(str::to_owned),
        continues: client.continuations(),
    }
}

pub(crate) fn pulled(
    pull: &Pull,
    client: &Client,
    receipts: &[(FileNo, Receipt)],
    output: Finished,
    took: Duration,
    detached: bool,
) -> Pulled {
    let facts = client.facts();
    let mut warnings = facts.warnings.to_vec();
    if let Some(plan) = &pull.keep.plan {
        let seen = receipts.iter().flat_map(|(_, receipt)| &receipt.types);
        warnings.extend(undone(
            plan,
            seen.map(|seen| (seen.type_name.as_str(), seen.read, seen.kept)),
        ));
    }
    warnings.extend(unbounded(receipts));
    let foreign: u64 = receipts.iter().map(|(_, receipt)| receipt.foreign).sum();
    if foreign > 0 {
        let text = "lines in its lists of errors and deletions that are neither; they were dropped";
        warnings.push(format!("the server sent {foreign} {text}"));
    }
    if facts.organized_by.is_some() && pull.keep.plan.is_some() {
        let text = "the server has put its output in blocks; what was held against the request is in files by type";
        warnings.push(text.to_owned());
    }
    let of_receipt = |(number, receipt): &(FileNo, Receipt)| {
        let file = client.file(*number)?;
        let types = receipt.types.iter();
        Some(PulledFile {
            number: *number,
            kind: file.kind,
            type_name: file.type_name.map(str::to_owned),
            wire: receipt.wire,
            plain: receipt.plain,
            lines: receipt.lines,
            kept: receipt.kept,
            bad: receipt.bad,
            foreign: receipt.foreign,
            filtered: receipt.filtered,
            verified: receipt.verified,
            types: types
                .map(|seen| (seen.type_name.clone(), seen.read, seen.kept))
                .collect(),
        })
    };
    Pulled {
        detached,
        status_url: facts.status_url.map(str::to_owned),
        manifest: pull.out.join(MANIFEST),
        transaction_time: facts.transaction_time.unwrap_or_default().to_owned(),
        output: output.files,
        divided_bad: output.bad,
        files: receipts.iter().filter_map(of_receipt).collect(),
        warnings,
        took,
    }
}

/// Files of which nothing said how long they are.
fn unbounded(receipts: &[(FileNo, Receipt)]) -> Option<String> {
    let count = receipts.iter().filter(|(_, receipt)| receipt.unbounded).count();
    (count > 0).then(|| {
        format!(
            "nothing says how long {count} of the files are (no length, count or checksum, and the connection ended with \
             them): whether they were cut cannot be known"
        )
    })
}

/// What a pull is doing, in a few words.
pub(crate) fn phase(phase: &Phase, now: Millis) -> String {
    let wait = |next: &Option<Millis>| {
        let seconds = next.map_or(0, |next| next.saturating_sub(now) / 1000);
        if seconds > 2 {
            format!(", asking again in {seconds} s")
        } else {
            String::new()
        }
    };
    match phase {
        Phase::KickingOff { next, .. } => format!("kicking off{}", wait(next)),
        Phase::Waiting { progress, next } => {
            let said = progress.as_deref().map(|text| format!(": {text}")).unwrap_or_default();
            format!("waiting for the server{said}{}", wait(next))
        }
        Phase::Fetching {
            done,
            total,
            is_complete,
            lost,
            ..
        } => {
            let more = if *is_complete { "" } else { " so far" };
            let lost = if *lost > 0 {
                format!(", {lost} given up")
            } else {
                String::new()
            };
            format!("file {done} of {total}{more}{lost}")
        }
        Phase::Deleting => "deleting the job at the server".to_owned(),
        Phase::Over => "done".to_owned(),
    }
}
