//! The bytes of a file, as the body of an answer: read in pieces on blocking threads, one piece ahead of the client.
//!
//! Between two pieces no thread is held and no file is read, so a client that does not read costs its pieces and no
//! more: one that is ready, and what the connection has not written yet. A file that cannot be read to its end, or
//! ends early, makes the body fail, and with it the connection (or the stream of HTTP/2): a client never takes part of a
//! file for all of it.
//!
//! Rejected: `sendfile`. hyper owns the socket and takes bytes only, so the file would need HTTP/1.1 written by hand,
//! for plain connections without TLS alone; and over loopback it took the processor as long as this does (0.55 s a GB
//! for both ends together, of which 0.03 s are not the kernel's).

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Take};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use flate2::bufread::MultiGzDecoder;
use http_body::{Body, Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

/// How much is read at once. 64 KB cost a third more, 512 KB gain nothing (`examples/serve_files.rs`).
const PIECE: usize = 256 << 10;

/// How much of a compressed file is read at once.
const COMPRESSED_PIECE: usize = 64 << 10;

/// How many pieces are kept for being read into again: what is ahead, and what a connection holds.
const KEPT: usize = 4;

/// What the bytes come from.
enum Origin {
    /// They stand in the file.
    Plain(Take<File>),
    /// They are inflated.
    Inflated(Box<MultiGzDecoder<BufReader<Take<File>>>>),
}

/// A file that is being read.
pub(super) struct Source {
    bytes: Origin,
    /// How many are still to come; nothing is known of what is inflated.
    left: Option<u64>,
    /// Pieces that were given out. Those that nobody else holds any more are read into again.
    given: Vec<Bytes>,
    has_ended: bool,
    /// Kept while the file is read and sent.
    _hold: Box<dyn Send>,
}

impl Source {
    /// So many bytes of the file from its `first` on.
    pub(super) fn part(mut file: File, first: u64, count: u64, hold: Box<dyn Send>) -> io::Result<Self> {
        file.seek(SeekFrom::Start(first))?;
        Ok(Source::of(Origin::Plain(file.take(count)), Some(count), hold))
    }

    /// What the first `stored` bytes of the file, which are gzip, inflate to.
    pub(super) fn inflated(file: File, stored: u64, hold: Box<dyn Send>) -> Self {
        let file = BufReader::with_capacity(COMPRESSED_PIECE, file.take(stored));
        Source::of(Origin::Inflated(Box::new(MultiGzDecoder::new(file))), None, hold)
    }

    fn of(bytes: Origin, left: Option<u64>, hold: Box<dyn Send>) -> Self {
        Source {
            bytes,
            left,
            given: Vec::new(),
            has_ended: left == Some(0),
            _hold: hold,
        }
    }

    /// The next piece, with as much in it as goes in; an empty one only at the end.
    fn next(&mut self) -> io::Result<Bytes> {
        let most = self.left.map_or(PIECE, |left| {
            usize::try_from(left).map_or(PIECE, |left| left.min(PIECE))
        });
        let mut piece = self.blank(most);
        let got = match &mut self.bytes {
            Origin::Plain(file) => fill(file, &mut piece)?,
            Origin::Inflated(decoder) => fill(decoder, &mut piece)?,
        };
        piece.truncate(got);
        self.left = self.left.map(|left| left - got as u64);
        if got < most && !self.is_whole() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file is shorter than it was",
            ));
        }
        self.has_ended = got < most || self.left == Some(0);
        let piece = piece.freeze();
        if self.given.len() < KEPT {
            self.given.push(piece.clone());
        }
        Ok(piece)
    }

    /// Whether everything that was to be read has been.
    fn is_whole(&self) -> bool {
        match &self.bytes {
            Origin::Plain(file) => file.limit() == 0,
            Origin::Inflated(decoder) => decoder.get_ref().get_ref().limit() == 0,
        }
    }

    fn blank(&mut self, length: usize) -> BytesMut {
        let free = self.given.iter().position(Bytes::is_unique);
        match free.map(|at| self.given.swap_remove(at).try_into_mut()) {
            Some(Ok(mut piece)) => {
                piece.resize(length, 0);
                piece
            }
            _ => BytesMut::zeroed(length),
        }
    }
}

fn fill(from: &mut impl Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < piece.len() {
        match from.read(&mut piece[got..]) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

type Turn = (Box<Source>, io::Result<Bytes>);

enum State {
    /// A blocking thread reads, or waits for its turn.
    Reading(JoinHandle<Turn>),
    /// Everything has been read. The source is here for what it holds.
    Ended { _source: Option<Box<Source>> },
}

/// The body.
pub(super) struct FileBody {
    /// What has been read already.
    ready: Option<Bytes>,
    state: State,
    /// How many bytes are still to be given out.
    left: Option<u64>,
    /// For the log.
    file: String,
}

impl FileBody {
    /// Reads the first piece, so that what is wrong from the beginning is known before an answer is begun.
    pub(super) async fn begin(
        file: &str,
        open: impl FnOnce() -> io::Result<Source> + Send + 'static,
    ) -> io::Result<Self> {
        let first = spawn_blocking(move || {
            let mut source = Box::new(open()?);
            let piece = source.next()?;
            Ok::<_, io::Error>((source, piece))
        });
        let (source, piece) = first.await.map_err(io::Error::other)??;
        Ok(FileBody {
            left: source.left.map(|left| left + piece.len() as u64),
            ready: Some(piece).filter(|piece| !piece.is_empty()),
            state: State::after(source),
            // Enough to find it by, too little to ask for it.
            file: file.chars().take(8).collect(),
        })
    }
}

impl State {
    fn after(mut source: Box<Source>) -> Self {
        if source.has_ended {
            return State::Ended { _source: Some(source) };
        }
        State::Reading(spawn_blocking(move || {
            let piece = source.next();
            (source, piece)
        }))
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let piece = match (self.ready.take(), &mut self.state) {
            (Some(piece), _) => piece,
            (None, State::Ended { .. }) => return Poll::Ready(None),
            (None, State::Reading(reading)) => {
                let read = ready!(Pin::new(reading).poll(context)).map_err(io::Error::other);
                match read.and_then(|(source, piece)| Ok((source, piece?))) {
                    Ok((source, piece)) => {
                        self.state = State::after(source);
                        piece
                    }
                    Err(error) => {
                        self.state = State::Ended { _source: None };
                        // Told here: whoever asked for the body gets no more than an end of the connection.
                        tracing::error!(file = self.file, %error, "a file could not be sent to its end");
                        return Poll::Ready(Some(Err(error)));
                    }
                }
            }
        };
        if piece.is_empty() {
            return Poll::Ready(None);
        }
        self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_none() && matches!(self.state, State::Ended { .. }) && self.left.unwrap_or(0) == 0
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}
