//! The door of the stream: an asynchronous reader that gives little and often has nothing yet.

use super::{Answer, Question, Refusal, plan};
use fhirehose_core::stream::{Filtered, StreamError};
use futures_executor::block_on_stream;
use futures_io::AsyncRead;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The engine as a stream, driven on this thread.
///
/// # Errors
///
/// The request is wrong, a bad line ended the export, or there is not exactly one input, which is what a stream takes.
pub fn stream(question: &Question, chunk: usize) -> Result<Answer, Refusal> {
    let plan = plan(&question.request, &question.registry)?;
    let [(name, bytes)] = question.inputs.as_slice() else {
        return Err(Refusal::Broken("a stream takes one input".to_owned()));
    };
    let reader = Pieces {
        rest: bytes,
        chunk: chunk.max(1),
        is_ready: false,
    };
    let mut stream = block_on_stream(Filtered::with_limits(plan, reader, question.limits).named(name));
    let mut answer = Answer::default();
    for item in stream.by_ref() {
        let piece = item.map_err(refusal)?;
        let file = answer.files.entry(piece.file.to_string()).or_default();
        file.extend_from_slice(&piece.lines);
    }
    if stream.next().is_some() {
        return Err(Refusal::Broken("something came after the end".to_owned()));
    }
    let report = stream.report().cloned();
    answer.report = report.ok_or_else(|| Refusal::Broken("there is no report at the end".to_owned()))?;
    Ok(answer)
}

fn refusal(error: StreamError) -> Refusal {
    match error {
        StreamError::Export(error) => Refusal::Stopped(error),
        other => Refusal::Broken(other.to_string()),
    }
}

/// Bytes in pieces; before each of them the reader has to wait once.
struct Pieces<'b> {
    rest: &'b [u8],
    chunk: usize,
    is_ready: bool,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.is_ready = !self.is_ready;
        if self.is_ready {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let (piece, rest) = self.rest.split_at(self.rest.len().min(self.chunk).min(buffer.len()));
        buffer[..piece.len()].copy_from_slice(piece);
        self.rest = rest;
        Poll::Ready(Ok(piece.len()))
    }
}
