//! The bytes of a file, as the body of an answer: read in pieces on a few threads, one piece ahead of the client.
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
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use flate2::bufread::MultiGzDecoder;
use http_body::{Body, Frame, SizeHint};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

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

/// Reads on threads of which there are no more than processors. With one for each download, those that answer everybody
/// else would have to share the processors with all of them: a status took two seconds beside fifty downloads.
fn spawn_reading<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    static READERS: OnceLock<Option<Runtime>> = OnceLock::new();
    let readers = READERS.get_or_init(|| {
        let count = std::thread::available_parallelism().map_or(1, Into::into);
        let readers = Builder::new_current_thread()
            .max_blocking_threads(count.max(LEAST_READERS))
            .thread_name("files")
            .build();
        readers.ok()
    });
    match readers {
        Some(readers) => readers.spawn_blocking(read),
        None => tokio::task::spawn_blocking(read),
    }
}

/// A disk that is slow is asked for more than one piece at once.
const LEAST_READERS: usize = 2;

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
    /// A piece was given out since the last time that others had their turn.
    has_given: bool,
    /// For the log.
    file: String,
}

impl FileBody {
    /// Reads the first piece, so that what is wrong from the beginning is known before an answer is begun.
    pub(super) async fn begin(
        file: &str,
        open: impl FnOnce() -> io::Result<Source> + Send + 'static,
    ) -> io::Result<Self> {
        let first = spawn_reading(move || {
            let mut source = Box::new(open()?);
            let piece = source.next()?;
            Ok::<_, io::Error>((source, piece))
        });
        let (source, piece) = first.await.map_err(io::Error::other)??;
        Ok(FileBody {
            left: source.left.map(|left| left + piece.len() as u64),
            ready: Some(piece).filter(|piece| !piece.is_empty()),
            state: State::after(source),
            has_given: false,
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
        State::Reading(spawn_reading(move || {
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
        if std::mem::take(&mut self.has_given) {
            // Into a fast connection pieces go as fast as they are read, sixteen megabytes before anybody else has a turn.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
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
        self.has_given = true;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_none() && matches!(self.state, State::Ended { .. }) && self.left.unwrap_or(0) == 0
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write as _;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn others_have_their_turn_after_each_piece() {
        let mut file = tempfile::tempfile().expect("a file");
        let length = 4 * PIECE;
        file.write_all(&vec![7; length]).expect("writes");
        let open = move || Source::part(file, 0, length as u64, Box::new(()));
        let mut body = FileBody::begin("it", open).await.expect("begins");
        let mut got = 0;
        loop {
            let piece = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
            let Some(frame) = piece else { break };
            got += frame.expect("reads").into_data().expect("data").len();
            if got == length {
                break;
            }
            let woken = Arc::new(Woken::default());
            let waker = Waker::from(Arc::clone(&woken));
            let asked_at_once = Pin::new(&mut body).poll_frame(&mut Context::from_waker(&waker));
            assert!(asked_at_once.is_pending());
            assert_eq!(woken.0.load(Ordering::SeqCst), 1, "it goes on by itself");
        }
        assert_eq!(got, length);
        assert!(body.is_end_stream());
    }
}
