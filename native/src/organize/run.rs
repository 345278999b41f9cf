//! A run: sorted groups in a file of the hidden folder, written once and read once.
//!
//! A group is its patient's id behind one byte of length, four numbers (lines and bytes of the patient's own record and
//! of the others), and then the lines.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;

use fhirehose_core::error::Error;

use super::group::{Head, Part, Target};
use super::portion::Sorted;
use crate::folder::{FolderSink, to_core};
use crate::output_error::OutputError;

/// A file that goes when nobody needs it any more. It must be gone before the output is synced.
#[derive(Debug)]
pub(super) struct Run {
    path: PathBuf,
}

impl Run {
    /// Makes an empty one.
    pub(super) fn create(sink: &mut FolderSink) -> Result<(Run, File), Error> {
        let (path, file) = sink.temporary("run").map_err(to_core)?;
        Ok((Run { path }, file))
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(io::Error) -> Error {
        let path = self.path.display().to_string();
        move |error| to_core(OutputError::new(doing, format!("the temporary file {path}"), &error))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // What cannot be removed here goes with the hidden folder.
        let _ = fs::remove_file(&self.path);
    }
}

/// Writes all groups of a portion.
pub(super) fn write(mut groups: Sorted<'_>, run: Run, file: File, buffer: usize) -> Result<Run, Error> {
    let mut writer = Writer::new(run, file, buffer);
    while !groups.head().is_end() {
        writer.begin(groups.head())?;
        let Head { own, others, .. } = groups.head().clone();
        for part in [own, others] {
            groups.part(part, &mut |lines| writer.lines(lines))?;
        }
        groups.advance();
    }
    writer.finish()
}

/// Writes a run.
pub(super) struct Writer {
    run: Run,
    file: File,
    buffer: Vec<u8>,
}

impl Writer {
    pub(super) fn new(run: Run, file: File, buffer: usize) -> Writer {
        let buffer = Vec::with_capacity(buffer);
        Writer { run, file, buffer }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.buffer.len() + bytes.len() > self.buffer.capacity() {
            self.flush()?;
        }
        if bytes.len() >= self.buffer.capacity() {
            self.file.write_all(bytes).map_err(self.run.failed("write"))
        } else {
            self.buffer.extend_from_slice(bytes);
            Ok(())
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.file.write_all(&self.buffer).map_err(self.run.failed("write"))?;
        self.buffer.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Run, Error> {
        self.flush()?;
        Ok(self.run)
    }
}

impl Target for Writer {
    fn begin(&mut self, head: &Head) -> Result<(), Error> {
        // Ids are no longer than this byte can say: others have no blocks.
        self.put(&[head.id.len() as u8])?;
        self.put(&head.id)?;
        for number in [head.own.lines, head.own.bytes, head.others.lines, head.others.bytes] {
            self.put(&number.to_le_bytes())?;
        }
        Ok(())
    }

    fn lines(&mut self, lines: &[u8]) -> Result<(), Error> {
        self.put(lines)
    }
}

/// Reads a run, group by group.
pub(super) struct Reader {
    run: Run,
    file: File,
    head: Head,
    buffer: Vec<u8>,
    usual: usize,
    start: usize,
    end: usize,
}

impl Reader {
    pub(super) fn open(run: Run, buffer: usize) -> Result<Reader, Error> {
        let file = File::open(&run.path).map_err(run.failed("read"))?;
        let mut reader = Reader {
            run,
            file,
            head: Head::default(),
            buffer: vec![0; buffer],
            usual: buffer,
            start: 0,
            end: 0,
        };
        reader.advance()?;
        Ok(reader)
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// Hands over the next part of the group at hand, whole lines at a time.
    pub(super) fn part(&mut self, part: Part, take: &mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let mut missing = part.bytes;
        while missing > 0 {
            let ready = &self.buffer[self.start..self.end];
            let whole = match usize::try_from(missing) {
                Ok(missing) if missing <= ready.len() => missing,
                _ => memchr::memrchr(b'\n', ready).map_or(0, |newline| newline + 1),
            };
            if whole == 0 {
                self.must_fill()?;
                continue;
            }
            take(&ready[..whole])?;
            self.start += whole;
            missing -= whole as u64;
        }
        Ok(())
    }

    /// To the next group; both parts of this one have been handed over.
    pub(super) fn advance(&mut self) -> Result<(), Error> {
        self.head = Head::default();
        if self.start == self.end && self.fill()? == 0 {
            return Ok(());
        }
        let len = usize::from(self.bytes(1)?[0]);
        let id = self.bytes(len)?.to_vec();
        let mut numbers = [0; 4];
        for number in &mut numbers {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(self.bytes(8)?);
            *number = u64::from_le_bytes(bytes);
        }
        let [own_lines, own_bytes, lines, bytes] = numbers;
        self.head = Head {
            id,
            own: Part {
                lines: own_lines,
                bytes: own_bytes,
            },
            others: Part { lines, bytes },
        };
        Ok(())
    }

    fn bytes(&mut self, count: usize) -> Result<&[u8], Error> {
        while self.end - self.start < count {
            self.must_fill()?;
        }
        self.start += count;
        Ok(&self.buffer[self.start - count..self.start])
    }

    fn must_fill(&mut self) -> Result<(), Error> {
        match self.fill()? {
            0 => Err(self.run.failed("read")(io::ErrorKind::UnexpectedEof.into())),
            _ => Ok(()),
        }
    }

    /// Reads on; 0 at the end. Grows for a line that is longer than the buffer, and gives that memory back.
    fn fill(&mut self) -> Result<usize, Error> {
        let left = self.end - self.start;
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, left);
        if left == self.buffer.len() {
            self.buffer.resize(left * 2, 0);
        } else if self.buffer.len() > self.usual && left < self.usual / 2 {
            self.buffer.truncate(self.usual);
            self.buffer.shrink_to_fit();
        }
        let count = loop {
            match self.file.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other.map_err(self.run.failed("read"))?,
            }
        };
        self.end += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A group as it was written or read.
    type Group = (Head, Vec<u8>);

    fn group(id: &str, own: &[u8], others: &[u8]) -> Group {
        let part = |lines: &[u8]| Part {
            lines: lines.iter().filter(|&&byte| byte == b'\n').count() as u64,
            bytes: lines.len() as u64,
        };
        let head = Head {
            id: id.into(),
            own: part(own),
            others: part(others),
        };
        (head, [own, others].concat())
    }

    fn written(folder: &std::path::Path, groups: &[Group], buffer: usize) -> Run {
        let path = folder.join("run");
        let file = File::create(&path).expect("creates");
        let mut writer = Writer::new(Run { path }, file, buffer);
        for (head, lines) in groups {
            writer.begin(head).expect("writes");
            let mut each = lines.split_inclusive(|&byte| byte == b'\n');
            each.try_for_each(|line| writer.lines(line)).expect("writes");
        }
        writer.finish().expect("writes")
    }

    fn read(run: Run, buffer: usize) -> Result<Vec<Group>, Error> {
        let mut reader = Reader::open(run, buffer)?;
        let mut groups = Vec::new();
        while !reader.head().is_end() {
            let head = reader.head().clone();
            let mut lines = Vec::new();
            for part in [head.own, head.others] {
                reader.part(part, &mut |some| {
                    assert!(some.ends_with(b"\n"), "whole lines");
                    lines.extend_from_slice(some);
                    Ok(())
                })?;
            }
            groups.push((head, lines));
            reader.advance()?;
        }
        Ok(groups)
    }

    #[test]
    fn groups_come_back_whatever_the_buffers() {
        let folder = tempfile::tempdir().expect("a folder");
        let long = [vec![b'x'; 5000], b"\n".to_vec()].concat();
        let groups = [
            group("a", b"", b"1\n22\n"),
            group(&"b".repeat(255), &long, &[&b"3\n"[..], &long, b"4\n"].concat()),
            group("c", b"own\nagain\n", b""),
        ];
        for buffer in [1, 7, 64, 4096, 100_000] {
            let run = written(folder.path(), &groups, buffer);
            assert!(read(run, buffer).expect("reads") == groups, "buffers of {buffer}");
            assert!(!folder.path().join("run").exists(), "read once, and gone");
        }
        assert!(read(written(folder.path(), &[], 10), 10).expect("reads").is_empty());
    }

    #[test]
    fn a_run_that_was_cut_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let groups = [group("a", b"own\n", b"1\n22\n"), group("b", b"", b"3\n")];
        let whole = fs::metadata(&written(folder.path(), &groups, 10).path)
            .expect("there")
            .len();
        for len in 1..whole {
            let run = written(folder.path(), &groups, 10);
            let file = File::options().write(true).open(&run.path).expect("opens");
            file.set_len(len).expect("cuts");
            let read = read(run, 16);
            // Between two groups a cut cannot be seen: the writer failed then, and nobody reads.
            assert!(read.is_err() || read.is_ok_and(|groups| groups.len() == 1), "{len}");
        }
    }
}
