//! The strict walker: one fused pass of grammar (RFC 8259), UTF-8, watched names and duplicates.
//!
//! A line that is walked to its end has been checked to its last byte. The walk is iterative where depth comes from the
//! input and recursive only where it comes from the trie, so no input can overflow the stack.
//!
//! The bytes must end in `\n`, as the framer makes them: a newline is legal nowhere inside a line, so it stops every
//! loop, and the walk needs no length test of its own.

use super::simd::special;
use super::slots::Capture;
use super::text::Text;
use super::trie::{Node, NodeId, Trie};
use crate::error::BadLine;

/// What a watcher wants after a member of the root object has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Read on.
    Continue,
    /// Nothing that follows can change the verdict: the line is dropped, unread from here.
    Drop,
    /// The line is kept and the caller trusts the rest of it.
    Enough,
}

/// Decides while a line is walked.
pub trait Watch {
    /// A watched member of the root object, the `child`-th of the trie's root, has been read to its end, which is `at`. Not
    /// called for those that are hushed.
    fn root_closed(&mut self, child: usize, bytes: &[u8], at: usize, captures: &[Capture]) -> Flow;
}

/// How a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walked {
    /// The whole line is valid; its newline stands at this index.
    Whole(usize),
    /// The watcher stopped here; the newline is somewhere behind.
    Stopped(usize, Flow),
}

/// What is wrong with a line and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: BadLine,
    /// Index of the first byte that cannot be right. Never behind the line's newline.
    pub at: usize,
}

/// Memory that walks reuse.
#[derive(Debug, Default)]
pub struct WalkScratch {
    /// Captures of the line at hand.
    pub captures: Vec<Capture>,
    /// Kinds of the containers below the innermost 64.
    spill: Vec<u64>,
}

/// Walks the line that starts at `start`, filling `scratch.captures`.
pub fn line<W: Watch>(
    bytes: &[u8],
    start: usize,
    trie: &Trie,
    scratch: &mut WalkScratch,
    watch: &mut W,
) -> Result<Walked, Fault> {
    // A walk of its own for each watcher saves some calls, and costs some kilobytes that browsers have to load.
    #[cfg(target_arch = "wasm32")]
    let watch: &mut dyn Watch = watch;
    watched_line(bytes, start, trie, scratch, watch)
}

fn watched_line<W: Watch + ?Sized>(
    bytes: &[u8],
    start: usize,
    trie: &Trie,
    scratch: &mut WalkScratch,
    watch: &mut W,
) -> Result<Walked, Fault> {
    scratch.captures.clear();
    let WalkScratch { captures, spill } = scratch;
    let mut walker = Walker {
        bytes,
        at: start,
        trie,
        captures,
        spill,
        watch,
    };
    walker.blanks();
    if walker.byte() != b'{' {
        return Err(walker.no_object());
    }
    let flow = walker.members::<true>(0)?;
    if flow != Flow::Continue {
        return Ok(Walked::Stopped(walker.at, flow));
    }
    walker.end_of_line().map(Walked::Whole)
}

struct Walker<'w, W: ?Sized> {
    bytes: &'w [u8],
    at: usize,
    trie: &'w Trie,
    captures: &'w mut Vec<Capture>,
    spill: &'w mut Vec<u64>,
    watch: &'w mut W,
}

impl<W: Watch + ?Sized> Walker<'_, W> {
    #[inline(always)]
    fn byte(&self) -> u8 {
        byte_at(self.bytes, self.at)
    }

    /// Skips blanks between tokens. Machine-written lines have none, so the test is one compare.
    #[inline(always)]
    fn blanks(&mut self) {
        if self.byte() <= b' ' {
            // Some writers put one blank after each colon and comma.
            self.at += usize::from(self.byte() == b' ');
            if self.byte() <= b' ' {
                self.skip_blanks();
            }
        }
    }

    #[inline(never)]
    fn skip_blanks(&mut self) {
        while matches!(self.byte(), b' ' | b'\t' | b'\r') {
            self.at += 1;
        }
    }

    #[cold]
    fn fault(&self, kind: BadLine) -> Fault {
        Fault { kind, at: self.at }
    }

    fn end_of_line(&mut self) -> Result<usize, Fault> {
        self.blanks();
        if self.byte() == b'\n' {
            Ok(self.at)
        } else {
            Err(self.fault(BadLine::Trailing))
        }
    }

    /// Tells a line that is JSON but no object from one that is no JSON.
    #[cold]
    fn no_object(&mut self) -> Fault {
        let start = self.at;
        match self.value().and_then(|()| self.end_of_line()) {
            Ok(_) => Fault {
                kind: BadLine::NotAnObject,
                at: start,
            },
            Err(fault) => fault,
        }
    }

    /// Walks the members of the object at hand, which the trie watches.
    fn members<const ROOT: bool>(&mut self, id: NodeId) -> Result<Flow, Fault> {
        let trie = self.trie;
        let node = trie.node(id);
        let mut seen = 0u128;
        self.at += 1;
        self.blanks();
        if self.byte() == b'}' {
            self.at += 1;
            return Ok(Flow::Continue);
        }
        loop {
            let child = self.watched_name(node)?;
            self.colon()?;
            match child {
                None => self.value()?,
                Some((index, child)) => {
                    let bit = 1u128 << (index & 127);
                    if seen & bit != 0 {
                        return Err(self.fault(BadLine::DuplicateName));
                    }
                    seen |= bit;
                    self.watched(child)?;
                    if ROOT && self.trie.tells(index) {
                        let flow = self.watch.root_closed(index, self.bytes, self.at, self.captures);
                        if flow != Flow::Continue {
                            return Ok(flow);
                        }
                    }
                }
            }
            if self.after_item(b'}')? {
                return Ok(Flow::Continue);
            }
        }
    }

    /// Reads a member's name and looks it up.
    #[inline(always)]
    fn watched_name(&mut self, node: &Node) -> Result<Option<(usize, NodeId)>, Fault> {
        if self.byte() != b'"' {
            return Err(self.fault(BadLine::Syntax));
        }
        self.at += 1;
        let start = self.at;
        let end = special(self.bytes, start);
        if byte_at(self.bytes, end) == b'"' {
            self.at = end + 1;
            return Ok(node.find(self.bytes, start, end));
        }
        self.string_slow(end)?;
        let name = Text::new(&self.bytes[start..self.at - 1]).decode();
        Ok(node.find_decoded(&name))
    }

    #[inline(always)]
    fn colon(&mut self) -> Result<(), Fault> {
        self.blanks();
        if self.byte() != b':' {
            return Err(self.fault(BadLine::Syntax));
        }
        self.at += 1;
        self.blanks();
        Ok(())
    }

    /// Steps over a comma (false) or the closing bracket (true).
    #[inline(always)]
    fn after_item(&mut self, close: u8) -> Result<bool, Fault> {
        self.blanks();
        let byte = self.byte();
        if byte == b',' {
            self.at += 1;
            self.blanks();
            Ok(false)
        } else if byte == close {
            self.at += 1;
            Ok(true)
        } else {
            Err(self.fault(BadLine::Syntax))
        }
    }

    /// Walks a watched value: an array stands for each of its items.
    fn watched(&mut self, id: NodeId) -> Result<(), Fault> {
        if self.byte() != b'[' {
            return self.item(id);
        }
        self.at += 1;
        self.blanks();
        if self.byte() == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.item(id)?;
            if self.after_item(b']')? {
                return Ok(());
            }
        }
    }

    fn item(&mut self, id: NodeId) -> Result<(), Fault> {
        let trie = self.trie;
        let node = trie.node(id);
        let start = self.at;
        if node.has_children() && self.byte() == b'{' {
            self.members::<false>(id)?;
        } else {
            self.value()?;
        }
        if let Some(slot) = node.slot {
            self.captures.push(Capture {
                slot,
                start: start as u32,
                end: self.at as u32,
            });
        }
        Ok(())
    }

    /// Walks a value that nobody watches.
    #[inline(always)]
    fn value(&mut self) -> Result<(), Fault> {
        match self.byte() {
            b'"' => {
                self.at += 1;
                self.string()
            }
            b'{' | b'[' => self.container(),
            _ => self.scalar(),
        }
    }

    #[inline(never)]
    fn scalar(&mut self) -> Result<(), Fault> {
        match self.byte() {
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number(),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Fault> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.fault(BadLine::Syntax));
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        if self.byte() == b'-' {
            self.at += 1;
        }
        if self.byte() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.byte(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start {
            Err(self.fault(BadLine::Syntax))
        } else {
            Ok(())
        }
    }

    /// Walks the rest of a string whose opening quote has been read.
    #[inline(always)]
    fn string(&mut self) -> Result<(), Fault> {
        let end = special(self.bytes, self.at);
        if self.bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(());
        }
        self.string_slow(end)
    }

    /// Goes on at the first byte of a string that is not plain. `self.at` still stands at the string's start.
    #[inline(always)]
    fn string_slow(&mut self, first: usize) -> Result<(), Fault> {
        self.at = string_end(self.bytes, self.at, first)?;
        Ok(())
    }

    /// Walks a container that nobody watches, however deep: one bit a level says object (1) or array (0).
    ///
    /// Most bytes of a line are read here. The place is kept in a local and blanks are looked for only where the byte
    /// at hand is not the one that machine-written JSON has there.
    #[inline(never)]
    fn container(&mut self) -> Result<(), Fault> {
        self.spill.clear();
        let mut kinds = 0u64;
        let mut depth = 0u32;
        let mut at = self.at;
        loop {
            // A value starts here.
            match byte_at(self.bytes, at) {
                b'"' => {
                    let end = special(self.bytes, at + 1);
                    at = if byte_at(self.bytes, end) == b'"' {
                        end + 1
                    } else {
                        self.string_from(at + 1, end)?
                    };
                }
                open @ (b'{' | b'[') => {
                    let object = open == b'{';
                    if depth & 63 == 0 && depth > 0 {
                        self.spill.push(kinds);
                    }
                    kinds = kinds << 1 | u64::from(object);
                    depth += 1;
                    at += 1;
                    if byte_at(self.bytes, at) <= b' ' {
                        at = self.blanks_from(at);
                    }
                    if byte_at(self.bytes, at) != open + 2 {
                        if object {
                            at = self.name_from(at)?;
                        }
                        continue;
                    }
                }
                _ => {
                    self.at = at;
                    self.scalar()?;
                    at = self.at;
                }
            }
            // A value, or an empty container's opening bracket, ends here: close what closes.
            loop {
                let mut byte = byte_at(self.bytes, at);
                if byte <= b' ' {
                    at = self.blanks_from(at);
                    byte = byte_at(self.bytes, at);
                }
                let object = kinds & 1 == 1;
                if byte == b',' {
                    at += 1;
                    if byte_at(self.bytes, at) <= b' ' {
                        at = self.blanks_from(at);
                    }
                    if object {
                        at = self.name_from(at)?;
                    }
                    break;
                }
                self.at = at;
                if byte != if object { b'}' } else { b']' } {
                    return Err(self.fault(BadLine::Syntax));
                }
                at += 1;
                depth -= 1;
                if depth == 0 {
                    self.at = at;
                    return Ok(());
                }
                kinds = if depth & 63 == 0 {
                    self.spill.pop().unwrap_or(0)
                } else {
                    kinds >> 1
                };
            }
        }
    }

    /// Walks a name that nobody watches, and its colon; gives the place of the value.
    #[inline(always)]
    fn name_from(&mut self, at: usize) -> Result<usize, Fault> {
        if byte_at(self.bytes, at) != b'"' {
            self.at = at;
            return Err(self.fault(BadLine::Syntax));
        }
        let end = special(self.bytes, at + 1);
        // A plain name, a colon, a value, nothing between: all there is in machine-written lines.
        if let Some(&[b'"', b':', next]) = self.bytes.get(end..end + 3)
            && next > b' '
        {
            return Ok(end + 2);
        }
        self.name_slow(at + 1, end)
    }

    #[inline(never)]
    fn name_slow(&mut self, start: usize, end: usize) -> Result<usize, Fault> {
        self.at = self.string_from(start, end)?;
        self.colon()?;
        Ok(self.at)
    }

    #[inline(never)]
    fn blanks_from(&mut self, at: usize) -> usize {
        self.at = at;
        self.skip_blanks();
        self.at
    }

    /// Goes on in a string that starts at `start` and is plain up to `first`; gives the place behind it.
    fn string_from(&mut self, start: usize, first: usize) -> Result<usize, Fault> {
        self.at = start;
        self.string_slow(first)?;
        Ok(self.at)
    }
}

/// Goes on at `first`, the first byte that is not plain of a string that starts at `start`: escapes and UTF-8 are checked.
/// Gives the place behind the closing quote.
#[inline(never)]
pub(super) fn string_end(bytes: &[u8], start: usize, first: usize) -> Result<usize, Fault> {
    let mut at = first;
    let mut ascii = true;
    loop {
        match byte_at(bytes, at) {
            b'"' => break,
            b'\\' => at = escape_end(bytes, at)?,
            0x80.. => {
                ascii = false;
                at += 1;
                // In other scripts every byte is special: look for the end only, the text is checked whole below.
                let rest = &bytes[at..];
                at += rest.iter().position(|&byte| byte < 0x80).unwrap_or(rest.len());
            }
            0x20.. => at = special(bytes, at),
            _ => return Err(syntax(at)),
        }
    }
    if !ascii && let Err(error) = std::str::from_utf8(&bytes[start..at]) {
        return Err(Fault {
            kind: BadLine::Utf8,
            at: start + error.valid_up_to(),
        });
    }
    Ok(at + 1)
}

/// The place behind the escape at `start`.
fn escape_end(bytes: &[u8], start: usize) -> Result<usize, Fault> {
    let at = start + 1;
    match byte_at(bytes, at) {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 1),
        b'u' => match (at + 1..at + 5).find(|&digit| !byte_at(bytes, digit).is_ascii_hexdigit()) {
            Some(wrong) => Err(syntax(wrong)),
            None => Ok(at + 5),
        },
        _ => Err(syntax(at)),
    }
}

#[cold]
fn syntax(at: usize) -> Fault {
    Fault {
        kind: BadLine::Syntax,
        at,
    }
}

/// The byte at a place; behind the end of the block stands, as it were, one more newline.
#[inline(always)]
pub(super) fn byte_at(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(b'\n')
}

#[cfg(test)]
mod tests;
