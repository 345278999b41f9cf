//! A reader over a stream of byte chunks, as HTTP clients give them.

use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_io::AsyncRead;

/// Reads a `Stream<Item = Result<B, E>>` of chunks (`Vec<u8>`, `Bytes`, `&[u8]`) as one input for
/// [`Filtered`](super::Filtered). One chunk is held at a time. An error of the stream becomes the reader's.
///
/// ```
/// use fhirehose_core::stream::ByteReader;
/// use futures_util::io::AsyncReadExt as _;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let chunks: [std::io::Result<&[u8]>; 2] = [Ok(b"one "), Ok(b"two")];
/// let mut text = String::new();
/// ByteReader::new(futures_util::stream::iter(chunks)).read_to_string(&mut text).await?;
/// assert_eq!(text, "one two");
/// # Ok(())
/// # }
/// ```
pub struct ByteReader<S, B> {
    stream: S,
    chunk: Option<B>,
    /// Bytes of the chunk that have been read.
    taken: usize,
}

impl<S, B> ByteReader<S, B> {
    /// A reader over a stream.
    pub fn new(stream: S) -> Self {
        ByteReader {
            stream,
            chunk: None,
            taken: 0,
        }
    }
}

impl<S, B> fmt::Debug for ByteReader<S, B> {
    /// Without the bytes: they are records.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteReader")
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

impl<S, B, E> AsyncRead for ByteReader<S, B>
where
    S: Stream<Item = Result<B, E>> + Unpin,
    B: AsRef<[u8]> + Unpin,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            let rest = this
                .chunk
                .as_ref()
                .and_then(|chunk| chunk.as_ref().get(this.taken..))
                .unwrap_or_default();
            if !rest.is_empty() {
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                this.taken += count;
                return Poll::Ready(Ok(count));
            }
            // Empty chunks are no end.
            match ready!(Pin::new(&mut this.stream).poll_next(context)) {
                Some(Ok(chunk)) => (this.chunk, this.taken) = (Some(chunk), 0),
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Ok(0)),
            }
        }
    }
}
