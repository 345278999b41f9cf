//! The sink: what each file got since it was last asked, so that one call hands back the bytes of several files.

use fhirehose_core::error::Error;
use fhirehose_core::sink::{FileName, Sink, Stored};

/// Bytes of one file that wait to be fetched.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Number of the file.
    pub(crate) file: usize,
    /// Whole lines.
    pub(crate) lines: Vec<u8>,
}

/// Files by number, and what they got. Buffers are used again.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    pub(crate) names: Vec<FileName>,
    waiting: Vec<Segment>,
    spare: Vec<Vec<u8>>,
}

/// An open file.
#[derive(Debug)]
pub(crate) struct Open {
    file: usize,
    size: u64,
}

/// Buffers that are kept for the next chunk, and how large one of them may be.
const MOST_SPARE: usize = 16;
const LARGEST_SPARE: usize = 4 << 20;

impl Segments {
    /// How many files got something.
    pub(crate) fn count(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Segment> {
        self.waiting.get(index)
    }

    /// Forgets what waits; it has been fetched, or nobody wants it.
    pub(crate) fn clear(&mut self) {
        for mut segment in self.waiting.drain(..) {
            if self.spare.len() < MOST_SPARE && segment.lines.capacity() <= LARGEST_SPARE {
                segment.lines.clear();
                self.spare.push(segment.lines);
            }
        }
    }
}

impl Sink for Segments {
    type File = Open;

    fn create(&mut self, name: &FileName) -> Result<Open, Error> {
        self.names.push(name.clone());
        Ok(Open {
            file: self.names.len() - 1,
            size: 0,
        })
    }

    fn write(&mut self, open: &mut Open, lines: &[u8]) -> Result<(), Error> {
        open.size += lines.len() as u64;
        // Most chunks are of one type, and few of many: no table is quicker than a look at what there is.
        let known = self.waiting.iter_mut().rev().find(|segment| segment.file == open.file);
        match known {
            Some(segment) => segment.lines.extend_from_slice(lines),
            None => {
                let mut buffer = self.spare.pop().unwrap_or_default();
                buffer.extend_from_slice(lines);
                self.waiting.push(Segment {
                    file: open.file,
                    lines: buffer,
                });
            }
        }
        Ok(())
    }

    fn close(&mut self, open: Open) -> Result<Stored, Error> {
        let name = self.names.get(open.file).map(ToString::to_string);
        Ok(Stored {
            name: name.unwrap_or_default(),
            size: open.size,
        })
    }
}
