//! The decompressed bytes of a reader: the codec is chosen by the first bytes of the input.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::futures::bufread::{BzDecoder, GzipDecoder, XzDecoder, ZstdDecoder};
use futures_io::{AsyncBufRead, AsyncRead};

/// Bytes read at once from the source.
const SOURCE_READ: usize = 64 << 10;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const BZIP2: &[u8] = b"BZh";
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0x00];

/// What a reader gives, decompressed to the end of its last member or frame.
pub(super) enum Input<R> {
    /// The first bytes have not all come.
    Unknown(Source<R>),
    Plain(Source<R>),
    // Boxed, since some decoders are large and they are moved with the stream.
    Gzip(Box<GzipDecoder<Source<R>>>),
    Zstd(Box<ZstdDecoder<Source<R>>>),
    Bzip2(Box<BzDecoder<Source<R>>>),
    Xz(Box<XzDecoder<Source<R>>>),
    /// A moment inside of a change of state, or after an error.
    Gone,
}

impl<R> fmt::Debug for Input<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Input::Unknown(_) => "Unknown",
            Input::Plain(_) => "Plain",
            Input::Gzip(_) => "Gzip",
            Input::Zstd(_) => "Zstd",
            Input::Bzip2(_) => "Bzip2",
            Input::Xz(_) => "Xz",
            Input::Gone => "Gone",
        })
    }
}

/// Sets a decoder to read on behind the end of a member.
macro_rules! decoder {
    ($decoder:ident, $source:expr) => {{
        let mut decoder = $decoder::new($source);
        decoder.multiple_members(true);
        Box::new(decoder)
    }};
}

impl<R: AsyncRead + Unpin> Input<R> {
    pub(super) fn new(reader: R) -> Self {
        Input::Unknown(Source {
            reader,
            buffer: vec![0; SOURCE_READ],
            start: 0,
            end: 0,
            ended: false,
        })
    }

    /// Reads decompressed bytes; 0 is the end of the whole input, and a codec that was cut short is an error instead.
    pub(super) fn poll_read(&mut self, context: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        if let Input::Unknown(source) = self {
            while source.end < XZ.len() && !source.ended {
                ready!(source.poll_more(context))?;
            }
            if let Input::Unknown(source) = std::mem::replace(self, Input::Gone) {
                *self = Input::known(source);
            }
        }
        match self {
            Input::Plain(source) => Pin::new(source).poll_read(context, out),
            Input::Gzip(decoder) => Pin::new(decoder).poll_read(context, out),
            Input::Zstd(decoder) => Pin::new(decoder).poll_read(context, out),
            Input::Bzip2(decoder) => Pin::new(decoder).poll_read(context, out),
            Input::Xz(decoder) => Pin::new(decoder).poll_read(context, out),
            Input::Unknown(_) | Input::Gone => Poll::Ready(Ok(0)),
        }
    }

    fn known(source: Source<R>) -> Self {
        let head = &source.buffer[..source.end];
        if head.starts_with(GZIP) {
            Input::Gzip(decoder!(GzipDecoder, source))
        } else if head.starts_with(ZSTD) {
            Input::Zstd(decoder!(ZstdDecoder, source))
        } else if head.starts_with(BZIP2) {
            Input::Bzip2(decoder!(BzDecoder, source))
        } else if head.starts_with(XZ) {
            Input::Xz(decoder!(XzDecoder, source))
        } else {
            Input::Plain(source)
        }
    }
}

/// A buffered reader that can be filled without taking from it, to look at the first bytes.
pub(super) struct Source<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Source<R> {
    /// Reads once behind what is buffered, for which there must be room.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let read = loop {
            match ready!(Pin::new(&mut self.reader).poll_read(context, &mut self.buffer[self.end..])) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.end += read;
        self.ended = read == 0;
        Poll::Ready(Ok(()))
    }
}

impl<R: AsyncRead + Unpin> AsyncBufRead for Source<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.start == this.end && !this.ended {
            (this.start, this.end) = (0, 0);
            ready!(this.poll_more(context))?;
        }
        Poll::Ready(Ok(&this.buffer[this.start..this.end]))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        let this = self.get_mut();
        this.start = (this.start + amount).min(this.end);
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Source<R> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let ready = ready!(self.as_mut().poll_fill_buf(context))?;
        let count = ready.len().min(out.len());
        out[..count].copy_from_slice(&ready[..count]);
        self.consume(count);
        Poll::Ready(Ok(count))
    }
}
