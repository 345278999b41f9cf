//! Chunks into blocks of whole lines: the same lines for every chunking.
//!
//! `memchr('\n')` is enough, since a JSON string holds no raw newline. A byte order mark at the start of an input is
//! dropped; `\r\n` and blank lines are the sieve's business. A line over the limit is told once and skipped, so memory
//! stays bounded by the limit and one chunk.

/// Default limit of a line: 64 MiB.
pub const DEFAULT_MAX_LINE: usize = 64 << 20;

/// Largest limit of a line: blocks keep 32-bit ranges.
pub const MAX_MAX_LINE: usize = 1 << 30;

const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Cuts one input into blocks of whole lines.
///
/// Use: [`Framer::begin`] copies what was left over to the front of a buffer; read a chunk in behind it;
/// [`Framer::cut`] says which part of the buffer is whole lines and keeps the rest. After the last chunk,
/// [`Framer::finish`]. The buffer is the caller's and is never shrunk, so it is filled with zeros only once.
#[derive(Debug)]
pub struct Framer {
    max_line: usize,
    /// The start of a line whose end has not come yet.
    carry: Vec<u8>,
    /// Nothing but a part of a byte order mark has come so far.
    at_start: bool,
    /// Inside a line that is over the limit and has been told.
    skipping: bool,
}

/// Which part of a buffer is whole lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// First byte of the first line.
    pub start: usize,
    /// One past the newline of the last; `start` if there is no line.
    pub end: usize,
    /// After these lines comes one line that is over the limit; it is not in any block.
    pub too_long: bool,
}

impl Framer {
    /// A framer for one input. Lines longer than `max_line` bytes are not collected.
    pub fn new(max_line: usize) -> Self {
        Framer {
            max_line: max_line.min(MAX_MAX_LINE),
            carry: Vec::new(),
            at_start: true,
            skipping: false,
        }
    }

    /// Copies what was left over to the front of `buffer`, which grows if it must. Returns how many bytes that is.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub fn begin(&mut self, buffer: &mut Vec<u8>) -> usize {
        let len = self.carry.len();
        if buffer.len() < len {
            buffer.resize(len, 0);
        }
        buffer[..len].copy_from_slice(&self.carry);
        self.carry.clear();
        len
    }

    /// Copies what was left over to where it ends just before `at`, where a chunk begins that was read in ahead of its turn.
    /// If there is no room the chunk moves. Returns where it starts; the chunk then begins as many bytes behind as it is long.
    pub fn begin_before(&mut self, buffer: &mut Vec<u8>, at: usize) -> usize {
        let len = self.carry.len();
        match at.checked_sub(len) {
            Some(start) => {
                buffer[start..at].copy_from_slice(&self.carry);
                self.carry.clear();
                start
            }
            None => {
                buffer.splice(..at, self.carry.drain(..));
                0
            }
        }
    }

    /// How many bytes are left over.
    pub fn carried(&self) -> usize {
        self.carry.len()
    }

    /// Takes a chunk that ends no line to what is left over, without moving that: a long line that comes in many small
    /// chunks would else be copied once for each. `None`: not such a chunk, use [`Framer::begin`] and [`Framer::cut`].
    pub fn extend(&mut self, chunk: &[u8]) -> Option<Cut> {
        if self.at_start || memchr::memchr(b'\n', chunk).is_some() {
            return None;
        }
        let mut cut = Cut {
            start: 0,
            end: 0,
            too_long: false,
        };
        if !self.skipping {
            cut.too_long = self.carry.len() + chunk.len() > self.max_line;
            if cut.too_long {
                self.skipping = true;
                self.carry.clear();
            } else {
                self.carry.extend_from_slice(chunk);
            }
        }
        Some(cut)
    }

    /// Finds the whole lines of `bytes`, the used part of the buffer, which is new from `fresh` on. Keeps the rest.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub fn cut(&mut self, bytes: &[u8], fresh: usize) -> Cut {
        let mut start = 0;
        if self.at_start {
            if bytes.len() < BOM.len() && BOM.starts_with(bytes) {
                self.carry.extend_from_slice(bytes);
                return Cut {
                    start: 0,
                    end: 0,
                    too_long: false,
                };
            }
            self.at_start = false;
            start = if bytes.starts_with(&BOM) { BOM.len() } else { 0 };
        }
        if self.skipping {
            match memchr::memchr(b'\n', bytes) {
                Some(end) => {
                    start = end + 1;
                    self.skipping = false;
                }
                None => {
                    return Cut {
                        start: 0,
                        end: 0,
                        too_long: false,
                    };
                }
            }
        }
        let from = fresh.clamp(start, bytes.len());
        let end = memchr::memrchr(b'\n', &bytes[from..]).map_or(start, |end| from + end + 1);
        let too_long = bytes.len() - end > self.max_line;
        if too_long {
            self.skipping = true;
        } else {
            self.carry.extend_from_slice(&bytes[end..]);
        }
        Cut { start, end, too_long }
    }

    /// Puts the last line to the front of `buffer` if the input did not end in a newline. Returns its length with the
    /// newline that it gets; 0: there is none.
    pub fn finish(&mut self, buffer: &mut Vec<u8>) -> usize {
        self.skipping = false;
        if self.carry.is_empty() {
            return 0;
        }
        self.carry.push(b'\n');
        self.begin(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of `input` for one chunk size; `None` is a line over the limit.
    fn lines(input: &[u8], chunk: usize, max_line: usize) -> Vec<Option<Vec<u8>>> {
        let extending = lines_by(input, chunk, max_line, true);
        assert_eq!(
            extending,
            lines_by(input, chunk, max_line, false),
            "{input:?} by {chunk}"
        );
        extending
    }

    fn lines_by(input: &[u8], chunk: usize, max_line: usize, extend: bool) -> Vec<Option<Vec<u8>>> {
        let mut framer = Framer::new(max_line);
        let mut buffer = Vec::new();
        let mut out = Vec::new();
        let add = |block: &[u8], out: &mut Vec<Option<Vec<u8>>>| {
            assert!(block.is_empty() || block.ends_with(b"\n"));
            out.extend(block.split_inclusive(|&byte| byte == b'\n').map(|line| {
                let line = &line[..line.len() - 1];
                (line.len() <= max_line).then(|| line.to_vec())
            }));
        };
        for part in input.chunks(chunk) {
            let cut = (if extend { framer.extend(part) } else { None }).unwrap_or_else(|| {
                let fresh = framer.begin(&mut buffer);
                buffer.truncate(fresh);
                buffer.extend_from_slice(part);
                framer.cut(&buffer, fresh)
            });
            add(&buffer[cut.start..cut.end], &mut out);
            if cut.too_long {
                out.push(None);
            }
        }
        let len = framer.finish(&mut buffer);
        add(&buffer[..len], &mut out);
        out
    }

    #[test]
    fn same_lines_for_every_chunking() {
        let inputs: [&[u8]; 9] = [
            b"",
            b"\n",
            b"a\nbb\nccc",
            b"a\r\nbb\r\n\r\n",
            b"\xef\xbb\xbfa\nb\n",
            b"\xef\xbb\xbf",
            b"\xef\xbba\n",
            b"\xef\xef\xbb\xbf\n",
            "é\u{1f600}\nü\u{2028}x\n".as_bytes(),
        ];
        for input in inputs {
            let expected = lines(input, input.len().max(1), 64);
            for chunk in 1..=input.len() {
                assert_eq!(lines(input, chunk, 64), expected, "{input:?} by {chunk}");
            }
        }
        assert_eq!(
            lines(b"\xef\xbb\xbfa\nb", 1, 64),
            [Some(b"a".to_vec()), Some(b"b".to_vec())]
        );
        assert_eq!(lines(b"\xef\xbba\n", 1, 64), [Some(b"\xef\xbba".to_vec())]);
    }

    #[test]
    fn what_was_left_over_goes_before_a_chunk_that_is_there_already() {
        for room in 0..8 {
            let mut framer = Framer::new(100);
            assert_eq!(framer.cut(b"a\nbcd", 0).end, 2);
            assert_eq!(framer.carried(), 3);
            let mut buffer = [vec![b'x'; room], b"e\nf".to_vec()].concat();
            let start = framer.begin_before(&mut buffer, room);
            assert_eq!((&buffer[start..], framer.carried()), (&b"bcde\nf"[..], 0), "{room}");
        }
    }

    #[test]
    fn a_line_over_the_limit_is_told_once_and_the_stream_goes_on() {
        let input = b"ab\n12345678\nc\n123456\nd\n1234567";
        let expected = lines(input, 100, 6);
        let told: Vec<bool> = expected.iter().map(Option::is_none).collect();
        assert_eq!(told, [false, true, false, false, false, true]);
        for chunk in 1..input.len() {
            assert_eq!(lines(input, chunk, 6), expected, "by {chunk}");
        }
    }

    #[test]
    fn memory_is_bounded_by_the_limit_and_a_chunk() {
        let mut framer = Framer::new(100);
        let mut buffer = Vec::new();
        for _ in 0..1000 {
            let fresh = framer.begin(&mut buffer);
            buffer.truncate(fresh);
            buffer.extend_from_slice(&[b'x'; 64]);
            framer.cut(&buffer, fresh);
            framer.extend(&[b'x'; 64]);
            assert!(framer.carry.len() <= 100 && buffer.capacity() < 400);
        }
    }
}
