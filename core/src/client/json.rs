//! A strict JSON reader that knows where in the text each value stands (RFC 8259).
//!
//! For what a server answers: manifests, OperationOutcomes, tokens. Such texts may be hostile: the reader does not call
//! itself, bounds the depth, and holds 12 bytes for each value and name. Strings are spelled out when somebody asks.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::order;
use crate::position::Position;

/// How deep arrays and objects may lie in each other.
pub const DEEPEST: usize = 128;

/// The byte order mark in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a text is not JSON, or not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// Nothing but blanks.
    Empty,
    /// Ends in the middle.
    Cut,
    /// Something else was expected here.
    Syntax,
    /// A number that is none.
    Number,
    /// An escape that is none, or half of a surrogate pair.
    Escape,
    /// A control character in a string.
    Control,
    /// Bytes that are no UTF-8.
    Utf8,
    /// Something behind the value.
    Trailing,
    /// More than [`DEEPEST`] levels.
    Deep,
    /// Four gigabytes and more.
    Long,
    /// More values and names than were wanted.
    Many,
    /// A byte order mark where none is taken.
    Mark,
}

/// A text that is not JSON: where, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Byte of the text.
    pub at: usize,
    /// Why.
    pub kind: FaultKind,
}

impl fmt::Display for Fault {
    /// Says nothing of the contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            FaultKind::Empty => "nothing where a JSON text is expected",
            FaultKind::Cut => "the JSON text ends in the middle",
            FaultKind::Syntax => "not JSON: another character is expected here",
            FaultKind::Number => "not JSON: not a number",
            FaultKind::Escape => "not JSON: not an escape",
            FaultKind::Control => "not JSON: a control character in a string",
            FaultKind::Utf8 => "not UTF-8",
            FaultKind::Trailing => "something behind the end of the JSON text",
            FaultKind::Deep => "arrays and objects lie too deep in each other",
            FaultKind::Long => "the JSON text is too long",
            FaultKind::Many => "the JSON text holds more values than can be meant",
            FaultKind::Mark => "a byte order mark in front of the JSON text",
        })
    }
}

/// A JSON text that has been checked to its last byte.
#[derive(Debug)]
pub struct Document<'t> {
    text: &'t str,
    /// Values and names in the order of the text; the members of an object are name, value, name, value.
    entries: Vec<Entry>,
    repeated: Vec<Range<usize>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    end: u32,
    /// The entry behind this one and all that is in it.
    after: u32,
}

/// A value of a document.
#[derive(Clone, Copy)]
pub struct Node<'d> {
    text: &'d str,
    entries: &'d [Entry],
    index: usize,
}

impl fmt::Debug for Node<'_> {
    /// Says nothing of the contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({:?} at {:?})", self.kind(), self.span())
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number.
    Number,
    /// A string.
    Text,
    /// An array.
    List,
    /// An object.
    Object,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Null => "null",
            Kind::Boolean => "a boolean",
            Kind::Number => "a number",
            Kind::Text => "a string",
            Kind::List => "an array",
            Kind::Object => "an object",
        })
    }
}

/// A member of an object.
#[derive(Clone, Debug)]
pub struct Member<'d> {
    /// Its name, spelled out.
    pub name: Cow<'d, str>,
    /// Where the name stands, quotes included.
    pub name_span: Range<usize>,
    /// Its value.
    pub value: Node<'d>,
}

/// Reads a text that begins with the value or blanks.
pub fn parse(text: &[u8]) -> Result<Document<'_>, Fault> {
    if text.starts_with(MARK) {
        return Err(fault(0, FaultKind::Mark));
    }
    parse_from(text, 0, usize::MAX)
}

/// The same, but passes over a byte order mark; whether there was one is [`has_mark`].
pub fn parse_marked(text: &[u8]) -> Result<Document<'_>, Fault> {
    parse_within(text, usize::MAX)
}

/// The same, with at most so many values and names: memory is bounded by them, and not by the length of the text.
pub(super) fn parse_within(text: &[u8], most: usize) -> Result<Document<'_>, Fault> {
    parse_from(text, if has_mark(text) { MARK.len() } else { 0 }, most)
}

/// Whether the text begins with a byte order mark.
pub fn has_mark(text: &[u8]) -> bool {
    text.starts_with(MARK)
}

/// Line and column, from 1, of a byte of the text.
pub fn position(text: &[u8], at: usize) -> Position {
    let before = &text[..at.min(text.len())];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    Position {
        line: memchr::memchr_iter(b'\n', before).count() as u64 + 1,
        column: (before.len() - line_start) as u64 + 1,
    }
}

fn fault(at: usize, kind: FaultKind) -> Fault {
    Fault { at, kind }
}

fn parse_from(bytes: &[u8], start: usize, most: usize) -> Result<Document<'_>, Fault> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(fault(0, FaultKind::Long));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| fault(error.valid_up_to(), FaultKind::Utf8))?;
    let mut reader = Reader {
        text,
        at: start,
        most,
        entries: Vec::new(),
        open: Vec::new(),
        repeated: Vec::new(),
    };
    reader.read()?;
    Ok(Document {
        text,
        entries: reader.entries,
        repeated: reader.repeated,
    })
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// So many entries, and no more.
    most: usize,
    entries: Vec<Entry>,
    /// Entries of arrays and objects that have not ended.
    open: Vec<usize>,
    repeated: Vec<Range<usize>>,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), Fault> {
        self.blanks();
        if self.at == self.text.len() {
            return Err(fault(self.at, FaultKind::Empty));
        }
        let mut wants_value = true;
        loop {
            if wants_value {
                wants_value = self.value()?;
                continue;
            }
            // A value has ended.
            let Some(&container) = self.open.last() else { break };
            self.blanks();
            let is_object = self.text.as_bytes()[self.entries[container].start as usize] == b'{';
            match self.peek()? {
                b',' => {
                    self.at += 1;
                    self.blanks();
                    if is_object {
                        self.name()?;
                    }
                    wants_value = true;
                }
                b'}' if is_object => self.close(),
                b']' if !is_object => self.close(),
                _ => return Err(fault(self.at, FaultKind::Syntax)),
            }
        }
        self.blanks();
        match self.at < self.text.len() {
            true => Err(fault(self.at, FaultKind::Trailing)),
            false => Ok(()),
        }
    }

    /// Reads a value, of an array or object only as far as where its first value begins: then `true`.
    fn value(&mut self) -> Result<bool, Fault> {
        if self.entries.len() >= self.most {
            return Err(fault(self.at, FaultKind::Many));
        }
        self.blanks();
        match self.peek()? {
            open @ (b'{' | b'[') => {
                if self.open.len() == DEEPEST {
                    return Err(fault(self.at, FaultKind::Deep));
                }
                self.open.push(self.entries.len());
                self.add(self.at, self.at + 1);
                self.at += 1;
                self.blanks();
                // `{` and `}`, `[` and `]` stand two apart in ASCII.
                if self.peek()? == open + 2 {
                    self.close();
                    return Ok(false);
                }
                if open == b'{' {
                    self.name()?;
                }
                return Ok(true);
            }
            b'"' => self.string()?,
            b't' => self.word("true")?,
            b'f' => self.word("false")?,
            b'n' => self.word("null")?,
            b'-' | b'0'..=b'9' => self.number()?,
            _ => return Err(fault(self.at, FaultKind::Syntax)),
        }
        Ok(false)
    }

    fn close(&mut self) {
        self.at += 1;
        let after = self.entries.len() as u32;
        let Some(container) = self.open.pop() else { return };
        let entry = &mut self.entries[container];
        entry.end = self.at as u32;
        entry.after = after;
        if self.text.as_bytes()[entry.start as usize] == b'{' {
            self.find_repeated(container);
        }
    }

    /// Sorting costs the same whatever the names are; a hash table would have to be keyed against hostile ones.
    fn find_repeated(&mut self, object: usize) {
        let node = Node {
            text: self.text,
            entries: &self.entries,
            index: object,
        };
        let mut names: Vec<(Cow<'_, str>, usize, usize)> = node
            .members()
            .map(|member| (member.name, member.name_span.start, member.name_span.end))
            .collect();
        if names.len() < 2 {
            return;
        }
        order::sort(&mut names);
        let again = names.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        let spans: Vec<Range<usize>> = again.map(|pair| pair[1].1..pair[1].2).collect();
        self.repeated.extend(spans);
    }

    fn name(&mut self) -> Result<(), Fault> {
        if self.peek()? != b'"' {
            return Err(fault(self.at, FaultKind::Syntax));
        }
        self.string()?;
        self.blanks();
        if self.peek()? != b':' {
            return Err(fault(self.at, FaultKind::Syntax));
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), Fault> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut at = start + 1;
        loop {
            match bytes.get(at) {
                None => return Err(fault(at, FaultKind::Cut)),
                Some(b'"') => break,
                Some(b'\\') => at += escape(&bytes[at..]).map_err(|kind| fault(at, kind))?.1,
                Some(0..=0x1f) => return Err(fault(at, FaultKind::Control)),
                Some(_) => at += 1,
            }
        }
        self.at = at + 1;
        self.add(start, self.at);
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), Fault> {
        let rest = &self.text.as_bytes()[self.at..];
        if !rest.starts_with(word.as_bytes()) {
            let is_cut = word.as_bytes().starts_with(rest);
            return Err(fault(self.at, if is_cut { FaultKind::Cut } else { FaultKind::Syntax }));
        }
        self.add(self.at, self.at + word.len());
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let wrong = |at: usize| {
            let kind = if at == bytes.len() {
                FaultKind::Cut
            } else {
                FaultKind::Number
            };
            fault(at, kind)
        };
        let digits = |from: usize| {
            let count = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if count == 0 { Err(wrong(from)) } else { Ok(from + count) }
        };
        let whole = start + usize::from(bytes[start] == b'-');
        let mut at = digits(whole)?;
        if bytes[whole] == b'0' && at > whole + 1 {
            return Err(wrong(whole + 1));
        }
        if bytes.get(at) == Some(&b'.') {
            at = digits(at + 1)?;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            at += 1;
            at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
            at = digits(at)?;
        }
        self.at = at;
        self.add(start, at);
        Ok(())
    }

    fn add(&mut self, start: usize, end: usize) {
        let after = self.entries.len() as u32 + 1;
        self.entries.push(Entry {
            start: start as u32,
            end: end as u32,
            after,
        });
    }

    fn blanks(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += rest.iter().take_while(is_blank).count();
    }

    fn peek(&self) -> Result<u8, Fault> {
        let byte = self.text.as_bytes().get(self.at).copied();
        byte.ok_or_else(|| fault(self.at, FaultKind::Cut))
    }
}

/// The character that an escape stands for, and how many bytes it takes. `bytes` begin with the backslash.
fn escape(bytes: &[u8]) -> Result<(char, usize), FaultKind> {
    let letter = *bytes.get(1).ok_or(FaultKind::Cut)?;
    let simple = match letter {
        b'"' | b'\\' | b'/' => char::from(letter),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = unit(bytes)?;
            if let Some(letter) = char::from_u32(first) {
                return Ok((letter, 6));
            }
            let second = unit(&bytes[6..])?;
            let pair = [first as u16, second as u16];
            let letter = char::decode_utf16(pair).next().and_then(Result::ok);
            return Ok((letter.ok_or(FaultKind::Escape)?, 12));
        }
        _ => return Err(FaultKind::Escape),
    };
    Ok((simple, 2))
}

/// The number of `\uXXXX`.
fn unit(bytes: &[u8]) -> Result<u32, FaultKind> {
    let mut number = 0;
    for (at, &byte) in bytes.iter().take(6).enumerate() {
        let fits = match at {
            0 => byte == b'\\',
            1 => byte == b'u',
            _ => byte.is_ascii_hexdigit(),
        };
        if !fits {
            return Err(FaultKind::Escape);
        }
        if at > 1 {
            number = number * 16 + char::from(byte).to_digit(16).unwrap_or(0);
        }
    }
    if bytes.len() < 6 {
        Err(FaultKind::Cut)
    } else {
        Ok(number)
    }
}

/// The text of a string that has been checked, without its quotes.
fn spelled(raw: &str) -> Cow<'_, str> {
    let Some(first) = raw.find('\\') else {
        return Cow::Borrowed(raw);
    };
    let mut out = String::with_capacity(raw.len());
    out.push_str(&raw[..first]);
    let mut rest = &raw[first..];
    while let Ok((letter, length)) = escape(rest.as_bytes()) {
        out.push(letter);
        rest = &rest[length..];
        let next = rest.find('\\').unwrap_or(rest.len());
        out.push_str(&rest[..next]);
        rest = &rest[next..];
    }
    Cow::Owned(out)
}

impl<'t> Document<'t> {
    /// The value.
    pub fn root(&self) -> Node<'_> {
        Node {
            text: self.text,
            entries: &self.entries,
            index: 0,
        }
    }

    /// Where names stand that their objects had before. What such a member says is uncertain: readers differ.
    pub fn repeated_names(&self) -> &[Range<usize>] {
        &self.repeated
    }
}

impl<'d> Node<'d> {
    /// What it is.
    pub fn kind(self) -> Kind {
        match self.raw().as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::List,
            Some(b'"') => Kind::Text,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// The bytes of the text that it takes.
    pub fn span(self) -> Range<usize> {
        let entry = self.entries[self.index];
        entry.start as usize..entry.end as usize
    }

    /// Its text as written: quotes, escapes and all.
    pub fn raw(self) -> &'d str {
        &self.text[self.span()]
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The boolean.
    pub fn boolean(self) -> Option<bool> {
        (self.kind() == Kind::Boolean).then(|| self.raw() == "true")
    }

    /// The number, as written.
    pub fn number(self) -> Option<&'d str> {
        (self.kind() == Kind::Number).then(|| self.raw())
    }

    /// The number, where it is written as a whole one that is not negative and fits: no fraction, no exponent.
    pub fn whole(self) -> Option<u64> {
        self.number()?.parse().ok()
    }

    /// The string, spelled out.
    pub fn text(self) -> Option<Cow<'d, str>> {
        let is_text = self.kind() == Kind::Text;
        let raw = self.raw();
        is_text.then(|| spelled(&raw[1..raw.len() - 1]))
    }

    /// The items of an array; nothing for other values.
    pub fn items(self) -> impl Iterator<Item = Node<'d>> {
        let entry = self.entries[self.index];
        let mut next = match self.kind() {
            Kind::List => self.index + 1,
            _ => entry.after as usize,
        };
        std::iter::from_fn(move || {
            let node = Node { index: next, ..self };
            let is_inside = next < entry.after as usize;
            is_inside.then(|| {
                next = self.entries[next].after as usize;
                node
            })
        })
    }

    /// The members of an object in the order of the text; nothing for other values.
    pub fn members(self) -> impl Iterator<Item = Member<'d>> {
        let entry = self.entries[self.index];
        let mut next = match self.kind() {
            Kind::Object => self.index + 1,
            _ => entry.after as usize,
        };
        std::iter::from_fn(move || {
            if next + 1 >= entry.after as usize {
                return None;
            }
            let name = Node { index: next, ..self };
            let value = Node {
                index: next + 1,
                ..self
            };
            next = self.entries[next + 1].after as usize;
            Some(Member {
                name: name.text().unwrap_or_default(),
                name_span: name.span(),
                value,
            })
        })
    }

    /// The first member of that name.
    pub fn get(self, name: &str) -> Option<Node<'d>> {
        self.members()
            .find(|member| member.name == name)
            .map(|member| member.value)
    }
}

#[cfg(test)]
mod tests;
