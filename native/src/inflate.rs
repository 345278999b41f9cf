//! Inputs as plain bytes: the codec is found by magic bytes, and a damaged stream is an error, never an end.

mod apart;
mod carve;
mod decode;
mod error;
#[cfg(test)]
mod tests;
mod walk;

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

pub(crate) use apart::Apart;
pub(crate) use carve::{Carver, Segment, read_whole};
use decode::{Decoder, Fault};
pub use error::{InputError, InputErrorKind};

/// The size of reads from disk; measured best warm and cold (larger leaves the cache, smaller costs system calls).
pub const READ_SIZE: usize = 256 * 1024;

/// The largest window, as a power of two, of a zstd stream that is read before its turn or in pieces: what `zstd -19` asks for.
const BOUNDED_WINDOW: u32 = 23;

/// The longest magic, that of xz.
const HEAD: usize = 6;

/// How the bytes of an input are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Not compressed.
    Plain,
    /// Gzip, any number of members, zero padding allowed after the last.
    Gzip,
    /// Zstandard, any number of frames, skippable ones too.
    Zstd,
    /// Bzip2, any number of streams.
    Bzip2,
    /// Xz, any number of streams, padded as its format allows.
    Xz,
    /// Brotli. It has neither magic nor checksum, so only the extension `.br` tells.
    Brotli,
}

impl Codec {
    /// Finds the codec by the first bytes of the input. `Err` is the codec whose magic `head` only begins, where
    /// `head` is all there is: no JSON text starts with any of these bytes, so such an input was cut off.
    fn sniff(head: &[u8]) -> Result<Self, Self> {
        if matches!(head, [b'B', b'Z', b'h', level, ..] if !level.is_ascii_digit()) {
            return Ok(Self::Plain);
        }
        let magics: [(Self, &[u8]); 4] = [
            (Self::Gzip, &[0x1f, 0x8b]),
            (Self::Zstd, &[0x28, 0xb5, 0x2f, 0xfd]),
            (Self::Bzip2, b"BZh"),
            (Self::Xz, &[0xfd, b'7', b'z', b'X', b'Z', 0]),
        ];
        for (codec, magic) in magics {
            if head.starts_with(magic) {
                return Ok(codec);
            }
            if !head.is_empty() && magic.starts_with(head) {
                return Err(codec);
            }
        }
        let skippable = [0x2a, 0x4d, 0x18];
        match head {
            [0x50..=0x5f, rest @ ..] if rest.starts_with(&skippable) => Ok(Self::Zstd),
            [0x50..=0x5f, rest @ ..] if skippable.starts_with(rest) => Err(Self::Zstd),
            _ => Ok(Self::Plain),
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Brotli => "brotli",
        })
    }
}

enum Place {
    File(File),
    Reader(Box<dyn Read + Send>),
}

impl Place {
    /// Reads once, and again where a signal came between.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match self {
                Self::File(file) => file.read(buf),
                Self::Reader(reader) => reader.read(buf),
            };
            match read {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

/// One input, read as plain bytes whatever its codec.
///
/// An empty input is an empty input. A truncated stream, a wrong checksum and bytes after the last member (other than
/// the padding its format allows) are errors with the input's name and the offset in the compressed bytes; what was
/// decoded before the damage is handed out first. After an error every further read gives it again.
///
/// ```
/// # use fhirehose_native::inflate::{Codec, Input};
/// let mut input = Input::from_reader("example", &b"{}\n"[..])?;
/// let mut buf = [0; 16];
/// assert_eq!(input.codec(), Codec::Plain);
/// assert_eq!(input.read(&mut buf)?, 3);
/// assert_eq!(input.read(&mut buf)?, 0);
/// # Ok::<(), fhirehose_native::inflate::InputError>(())
/// ```
pub struct Input {
    name: String,
    place: Place,
    codec: Codec,
    /// `None` for plain inputs.
    decoder: Option<Decoder>,
    /// Bytes read from `place`, not yet consumed: `pending[start..end]`. Plain inputs keep only the sniffed head here.
    pending: Vec<u8>,
    start: usize,
    end: usize,
    read_from_place: u64,
    /// Where the member that is being read began.
    member_start: u64,
    /// The decoder takes no window larger than [`BOUNDED_WINDOW`].
    bounded: bool,
    at_end: bool,
    failed: Option<InputError>,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("name", &self.name)
            .field("codec", &self.codec)
            .field("compressed_position", &self.compressed_position())
            .finish_non_exhaustive()
    }
}

impl Input {
    /// Opens a file and finds its codec.
    ///
    /// # Errors
    /// The file cannot be opened or read, or ends within a magic.
    pub fn open(path: &Path) -> Result<Self, InputError> {
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Self::begin(name, Place::File(file)),
            Err(e) => Err(InputError::new(name, 0, InputErrorKind::Open(e.kind()))),
        }
    }

    /// Takes standard input; waits for its first bytes, to find the codec.
    ///
    /// # Errors
    /// As [`Input::open`].
    pub fn stdin() -> Result<Self, InputError> {
        const NAME: &str = "standard input";
        #[cfg(unix)]
        let reader = {
            use std::os::fd::AsFd;
            let descriptor = io::stdin().as_fd().try_clone_to_owned();
            // With its errors: the library's own takes one that cannot be read for an empty one.
            File::from(descriptor.map_err(|e| InputError::new(NAME.to_owned(), 0, InputErrorKind::Open(e.kind())))?)
        };
        #[cfg(not(unix))]
        let reader = io::stdin();
        Self::begin(NAME.to_owned(), Place::Reader(Box::new(reader)))
    }

    /// Takes any reader. Only the ending `.br` of the name matters.
    ///
    /// # Errors
    /// As [`Input::open`].
    pub fn from_reader(name: impl Into<String>, reader: impl Read + Send + 'static) -> Result<Self, InputError> {
        Self::begin(name.into(), Place::Reader(Box::new(reader)))
    }

    fn begin(name: String, place: Place) -> Result<Self, InputError> {
        let mut input = Self {
            name,
            place,
            codec: Codec::Plain,
            decoder: None,
            pending: vec![0; HEAD],
            start: 0,
            end: 0,
            read_from_place: 0,
            member_start: 0,
            bounded: false,
            at_end: false,
            failed: None,
        };
        while input.end < HEAD && !input.at_end {
            input.fill()?;
        }
        input.codec = if has_brotli_name(&input.name) && input.end > 0 {
            Codec::Brotli
        } else {
            Codec::sniff(&input.pending[..input.end])
                .map_err(|codec| input.error(input.read_from_place, InputErrorKind::Truncated(codec)))?
        };
        if input.codec != Codec::Plain {
            input.pending.resize(READ_SIZE, 0);
            let decoder = Decoder::new(input.codec).map_err(|kind| input.error(0, kind))?;
            input.decoder = Some(decoder);
        }
        Ok(input)
    }

    /// The name for messages: the path as given, or `standard input`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the input is compressed.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// How many bytes of the input, as it lies on disk, have been consumed.
    pub fn compressed_position(&self) -> u64 {
        self.read_from_place - (self.end - self.start) as u64
    }

    /// The file itself, where it is a regular file that is not compressed: several threads may then read ranges of it.
    pub fn plain_file(&self) -> Option<&File> {
        match &self.place {
            Place::File(file) if self.codec == Codec::Plain => {
                file.metadata().is_ok_and(|metadata| metadata.is_file()).then_some(file)
            }
            _ => None,
        }
    }

    /// The file and its length, where it is a regular one: other threads may read ranges of it.
    pub(crate) fn regular_file(&self) -> Option<(&File, u64)> {
        let Place::File(file) = &self.place else { return None };
        let data = file.metadata().ok()?;
        data.is_file().then_some((file, data.len()))
    }

    /// Whether reading needs little memory; a zstd stream that asks for more than a little from here on fails, and
    /// [`Input::unbound`] goes back to where it did. To be called before the first read.
    pub(crate) fn bound(&mut self) -> bool {
        match self.codec {
            Codec::Plain | Codec::Gzip | Codec::Bzip2 => true,
            Codec::Xz | Codec::Brotli => false,
            Codec::Zstd => {
                self.bounded = true;
                self.decoder.as_mut().is_some_and(Decoder::bound)
            }
        }
    }

    /// Takes back [`Input::bound`]. `true`: the failure was for its sake, and what failed can be read now.
    pub(crate) fn unbound(&mut self) -> bool {
        let failed = self.failed.as_ref().map(InputError::kind);
        let was_bounded = std::mem::take(&mut self.bounded);
        // Nothing of a frame is handed out before its window is known.
        let for_its_sake = was_bounded && failed == Some(InputErrorKind::Memory(Codec::Zstd));
        for_its_sake && self.restart(self.member_start).is_ok()
    }

    /// Goes to where a member ends, or to the start: from there all is read as if what comes before had been read here.
    ///
    /// # Errors
    /// The input is no file that can be read from any place.
    pub(crate) fn restart(&mut self, offset: u64) -> Result<(), InputError> {
        let moved = match &mut self.place {
            Place::File(file) => file.seek(SeekFrom::Start(offset)).map(|_| ()),
            Place::Reader(_) => Err(io::ErrorKind::NotSeekable.into()),
        };
        moved.map_err(|e| self.error(offset, InputErrorKind::Read(e.kind())))?;
        (self.start, self.end, self.read_from_place, self.member_start) = (0, 0, offset, offset);
        (self.at_end, self.failed) = (false, None);
        if self.codec != Codec::Plain {
            let decoder = if offset == 0 {
                Decoder::new(self.codec)
            } else {
                Decoder::between(self.codec)
            };
            let mut decoder = decoder.map_err(|kind| self.error(offset, kind))?;
            if self.bounded {
                decoder.bound();
            }
            self.decoder = Some(decoder);
        }
        Ok(())
    }

    /// Reads plain bytes; 0 means the end (or an empty `buf`). Plain inputs are read straight into `buf`.
    ///
    /// # Errors
    /// The input cannot be read or is damaged.
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize, InputError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let mut filled = 0;
        let outcome = if self.codec == Codec::Plain {
            self.read_plain(buf, &mut filled)
        } else {
            self.decode(buf, &mut filled)
        };
        if let Err(error) = outcome {
            self.failed = Some(error.clone());
            if filled == 0 {
                return Err(error);
            }
        }
        Ok(filled)
    }

    fn read_plain(&mut self, buf: &mut [u8], filled: &mut usize) -> Result<(), InputError> {
        let head = &self.pending[self.start..self.end];
        *filled = head.len().min(buf.len());
        buf[..*filled].copy_from_slice(&head[..*filled]);
        self.start += *filled;
        if self.at_end || *filled == buf.len() {
            return Ok(());
        }
        match self.place.read(&mut buf[*filled..]) {
            Ok(n) => {
                self.at_end = n == 0;
                self.read_from_place += n as u64;
                *filled += n;
                Ok(())
            }
            Err(e) => Err(self.error(self.read_from_place, InputErrorKind::Read(e.kind()))),
        }
    }

    /// Decodes until `buf` is full, the input ends, or more input is needed while something is there to hand out
    /// (so that a slow pipe is not waited for).
    fn decode(&mut self, buf: &mut [u8], filled: &mut usize) -> Result<(), InputError> {
        while *filled < buf.len() {
            let Some(decoder) = self.decoder.as_mut() else {
                return Ok(());
            };
            let input = &self.pending[self.start..self.end];
            let had_input = !input.is_empty();
            let step = decoder.step(input, &mut buf[*filled..], self.at_end);
            let step = step.map_err(|fault| {
                *filled += fault.produced;
                self.fault(&fault)
            })?;
            self.start += step.consumed;
            *filled += step.produced;
            if step.ended {
                self.member_start = self.compressed_position();
            }
            if step.consumed > 0 || step.produced > 0 || step.ended {
                continue;
            }
            if had_input {
                // A decoder with input and room that does neither would be called for ever.
                return Err(self.error(self.compressed_position(), InputErrorKind::Corrupt(self.codec)));
            }
            if self.at_end {
                return self.end_of_input();
            }
            if *filled > 0 {
                return Ok(());
            }
            self.fill()?;
        }
        Ok(())
    }

    fn end_of_input(&self) -> Result<(), InputError> {
        match self.decoder.as_ref().map(Decoder::may_end) {
            Some(false) => Err(self.error(self.compressed_position(), InputErrorKind::Truncated(self.codec))),
            _ => Ok(()),
        }
    }

    /// Reads more behind `pending[..end]`, or from its beginning where all was consumed.
    fn fill(&mut self) -> Result<(), InputError> {
        if self.start == self.end && self.start > 0 {
            self.start = 0;
            self.end = 0;
        }
        match self.place.read(&mut self.pending[self.end..]) {
            Ok(n) => {
                self.at_end = n == 0;
                self.end += n;
                self.read_from_place += n as u64;
                Ok(())
            }
            Err(e) => Err(self.error(self.read_from_place, InputErrorKind::Read(e.kind()))),
        }
    }

    fn fault(&self, fault: &Fault) -> InputError {
        let after = self.compressed_position() + fault.consumed as u64;
        self.error(after.saturating_sub(fault.before as u64), fault.kind)
    }

    fn error(&self, offset: u64, kind: InputErrorKind) -> InputError {
        InputError::new(self.name.clone(), offset, kind)
    }
}

fn has_brotli_name(name: &str) -> bool {
    name.len() > 3 && name.as_bytes()[name.len() - 3..].eq_ignore_ascii_case(b".br")
}
