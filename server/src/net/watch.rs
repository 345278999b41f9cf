//! What moves on a connection, and when it has been still for too long.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::Limits;

/// Moments of one connection, in milliseconds since it began. All of it is touched by one task, or in no order that
/// matters: where two tasks of HTTP/2 race, a deadline is some microseconds off.
pub(super) struct Watch {
    began: Instant,
    header_time: u64,
    idle_time: u64,
    stall_time: u64,
    /// How many requests are on the way.
    requests: AtomicU64,
    /// When the last request began or ended.
    turned: AtomicU64,
    /// When the first byte after that came; `NEVER` before it does.
    head_began: AtomicU64,
    /// When a byte was last read or written.
    moved: AtomicU64,
    /// Whether bytes wait for the client to take others.
    is_blocked: AtomicBool,
    /// Whether there was a request at all.
    has_asked: AtomicBool,
    /// Whether requests come side by side; then a byte need not be of a head.
    is_http2: AtomicBool,
}

const NEVER: u64 = u64::MAX;

/// What is too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// The head of a request.
    Head,
    /// Anything, while a request or its answer is on the way.
    Stalled,
    /// A request.
    Idle,
}

impl Watch {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Watch {
            began: Instant::now(),
            header_time: millis(limits.header_time),
            idle_time: millis(limits.idle_time),
            stall_time: millis(limits.stall_time),
            requests: AtomicU64::new(0),
            turned: AtomicU64::new(0),
            head_began: AtomicU64::new(NEVER),
            moved: AtomicU64::new(0),
            is_blocked: AtomicBool::new(false),
            has_asked: AtomicBool::new(false),
            is_http2: AtomicBool::new(false),
        })
    }

    /// When the connection is still for too long if nothing happens until then, and what is late then.
    pub(super) fn deadline(&self) -> (Instant, Late) {
        let get = |moment: &AtomicU64| moment.load(Ordering::Relaxed);
        let (turned, moved) = (get(&self.turned), get(&self.moved));
        let head_began = get(&self.head_began);
        let is_http2 = self.is_http2.load(Ordering::Relaxed);
        let (millis, late) = if self.is_blocked.load(Ordering::Relaxed) {
            // Also the end of an answer that is not on the way any more by its body.
            (moved.saturating_add(self.stall_time), Late::Stalled)
        } else if get(&self.requests) > 0 {
            (turned.max(moved).saturating_add(self.idle_time), Late::Stalled)
        } else if !self.has_asked.load(Ordering::Relaxed) {
            (self.header_time, Late::Head)
        } else if !is_http2 && head_began != NEVER {
            (head_began.saturating_add(self.header_time), Late::Head)
        } else {
            (turned.max(moved).saturating_add(self.idle_time), Late::Idle)
        };
        // An hour is asked again.
        let millis = millis.min(self.now().saturating_add(3_600_000));
        (self.began + Duration::from_millis(millis), late)
    }

    /// A request has begun, and has ended when what is returned is dropped.
    pub(super) fn request(self: &Arc<Self>, is_http2: bool) -> OnTheWay {
        self.has_asked.store(true, Ordering::Relaxed);
        self.is_http2.store(is_http2, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.turn();
        OnTheWay(Arc::clone(self))
    }

    fn turn(&self) {
        self.turned.store(self.now(), Ordering::Relaxed);
        self.head_began.store(NEVER, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        millis(self.began.elapsed())
    }

    fn has_read(&self) {
        let now = self.now();
        self.moved.store(now, Ordering::Relaxed);
        if self.requests.load(Ordering::Relaxed) == 0 {
            // Only the first byte counts.
            let _ = self
                .head_began
                .compare_exchange(NEVER, now, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    fn has_written(&self) {
        self.moved.store(self.now(), Ordering::Relaxed);
        self.is_blocked.store(false, Ordering::Relaxed);
    }

    /// Passes on what became of a write or a flush.
    fn noted<T>(&self, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match done {
            Poll::Ready(Ok(_)) => self.has_written(),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.is_blocked.store(true, Ordering::Relaxed),
        }
        done
    }

    /// A flush is ready also where there was nothing to do: only after a wait something moved.
    fn flushed(&self, done: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        if done.is_pending() || self.is_blocked.load(Ordering::Relaxed) {
            return self.noted(done);
        }
        done
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A request on the way.
pub(super) struct OnTheWay(Arc<Watch>);

impl Drop for OnTheWay {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
        self.0.turn();
    }
}

/// A stream that tells its watch what moves.
pub(super) struct Watched<S> {
    pub(super) stream: S,
    pub(super) watch: Arc<Watch>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        if into.filled().len() > before {
            self.watch.has_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.watch.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS takes bytes before they are written, and waits here.
        let done = Pin::new(&mut self.stream).poll_flush(context);
        self.watch.flushed(done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn after(watch: &Watch) -> (u64, Late) {
        let (deadline, late) = watch.deadline();
        (deadline.duration_since(watch.began).as_secs(), late)
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time_from_its_first_byte_and_an_answer_from_its_last() {
        let watch = Watch::new(&Limits::default());
        assert_eq!(after(&watch), (10, Late::Head));
        tokio::time::advance(5 * SECOND).await;
        watch.has_read();
        assert_eq!(after(&watch), (10, Late::Head), "the first has it from the beginning");
        let request = watch.request(false);
        assert_eq!(after(&watch), (80, Late::Stalled));
        tokio::time::advance(5 * SECOND).await;
        watch.has_written();
        assert_eq!(after(&watch), (85, Late::Stalled));
        drop(request);
        tokio::time::advance(5 * SECOND).await;
        assert_eq!(after(&watch), (85, Late::Idle));
        watch.has_written();
        assert_eq!(
            after(&watch),
            (90, Late::Idle),
            "the end of the answer is still written"
        );
        tokio::time::advance(5 * SECOND).await;
        watch.has_read();
        assert_eq!(after(&watch), (30, Late::Head));
        tokio::time::advance(5 * SECOND).await;
        watch.has_read();
        assert_eq!(after(&watch), (30, Late::Head), "further bytes give no further time");
        let _request = watch.request(false);
        assert_eq!(after(&watch), (100, Late::Stalled));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_has_its_time_also_for_the_end_of_an_answer() {
        let watch = Watch::new(&Limits::default());
        let request = watch.request(false);
        tokio::time::advance(5 * SECOND).await;
        assert!(watch.noted(Poll::Ready(Ok(1))).is_ready());
        assert!(watch.noted::<usize>(Poll::Pending).is_pending());
        assert_eq!(after(&watch), (185, Late::Stalled));
        drop(request);
        assert_eq!(after(&watch), (185, Late::Stalled), "bytes still wait");
        tokio::time::advance(5 * SECOND).await;
        assert!(watch.noted(Poll::Ready(Ok(1))).is_ready());
        assert_eq!(after(&watch), (85, Late::Idle));
        tokio::time::advance(5 * SECOND).await;
        assert!(watch.flushed(Poll::Ready(Ok(()))).is_ready());
        assert_eq!(after(&watch), (85, Late::Idle), "there was nothing to flush");
        assert!(watch.flushed(Poll::Pending).is_pending());
        assert_eq!(after(&watch), (190, Late::Stalled));
        tokio::time::advance(5 * SECOND).await;
        assert!(watch.flushed(Poll::Ready(Ok(()))).is_ready());
        assert_eq!(after(&watch), (95, Late::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_of_http2_between_requests_are_no_head() {
        let watch = Watch::new(&Limits::default());
        let (one, other) = (watch.request(true), watch.request(true));
        drop(one);
        tokio::time::advance(5 * SECOND).await;
        watch.has_read();
        assert_eq!(after(&watch), (80, Late::Stalled));
        drop(other);
        watch.has_read();
        assert_eq!(after(&watch), (80, Late::Idle));
    }

    #[test]
    fn spans_without_end_are_taken() {
        let limits = Limits {
            header_time: Duration::MAX,
            idle_time: Duration::MAX,
            ..Limits::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let watch = Watch::new(&limits);
            assert_eq!(after(&watch), (3600, Late::Head));
            let _request = watch.request(false);
            assert_eq!(after(&watch), (3600, Late::Stalled));
        });
    }
}
