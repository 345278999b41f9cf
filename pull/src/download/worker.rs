//! The thread of one download: inflates what comes, counts it, lets the engine look at it, and writes what is kept.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fhirehose_core::client::{FileNo, Lines, Select, Trouble};
use fhirehose_core::error::{Error, ErrorKind};
use fhirehose_core::export::Export;
use fhirehose_core::frame::MAX_MAX_LINE;
use fhirehose_core::plan::Plan;
use fhirehose_core::report::Report;
use fhirehose_core::sink::{FileKind, FileName};
use fhirehose_native::codec_out::Compression;
use fhirehose_native::inflate::{Codec, Input, InputError, READ_SIZE};

use super::incoming::{End, Incoming};
use super::part::{PartFile, PartSink};
use crate::progress::Progress;
use crate::receipt::{Receipt, TypeSeen};

/// What is done with every file.
#[derive(Clone)]
pub(crate) struct How {
    /// What resources have to pass; `None`: they are taken as they come.
    pub(crate) plan: Option<Plan>,
    pub(crate) compression: Compression,
    pub(crate) hashes: bool,
    /// Where parts go.
    pub(crate) folder: PathBuf,
    pub(crate) progress: Arc<Progress>,
    /// Do not hold numbers and sizes against the manifest.
    pub(crate) ignores_counts: bool,
    /// The types that there are, as FHIR spells them: nothing else becomes the name of a file.
    pub(crate) types: Arc<HashSet<String>>,
    /// Tells one attempt from another, also from those of an earlier run.
    pub(crate) serial: Arc<AtomicU64>,
}

/// One file.
pub(crate) struct Work {
    pub(crate) file: FileNo,
    pub(crate) kind: FileKind,
    /// The type that the manifest names.
    pub(crate) type_name: Option<String>,
    /// Lines that it has to have.
    pub(crate) count: Option<u64>,
    /// The server says that it is compressed.
    pub(crate) coded: bool,
    /// Bytes that the manifest says it has: as it is stored, or of its lines.
    pub(crate) size: Option<u64>,
    /// Nothing in how it comes says where it ends.
    pub(crate) is_open_ended: bool,
}

impl How {
    /// Whether the part's own checksum is that of what comes: then one is enough.
    pub(crate) fn hashes_as_it_comes(&self, work: &Work) -> bool {
        let whole = self.plan.is_none();
        whole && self.hashes && self.compression == Compression::None && !work.coded
    }
}

/// Why a file is not complete.
#[derive(Debug)]
pub(crate) enum Fault {
    /// What came is not right.
    Trouble(Trouble),
    /// It cannot be written.
    Disk(io::Error),
    /// A bad line, and the request says to stop at the first.
    BadLine(String),
    /// Nobody sends any more.
    Given,
}

/// A reader that the input owns while the worker wants to know how it ended.
struct Shared(Arc<std::sync::Mutex<Incoming>>);

impl io::Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Only this thread reads; the lock is never waited for.
        let mut incoming = self.0.lock().map_err(|_| io::Error::other("a reader failed"))?;
        incoming.read(buffer)
    }
}

/// Works one file off. Of one that is not complete nothing is left.
pub(crate) fn work(work: &Work, incoming: Incoming, how: &How) -> Result<Receipt, Fault> {
    // The thread of an attempt that was given up may still be at it: no two have the same names.
    let prefix = format!("{:06}.{}-", work.file, how.serial.fetch_add(1, Ordering::Relaxed));
    let result = receive(work, incoming, how, &prefix);
    if result.is_err() {
        remove_parts(&how.folder, &prefix);
    }
    result
}

fn remove_parts(folder: &Path, prefix: &str) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let ours = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    // What cannot be removed is swept by the next resume.
    ours.for_each(|entry| drop(std::fs::remove_file(entry.path())));
}

fn receive(work: &Work, incoming: Incoming, how: &How, prefix: &str) -> Result<Receipt, Fault> {
    let shared = Arc::new(std::sync::Mutex::new(incoming));
    let ended = || shared.lock().map_or(End::Given, |incoming| incoming.end());
    let result = read(work, Shared(shared.clone()), how, prefix);
    let result = match (result, ended()) {
        // Whatever else went wrong: the bytes are not all there, or not the right ones.
        (Err(Fault::Trouble(_)), End::Given) => Err(Fault::Given),
        (_, End::Wrong) => Err(Fault::Trouble(Trouble::Checksum)),
        (Ok(_), End::Open | End::Given) => Err(Fault::Trouble(Trouble::Broken)),
        (result, _) => result,
    };
    let (mut receipt, came) = result?;
    receipt.wire = shared.lock().map_or(0, |incoming| incoming.wire());
    receipt.verified = match (ended(), came) {
        (End::Unseen(expected), Some(came)) if expected != came => return Err(Fault::Trouble(Trouble::Checksum)),
        // Of a file that is stored compressed its own checksum has been looked at.
        (End::Unseen(_), came) => came.is_some(),
        (end, _) => end == End::Whole { verified: true },
    };
    let is_size = |size: u64| size == receipt.wire || size == receipt.plain;
    if !how.ignores_counts && work.size.is_some_and(|size| !is_size(size)) {
        return Err(Fault::Trouble(Trouble::Length));
    }
    receipt.unbounded = work.is_open_ended && !work.coded && work.count.is_none() && work.size.is_none();
    Ok(receipt)
}

/// SHA-256 of bytes as they came.
type Came = Option<[u8; 32]>;

fn read(work: &Work, reader: Shared, how: &How, prefix: &str) -> Result<(Receipt, Came), Fault> {
    let mut input = Input::from_reader("download", reader).map_err(|error| coding(&error))?;
    // Bytes that are called gzip and are none have been meddled with; the other way round they are a file that is stored so.
    let is_foreign = work.coded && input.codec() == Codec::Plain;
    let mut lines = Lines::new(work.kind, work.type_name.as_deref(), work.count, MAX_MAX_LINE);
    let mut keeper = Keeper::new(work, how, prefix)?;
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let length = fill(&mut input, &mut buffer)?;
        // No bytes at all are nothing that could be coded, and servers say so all the same; whoever may have been cut off has
        // not said that there are none.
        if is_foreign && (length > 0 || work.is_open_ended) {
            return Err(Fault::Trouble(Trouble::Coding));
        }
        if length == 0 {
            break;
        }
        let block = &buffer[..length];
        lines.take(block).map_err(Fault::Trouble)?;
        keeper.take(block)?;
        how.progress.plain.fetch_add(length as u64, Ordering::Relaxed);
    }
    lines.finish().map_err(Fault::Trouble)?;
    let is_plain = input.codec() == Codec::Plain;
    let (mut receipt, came) = keeper.finish(lines.is_open(), lines.count())?;
    receipt.plain = lines.bytes();
    receipt.lines = lines.count();
    how.progress.lines.fetch_add(receipt.lines, Ordering::Relaxed);
    how.progress.kept.fetch_add(receipt.kept, Ordering::Relaxed);
    Ok((receipt, came.filter(|_| is_plain)))
}

/// Fills the buffer as far as there are bytes: pieces of the network are small, and blocks have their cost.
fn fill(input: &mut Input, buffer: &mut [u8]) -> Result<usize, Fault> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) => return Err(coding(&error)),
        }
    }
    Ok(filled)
}

fn coding(_: &InputError) -> Fault {
    Fault::Trouble(Trouble::Coding)
}

/// Where what came goes.
enum Keeper {
    /// Through the engine.
    Engine(Box<Export<PartSink>>),
    /// As it is.
    Whole(Box<Whole>),
}

/// A part that takes everything.
struct Whole {
    sink: PartSink,
    /// A file without a byte has none.
    part: Option<PartFile>,
    name: FileName,
    /// Of lists that the engine does not read: what they may hold.
    select: Option<Select>,
    dropped: u64,
}

impl Keeper {
    fn new(work: &Work, how: &How, prefix: &str) -> Result<Keeper, Fault> {
        let sink = PartSink::new(&how.folder, prefix, how.compression, how.hashes);
        match (&how.plan, work.kind) {
            (Some(plan), FileKind::Output) => {
                let mut export = Export::new(plan.clone(), sink);
                let name = format!("file {} of the manifest", work.file + 1);
                export.begin_input(&name).map_err(engine)?;
                Ok(Keeper::Engine(Box::new(export)))
            }
            (plan, _) => Ok(Keeper::Whole(Box::new(Whole {
                sink,
                part: None,
                select: plan.as_ref().and_then(|_| Select::of(work.kind)),
                dropped: 0,
                name: FileName {
                    kind: work.kind,
                    type_name: type_of(work, &how.types),
                    sequence: 0,
                },
            }))),
        }
    }

    fn take(&mut self, block: &[u8]) -> Result<(), Fault> {
        match self {
            Keeper::Engine(export) => export.push(block).map_err(engine),
            Keeper::Whole(whole) => whole.take(block).map_err(Fault::Disk),
        }
    }

    /// Completes the parts. `open`: the last line has no newline, and is given one.
    fn finish(self, open: bool, lines: u64) -> Result<(Receipt, Came), Fault> {
        match self {
            Keeper::Engine(mut export) => {
                export.end_input().map_err(engine)?;
                let (report, sink) = export.finish().map_err(engine)?;
                Ok((filtered(&report, sink), None))
            }
            Keeper::Whole(whole) => whole.finish(open, lines).map_err(Fault::Disk),
        }
    }
}

impl Whole {
    fn take(&mut self, block: &[u8]) -> io::Result<()> {
        let Some(mut select) = self.select.take() else {
            return self.write(block);
        };
        let result = select.take(block, |line| self.write(line));
        self.dropped = select.dropped();
        self.select = Some(select);
        result
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let part = match &mut self.part {
            Some(part) => part,
            None => self.part.insert(self.sink.begin(&self.name)?),
        };
        part.write(bytes)
    }

    fn finish(mut self, open: bool, lines: u64) -> io::Result<(Receipt, Came)> {
        let selects = self.select.is_some();
        if let (true, Some(_)) = (open, &self.select) {
            self.take(b"\n")?;
        }
        let mut came = self.sink.empty();
        let kept = lines.saturating_sub(self.dropped);
        if let Some(mut part) = self.part.take() {
            came = part.digest();
            if open && !selects {
                part.write(b"\n")?;
            }
            self.sink.end(part, kept)?;
        }
        let receipt = Receipt {
            kept,
            foreign: self.dropped,
            parts: self.sink.closed,
            ..Receipt::default()
        };
        Ok((receipt, came.filter(|_| !selects)))
    }
}

fn filtered(report: &Report, mut sink: PartSink) -> Receipt {
    for part in &mut sink.closed {
        let entry = report.files.iter().find(|entry| entry.path == part.path);
        part.resources = entry.map_or(0, |entry| entry.resources);
    }
    let types = report.types.iter().filter(|of_type| of_type.read > 0);
    Receipt {
        kept: report.kept(),
        bad: report.bad_lines(),
        filtered: true,
        types: types
            .map(|of_type| TypeSeen {
                type_name: of_type.type_name.clone(),
                read: of_type.read,
                kept: of_type.kept,
            })
            .collect(),
        parts: sink.closed,
        ..Receipt::default()
    }
}

fn engine(error: Error) -> Fault {
    match error.kind() {
        ErrorKind::BadLine => Fault::BadLine(error.to_string()),
        _ => Fault::Disk(io::Error::other(error)),
    }
}

/// The type that the manifest names, if there is such a type.
fn type_of(work: &Work, types: &HashSet<String>) -> String {
    let default = match work.kind {
        FileKind::Output => "Resource",
        FileKind::Deleted => "Bundle",
        FileKind::Error => "OperationOutcome",
    };
    let named = work.type_name.as_ref().filter(|name| types.contains(*name));
    named.map_or_else(|| default.to_owned(), Clone::clone)
}
