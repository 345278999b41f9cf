//! Lines as they come: how many they are, and whether they can be what the manifest says.

use fhirehose_core::client::{Trouble, json};
use fhirehose_core::sink::FileKind;

use super::worker::Work;

/// Most bytes of a first line that are looked at.
const HEAD: usize = 256 << 10;
/// Most bytes of a last line without a newline that are looked at.
const TAIL: usize = 64 << 20;

/// Counts lines.
pub(crate) struct Lines {
    expected: Option<u64>,
    count: u64,
    bytes: u64,
    /// The first line, until it has been looked at.
    head: Option<Vec<u8>>,
    /// What stands behind the last newline.
    tail: Vec<u8>,
    /// Something of the open line is no blank.
    open: bool,
    /// OperationOutcomes may stand in it.
    is_outcomes: bool,
}

impl Lines {
    pub(crate) fn new(work: &Work) -> Lines {
        let named = work.type_name.as_deref();
        Lines {
            expected: work.count,
            count: 0,
            bytes: 0,
            head: Some(Vec::new()),
            tail: Vec::new(),
            open: false,
            is_outcomes: work.kind == FileKind::Error || named == Some("OperationOutcome"),
        }
    }

    /// Takes the next bytes, cut anywhere.
    pub(crate) fn take(&mut self, block: &[u8]) -> Result<(), Trouble> {
        self.bytes += block.len() as u64;
        self.look_at_head(block)?;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', block) {
            let line = &block[start..end];
            let is_blank = line.len() < 2 && line.iter().all(u8::is_ascii_whitespace);
            self.count += u64::from(self.open || !is_blank);
            self.open = false;
            start = end + 1;
        }
        if start > 0 {
            self.tail.clear();
        }
        let rest = &block[start..];
        self.open |= rest.iter().any(|byte| !byte.is_ascii_whitespace());
        if self.tail.len() + rest.len() <= TAIL {
            self.tail.extend_from_slice(rest);
        }
        match self.expected {
            // Also of a body that never ends.
            Some(expected) if self.count > expected => Err(Trouble::Count),
            _ => Ok(()),
        }
    }

    /// HTML, and errors that come as if they were the file, have a first line of their own.
    fn look_at_head(&mut self, block: &[u8]) -> Result<(), Trouble> {
        let Some(mut head) = self.head.take() else {
            return Ok(());
        };
        let room = HEAD - head.len();
        head.extend_from_slice(&block[..block.len().min(room)]);
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).trim_ascii_start();
        match text.first() {
            None => {
                self.head = Some(head);
                return Ok(());
            }
            Some(b'{') => {}
            Some(_) => return Err(Trouble::Media),
        }
        match memchr::memchr(b'\n', text) {
            Some(end) if self.can_be_first(&text[..end]) => Ok(()),
            Some(_) => Err(Trouble::Content),
            None => {
                // A first line as long as that is no error.
                self.head = Some(head).filter(|head| head.len() < HEAD);
                Ok(())
            }
        }
    }

    /// Whether a line can be the first of the file: a line that cannot be read is told by others, one that is an error is not
    /// what was asked for.
    fn can_be_first(&self, line: &[u8]) -> bool {
        let Ok(document) = json::parse(line) else { return true };
        let named = document.root().get("resourceType").and_then(json::Node::text);
        match named {
            None => false,
            Some(name) => self.is_outcomes || name != "OperationOutcome",
        }
    }

    /// Something stands behind the last newline.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Lines that are no blanks.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Bytes that came.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// All has come.
    pub(crate) fn finish(&mut self) -> Result<(), Trouble> {
        self.count += u64::from(self.open);
        let tail = std::mem::take(&mut self.tail);
        let last = tail.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&tail).trim_ascii();
        // A record that was cut in its middle, by a length that was too short, say. What is too long to be kept is no JSON here.
        if self.open && json::parse(last).is_err() {
            return Err(Trouble::Length);
        }
        if self.open && self.head.take().is_some() && !self.can_be_first(last) {
            return Err(Trouble::Content);
        }
        match self.expected {
            Some(expected) if expected != self.count => Err(Trouble::Count),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(blocks: &[&str], expected: Option<u64>, kind: FileKind) -> Result<u64, Trouble> {
        let mut lines = Lines::new(&Work {
            file: 0,
            kind,
            type_name: None,
            count: expected,
            coded: false,
            size: None,
            is_open_ended: false,
        });
        for block in blocks {
            lines.take(block.as_bytes())?;
        }
        lines.finish()?;
        Ok(lines.count)
    }

    fn output(blocks: &[&str], expected: Option<u64>) -> Result<u64, Trouble> {
        counted(blocks, expected, FileKind::Output)
    }

    const ONE: &str = "{\"resourceType\":\"Patient\"}";

    #[test]
    fn blank_lines_do_not_count_and_a_last_line_needs_no_newline() {
        assert_eq!(output(&[ONE, "\n\r\n", ONE, "\n\n{", "}"], None), Ok(3));
        assert_eq!(output(&[ONE, "\n", "\n", "{}\n"], Some(2)), Ok(2));
        assert_eq!(output(&[""], Some(0)), Ok(0));
        assert_eq!(output(&["\u{feff}", ONE, "\n"], None), Ok(1));
        assert_eq!(output(&["\u{feff}", ONE], None), Ok(1));
    }

    #[test]
    fn what_is_no_ndjson_or_was_cut_is_told() {
        assert_eq!(output(&["<html>"], None), Err(Trouble::Media));
        assert_eq!(output(&[ONE, "\n{\"a\":1,\"b"], None), Err(Trouble::Length));
        assert_eq!(
            output(&[ONE, "\n{\"a\":{\"b\":1}"], None),
            Err(Trouble::Length),
            "cut behind a bracket"
        );
        assert_eq!(output(&[ONE, "\n{}\n"], Some(3)), Err(Trouble::Count));
        assert_eq!(output(&[ONE, "\n{}\n{}\n", "{}"], Some(2)), Err(Trouble::Count));
    }

    #[test]
    fn an_error_that_comes_as_a_file_is_none() {
        let outcome = "{\"resourceType\":\"OperationOutcome\"}";
        for text in [outcome, "{\"error\":\"x\"}"] {
            assert_eq!(output(&[text, "\n"], None), Err(Trouble::Content));
            assert_eq!(output(&[text], None), Err(Trouble::Content));
        }
        assert_eq!(counted(&[outcome], None, FileKind::Error), Ok(1));
        // Told by whoever reads lines.
        assert_eq!(output(&["{\"resourceType\":\n", ONE, "\n"], None), Ok(2));
    }
}
