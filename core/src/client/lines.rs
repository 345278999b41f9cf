//! Lines as they come: how many they are, and whether they can be what the manifest says.

use super::json;
use super::step::Trouble;
use crate::sink::FileKind;

/// Files of at most so many bytes are looked at as a whole: an error that comes in the place of a file is short.
const SHORT: usize = 256 << 10;
/// Most blank lines in a file: one that has more of them does not end.
const BLANKS: u64 = 1 << 20;

/// Counts the lines of one file of a manifest, as its bytes come.
#[derive(Debug)]
pub struct Lines {
    expected: Option<u64>,
    count: u64,
    bytes: u64,
    /// The beginning of the file; all of it, if it is short.
    head: Vec<u8>,
    /// What stands behind the last newline.
    open: Open,
    max_line: usize,
    blanks: u64,
    /// OperationOutcomes may stand in it.
    is_outcomes: bool,
}

/// The line that has no newline yet, as far as it says whether it is whole.
#[derive(Debug, Default)]
struct Open {
    length: usize,
    /// Something of it is no blank.
    begun: bool,
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl Open {
    fn take(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        for &byte in bytes {
            self.begun |= !byte.is_ascii_whitespace();
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.depth == 0 && !self.in_string
    }
}

impl Lines {
    /// For a file of that kind and type, by the manifest. `expected`: the lines that it has to have; a line that is longer than
    /// `max_line` bytes does not end.
    #[must_use]
    pub fn new(kind: FileKind, named: Option<&str>, expected: Option<u64>, max_line: usize) -> Lines {
        Lines {
            expected,
            count: 0,
            bytes: 0,
            head: Vec::new(),
            open: Open::default(),
            max_line,
            blanks: 0,
            is_outcomes: kind == FileKind::Error || named == Some("OperationOutcome"),
        }
    }

    /// Takes the next bytes, cut anywhere.
    ///
    /// # Errors
    /// This is not what the manifest says, or does not end.
    pub fn take(&mut self, block: &[u8]) -> Result<(), Trouble> {
        self.bytes += block.len() as u64;
        self.look_at_head(block)?;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', block) {
            let line = &block[start..end];
            let is_blank = line.iter().all(u8::is_ascii_whitespace);
            let is_line = self.open.begun || !is_blank;
            self.count += u64::from(is_line);
            self.blanks += u64::from(!is_line);
            self.open = Open::default();
            start = end + 1;
        }
        self.open.take(&block[start..]);
        // Bodies that never end shall not fill the disk.
        if self.open.length > self.max_line || self.blanks > BLANKS {
            return Err(Trouble::TooLarge);
        }
        match self.expected {
            Some(expected) if self.count > expected => Err(Trouble::Count),
            _ => Ok(()),
        }
    }

    /// NDJSON of resources begins with a brace.
    fn look_at_head(&mut self, block: &[u8]) -> Result<(), Trouble> {
        if self.head.len() < SHORT {
            let room = SHORT - self.head.len();
            self.head.extend_from_slice(&block[..block.len().min(room)]);
            if self.text().first().is_some_and(|&byte| byte != b'{') {
                return Err(Trouble::Media);
            }
        }
        Ok(())
    }

    fn text(&self) -> &[u8] {
        self.head
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(&self.head)
            .trim_ascii()
    }

    /// Whether the file is one JSON document that is not what was asked for: an error, or a resource over several lines.
    fn is_something_else(&self) -> bool {
        if self.bytes > SHORT as u64 {
            return false;
        }
        // What is no single document is looked at line by line, by others.
        let Ok(document) = json::parse(self.text()) else {
            return false;
        };
        let named = document.root().get("resourceType").and_then(json::Node::text);
        let is_resource = named.is_some_and(|name| self.is_outcomes || name != "OperationOutcome");
        !is_resource || self.count > 1
    }

    /// Something stands behind the last newline.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.begun
    }

    /// Lines that are no blanks.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Bytes that came.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// All has come.
    ///
    /// # Errors
    /// It was cut in the middle of a line, has another number of lines, or is something else than lines of resources.
    pub fn finish(&mut self) -> Result<(), Trouble> {
        self.count += u64::from(self.open.begun);
        // A record that was cut in its middle, by a length that was too short, say.
        if !self.open.is_whole() {
            return Err(Trouble::Length);
        }
        if self.is_something_else() {
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
        let mut lines = Lines::new(kind, None, expected, 1000);
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
        assert_eq!(output(&[ONE, "\n \t\r\n  ", " \n", ONE, "\n  "], Some(2)), Ok(2));
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
    fn bodies_that_do_not_end_are_ended() {
        let long = "x".repeat(600);
        assert_eq!(output(&["{", &long, &long], None), Err(Trouble::TooLarge));
        assert_eq!(
            output(&[ONE, "\n", &"\n".repeat(1 << 21)], Some(1)),
            Err(Trouble::TooLarge)
        );
    }

    #[test]
    fn an_error_that_comes_as_a_file_is_none() {
        let outcome = "{\"resourceType\":\"OperationOutcome\"}";
        for text in [outcome, "{\"error\":\"x\"}"] {
            assert_eq!(output(&[text, "\n"], None), Err(Trouble::Content));
            assert_eq!(output(&[text], None), Err(Trouble::Content));
        }
        assert_eq!(counted(&[outcome], None, FileKind::Error), Ok(1));
        let pretty = "{\n  \"resourceType\": \"Patient\"\n}\n";
        assert_eq!(
            output(&[pretty], None),
            Err(Trouble::Content),
            "one resource over several lines"
        );
        assert_eq!(output(&[ONE], None), Ok(1));
        // Told by whoever reads lines.
        assert_eq!(output(&[outcome, "\n", ONE, "\n"], None), Ok(2));
        assert_eq!(output(&["{\"resourceType\":\n", ONE, "\n"], None), Ok(2));
    }
}
