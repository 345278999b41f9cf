//! The loop that takes connections, how many there may be, and the end of all of them.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::Limits;
use super::connection::{self, Shared};
use crate::outcome::{self, Reply};

/// How many are told at once that there are too many; those beyond are closed without a word.
const REFUSALS: usize = 64;

/// How long one may take to hear it.
const REFUSAL_TIME: Duration = Duration::from_secs(1);

/// How long nothing is accepted after the system had no file for a connection.
const BREATHER: Duration = Duration::from_millis(100);

/// How many connections the system keeps until they are taken. The usual 1,024 overflow where a thousand clients come at
/// once, and each that does not fit waits for a second before it tries again.
const BACKLOG: u32 = 4096;

/// A listener at an address.
///
/// # Errors
///
/// Where the system does not give it out.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // Else an address cannot be had again for minutes after a server ended. Elsewhere it would let two servers share it.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves the router to everybody who connects, by HTTP/1.1 and HTTP/2, until `shutdown` is ready: then nobody is taken
/// any more, requests on the way get `limits.drain_time` to end, and what is left of them is cut.
///
/// Requests carry the client's address as [`axum::extract::ConnectInfo`] of a [`SocketAddr`].
///
/// # Errors
///
/// Where the listener itself fails for good. A connection that fails is none of its errors.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let tls = tls.map(TlsAcceptor::from);
    let places = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let (end, ending) = watch::channel(false);
    let shared = Shared { router, limits, ending };
    let mut tasks = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    let result = loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break Ok(()),
            Some(ended) = tasks.join_next() => {
                note(ended);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_client(&error) => continue,
            Err(error) if is_shortage(&error) => {
                tracing::warn!(%error, "no connection can be taken just now");
                sleep(BREATHER).await;
                continue;
            }
            Err(error) => break Err(error),
        };
        // Heads and last pieces are not to wait for more.
        let _ = stream.set_nodelay(true);
        match (Arc::clone(&places).try_acquire_owned(), &tls) {
            (Ok(place), _) => {
                tasks.spawn(connect(stream, peer, tls.clone(), shared.clone(), place));
            }
            (Err(_), None) => {
                if let Ok(permit) = Arc::clone(&refusals).try_acquire_owned() {
                    tasks.spawn(refuse(stream, permit));
                }
            }
            // To say it would take a handshake, which costs more than the request.
            (Err(_), Some(_)) => {}
        }
    };
    drop(listener);
    drop(shared);
    // Nobody is left to hear it where there are no connections.
    let _ = end.send(true);
    let drained = timeout(limits.drain_time, async {
        while let Some(ended) = tasks.join_next().await {
            note(ended);
        }
    });
    if drained.await.is_err() {
        tracing::warn!(connections = tasks.len(), "connections were cut at the end");
        tasks.shutdown().await;
    }
    result
}

async fn connect(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    shared: Shared,
    _place: OwnedSemaphorePermit,
) {
    let Some(tls) = tls else {
        return connection::run(stream, peer, shared).await;
    };
    let mut ending = shared.ending.clone();
    let handshake = timeout(shared.limits.handshake_time, tls.accept(stream));
    let shaken = tokio::select! {
        shaken = handshake => shaken,
        _ = ending.wait_for(|is_ending| *is_ending) => return,
    };
    match shaken {
        Ok(Ok(stream)) => connection::run(stream, peer, shared).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

/// Tells a client that there are too many, and waits for it to have read that: closing with its request unread would
/// take the answer away again.
async fn refuse(mut stream: TcpStream, _permit: OwnedSemaphorePermit) {
    let reply = Reply::unavailable("there are too many connections", 5);
    let (body, media_type) = (reply.body(), outcome::CONTENT_TYPE);
    let mut answer = String::from("HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n");
    for (name, value) in &reply.headers {
        answer.push_str(&format!("{}: {value}\r\n", name.to_ascii_lowercase()));
    }
    answer.push_str(&format!(
        "content-type: {media_type}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ));
    let _ = timeout(REFUSAL_TIME, async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        let mut unread = [0; 4096];
        while stream.read(&mut unread).await? > 0 {}
        Ok::<_, io::Error>(())
    })
    .await;
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        // The panic's own text went to the panic hook; what it holds is not for this log.
        tracing::error!("a connection ended by a panic");
    }
}

/// A client that was gone before it was taken.
fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

/// No files, no memory: others may end and give some back.
fn is_shortage(error: &io::Error) -> bool {
    /// `ENOMEM`, `ENFILE`, `EMFILE`, `ENOBUFS` (Linux, then BSD and macOS).
    const SHORTAGES: [i32; 5] = [12, 23, 24, 105, 55];
    error.kind() == io::ErrorKind::OutOfMemory || error.raw_os_error().is_some_and(|code| SHORTAGES.contains(&code))
}
