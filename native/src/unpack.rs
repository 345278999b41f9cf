//! JSON documents (Bundles, arrays of resources, single resources) become NDJSON lines, while they stream by.

mod deletion;
mod error;
mod key;
mod layout;
mod line;
#[cfg(test)]
mod tests;

use deletion::{Entry, Part, Told, Waiting};
pub use error::{UnpackError, UnpackErrorKind};
use key::Key;
pub use layout::Layout;
use line::{Line, Lines};

/// How deep brackets may nest; one byte is kept for each.
const MAX_DEPTH: usize = 10_000;

/// The longest value that is looked into, where the limit of a line is less.
const LEAST_PART: usize = 64 << 10;

const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// The containers whose members matter; everything else is passed over by its brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// Between the documents.
    Top,
    /// In an object that is or may be a Bundle.
    Object,
    /// In an array of resources.
    List,
    /// In the array `entry` of such an object.
    Entries,
    /// In an object of that array.
    Entry,
}

/// What the grammar asks for next at a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// A member or element, or the end.
    First,
    /// A member or element, after a comma.
    Next,
    Colon,
    /// A member's value.
    Value,
    /// A comma or the end.
    More,
}

/// What is known of the object at the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Its bytes are kept, for it may be a single resource.
    Undecided,
    /// It says so.
    Bundle,
    /// It has `entry.resource` or deletes something, as only Bundles do; its type has not come yet.
    Presumed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Type,
    Entry,
    Resource,
    Part(Part),
    Other,
}

/// Where a push may have stopped within a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lexeme {
    Between,
    Text { escaped: bool },
    Token,
}

/// A value that is passed over by its brackets.
#[derive(Clone, Copy, Debug)]
struct Opaque {
    /// How many brackets are open around it.
    base: usize,
    fate: Fate,
}

/// What becomes of a value that is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Drop,
    /// It becomes a line.
    Line,
    /// It is looked into.
    Part(Part),
}

/// Turns JSON documents into NDJSON lines.
///
/// Each top-level value is a document; several may follow one another. `entry[].resource` of a Bundle, the elements of
/// an array, or a single resource become one line each, in their order. Whitespace between tokens goes, every other
/// byte stays: spellings of numbers, escapes, order and doubles of members. A Bundle within a Bundle or an array is a
/// resource of that type.
///
/// An entry with `request.method` DELETE becomes a line that says so, whatever the type of the Bundle: a transaction of
/// this one deletion, for [`fhirehose_core::deletion`]. It has its time in `response.lastModified`: the entry's own, or
/// else the Bundle's `timestamp` or `meta.lastUpdated`. Where these may still come the line waits for the end of the
/// Bundle; if too many wait that is an error. An entry that holds a resource and deletes becomes that resource and a
/// line that is bad, and so does one without resource whose `request` cannot be read. Everything else in a Bundle is
/// dropped.
///
/// What is malformed within a resource is passed on as far as its brackets allow, for the reader of the lines to
/// report, and so is an element or resource that is no object. A resource longer than the limit becomes a line of
/// limit + 1 bytes, too long and not JSON, so that it is reported once and the rest is read. Memory is bounded by the
/// limit, also where a Bundle's type stands behind its entries.
///
/// ```
/// # use fhirehose_native::unpack::Unpacker;
/// let mut unpacker = Unpacker::new(1 << 20);
/// let mut lines = Vec::new();
/// unpacker.push(br#"{"resourceType": "Bundle", "entry": [{"resource": {"id": "a"}}, "#, &mut lines)?;
/// unpacker.push(br#"{"resource": {"id": "b"}}]}"#, &mut lines)?;
/// unpacker.finish(&mut lines)?;
/// assert_eq!(lines, b"{\"id\":\"a\"}\n{\"id\":\"b\"}\n");
/// # Ok::<(), fhirehose_native::unpack::UnpackError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Unpacker {
    position: u64,
    mark_bytes: usize,
    lexeme: Lexeme,
    /// The closing bracket of every open one.
    closers: Vec<u8>,
    level: Level,
    expect: Expect,
    kind: Kind,
    member: Member,
    key: Key,
    opaque: Option<Opaque>,
    /// The first thing in `entry` that cannot be unpacked, of an object whose type is not known.
    misfit: Option<u64>,
    line: Lines,
    entry: Entry,
    waiting: Waiting,
    failed: Option<UnpackError>,
}

impl Unpacker {
    /// Makes an unpacker for one input. `max_resource` is the longest line it makes whole, without the line feed.
    pub fn new(max_resource: usize) -> Self {
        Self {
            position: 0,
            mark_bytes: 0,
            lexeme: Lexeme::Between,
            closers: Vec::new(),
            level: Level::Top,
            expect: Expect::First,
            kind: Kind::Undecided,
            member: Member::Other,
            key: Key::default(),
            opaque: None,
            misfit: None,
            line: Lines {
                whole: Line::new(max_resource),
                part: Line::new(max_resource.max(LEAST_PART)),
            },
            entry: Entry::default(),
            waiting: Waiting::default(),
            failed: None,
        }
    }

    /// Takes the next bytes, and appends the lines they complete to `out`.
    ///
    /// # Errors
    /// The document cannot be understood from some byte on. Lines completed before are in `out`; every further call
    /// gives the same error.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), UnpackError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = match self.lexeme {
                Lexeme::Between => self.between(rest, out),
                Lexeme::Text { escaped } => self.text(escaped, rest, out),
                Lexeme::Token => Ok(self.token(rest, out)),
            };
            let used = used.inspect_err(|error| self.failed = Some(*error))?;
            rest = &rest[used..];
            self.position += used as u64;
        }
        Ok(())
    }

    /// Ends the input. Nothing is left to append; the argument is there so that all steps look alike.
    ///
    /// # Errors
    /// The input ends within a document (what was complete is delivered), or a push failed before.
    pub fn finish(&mut self, _out: &mut Vec<u8>) -> Result<(), UnpackError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.level != Level::Top || matches!(self.mark_bytes, 1 | 2) {
            let error = UnpackError::new(UnpackErrorKind::Truncated, self.position);
            self.failed = Some(error);
            return Err(error);
        }
        Ok(())
    }

    fn between(&mut self, rest: &[u8], out: &mut Vec<u8>) -> Result<usize, UnpackError> {
        let byte = rest[0];
        if self.position == self.mark_bytes as u64 && BYTE_ORDER_MARK.get(self.mark_bytes) == Some(&byte) {
            self.mark_bytes += 1;
            return Ok(1);
        }
        if matches!(self.mark_bytes, 1 | 2) {
            return Err(self.unexpected("a byte order mark"));
        }
        if is_blank(byte) {
            self.line.blank();
            return Ok(blank_length(rest));
        }
        match self.opaque {
            Some(opaque) if self.closers.len() > opaque.base => self.pass(opaque.base, rest, out),
            Some(_) => self.within_opaque(byte, out),
            None => self.structure(byte, out),
        }
    }

    /// Passes over the inside of an array or object, keeping its bytes in runs as long as they go: most bytes of most
    /// inputs come through here. Stops behind the value's last bracket, or in a string that must be looked at closer.
    fn pass(&mut self, base: usize, rest: &[u8], out: &mut Vec<u8>) -> Result<usize, UnpackError> {
        let (mut from, mut at) = (0, 0);
        while let Some(&byte) = rest.get(at) {
            match byte {
                b'"' => match string_length(&rest[at + 1..]) {
                    Some(length) => at += 1 + length,
                    None => {
                        self.line.run(&rest[from..=at], false);
                        self.lexeme = Lexeme::Text { escaped: false };
                        return Ok(at + 1);
                    }
                },
                b',' | b':' => at += 1,
                b'{' | b'[' => {
                    self.nest(byte, at)?;
                    at += 1;
                }
                b'}' | b']' => {
                    self.unnest(byte, at)?;
                    at += 1;
                    if self.closers.len() == base {
                        self.line.run(&rest[from..at], false);
                        self.end_of_token(out);
                        return Ok(at);
                    }
                }
                _ if is_blank(byte) => {
                    self.line.run(&rest[from..at], at > from && !is_delimiter(rest[at - 1]));
                    self.line.blank();
                    at += blank_length(&rest[at..]);
                    from = at;
                }
                _ => {
                    if at == from {
                        self.line.join();
                    }
                    at += 1 + rest[at + 1..].iter().take_while(|&&byte| !is_delimiter(byte)).count();
                }
            }
        }
        self.line.run(&rest[from..at], at > from && !is_delimiter(rest[at - 1]));
        Ok(at)
    }

    /// Takes a byte of a value that is passed over; gives 0 where a token begins.
    fn within_opaque(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<usize, UnpackError> {
        match byte {
            b'"' => {
                self.line.mark(byte);
                self.lexeme = Lexeme::Text { escaped: false };
            }
            b'{' | b'[' => self.open(byte)?,
            b'}' | b']' => {
                self.close(byte)?;
                self.end_of_token(out);
            }
            b',' | b':' => self.line.mark(byte),
            _ => {
                self.lexeme = Lexeme::Token;
                return Ok(0);
            }
        }
        Ok(1)
    }

    /// Takes a byte where the members matter; gives 0 where it was only found what it belongs to.
    fn structure(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<usize, UnpackError> {
        if self.level == Level::Top {
            return self.begin_document(byte);
        }
        let in_object = matches!(self.level, Level::Object | Level::Entry);
        let closes = self.closers.last() == Some(&byte);
        match self.expect {
            Expect::First | Expect::More if closes => self.end_of_level(byte, out)?,
            Expect::More if byte == b',' => {
                self.line.mark(byte);
                self.expect = Expect::Next;
            }
            Expect::More => return self.malformed("a comma or the end of the array or object"),
            Expect::Colon if byte == b':' => {
                self.line.mark(byte);
                self.expect = Expect::Value;
            }
            Expect::Colon => return self.malformed("a colon"),
            Expect::First | Expect::Next if in_object => {
                if byte != b'"' {
                    return self.malformed("a member name");
                }
                self.line.mark(byte);
                self.key.start();
                self.lexeme = Lexeme::Text { escaped: false };
            }
            Expect::First | Expect::Next | Expect::Value => {
                if matches!(byte, b',' | b':' | b'}' | b']') {
                    return self.malformed("a value");
                }
                return self.begin_value(byte, out);
            }
        }
        Ok(1)
    }

    fn begin_document(&mut self, byte: u8) -> Result<usize, UnpackError> {
        match byte {
            b'{' => {
                self.level = Level::Object;
                self.kind = Kind::Undecided;
                self.misfit = None;
                self.waiting.start();
                self.line.whole.start();
            }
            b'[' => self.level = Level::List,
            _ => return Err(self.unexpected("a json object or array")),
        }
        self.expect = Expect::First;
        self.open(byte)?;
        Ok(1)
    }

    fn begin_value(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<usize, UnpackError> {
        match (self.level, self.member) {
            (Level::List, _) => self.begin_opaque(byte, Fate::Line, out),
            (Level::Object, Member::Entry) if byte == b'[' => self.enter(Level::Entries, byte),
            (Level::Entries, _) if byte == b'{' => {
                self.entry.start();
                self.enter(Level::Entry, byte)
            }
            (Level::Entry, Member::Resource) if byte == b'{' => {
                self.presume_bundle()?;
                self.entry.has_resource = true;
                self.begin_opaque(byte, Fate::Line, out)
            }
            (Level::Object, Member::Entry) | (Level::Entries, _) | (Level::Entry, Member::Resource) => {
                self.entry.has_resource = true;
                let fate = if self.is_misfit() { Fate::Drop } else { Fate::Line };
                self.begin_opaque(byte, fate, out)
            }
            (Level::Object | Level::Entry, Member::Part(part)) => {
                self.line.part.start();
                self.begin_opaque(byte, Fate::Part(part), out)
            }
            _ => {
                self.key.start();
                self.begin_opaque(byte, Fate::Drop, out)
            }
        }
    }

    fn enter(&mut self, level: Level, byte: u8) -> Result<usize, UnpackError> {
        self.open(byte)?;
        self.level = level;
        self.expect = Expect::First;
        Ok(1)
    }

    /// Takes down that something in `entry` cannot be unpacked, if the object may yet be no Bundle.
    fn is_misfit(&mut self) -> bool {
        let is_misfit = self.kind == Kind::Undecided;
        if is_misfit {
            self.misfit.get_or_insert(self.position);
        }
        is_misfit
    }

    fn begin_opaque(&mut self, byte: u8, fate: Fate, out: &mut Vec<u8>) -> Result<usize, UnpackError> {
        self.opaque = Some(Opaque {
            base: self.closers.len(),
            fate,
        });
        if fate == Fate::Line {
            self.line.whole.start();
        }
        self.within_opaque(byte, out)
    }

    /// The grammar is broken. An object that may be a single resource is passed on as it is, for the reader to report;
    /// a Bundle or array cannot be followed any further.
    fn malformed(&mut self, expected: &'static str) -> Result<usize, UnpackError> {
        if self.level == Level::List || self.kind != Kind::Undecided {
            return Err(self.unexpected(expected));
        }
        self.decide_single();
        Ok(0)
    }

    fn decide_single(&mut self) {
        self.opaque = Some(Opaque {
            base: 0,
            fate: Fate::Line,
        });
    }

    /// Only Bundles have what has come.
    fn presume_bundle(&mut self) -> Result<(), UnpackError> {
        match self.kind {
            Kind::Undecided => self.decide_bundle(Kind::Presumed),
            Kind::Bundle | Kind::Presumed => Ok(()),
        }
    }

    fn decide_bundle(&mut self, kind: Kind) -> Result<(), UnpackError> {
        if let Some(offset) = self.misfit {
            return Err(UnpackError::new(UnpackErrorKind::EntryShape, offset));
        }
        self.line.whole.stop();
        self.kind = kind;
        Ok(())
    }

    fn text(&mut self, escaped: bool, rest: &[u8], out: &mut Vec<u8>) -> Result<usize, UnpackError> {
        let from = usize::from(escaped);
        let Some(found) = memchr::memchr2(b'"', b'\\', &rest[from..]) else {
            self.take_text(rest);
            self.lexeme = Lexeme::Text { escaped: false };
            return Ok(rest.len());
        };
        let end = from + found;
        self.take_text(&rest[..end]);
        if rest[end] == b'\\' {
            self.take_text(b"\\");
            self.lexeme = Lexeme::Text { escaped: true };
        } else {
            self.line.text(b"\"");
            self.lexeme = Lexeme::Between;
            self.end_of_text(self.position + end as u64, out)?;
        }
        Ok(end + 1)
    }

    fn take_text(&mut self, text: &[u8]) {
        self.line.text(text);
        if self.at_short_string() {
            self.key.push(text);
        }
    }

    /// In a member name, or in a string right under a level.
    fn at_short_string(&self) -> bool {
        self.opaque.is_none_or(|opaque| opaque.base == self.closers.len())
    }

    fn end_of_text(&mut self, at: u64, out: &mut Vec<u8>) -> Result<(), UnpackError> {
        if self.opaque.is_none() {
            self.member = match self.level {
                Level::Object if self.key.is("resourceType") => Member::Type,
                Level::Object if self.key.is("entry") => Member::Entry,
                Level::Object if self.key.is("meta") => Member::Part(Part::Meta),
                Level::Object if self.key.is("timestamp") => Member::Part(Part::Timestamp),
                Level::Entry if self.key.is("resource") => Member::Resource,
                Level::Entry if self.key.is("request") => Member::Part(Part::Request),
                Level::Entry if self.key.is("response") => Member::Part(Part::Response),
                _ => Member::Other,
            };
            self.expect = Expect::Colon;
            return Ok(());
        }
        if self.level == Level::Object && self.member == Member::Type && self.at_short_string() {
            match (self.kind, self.key.is("Bundle")) {
                (Kind::Bundle, _) => {}
                (Kind::Undecided, false) => {
                    self.decide_single();
                    return Ok(());
                }
                (Kind::Presumed, false) => {
                    return Err(UnpackError::new(UnpackErrorKind::NotABundle, at));
                }
                (Kind::Undecided, true) => self.decide_bundle(Kind::Bundle)?,
                (Kind::Presumed, true) => self.kind = Kind::Bundle,
            }
        }
        self.end_of_token(out);
        Ok(())
    }

    fn token(&mut self, rest: &[u8], out: &mut Vec<u8>) -> usize {
        let end = rest.iter().position(|&byte| is_delimiter(byte));
        let length = end.unwrap_or(rest.len());
        if length > 0 {
            self.line.token(&rest[..length]);
        }
        if end.is_some() {
            self.lexeme = Lexeme::Between;
            self.end_of_token(out);
        }
        length
    }

    /// Ends the value that is passed over, where no bracket of it is open any more.
    fn end_of_token(&mut self, out: &mut Vec<u8>) {
        let Some(opaque) = self.opaque.filter(|opaque| opaque.base == self.closers.len()) else {
            return;
        };
        self.opaque = None;
        self.expect = Expect::More;
        match opaque.fate {
            Fate::Drop => {}
            Fate::Line => self.line.whole.emit(out),
            Fate::Part(part) => self.look_into(part),
        }
        if opaque.base == 0 {
            self.level = Level::Top;
        }
    }

    fn look_into(&mut self, part: Part) {
        let value = self.line.part.bytes();
        match part {
            Part::Request => self.entry.request(value),
            Part::Response => self.entry.response(value),
            Part::Meta => self.waiting.meta(value),
            Part::Timestamp => self.waiting.timestamp(value),
        }
        self.line.part.stop();
    }

    fn end_of_entry(&mut self, out: &mut Vec<u8>) -> Result<(), UnpackError> {
        match self.entry.told() {
            Told::Nothing => Ok(()),
            Told::Unreadable if self.is_misfit() => Ok(()),
            Told::Unusable | Told::Unreadable => {
                self.presume_bundle()?;
                deletion::write_unusable(out);
                Ok(())
            }
            Told::Deletion { url, time } => {
                self.presume_bundle()?;
                if self.waiting.add(&url, time.as_deref(), out) {
                    return Ok(());
                }
                Err(UnpackError::new(UnpackErrorKind::Deletions, self.position))
            }
        }
    }

    fn end_of_level(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<(), UnpackError> {
        self.close(byte)?;
        self.expect = Expect::More;
        self.level = match self.level {
            Level::Entry => {
                self.end_of_entry(out)?;
                Level::Entries
            }
            Level::Entries => Level::Object,
            Level::Object | Level::List | Level::Top => {
                // An object without a type is the reader's to report.
                if self.line.whole.is_on() {
                    self.line.whole.emit(out);
                }
                self.waiting.end(out);
                Level::Top
            }
        };
        Ok(())
    }

    fn open(&mut self, byte: u8) -> Result<(), UnpackError> {
        self.nest(byte, 0)?;
        self.line.mark(byte);
        Ok(())
    }

    fn close(&mut self, byte: u8) -> Result<(), UnpackError> {
        self.unnest(byte, 0)?;
        self.line.mark(byte);
        Ok(())
    }

    /// Counts an opening bracket, `ahead` bytes behind the position.
    fn nest(&mut self, byte: u8, ahead: usize) -> Result<(), UnpackError> {
        if self.closers.len() == MAX_DEPTH {
            return Err(UnpackError::new(UnpackErrorKind::TooDeep, self.position + ahead as u64));
        }
        self.closers.push(if byte == b'{' { b'}' } else { b']' });
        Ok(())
    }

    fn unnest(&mut self, byte: u8, ahead: usize) -> Result<(), UnpackError> {
        if self.closers.pop() == Some(byte) {
            return Ok(());
        }
        let expected = "the bracket that closes the last open one";
        Err(UnpackError::new(
            UnpackErrorKind::Unexpected { expected },
            self.position + ahead as u64,
        ))
    }

    fn unexpected(&self, expected: &'static str) -> UnpackError {
        UnpackError::new(UnpackErrorKind::Unexpected { expected }, self.position)
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_delimiter(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b',' | b':' | b'{' | b'}' | b'[' | b']' | b'"')
}

/// The bytes from behind a string's opening quote to behind its closing one; `None` where it does not end here, or
/// has a raw line feed.
fn string_length(bytes: &[u8]) -> Option<usize> {
    // Most strings end before a call of memchr pays.
    const SHORT: usize = 24;
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        let short = rest
            .iter()
            .take(SHORT)
            .position(|byte| matches!(byte, b'"' | b'\\' | b'\n'));
        let found = match short {
            Some(found) => found,
            None => SHORT + memchr::memchr3(b'"', b'\\', b'\n', rest.get(SHORT..)?)?,
        };
        match rest[found] {
            b'"' => return Some(at + found + 1),
            b'\\' if rest.get(found + 1) != Some(&b'\n') => at += found + 2,
            _ => return None,
        }
    }
}

fn blank_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| !is_blank(byte)).unwrap_or(bytes.len())
}
