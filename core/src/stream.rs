//! Feature `stream`: the push engine as a `Stream` of kept lines over an asynchronous reader.
//!
//! Nothing is read before the stream is polled and nothing is read ahead while kept lines wait, so a slow consumer
//! slows the reader down. Memory stays bounded by the longest allowed line, one read and what that read let through.
//! No runtime is named here: any reader with the `futures` traits will do, and a tokio reader becomes one by
//! `tokio_util::compat` (see `examples/filter_stream.rs`).

mod bytes;
mod input;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_io::AsyncRead;

pub use bytes::ByteReader;
use input::Input;

use crate::error::Error;
use crate::export::Export;
use crate::partition::Limits;
use crate::plan::Plan;
use crate::report::Report;
use crate::sink::{FileName, Sink, Stored};

/// Bytes of decompressed input that are taken at once.
const READ: usize = 64 << 10;

/// Reads in one poll that may let nothing through before other tasks get their turn.
const READS_PER_TURN: usize = 16;

/// Whole lines for one file, in the order of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The file; the lines of all its chunks, joined, are its content.
    pub file: FileName,
    /// Lines, each ending in `\n`.
    pub lines: Vec<u8>,
}

/// Why a stream ended early.
#[derive(Debug)]
#[non_exhaustive]
pub enum StreamError {
    /// The reader failed, or the compressed input is broken or ends too early.
    Input(io::Error),
    /// The engine stopped.
    Export(Error),
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StreamError::Input(error) => write!(f, "reading the input: {error}"),
            StreamError::Export(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StreamError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StreamError::Input(error) => Some(error),
            StreamError::Export(error) => error.source(),
        }
    }
}

/// Filters the NDJSON of an asynchronous reader. The input may be gzip, zstd, bzip2 or xz, which its first bytes tell.
///
/// After the last item [`Filtered::report`] tells what happened. After an error the stream is at its end and there is
/// no report: what was given out until then is not all that the request asked for.
///
/// ```
/// use fhirehose_core::plan::Plan;
/// use fhirehose_core::request::Request;
/// use fhirehose_core::search::table::Registry;
/// use fhirehose_core::stream::Filtered;
/// use futures_util::TryStreamExt as _;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let request = Request { type_filters: vec!["Patient?gender=female".into()], ..Request::default() };
/// let plan = Plan::compile(&request, &Registry::r4())?;
/// let input: &[u8] = b"{\"resourceType\":\"Patient\",\"gender\":\"male\"}\n{\"resourceType\":\"Patient\",\"gender\":\"female\"}";
///
/// let mut filtered = Filtered::new(plan, input);
/// while let Some(chunk) = filtered.try_next().await? {
///     assert_eq!(chunk.file.to_string(), "Patient.000.ndjson");
///     assert_eq!(chunk.lines, b"{\"resourceType\":\"Patient\",\"gender\":\"female\"}\n");
/// }
/// assert_eq!(filtered.report().map(|report| report.kept()), Some(1));
/// # Ok(())
/// # }
/// ```
pub struct Filtered<R> {
    input: Input<R>,
    /// Name of the input, until its first read.
    name: Option<String>,
    /// `None` at the end.
    export: Option<Export<Outbox>>,
    outbox: Outbox,
    buffer: Vec<u8>,
    report: Option<Report>,
}

impl<R> fmt::Debug for Filtered<R> {
    /// Without what is buffered: that is records.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filtered")
            .field("input", &self.input)
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

impl<R: AsyncRead + Unpin> Filtered<R> {
    /// A stream without limits on its files: one file a type.
    pub fn new(plan: Plan, input: R) -> Self {
        Filtered::with_limits(plan, input, Limits::default())
    }

    /// A stream whose files roll over: the next file has the next sequence number.
    pub fn with_limits(plan: Plan, input: R, limits: Limits) -> Self {
        let outbox = Outbox::default();
        Filtered {
            input: Input::new(input),
            name: Some("input".to_owned()),
            export: Some(Export::with_limits(plan, outbox.clone(), limits)),
            outbox,
            buffer: vec![0; READ],
            report: None,
        }
    }

    /// Names the input in the report and in the files of bad lines. Call it before the first poll.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = self.name.map(|_| name.to_owned());
        self
    }

    /// What happened; there once the stream has ended without an error.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// Takes one read to the engine. `false`: that was the end of the input.
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, StreamError>> {
        let Some(export) = &mut self.export else {
            return Poll::Ready(Ok(false));
        };
        if let Some(name) = self.name.take() {
            export.begin_input(&name).map_err(StreamError::Export)?;
        }
        let read = ready!(self.input.poll_read(context, &mut self.buffer)).map_err(StreamError::Input)?;
        if read > 0 {
            export.push(&self.buffer[..read]).map_err(StreamError::Export)?;
            return Poll::Ready(Ok(true));
        }
        if let Some(export) = self.export.take() {
            let (report, _) = export.finish().map_err(StreamError::Export)?;
            self.report = Some(report);
        }
        Poll::Ready(Ok(false))
    }
}

impl<R: AsyncRead + Unpin> Stream for Filtered<R> {
    type Item = Result<Chunk, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        for _ in 0..READS_PER_TURN {
            if let Some(chunk) = self.outbox.take() {
                return Poll::Ready(Some(Ok(chunk)));
            }
            match ready!(self.poll_step(context)) {
                Ok(true) => {}
                Ok(false) => return Poll::Ready(self.outbox.take().map(Ok)),
                Err(error) => {
                    self.export = None;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        // A reader that is always ready and a filter that drops everything would hold the thread to the end.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The sink of the stream: chunks that wait for the consumer. The engine owns its sink, so the stream has a second
/// handle; both are only used under `&mut Filtered`, so the lock is never waited for.
#[derive(Clone, Debug, Default)]
struct Outbox {
    chunks: Arc<Mutex<VecDeque<Chunk>>>,
}

impl Outbox {
    fn take(&self) -> Option<Chunk> {
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        chunks.pop_front()
    }
}

impl Sink for Outbox {
    type File = (FileName, u64);

    fn create(&mut self, name: &FileName) -> Result<Self::File, Error> {
        Ok((name.clone(), 0))
    }

    fn write(&mut self, (file, size): &mut Self::File, lines: &[u8]) -> Result<(), Error> {
        *size += lines.len() as u64;
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        match chunks.back_mut() {
            Some(last) if last.file == *file => last.lines.extend_from_slice(lines),
            _ => chunks.push_back(Chunk {
                file: file.clone(),
                lines: lines.to_vec(),
            }),
        }
        Ok(())
    }

    fn close(&mut self, (file, size): Self::File) -> Result<Stored, Error> {
        Ok(Stored {
            name: file.to_string(),
            size,
        })
    }
}
