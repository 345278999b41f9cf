//! The first pass: every line is checked, and what is known of it is handed to the sorter.

use fhirehose_core::content::ContentHasher;
use fhirehose_core::deletion::{self, Reading};
use fhirehose_core::error::BadLine;
use fhirehose_core::record::{Line, Record, RecordReader};
use fhirehose_core::router::Router;
use fhirehose_core::search::table::Registry;
use fhirehose_core::sieve::{BadAt, Batch};

use crate::folder::{FolderSink, OutputFile};
use crate::job::JobError;
use crate::pool;
use crate::snapshot::argument::Role;
use crate::snapshot::entry::{Entry, Key, LONGEST_ID, What};
use crate::snapshot::pass::{Lines, Take, Work};
use crate::snapshot::sorted::Sorter;
use crate::snapshot::task::ArgumentCount;

/// Which argument a file belongs to, and what its lines are.
#[derive(Clone, Debug)]
pub(crate) struct InputFile {
    pub(crate) argument: u16,
    pub(crate) role: Role,
    /// How many lines its manifest says it has.
    pub(crate) count: Option<u64>,
}

/// What all threads of the pass share.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'s> {
    pub(crate) registry: &'s Registry,
    pub(crate) files: &'s [InputFile],
    pub(crate) fhir_base: Option<&'s str>,
    pub(crate) max_line: usize,
    pub(crate) by_bytes: bool,
    /// Key of the content hashes.
    pub(crate) key: [u64; 2],
}

/// One thread of the pass.
pub(crate) struct Scanner<'s> {
    shared: Shared<'s>,
    reader: RecordReader,
    hasher: ContentHasher,
    sorter: Sorter<'s, Entry<'static>>,
}

/// What came of a block.
#[derive(Default)]
pub(crate) struct Scanned {
    /// Bad lines and counts; no line is kept yet.
    batch: Batch,
    /// Lines that are not blank.
    told: u64,
    resources: u64,
    deletions: u64,
}

impl<'s> Scanner<'s> {
    pub(crate) fn new(shared: Shared<'s>, sorter: Sorter<'s, Entry<'static>>) -> Scanner<'s> {
        Scanner {
            shared,
            reader: RecordReader::default(),
            hasher: ContentHasher::new(shared.key),
            sorter,
        }
    }

    fn line(&mut self, file: &InputFile, line: u64, record: &Record<'_>, out: &mut Scanned) -> Result<(), JobError> {
        let is_bundle = || self.shared.registry.types()[record.type_index] == "Bundle";
        let reading = match file.role {
            Role::Resources => Reading::NotDeletions,
            Role::Either if !is_bundle() => Reading::NotDeletions,
            Role::Either | Role::Deletions => deletion::read(record.json, self.shared.fhir_base),
        };
        match reading {
            Reading::NotDeletions if file.role != Role::Deletions => {
                if let Some(count) = out.batch.read.get_mut(record.type_index) {
                    *count += 1;
                }
                out.resources += 1;
                self.version(file, line, record)
            }
            Reading::NotDeletions | Reading::Malformed => {
                out.batch.bad.push(BadAt {
                    line: out.batch.lines,
                    column: 0,
                    kind: BadLine::Deletions,
                    type_index: None,
                });
                Ok(())
            }
            Reading::Deletions(deletions) => {
                out.deletions += deletions.len() as u64;
                deletions
                    .iter()
                    .try_for_each(|deletion| self.deletion(file, line, deletion))
            }
        }
    }

    fn version(&mut self, file: &InputFile, line: u64, record: &Record<'_>) -> Result<(), JobError> {
        let content = if self.shared.by_bytes {
            self.hasher.bytes(record.json)
        } else {
            self.hasher.content(record.json)
        };
        let decoded = record
            .id
            .filter(|id| id.is_escaped())
            .map(|id| id.decode().into_owned());
        let id = decoded.as_ref().map(String::as_bytes).or(record.id.map(|id| id.raw()));
        let id = id.filter(|id| id.len() <= LONGEST_ID);
        let in_place = content.to_be_bytes();
        self.sorter.push(&Entry {
            key: Key {
                type_index: record.type_index as u16,
                has_id: id.is_some(),
                id: id.unwrap_or(&in_place),
            },
            argument: file.argument,
            line,
            what: What::Version,
            time: record.updated,
            content,
        })
    }

    fn deletion(&mut self, file: &InputFile, line: u64, deletion: &deletion::Deletion) -> Result<(), JobError> {
        // Of a type that there is not, there is no resource either.
        let Some(type_index) = self.shared.registry.type_index(&deletion.type_name) else {
            return Ok(());
        };
        if deletion.id.len() > LONGEST_ID {
            return Ok(());
        }
        self.sorter.push(&Entry {
            key: Key {
                type_index: type_index as u16,
                has_id: true,
                id: deletion.id.as_bytes(),
            },
            argument: file.argument,
            line,
            what: What::Deletion,
            time: deletion.time,
            content: 0,
        })
    }
}

impl Work for Scanner<'_> {
    type Batch = Scanned;

    fn block(&mut self, lines: &Lines, out: &mut Scanned) -> Result<(), JobError> {
        let Shared {
            registry,
            files,
            max_line,
            ..
        } = self.shared;
        let Some(file) = files.get(lines.input) else {
            return Ok(());
        };
        out.clear(registry.types().len());
        let block = lines.block.lines();
        let mut start = 0;
        while start < block.len() {
            let (line, end) = self.reader.read(registry, block, start);
            let is_too_long = end - start > max_line;
            match line {
                _ if is_too_long => out.bad(BadLine::TooLong, 0),
                Line::Blank => {}
                Line::Bad(fault) => out.bad(fault.kind, (fault.at.max(start) - start + 1) as u64),
                Line::Record(record) => {
                    let number = lines.first + out.batch.lines;
                    self.line(file, number, &record, out)?;
                }
            }
            out.told += u64::from(is_too_long || !matches!(line, Line::Blank));
            out.batch.lines += 1;
            out.batch.bytes += if is_too_long { 0 } else { (end + 1 - start) as u64 };
            start = end + 1;
        }
        Ok(())
    }

    fn end(self) {
        self.sorter.end();
    }
}

impl Scanned {
    fn clear(&mut self, types: usize) {
        let Scanned { batch, .. } = self;
        batch.runs.clear();
        batch.bad.clear();
        batch.lines = 0;
        batch.bytes = 0;
        batch.read.clear();
        batch.read.resize(types, 0);
        (self.told, self.resources, self.deletions) = (0, 0, 0);
    }

    fn bad(&mut self, kind: BadLine, column: u64) {
        let line = self.batch.lines;
        self.batch.bad.push(BadAt {
            line,
            column,
            kind,
            type_index: None,
        });
    }
}

/// The ordered half of the pass: bad lines are told, and lines counted.
pub(crate) struct Roll<'r> {
    pub(crate) router: &'r mut Router<OutputFile>,
    pub(crate) sink: &'r mut FolderSink,
    pub(crate) files: &'r [InputFile],
    /// For each input begun, the number of its first line and its name.
    pub(crate) starts: Vec<(u64, String)>,
    /// For each input begun, how many lines it has, and how many deletions.
    pub(crate) counts: Vec<(u64, u64)>,
    pub(crate) arguments: Vec<ArgumentCount>,
    pub(crate) lines: u64,
}

impl Take<Scanned> for Roll<'_> {
    fn take(&mut self, lines: &Lines, scanned: &Scanned) -> Result<(), JobError> {
        if let Some(name) = &lines.block.begins {
            self.router.begin_input(name);
            self.starts.push((lines.first, name.clone()));
            self.counts.push((0, 0));
        }
        let too_long = lines.block.too_long;
        self.router
            .take(lines.block.lines(), &scanned.batch, too_long, self.sink)
            .map_err(pool::from_core)?;
        if let Some((told, deletions)) = self.counts.last_mut() {
            *told += scanned.told + u64::from(too_long);
            *deletions += scanned.deletions;
        }
        let argument = self.files.get(lines.input).map(|file| usize::from(file.argument));
        if let Some(count) = argument.and_then(|index| self.arguments.get_mut(index)) {
            count.resources += scanned.resources;
            count.deletions += scanned.deletions;
            count.bad += scanned.batch.bad.len() as u64 + u64::from(too_long);
        }
        self.lines += lines.count;
        Ok(())
    }
}
