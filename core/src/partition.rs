//! Which file a kept line goes to: one series of files for each type, rolled over by count and by bytes.

use crate::error::Error;
use crate::report::FileEntry;
use crate::sink::{FileKind, FileName, Origin, Sink};

/// When a file is full. Bytes are counted before compression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Most resources of a file.
    pub max_resources: Option<u64>,
    /// Most bytes of a file; a single longer line has a file of its own.
    pub max_bytes: Option<u64>,
}

/// The files of one kind and type, of which at most one is open.
#[derive(Debug)]
pub struct Series<F> {
    kind: FileKind,
    type_name: String,
    next: u32,
    open: Option<Open<F>>,
}

#[derive(Debug)]
struct Open<F> {
    name: FileName,
    file: F,
    resources: u64,
    bytes: u64,
}

impl<F> Series<F> {
    /// A series that has no file yet.
    pub fn new(kind: FileKind, type_name: &str) -> Self {
        Series {
            kind,
            type_name: type_name.to_owned(),
            next: 0,
            open: None,
        }
    }

    /// Writes whole lines, each ending in `\n`, into as many files as the limits ask for.
    pub fn write<S: Sink<File = F>>(
        &mut self,
        lines: &[u8],
        count: u64,
        limits: Limits,
        sink: &mut S,
        closed: &mut Vec<FileEntry>,
    ) -> Result<(), Error> {
        self.write_from(lines, count, None, limits, sink, closed)
    }

    /// The same for lines that may stand in an input just so.
    pub fn write_from<S: Sink<File = F>>(
        &mut self,
        lines: &[u8],
        count: u64,
        mut origin: Option<Origin>,
        limits: Limits,
        sink: &mut S,
        closed: &mut Vec<FileEntry>,
    ) -> Result<(), Error> {
        if self.fits(lines.len() as u64, count, limits) {
            return self.append(lines, count, origin, sink);
        }
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            if !self.fits(line.len() as u64, 1, limits) {
                self.close(sink, closed)?;
            }
            self.append(line, 1, origin, sink)?;
            if let Some(origin) = &mut origin {
                origin.offset += line.len() as u64;
            }
        }
        Ok(())
    }

    /// Whether the lines fit into the open file; one line always fits into a new one.
    fn fits(&self, bytes: u64, count: u64, limits: Limits) -> bool {
        let (used_bytes, used_count) = self.open.as_ref().map_or((0, 0), |open| (open.bytes, open.resources));
        let in_count = limits
            .max_resources
            .is_none_or(|most| used_count + count <= most.max(1));
        let in_bytes = limits.max_bytes.is_none_or(|most| used_bytes + bytes <= most);
        in_count && in_bytes
    }

    fn append<S: Sink<File = F>>(
        &mut self,
        lines: &[u8],
        count: u64,
        origin: Option<Origin>,
        sink: &mut S,
    ) -> Result<(), Error> {
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let name = FileName {
                    kind: self.kind,
                    type_name: self.type_name.clone(),
                    sequence: self.next,
                };
                self.next += 1;
                let file = sink.create(&name)?;
                self.open.insert(Open {
                    name,
                    file,
                    resources: 0,
                    bytes: 0,
                })
            }
        };
        open.resources += count;
        open.bytes += lines.len() as u64;
        match origin {
            Some(origin) => sink.write_from(&mut open.file, lines, origin),
            None => sink.write(&mut open.file, lines),
        }
    }

    /// Completes the open file, if there is one.
    pub fn close<S: Sink<File = F>>(&mut self, sink: &mut S, closed: &mut Vec<FileEntry>) -> Result<(), Error> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let stored = sink.close(open.file)?;
        let Open {
            name, resources, bytes, ..
        } = open;
        closed.push(FileEntry {
            name,
            path: stored.name,
            resources,
            bytes,
            size: stored.size,
            continues_in: None,
        });
        Ok(())
    }
}
