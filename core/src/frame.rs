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
/// Use: [`Framer::begin`] puts what was left over into a buffer; append a chunk; [`Framer::cut`] leaves the whole lines
/// in the buffer and keeps the rest. After the last chunk, [`Framer::finish`].
#[derive(Debug)]
pub struct Framer {
    max_line: usize,
    /// The start of a line whose end has not come yet.
    carry: Vec<u8>,
    /// How many bytes of a byte order mark the input has begun with so far; `None` once that is settled.
    mark: Option<usize>,
    /// Inside a line that is over the limit and has been told.
    skipping: bool,
}

/// What [`Framer::cut`] found besides the whole lines in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// After the lines of the block comes one line that is over the limit; it is not in any block.
    pub too_long: bool,
}

impl Framer {
    /// A framer for one input. Lines longer than `max_line` bytes are not collected.
    pub fn new(max_line: usize) -> Self {
        Framer {
            max_line: max_line.min(MAX_MAX_LINE),
            carry: Vec::new(),
            mark: Some(0),
            skipping: false,
        }
    }

    /// Moves what was left over into `block`, which is cleared first.
    pub fn begin(&mut self, block: &mut Vec<u8>) {
        block.clear();
        block.append(&mut self.carry);
    }

    /// Leaves the whole lines in `block`, whose bytes from `fresh` on are new. Keeps the rest.
    pub fn cut(&mut self, block: &mut Vec<u8>, fresh: usize) -> Cut {
        let mut fresh = fresh.min(block.len());
        if self.mark.is_some() {
            self.strip_mark(block);
            fresh = fresh.min(block.len());
        }
        if self.skipping {
            // Nothing is left over while a line is skipped, so the block is all new.
            match memchr::memchr(b'\n', block) {
                Some(end) => {
                    block.drain(..=end);
                    self.skipping = false;
                    fresh = 0;
                }
                None => block.clear(),
            }
        }
        let whole = memchr::memrchr(b'\n', &block[fresh..]).map_or(0, |end| fresh + end + 1);
        let too_long = block.len() - whole > self.max_line;
        if too_long {
            self.skipping = true;
        } else {
            self.carry.extend_from_slice(&block[whole..]);
        }
        block.truncate(whole);
        Cut { too_long }
    }

    /// Puts the last line into `block` if the input did not end in a newline.
    pub fn finish(&mut self, block: &mut Vec<u8>) {
        if let Some(matched) = self.mark.take() {
            self.carry.extend_from_slice(&BOM[..matched]);
        }
        self.begin(block);
        if !block.is_empty() {
            block.push(b'\n');
        }
        self.skipping = false;
    }

    fn strip_mark(&mut self, block: &mut Vec<u8>) {
        let Some(mut matched) = self.mark else { return };
        let mut taken = 0;
        while matched < BOM.len() && taken < block.len() {
            if block[taken] != BOM[matched] {
                // No mark after all: the bytes that looked like one belong to the first line.
                block.splice(..taken, BOM[..matched].iter().copied());
                self.mark = None;
                return;
            }
            matched += 1;
            taken += 1;
        }
        block.drain(..taken);
        self.mark = (matched < BOM.len()).then_some(matched);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of `input` for one chunk size; `None` is a line over the limit.
    fn lines(input: &[u8], chunk: usize, max_line: usize) -> Vec<Option<Vec<u8>>> {
        let mut framer = Framer::new(max_line);
        let mut block = Vec::new();
        let mut out = Vec::new();
        let mut add = |block: &[u8]| {
            assert!(block.is_empty() || block.ends_with(b"\n"));
            out.extend(block.split_inclusive(|&byte| byte == b'\n').map(|line| {
                let line = &line[..line.len() - 1];
                (line.len() <= max_line).then(|| line.to_vec())
            }));
        };
        let mut told = Vec::new();
        for part in input.chunks(chunk) {
            framer.begin(&mut block);
            let fresh = block.len();
            block.extend_from_slice(part);
            let cut = framer.cut(&mut block, fresh);
            add(&block);
            if cut.too_long {
                told.push(());
                add(&[&vec![b'x'; max_line + 1][..], b"\n"].concat());
            }
        }
        framer.finish(&mut block);
        add(&block);
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
        let mut block = Vec::new();
        for _ in 0..1000 {
            framer.begin(&mut block);
            let fresh = block.len();
            block.extend_from_slice(&[b'x'; 64]);
            framer.cut(&mut block, fresh);
            assert!(framer.carry.len() <= 100 && block.capacity() < 400);
        }
    }
}
