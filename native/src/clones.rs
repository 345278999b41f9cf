//! Inputs that are kept as they are, taken over by the file system: some let two files share their data (XFS, btrfs).
//!
//! An output file that begins with the first lines of an input is made a clone of it at once, which costs less than to
//! write one block. As long as what follows is what stands there already, nothing is written; where it differs the rest is
//! cut off and written as ever. Lines are read and judged all the same, so what comes out does not depend on it.
//!
//! A mistake in where lines are said to stand would export what was judged and dropped, so it is not taken on trust: the
//! ends of what is taken over are held against the input, which costs little as it has just been read.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};

use fhirehose_core::sink::Origin;

use crate::inflate::read_whole;
use crate::inputs::InputPlace;

/// Bytes at either end of lines that are held against the input.
const LOOKED_AT: usize = 256;

/// An output file that is a clone of an input.
#[derive(Debug)]
pub(crate) struct Cloned {
    input: usize,
    /// Bytes that it has by now; those of them that are meant to be there are counted by its writer.
    len: u64,
    stored: File,
}

impl Cloned {
    /// Makes an empty file a clone of the input that begins with these lines. `None`: the input is not stored as lines, or
    /// the file system cannot do it; the file is as it was.
    pub(crate) fn of(inputs: &[InputPlace], origin: Origin, lines: &[u8], file: &File) -> Option<Cloned> {
        let place = inputs.get(origin.input).filter(|_| origin.offset == 0)?;
        let (len, stored) = clone(place, lines, file)?;
        Some(Cloned {
            input: origin.input,
            len,
            stored,
        })
    }

    /// Whether the lines stand in the file already, right behind its first `size` bytes.
    pub(crate) fn holds(&self, origin: Origin, size: u64, lines: &[u8]) -> bool {
        let is_there = origin.input == self.input && origin.offset == size;
        is_there && size + lines.len() as u64 <= self.len && self.has_ends(size, lines)
    }

    fn has_ends(&self, start: u64, lines: &[u8]) -> bool {
        let last = lines.len().saturating_sub(LOOKED_AT);
        [0, last].into_iter().all(|at| {
            let wanted = &lines[at..lines.len().min(at + LOOKED_AT)];
            let mut found = [0; LOOKED_AT];
            let found = &mut found[..wanted.len()];
            read_whole(&self.stored, found, start + at as u64) && found == wanted
        })
    }

    /// Cuts off what is behind the first `size` bytes; what is written next goes there.
    pub(crate) fn end(self, file: &mut File, size: u64) -> io::Result<()> {
        if size < self.len {
            file.set_len(size)?;
        }
        file.seek(SeekFrom::Start(size)).map(drop)
    }
}

/// Gives the length of the clone, and the input.
#[cfg(target_os = "linux")]
fn clone(place: &InputPlace, lines: &[u8], file: &File) -> Option<(u64, File)> {
    use std::os::unix::fs::FileExt;

    use crate::inflate::Input;
    use crate::unpack::Layout;

    let InputPlace::File(path) = place else { return None };
    // A pipe is read by somebody else.
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let input = Input::open(path).ok()?;
    let stored = input.plain_file()?;
    let mut head = [0; 256];
    let read = stored.read_at(&mut head, 0).ok()?;
    let head = &head[..read];
    // A byte order mark is not written, so with one the file begins otherwise.
    let is_same = head.starts_with(&lines[..lines.len().min(read)]);
    if !is_same || Layout::detect(input.name(), head) != Some(Layout::Lines) {
        return None;
    }
    let kept = stored.try_clone().ok()?;
    rustix::fs::ioctl_ficlone(file, stored).ok()?;
    file.metadata().ok().map(|data| (data.len(), kept))
}

#[cfg(not(target_os = "linux"))]
fn clone(_: &InputPlace, _: &[u8], _: &File) -> Option<(u64, File)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[cfg(unix)]
    #[test]
    fn what_is_behind_the_lines_that_count_is_cut_off() {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"a\nb\nc\n").expect("writes");
        let clone = Cloned {
            input: 1,
            len: 6,
            stored: file.try_clone().expect("a handle"),
        };
        let at = |input, offset| Origin { input, offset };
        assert!(clone.holds(at(1, 2), 2, b"b\nc\n"));
        assert!(!clone.holds(at(0, 2), 2, b"b\n") && !clone.holds(at(1, 4), 2, b"c\n"));
        assert!(!clone.holds(at(1, 4), 4, b"c\nd\n"), "longer than the clone");
        assert!(!clone.holds(at(1, 2), 2, b"c\n"), "other lines stand there");
        assert!(!clone.holds(at(1, 0), 0, b"a\nx\n"), "nor do all of them");
        clone.end(&mut file, 2).expect("cuts");
        file.write_all(b"d\n").expect("writes");
        let mut text = String::new();
        file.seek(SeekFrom::Start(0)).expect("seeks");
        file.read_to_string(&mut text).expect("reads");
        assert_eq!(text, "a\nd\n");
    }

    #[test]
    fn only_what_is_stored_as_lines_is_cloned() {
        let folder = tempfile::tempdir().expect("a folder");
        let line = b"{\"resourceType\":\"Patient\"}\n";
        for (name, bytes) in [
            ("mark.ndjson", &b"\xef\xbb\xbf{\"resourceType\":\"Patient\"}\n"[..]),
            ("bundle.json", line),
            ("other.ndjson", b"{\"resourceType\":\"Group\"}\n"),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("writes");
            let file = tempfile::tempfile_in(folder.path()).expect("a file");
            let inputs = [InputPlace::File(path), InputPlace::Stdin];
            for (input, offset) in [(0, 0), (1, 0), (2, 0), (0, 1)] {
                assert!(
                    Cloned::of(&inputs, Origin { input, offset }, line, &file).is_none(),
                    "{name}"
                );
            }
            assert_eq!(file.metadata().expect("a file").len(), 0);
        }
    }
}
