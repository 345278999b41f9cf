//! The thread of one download: inflates what comes, counts it, lets the engine look at it, and writes what is kept.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fhirehose_core::client::{FileNo, Trouble};
use fhirehose_core::error::{Error, ErrorKind};
use fhirehose_core::export::Export;
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
}

impl How {
    /// Whether the part's own checksum is that of what comes: then one is enough.
    pub(crate) fn hashes_as_it_comes(&self, work: &Work) -> bool {
        let whole = self.plan.is_none() || work.kind != FileKind::Output;
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
    let result = receive(work, incoming, how);
    if result.is_err() {
        remove_parts(&how.folder, work.file);
    }
    result
}

fn remove_parts(folder: &Path, file: FileNo) {
    let prefix = format!("{file:06}-");
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let ours = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
    // What cannot be removed is swept by the next resume.
    ours.for_each(|entry| drop(std::fs::remove_file(entry.path())));
}

fn receive(work: &Work, incoming: Incoming, how: &How) -> Result<Receipt, Fault> {
    let shared = Arc::new(std::sync::Mutex::new(incoming));
    let ended = || shared.lock().map_or(End::Given, |incoming| incoming.end());
    let result = read(work, Shared(shared.clone()), how);
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
    Ok(receipt)
}

/// SHA-256 of bytes as they came.
type Came = Option<[u8; 32]>;

fn read(work: &Work, reader: Shared, how: &How) -> Result<(Receipt, Came), Fault> {
    let mut input = Input::from_reader("download", reader).map_err(|error| coding(&error))?;
    // Bytes that are called gzip and are none have been meddled with; the other way round they are a file that is stored so.
    if work.coded && input.codec() == Codec::Plain {
        return Err(Fault::Trouble(Trouble::Coding));
    }
    let mut lines = Lines::new(work.count);
    let mut keeper = Keeper::new(work, how)?;
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let length = fill(&mut input, &mut buffer)?;
        if length == 0 {
            break;
        }
        let block = &buffer[..length];
        lines.take(block)?;
        keeper.take(block)?;
        how.progress.plain.fetch_add(length as u64, Ordering::Relaxed);
    }
    lines.finish()?;
    let is_plain = input.codec() == Codec::Plain;
    let (mut receipt, came) = keeper.finish(lines.is_open(), lines.count)?;
    receipt.plain = lines.bytes;
    receipt.lines = lines.count;
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

/// Counts lines and looks whether they can be NDJSON.
struct Lines {
    expected: Option<u64>,
    count: u64,
    bytes: u64,
    /// Something stands behind the last newline.
    open: bool,
    /// The last byte that is no blank.
    last: u8,
    begun: bool,
}

impl Lines {
    fn new(expected: Option<u64>) -> Lines {
        Lines {
            expected,
            count: 0,
            bytes: 0,
            open: false,
            last: b'\n',
            begun: false,
        }
    }

    fn take(&mut self, block: &[u8]) -> Result<(), Fault> {
        if !self.begun {
            let text = block.strip_prefix(b"\xef\xbb\xbf").unwrap_or(block);
            if let Some(&first) = text.iter().find(|byte| !byte.is_ascii_whitespace()) {
                self.begun = true;
                if first != b'{' {
                    return Err(Fault::Trouble(Trouble::Media));
                }
            }
        }
        self.bytes += block.len() as u64;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', block) {
            let line = &block[start..end];
            let is_blank = line.len() < 2 && line.iter().all(u8::is_ascii_whitespace);
            self.count += u64::from(self.open || !is_blank);
            self.open = false;
            start = end + 1;
        }
        self.open |= block[start..].iter().any(|byte| !byte.is_ascii_whitespace());
        if let Some(&last) = block.iter().rev().find(|byte| !byte.is_ascii_whitespace()) {
            self.last = last;
        }
        match self.expected {
            // Also of a body that never ends.
            Some(expected) if self.count > expected => Err(Fault::Trouble(Trouble::Count)),
            _ => Ok(()),
        }
    }

    fn is_open(&self) -> bool {
        self.open
    }

    fn finish(&mut self) -> Result<(), Fault> {
        self.count += u64::from(self.open);
        // A record that was cut in its middle; by a length that was too short, say.
        if self.begun && self.last != b'}' {
            return Err(Fault::Trouble(Trouble::Length));
        }
        match self.expected {
            Some(expected) if expected != self.count => Err(Fault::Trouble(Trouble::Count)),
            _ => Ok(()),
        }
    }
}

/// Where what came goes.
enum Keeper {
    /// Through the engine.
    Engine(Box<Export<PartSink>>),
    /// As it is.
    Whole {
        sink: PartSink,
        part: Option<PartFile>,
        name: FileName,
    },
}

impl Keeper {
    fn new(work: &Work, how: &How) -> Result<Keeper, Fault> {
        let sink = PartSink::new(&how.folder, work.file, how.compression, how.hashes);
        match (&how.plan, work.kind) {
            (Some(plan), FileKind::Output) => {
                let mut export = Export::new(plan.clone(), sink);
                let name = format!("file {} of the manifest", work.file + 1);
                export.begin_input(&name).map_err(engine)?;
                Ok(Keeper::Engine(Box::new(export)))
            }
            _ => Ok(Keeper::Whole {
                sink,
                part: None,
                name: FileName {
                    kind: work.kind,
                    type_name: type_of(work),
                    sequence: 0,
                },
            }),
        }
    }

    fn take(&mut self, block: &[u8]) -> Result<(), Fault> {
        match self {
            Keeper::Engine(export) => export.push(block).map_err(engine),
            Keeper::Whole { sink, part, name } => {
                if part.is_none() {
                    *part = Some(sink.begin(name).map_err(Fault::Disk)?);
                }
                match part {
                    Some(part) => sink.put(part, block).map_err(Fault::Disk),
                    None => Ok(()),
                }
            }
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
            Keeper::Whole { mut sink, part, .. } => {
                // A file without a byte has no part.
                let mut came = sink.empty();
                if let Some(mut part) = part {
                    came = part.digest();
                    if open {
                        sink.put(&mut part, b"\n").map_err(Fault::Disk)?;
                    }
                    sink.end(part, lines).map_err(Fault::Disk)?;
                }
                let receipt = Receipt {
                    kept: lines,
                    parts: sink.closed,
                    ..Receipt::default()
                };
                Ok((receipt, came))
            }
        }
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

/// The type that the manifest names, as far as it can be a name of a file.
fn type_of(work: &Work) -> String {
    let default = match work.kind {
        FileKind::Output => "Resource",
        FileKind::Deleted => "Bundle",
        FileKind::Error => "OperationOutcome",
    };
    let is_name =
        |name: &&String| (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    work.type_name
        .as_ref()
        .filter(is_name)
        .map_or_else(|| default.to_owned(), Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(blocks: &[&[u8]], expected: Option<u64>) -> Result<u64, Trouble> {
        let mut lines = Lines::new(expected);
        let trouble = |fault| match fault {
            Fault::Trouble(trouble) => trouble,
            other => panic!("{other:?}"),
        };
        for block in blocks {
            lines.take(block).map_err(trouble)?;
        }
        lines.finish().map_err(trouble)?;
        Ok(lines.count)
    }

    #[test]
    fn blank_lines_do_not_count_and_a_last_line_needs_no_newline() {
        assert_eq!(counted(&[b"{}\n\r\n{}\n\n{", b"}"], None), Ok(3));
        assert_eq!(counted(&[b"{}\n", b"\n", b"{}\n"], Some(2)), Ok(2));
        assert_eq!(counted(&[b""], Some(0)), Ok(0));
        assert_eq!(counted(&[b"\xef\xbb\xbf{}\n"], None), Ok(1));
    }

    #[test]
    fn what_is_no_ndjson_or_was_cut_is_told() {
        assert_eq!(counted(&[b"<html>"], None), Err(Trouble::Media));
        assert_eq!(counted(&[b"{\"a\":1,\"b"], None), Err(Trouble::Length));
        assert_eq!(counted(&[b"{}\n{}\n"], Some(3)), Err(Trouble::Count));
        assert_eq!(counted(&[b"{}\n{}\n{}\n", b"{}"], Some(2)), Err(Trouble::Count));
    }
}
