//! Where in an input something is: line, byte in the line, byte in the input.

use std::fmt;

/// A place in an input. Lines and columns count from 1, offsets from 0, all in bytes of the decompressed text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line number, from 1.
    pub line: u64,
    /// Byte in the line, from 1; 0 when only the line is known.
    pub column: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.column == 0 {
            write!(f, "{}", self.line)
        } else {
            write!(f, "{}:{}", self.line, self.column)
        }
    }
}
