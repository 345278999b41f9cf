//! The end of a pull: parts become files of the output, all of them at once, the manifest last.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use fhirehose_core::client::FileNo;
use fhirehose_core::manifest::{Generation, ManifestFacts, manifest};
use fhirehose_core::membership::Membership;
use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::report::{FileEntry, Report};
use fhirehose_core::request::Request;
use fhirehose_core::search::table::Registry;
use fhirehose_core::sink::FileName;
use fhirehose_native::cancel::Cancel;
use fhirehose_native::codec_out::Compression;
use fhirehose_native::folder::{MANIFEST, sync};
use fhirehose_native::inputs::InputPlace;
use fhirehose_native::job::{FolderOutput, Job, JobError, ManifestOptions, Organize, Output, Progress, Told};
use fhirehose_native::run_for_clients;

use crate::checksum::sum;
use crate::error::{PullError, PullErrorKind};
use crate::folder::{Folder, write_whole};
use crate::receipt::{Kind, Part, Receipt};

/// Name of the list of checksums, as `sha256sum -c` reads it.
const CHECKSUMS: &str = "SHA256SUMS";

/// What is kept of what comes, and how.
#[derive(Clone, Debug)]
pub struct Keep {
    /// What resources have to pass; `None`: they are taken as they come.
    pub plan: Option<Plan>,
    /// Compression of the output.
    pub compression: Compression,
    /// Write a list of SHA-256 sums.
    pub checksums: bool,
    /// Shape of the manifest.
    pub generation: Generation,
    /// Put before the files' names in the manifest.
    pub base_url: Option<String>,
    /// Put into other files than they came in, when all of it is there.
    pub again: Option<Again>,
}

/// The pass that divides the output anew.
#[derive(Clone, Debug)]
pub struct Again {
    /// What it applies: `_elements`, where the division needs the whole resources.
    pub request: Request,
    /// The search parameters that the request is compiled with.
    pub registry: Registry,
    /// When a file is full.
    pub limits: Limits,
    /// Put what belongs to a patient together, with so many bytes of memory.
    pub organize: Option<u64>,
    /// Threads.
    pub threads: usize,
}

/// What the server's manifest says of the whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) transaction_time: String,
    pub(crate) request: String,
    pub(crate) organized_by: Option<String>,
    /// For files that go on in others: which.
    pub(crate) continues: Vec<(FileNo, FileNo)>,
}

/// The output in its place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finished {
    pub(crate) files: Vec<FileEntry>,
    /// Lines that the pass which divided it anew found not to be FHIR.
    pub(crate) bad: u64,
}

/// A part with the name that it gets.
struct Named {
    from: PathBuf,
    entry: FileEntry,
    sha256: String,
}

/// Puts the output in its place. May be called again after a crash, or when it was stopped: what was done is left. Once names
/// are given it does not stop any more; that is soon done.
pub(crate) fn finish(
    folder: &Folder,
    receipts: &[(FileNo, Receipt)],
    said: &Said,
    keep: &Keep,
    cancel: &Cancel,
) -> Result<Finished, PullError> {
    let (mut named, organized_by, bad) = match &keep.again {
        None => (by_file(folder, receipts, said, keep), said.organized_by.clone(), 0),
        Some(again) => {
            let (named, bad) = divided_anew(folder, receipts, again, keep, cancel)?;
            (named, again.organize.map(|_| "Patient".to_owned()), bad)
        }
    };
    named.sort_by(|a, b| a.entry.name.cmp(&b.entry.name));
    let report = Report {
        files: named.iter().map(|named| named.entry.clone()).collect(),
        ..Report::default()
    };
    let facts = ManifestFacts {
        generation: keep.generation,
        transaction_time: said.transaction_time.clone(),
        request: said.request.clone(),
        requires_access_token: false,
        base_url: keep.base_url.clone(),
        output_format: "application/fhir+ndjson".to_owned(),
        organized_by,
        has_counts: true,
        next: None,
    };
    sync(&folder.out).map_err(|error| output(&error))?;
    let names = named.iter().map(|named| named.entry.path.as_str());
    folder.begin_to_finish(names.chain([MANIFEST, CHECKSUMS]))?;
    for named in &named {
        put(&named.from, &folder.out.join(&named.entry.path), named.entry.size)?;
    }
    if keep.checksums {
        let lines: String = named
            .iter()
            .map(|named| format!("{}  {}\n", named.sha256, named.entry.path))
            .collect();
        write_whole(&folder.out.join(CHECKSUMS), &lines)?;
    }
    write_whole(&folder.out.join(MANIFEST), &manifest(&report, &facts))?;
    Ok(Finished {
        files: report.files,
        bad,
    })
}

/// Moves a file of that length; one that has been moved before is where it belongs.
fn put(from: &Path, to: &Path, size: u64) -> Result<(), PullError> {
    let length = |path: &Path| fs::metadata(path).ok().map(|found| found.len());
    match (length(from), length(to)) {
        (None, Some(there)) if there == size => return Ok(()),
        (Some(there), _) if there == size => {}
        _ => {
            let what = io::Error::other("a part is gone, or not as long as it was");
            return Err(PullError::disk("complete", to, &what));
        }
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(|error| PullError::disk("make", parent, &error))?;
    }
    fs::rename(from, to).map_err(|error| PullError::disk("rename a finished file to", to, &error))
}

/// Each fetched file is a file of the output, or one for each type that it held.
fn by_file(folder: &Folder, receipts: &[(FileNo, Receipt)], said: &Said, keep: &Keep) -> Vec<Named> {
    let mut namer = Namer::new(keep.compression);
    let mut of_file: HashMap<FileNo, usize> = HashMap::new();
    let mut named = Vec::new();
    for (file, receipt) in receipts {
        for part in &receipt.parts {
            of_file.entry(*file).or_insert(named.len());
            named.push(namer.name(folder.parts().join(&part.path), part));
        }
    }
    for (from, to) in &said.continues {
        if let (Some(&from), Some(&to)) = (of_file.get(from), of_file.get(to)) {
            named[from].entry.continues_in = Some(named[to].entry.path.clone());
        }
    }
    named
}

/// Numbers files of one kind and type.
struct Namer {
    compression: Compression,
    next: HashMap<(Kind, String), u32>,
}

impl Namer {
    fn new(compression: Compression) -> Namer {
        Namer {
            compression,
            next: HashMap::new(),
        }
    }

    fn name(&mut self, from: PathBuf, part: &Part) -> Named {
        let next = self.next.entry((part.kind, part.type_name.clone())).or_default();
        let name = FileName {
            kind: part.kind.into(),
            type_name: part.type_name.clone(),
            sequence: *next,
        };
        *next += 1;
        let path = format!("{name}{}", self.compression.extension());
        Named {
            from,
            entry: FileEntry {
                name,
                path,
                resources: part.resources,
                bytes: part.bytes,
                size: part.size,
                continues_in: None,
            },
            sha256: part.sha256.clone(),
        }
    }
}

/// Runs the engine over what was kept, which divides it as asked.
fn divided_anew(
    folder: &Folder,
    receipts: &[(FileNo, Receipt)],
    again: &Again,
    keep: &Keep,
    cancel: &Cancel,
) -> Result<(Vec<Named>, u64), PullError> {
    let all = || receipts.iter().flat_map(|(_, receipt)| &receipt.parts);
    let outputs = all().filter(|part| part.kind == Kind::Output);
    let place = folder.parts().join("again");
    // Another attempt may have been killed in the middle.
    if place.exists() {
        fs::remove_dir_all(&place).map_err(|error| PullError::disk("remove", &place, &error))?;
    }
    let inputs = outputs.map(|part| InputPlace::File(folder.parts().join(&part.path)));
    let job = job(again, keep, inputs.collect(), place.clone())?;
    let told = Told {
        hides_folders: true,
        ..Told::default()
    };
    let exported = run_for_clients(&job, &told, &Progress::default(), cancel);
    let exported = exported.map_err(|error| failed(error, cancel))?;
    let bad = exported.report.bad_lines();
    let mut namer = Namer::new(keep.compression);
    let beside = all().filter(|part| part.kind != Kind::Output);
    let mut named: Vec<Named> = beside
        .map(|part| namer.name(folder.parts().join(&part.path), part))
        .collect();
    for entry in exported.report.files {
        let part = Part {
            kind: entry.name.kind.into(),
            type_name: entry.name.type_name.clone(),
            path: String::new(),
            resources: entry.resources,
            bytes: entry.bytes,
            size: entry.size,
            sha256: String::new(),
        };
        let renamed = namer.name(place.join(&entry.path), &part);
        let sha256 = if keep.checksums {
            sum(&place.join(&entry.path), cancel)?
        } else {
            String::new()
        };
        named.push(Named {
            sha256,
            entry: FileEntry {
                continues_in: entry.continues_in,
                ..renamed.entry
            },
            ..renamed
        });
    }
    Ok((named, bad))
}

fn job(again: &Again, keep: &Keep, inputs: Vec<InputPlace>, place: PathBuf) -> Result<Job, PullError> {
    let usage = |problems: fhirehose_core::problem::Problems| PullError::usage(problems.to_string());
    let plan = Plan::compile(&again.request, &again.registry).map_err(usage)?;
    let organize = match again.organize {
        None => None,
        Some(memory) => Some(Organize {
            memory,
            membership: Membership::new(&again.request, &again.registry).map_err(usage)?,
        }),
    };
    Ok(Job {
        plan: plan.with_plain_bundles(),
        request: again.request.clone(),
        cohort: None,
        inputs,
        output: Output::Folder(FolderOutput {
            path: place,
            force: false,
            // All of the output is put on the disk when it stands.
            is_durable: false,
            manifest: ManifestOptions {
                generation: keep.generation,
                transaction_time: String::new(),
                request: String::new(),
                base_url: None,
            },
            organize,
        }),
        limits: again.limits,
        compression: keep.compression,
        threads: again.threads,
        chunk: 256 << 10,
    })
}

fn failed(error: JobError, cancel: &Cancel) -> PullError {
    match error {
        // Whatever a job that was to stop tells of its end.
        _ if cancel.is_stopped() => PullError::interrupted(),
        JobError::BadLine(place) => PullError::new(PullErrorKind::BadLine, "bad-line", place),
        error => PullError::new(PullErrorKind::Io, "disk", error.to_string()).resumable(true),
    }
}

fn output(error: &fhirehose_native::output_error::OutputError) -> PullError {
    PullError::new(PullErrorKind::Io, "disk", error.to_string()).resumable(true)
}
