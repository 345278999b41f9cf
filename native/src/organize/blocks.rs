//! Files of blocks: a header, the patient, and what belongs to the patient; when a file is full, and how a block goes on.

use fhirehose_core::error::Error;
use fhirehose_core::partition::Limits;
use fhirehose_core::quote::quoted;
use fhirehose_core::report::FileEntry;
use fhirehose_core::sink::{FileKind, FileName, Sink};

use super::group::{Head, Target};

/// Writes blocks into files `Patient.NNN.ndjson`.
pub(super) struct Blocks<'s, S: Sink> {
    sink: &'s mut S,
    limits: Limits,
    next: u32,
    open: Option<Open<S::File>>,
    /// The line that the block at hand begins with in every file.
    header: Vec<u8>,
    /// The block at hand is larger than a file may be.
    is_too_large: bool,
    /// It has been split.
    is_split: bool,
    /// Which of the closed files ends with a block that goes on in the open one.
    continued: Option<usize>,
    written: Written,
}

struct Open<F> {
    name: FileName,
    file: F,
    resources: u64,
    bytes: u64,
    /// The block at hand has lines here.
    holds_block: bool,
}

/// What has been written.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) files: Vec<FileEntry>,
    pub(super) blocks: u64,
    pub(super) split: u64,
}

impl<'s, S: Sink> Blocks<'s, S> {
    pub(super) fn new(sink: &'s mut S, limits: Limits) -> Self {
        Blocks {
            sink,
            limits,
            next: 0,
            open: None,
            header: Vec::new(),
            is_too_large: false,
            is_split: false,
            continued: None,
            written: Written::default(),
        }
    }

    /// Whether a file that holds so much is within the limits.
    fn fits(&self, resources: u64, bytes: u64) -> bool {
        self.limits.max_resources.is_none_or(|most| resources <= most.max(1))
            && self.limits.max_bytes.is_none_or(|most| bytes <= most)
    }

    /// Writes the header into the open file, or into a new one.
    fn write_header(&mut self) -> Result<(), Error> {
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let name = FileName {
                    kind: FileKind::Output,
                    type_name: "Patient".to_owned(),
                    sequence: self.next,
                };
                self.next += 1;
                let file = self.sink.create(&name)?;
                self.open.insert(Open {
                    name,
                    file,
                    resources: 0,
                    bytes: 0,
                    holds_block: false,
                })
            }
        };
        open.holds_block = false;
        open.bytes += self.header.len() as u64;
        self.sink.write(&mut open.file, &self.header)
    }

    fn append(&mut self, lines: &[u8], count: u64) -> Result<(), Error> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        open.resources += count;
        open.bytes += lines.len() as u64;
        open.holds_block = true;
        self.sink.write(&mut open.file, lines)
    }

    /// A line of a block that has to be split somewhere: a new file begins where the line does not fit. One that is
    /// larger than a file may be has a file for itself and the header.
    fn append_split(&mut self, line: &[u8]) -> Result<(), Error> {
        let is_full = self
            .open
            .as_ref()
            .is_some_and(|open| open.holds_block && !self.fits(open.resources + 1, open.bytes + line.len() as u64));
        if is_full {
            self.close(true)?;
            self.written.split += u64::from(!self.is_split);
            self.is_split = true;
            self.write_header()?;
        }
        self.append(line, 1)
    }

    fn close(&mut self, goes_on: bool) -> Result<(), Error> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let stored = self.sink.close(open.file)?;
        if let Some(before) = self.continued.take() {
            self.written.files[before].continues_in = Some(stored.name.clone());
        }
        self.continued = goes_on.then_some(self.written.files.len());
        self.written.files.push(FileEntry {
            name: open.name,
            path: stored.name,
            resources: open.resources,
            bytes: open.bytes,
            size: stored.size,
            continues_in: None,
        });
        Ok(())
    }

    /// Completes the last file.
    pub(super) fn finish(mut self) -> Result<Written, Error> {
        self.close(false)?;
        Ok(self.written)
    }
}

impl<S: Sink> Target for Blocks<'_, S> {
    fn begin(&mut self, head: &Head) -> Result<(), Error> {
        let reference = quoted(&format!("Patient/{}", String::from_utf8_lossy(&head.id)));
        self.header.clear();
        for part in [
            r#"{"resourceType":"Parameters","parameter":[{"name":"header","valueReference":{"reference":"#,
            &reference,
            "}}]}\n",
        ] {
            self.header.extend_from_slice(part.as_bytes());
        }
        let bytes = self.header.len() as u64 + head.bytes();
        let is_full = |open: &Open<S::File>| !self.fits(open.resources + head.lines(), open.bytes + bytes);
        if self.open.as_ref().is_some_and(is_full) {
            self.close(false)?;
        }
        self.is_too_large = !self.fits(head.lines(), bytes);
        self.is_split = false;
        self.written.blocks += 1;
        self.write_header()?;
        // Known beforehand, so that whole lines need not be counted.
        if !self.is_too_large
            && let Some(open) = &mut self.open
        {
            open.resources += head.lines();
        }
        Ok(())
    }

    fn lines(&mut self, lines: &[u8]) -> Result<(), Error> {
        if !self.is_too_large {
            return self.append(lines, 0);
        }
        let mut each = lines.split_inclusive(|&byte| byte == b'\n');
        each.try_for_each(|line| self.append_split(line))
    }
}

#[cfg(test)]
mod tests {
    use fhirehose_core::sink::MemorySink;

    use super::super::group::Part;
    use super::*;

    /// Writes blocks of so many lines of ten bytes each; the ids are a, b, c and so on. A header has 105 bytes.
    fn write(counts: &[u64], limits: Limits) -> (Written, Vec<(String, Vec<u8>)>) {
        let mut sink = MemorySink::default();
        let mut blocks = Blocks::new(&mut sink, limits);
        for (&lines, id) in counts.iter().zip(b'a'..) {
            let head = Head {
                id: vec![id],
                own: Part::default(),
                others: Part {
                    lines,
                    bytes: lines * 10,
                },
            };
            blocks.begin(&head).expect("memory");
            assert_eq!(blocks.header.len(), 105);
            for _ in 0..lines {
                blocks.lines(b"123456789\n").expect("memory");
            }
        }
        let written = blocks.finish().expect("memory");
        (written, sink.files)
    }

    /// For each file: resources, bytes, and which file it goes on in.
    fn told(written: &Written) -> Vec<(u64, u64, Option<&str>)> {
        let files = written.files.iter();
        files
            .map(|file| (file.resources, file.bytes, file.continues_in.as_deref()))
            .collect()
    }

    const fn limits(max_resources: Option<u64>, max_bytes: Option<u64>) -> Limits {
        Limits {
            max_resources,
            max_bytes,
        }
    }

    #[test]
    fn a_file_ends_between_blocks() {
        let (written, files) = write(&[2, 2, 3], limits(Some(5), None));
        assert_eq!(told(&written), [(4, 250, None), (3, 135, None)]);
        assert_eq!((written.blocks, written.split), (3, 0));
        assert!(
            files
                .iter()
                .all(|(_, bytes)| bytes.starts_with(b"{\"resourceType\":\"Parameters\""))
        );
        // To the byte: two blocks are 250 bytes.
        assert_eq!(told(&write(&[2, 2], limits(None, Some(250))).0), [(4, 250, None)]);
        assert_eq!(told(&write(&[2, 2], limits(None, Some(249))).0).len(), 2);
        assert_eq!(told(&write(&[2, 2], limits(None, None)).0), [(4, 250, None)]);
        assert!(write(&[], limits(None, None)).0.files.is_empty());
    }

    #[test]
    fn a_block_larger_than_a_file_goes_on_and_others_follow_it() {
        let (written, files) = write(&[1, 7, 1, 2], limits(Some(3), None));
        let second = Some("Patient.002.ndjson");
        let third = Some("Patient.003.ndjson");
        assert_eq!(
            told(&written),
            [
                (1, 115, None),
                (3, 135, second),
                (3, 135, third),
                (2, 230, None),
                (2, 125, None)
            ]
        );
        assert_eq!((written.blocks, written.split), (4, 1));
        assert!(files[1].1[..105] == files[2].1[..105] && files[2].1[..105] == files[3].1[..105]);
    }

    #[test]
    fn a_line_larger_than_a_file_has_one_with_its_header() {
        let (written, _) = write(&[1, 2], limits(None, Some(50)));
        let third = Some("Patient.002.ndjson");
        assert_eq!(told(&written), [(1, 115, None), (1, 115, third), (1, 115, None)]);
        assert_eq!(written.split, 1, "the first block is no larger than its line");
    }
}
