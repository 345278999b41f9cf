//! One connection: from its handshake to its end.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, Response, StatusCode, Version, header};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until, timeout};
use tower::ServiceExt as _;

use super::Limits;
use super::watch::{Late, OnTheWay, Watch, Watched};
use crate::outcome::{self, Reply};

/// How long a connection that is asked to end may take for it.
const PARTING: Duration = Duration::from_secs(1);

/// hyper takes no less.
const LEAST_BUFFER: usize = 8 << 10;

/// What every connection of a listener shares.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) router: Router,
    pub(super) limits: Limits,
    /// Turns to true when the listener is to end.
    pub(super) ending: Receiver<bool>,
}

/// Serves requests until the client goes, is too late, or the listener ends and nothing is on the way any more.
pub(super) async fn run<S>(stream: S, peer: SocketAddr, shared: Shared)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Shared {
        router,
        limits,
        mut ending,
    } = shared;
    let watch = Watch::new(&limits);
    let io = TokioIo::new(Watched {
        stream,
        watch: Arc::clone(&watch),
    });
    let service = {
        let watch = Arc::clone(&watch);
        service_fn(move |request: Request<Incoming>| {
            let on_the_way = watch.request(request.version() == Version::HTTP_2);
            answer(router.clone(), request, peer, limits.request_time, on_the_way)
        })
    };
    let mut builder = Builder::new(TokioExecutor::new());
    // No timers for hyper: its bound on heads also runs while a connection waits for a request; ours tell the two apart.
    builder.http1().max_buf_size(limits.header_bytes.max(LEAST_BUFFER));
    builder
        .http2()
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.streams);
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut end = pin!(async move {
        // An error: whoever would have told us is gone, and so the listener is.
        let _ = ending.wait_for(|is_ending| *is_ending).await;
    });
    let mut has_ended = false;
    let late = poll_fn({
        let mut timer = Box::pin(sleep_until(watch.deadline().0));
        let connection = &mut connection;
        move |context: &mut Context<'_>| {
            if !has_ended && end.as_mut().poll(context).is_ready() {
                has_ended = true;
                connection.as_mut().graceful_shutdown();
            }
            if let Poll::Ready(done) = connection.as_mut().poll(context) {
                if let Err(error) = done {
                    tracing::debug!(%error, "a connection broke");
                }
                return Poll::Ready(None);
            }
            loop {
                let (deadline, late) = watch.deadline();
                if timer.deadline() != deadline {
                    timer.as_mut().reset(deadline);
                }
                if timer.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                if watch.deadline().0 <= Instant::now() {
                    return Poll::Ready(Some(late));
                }
            }
        }
    });
    match late.await {
        None => {}
        // In order: the client learns that it has to open another.
        Some(Late::Idle) => {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(PARTING, connection).await;
        }
        Some(late) => tracing::debug!(?late, "a connection was cut"),
    }
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    peer: SocketAddr,
    within: Duration,
    on_the_way: OnTheWay,
) -> Result<Response<Counted>, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = match timeout(within, router.oneshot(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(impossible)) => match impossible {},
        Err(_) => response(&Reply::unavailable("the request took too long", 5)),
    };
    Ok(response.map(|body| Counted {
        body,
        _on_the_way: on_the_way,
    }))
}

/// The answers that the listener gives itself.
pub(super) fn response(reply: &Reply) -> Response<Body> {
    let mut response = Response::new(Body::from(reply.body()));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(outcome::CONTENT_TYPE));
    for (name, value) in &reply.headers {
        if let (Ok(name), Ok(value)) = (header::HeaderName::try_from(*name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}

/// A body that says, by being dropped, that its request is not on the way any more.
struct Counted {
    body: Body,
    _on_the_way: OnTheWay,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
