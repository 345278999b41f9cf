//! The listener on loopback, with clients that behave and clients that do not.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, Version};
use axum::routing::{get, post};
use bytes::Bytes;
use fhirehose_store::{Folder, StoredFile};
use futures_util::stream;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};

use super::tls::{TlsFault, load};
use super::{BodyFault, Limits, bind, read_body, serve};
use crate::files::{Served, Stored, send};

/// Long enough for a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);

/// Short, where a test waits for the end of a span.
const SHORT: Duration = Duration::from_millis(80);

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const LAST_GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<io::Result<()>>,
}

impl Running {
    async fn start(router: Router, limits: Limits, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(listener, tls, router, limits, async {
            let _ = stopped.await;
        }));
        Running {
            address,
            stop: Some(stop),
            task,
        }
    }

    async fn hello(limits: Limits) -> Self {
        Running::start(hello(), limits, None).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// Sends, and reads until the server ends the connection.
    async fn say(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.expect("sent");
        until_end(&mut stream).await
    }

    fn stop(&mut self) {
        let stop = self.stop.take().expect("stopped once");
        stop.send(()).expect("the listener runs");
    }

    async fn ended(self) {
        let ended = timeout(PATIENCE, self.task).await.expect("the listener ends");
        ended.expect("no panic").expect("no error");
    }
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

async fn until_end(stream: &mut TcpStream) -> String {
    let mut got = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut got)).await;
    // A connection that was cut may end by a reset.
    let _ = read.expect("the server ends the connection");
    String::from_utf8_lossy(&got).into_owned()
}

/// Reads as far as the given text.
async fn until(stream: &mut TcpStream, end: &str) {
    let mut got = Vec::new();
    while !got.ends_with(end.as_bytes()) {
        let byte = timeout(PATIENCE, stream.read_u8()).await.expect("more");
        got.push(byte.expect("more"));
    }
}

#[tokio::test]
async fn requests_are_answered_one_after_the_other_on_one_connection() {
    let who = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() };
    let server = Running::start(Router::new().route("/", get(who)), Limits::default(), None).await;
    let answers = server.say(&[GET, LAST_GET].concat()).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    assert!(answers.ends_with("127.0.0.1"), "{answers}");
}

#[tokio::test]
async fn a_head_that_does_not_come_is_cut() {
    let limits = Limits {
        header_time: SHORT,
        ..Limits::default()
    };
    let server = Running::hello(limits).await;
    for begun in ["", "G", "GET / HTTP/1.1\r\nhost: x\r\nslow: "] {
        assert_eq!(server.say(begun.as_bytes()).await, "", "{begun:?}");
    }
    // Not the first head of its connection.
    let mut stream = server.connect().await;
    stream.write_all(GET).await.expect("sent");
    until(&mut stream, "hello").await;
    stream.write_all(b"GET / HTT").await.expect("sent");
    assert_eq!(until_end(&mut stream).await, "");
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_after_a_while() {
    let limits = Limits {
        idle_time: SHORT,
        ..Limits::default()
    };
    let server = Running::hello(limits).await;
    let answer = server.say(GET).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn hundreds_of_idle_connections_do_not_stop_a_request() {
    let server = Running::hello(Limits::default()).await;
    let mut idle = Vec::new();
    for index in 0..400 {
        let mut stream = server.connect().await;
        if index % 2 == 0 {
            stream.write_all(b"GET /").await.expect("sent");
        }
        idle.push(stream);
    }
    assert!(server.say(LAST_GET).await.ends_with("hello"));
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_until_there_is_a_place() {
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let server = Running::hello(limits).await;
    let mut first = server.connect().await;
    first.write_all(GET).await.expect("sent");
    until(&mut first, "hello").await;
    let refused = server.say(LAST_GET).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("\r\nretry-after: 5\r\n"), "{refused}");
    assert!(refused.contains("OperationOutcome"), "{refused}");
    // By the time the server has ended the connection, its place is given back.
    first.write_all(LAST_GET).await.expect("sent");
    until_end(&mut first).await;
    let served = timeout(PATIENCE, async {
        while !server.say(LAST_GET).await.ends_with("hello") {}
    });
    served.await.expect("there is a place again");
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused_with_431() {
    let limits = Limits {
        header_bytes: 8 << 10,
        ..Limits::default()
    };
    let server = Running::hello(limits).await;
    let request = |length: usize| {
        let long = "x".repeat(length);
        format!("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nlong: {long}\r\n\r\n")
    };
    let fits = server.say(request(4 << 10).as_bytes()).await;
    assert!(fits.starts_with("HTTP/1.1 200"), "{fits}");
    let refused = server.say(request(9 << 10).as_bytes()).await;
    assert!(refused.starts_with("HTTP/1.1 431"), "{refused}");
    let nonsense = server.say(b"\x16\x03\x01 nonsense\r\n\r\n").await;
    assert!(nonsense.starts_with("HTTP/1.1 400"), "{nonsense}");
}

#[tokio::test]
async fn a_request_that_is_cut_in_the_middle_is_broken_and_hurts_nobody() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let read = move |request: Request<Body>| async move {
        let read = read_body(request.into_body(), 100, PATIENCE).await;
        tell.send(read).expect("heard");
        "read"
    };
    let server = Running::start(hello().route("/read", post(read)), Limits::default(), None).await;
    let mut stream = server.connect().await;
    let head = b"POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345";
    stream.write_all(head).await.expect("sent");
    drop(stream);
    let read = timeout(PATIENCE, told.recv()).await.expect("in time");
    assert_eq!(read, Some(Err(BodyFault::Broken)));
    assert!(server.say(LAST_GET).await.ends_with("hello"));
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered_503() {
    let limits = Limits {
        request_time: SHORT,
        ..Limits::default()
    };
    let router = Router::new().route("/", get(pending::<&'static str>));
    let server = Running::start(router, limits, None).await;
    let answer = server.say(LAST_GET).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("OperationOutcome"), "{answer}");
}

/// A body without end, that tells when it is dropped.
fn endless(dropped: mpsc::UnboundedSender<()>) -> Body {
    struct Tell(mpsc::UnboundedSender<()>);
    impl Drop for Tell {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let tell = Tell(dropped);
    let pieces = stream::iter(std::iter::repeat_with(move || {
        let _ = &tell;
        Ok::<_, io::Error>(Bytes::from(vec![b'x'; 64 << 10]))
    }));
    Body::from_stream(pieces)
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_cut() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let router = Router::new().route("/", get(move || async move { endless(tell) }));
    let limits = Limits {
        stall_time: SHORT,
        ..Limits::default()
    };
    let server = Running::start(router, limits, None).await;
    let mut stream = server.connect().await;
    stream.write_all(GET).await.expect("sent");
    timeout(PATIENCE, told.recv()).await.expect("the answer is given up");
    drop(stream);
}

#[tokio::test]
async fn a_file_that_gets_shorter_on_the_way_ends_its_connection_before_the_length_said() {
    const SAID: u64 = 64 << 20;
    let file = Arc::new(tempfile::tempfile().expect("a file"));
    file.set_len(SAID).expect("a length");
    let opened = Arc::clone(&file);
    let handler = move |method: Method, headers: HeaderMap| async move {
        let stored = StoredFile {
            id: "id".into(),
            name: "Patient.ndjson".into(),
            folder: Folder::Output,
            resource_type: None,
            continues_in: None,
            count: 1,
            bytes: SAID,
            sha256: [0; 32],
        };
        let served = Served {
            file: opened.try_clone().expect("the file"),
            stored: &stored,
            coding: Stored::Plain,
            modified: UNIX_EPOCH,
            content_type: "application/fhir+ndjson",
            hold: Box::new(()),
        };
        send(served, &method, &headers).await.expect("an answer")
    };
    let server = Running::start(Router::new().route("/", get(handler)), Limits::default(), None).await;
    let mut stream = server.connect().await;
    stream.write_all(GET).await.expect("sent");
    until(&mut stream, "\r\n\r\n").await;
    file.set_len(SAID / 2).expect("another length");
    let got = until_end(&mut stream).await.len() as u64;
    assert!(got <= SAID / 2, "{got}");
}

/// A body whose second half comes when it is told to.
fn in_halves() -> (Router, oneshot::Sender<()>) {
    let (go_on, second) = oneshot::channel::<()>();
    let second = Arc::new(Mutex::new(Some(second)));
    let handler = move || async move {
        let second = second.lock().expect("no panic").take().expect("asked once");
        Body::from_stream(stream::unfold((0, Some(second)), |(at, second)| async move {
            match (at, second) {
                (0, second) => Some((Ok::<_, io::Error>(Bytes::from("first ")), (1, second))),
                (1, Some(second)) => {
                    let _ = second.await;
                    Some((Ok(Bytes::from("second")), (2, None)))
                }
                _ => None,
            }
        }))
    };
    (hello().route("/halves", get(handler)), go_on)
}

const GET_HALVES: &[u8] = b"GET /halves HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn a_shutdown_lets_a_download_end_and_closes_idle_connections() {
    let (router, go_on) = in_halves();
    let mut server = Running::start(router, Limits::default(), None).await;
    let mut idle = server.connect().await;
    idle.write_all(GET).await.expect("sent");
    until(&mut idle, "hello").await;
    let mut download = server.connect().await;
    download.write_all(GET_HALVES).await.expect("sent");
    until(&mut download, "first \r\n").await;
    server.stop();
    assert_eq!(until_end(&mut idle).await, "", "nothing was on the way");
    assert!(
        TcpStream::connect(server.address).await.is_err(),
        "nobody is taken any more"
    );
    assert!(!server.task.is_finished());
    go_on.send(()).expect("the body waits");
    assert_eq!(until_end(&mut download).await, "6\r\nsecond\r\n0\r\n\r\n");
    server.ended().await;
}

#[tokio::test]
async fn a_shutdown_cuts_what_has_not_ended_by_its_deadline() {
    let limits = Limits {
        drain_time: SHORT,
        ..Limits::default()
    };
    let (router, _go_on) = in_halves();
    let mut server = Running::start(router, limits, None).await;
    let mut download = server.connect().await;
    download.write_all(GET_HALVES).await.expect("sent");
    until(&mut download, "first \r\n").await;
    server.stop();
    assert_eq!(until_end(&mut download).await, "", "not even the end of its coding");
    server.ended().await;
}

/// A certificate of localhost and its key, in one folder, and who trusts it.
struct Certified {
    folder: tempfile::TempDir,
    key: rcgen::KeyPair,
    trust: RootCertStore,
}

impl Certified {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        let mut trust = RootCertStore::empty();
        trust.add(made.cert.der().clone()).expect("a certificate");
        let it = Certified {
            folder,
            key: made.signing_key,
            trust,
        };
        it.write("cert.pem", &made.cert.pem());
        it.write("key.pem", &it.key.serialize_pem());
        it
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("written");
    }

    fn load(&self, certificates: &str, key: &str) -> Result<Arc<ServerConfig>, TlsFault> {
        load(&self.folder.path().join(certificates), &self.folder.path().join(key))
    }

    async fn connect(
        &self,
        server: &Running,
        protocol: &str,
    ) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(self.trust.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::new(config))
            .connect(name, server.connect().await)
            .await
    }
}

#[tokio::test]
async fn http_1_and_http_2_are_spoken_over_tls() {
    let certified = Certified::new();
    let tls = certified.load("cert.pem", "key.pem").expect("TLS");
    let mut server = Running::start(hello(), Limits::default(), Some(tls)).await;

    let mut stream = certified.connect(&server, "http/1.1").await.expect("a handshake");
    stream.write_all(LAST_GET).await.expect("sent");
    let mut got = String::new();
    let read = timeout(PATIENCE, stream.read_to_string(&mut got)).await;
    read.expect("in time").expect("closed in order");
    assert!(got.starts_with("HTTP/1.1 200") && got.ends_with("hello"), "{got}");

    let stream = certified.connect(&server, "h2").await.expect("a handshake");
    let io = TokioIo::new(stream);
    let made = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await;
    let (mut sender, connection) = made.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    for _ in 0..3 {
        let request = Request::get("https://localhost/")
            .body(Empty::<Bytes>::new())
            .expect("a request");
        let response = sender.send_request(request).await.expect("a response");
        assert_eq!(
            (response.status(), response.version()),
            (StatusCode::OK, Version::HTTP_2)
        );
        let body = response.into_body().collect().await.expect("a body");
        assert_eq!(body.to_bytes(), "hello");
    }
    server.stop();
    let ended = timeout(PATIENCE, connection).await.expect("the server says goodbye");
    ended.expect("no panic").expect("in order");
    server.ended().await;
}

#[tokio::test]
async fn handshakes_that_do_not_come_are_cut_and_plain_requests_fail() {
    let certified = Certified::new();
    let tls = certified.load("cert.pem", "key.pem").expect("TLS");
    let limits = Limits {
        handshake_time: SHORT,
        ..Limits::default()
    };
    let server = Running::start(hello(), limits, Some(tls)).await;
    assert_eq!(server.say(b"").await, "");
    assert!(!server.say(LAST_GET).await.contains("HTTP"));
    let stranger = Certified::new();
    assert!(stranger.connect(&server, "h2").await.is_err());
}

#[test]
fn keys_are_read_in_their_forms_and_faults_name_the_file() {
    let certified = Certified::new();
    let der = certified.key.serialize_der();
    // What is inside of PKCS #8 is the key in the form of SEC 1.
    let inner = [0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20];
    let at = der
        .windows(inner.len())
        .position(|window| window == inner)
        .expect("a P-256 key");
    let sec1 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &der[at..]);
    certified.write(
        "sec1.pem",
        &format!("-----BEGIN EC PRIVATE KEY-----\n{sec1}\n-----END EC PRIVATE KEY-----\n"),
    );
    assert!(matches!(
        PrivateKeyDer::try_from(&der[at..]),
        Ok(PrivateKeyDer::Sec1(_))
    ));
    assert!(certified.load("cert.pem", "sec1.pem").is_ok());

    certified.write("other.pem", &Certified::new().key.serialize_pem());
    certified.write("empty.pem", "");
    certified.write(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\n***\n-----END CERTIFICATE-----\n",
    );
    let fault = |certificates: &str, key: &str| certified.load(certificates, key).expect_err("a fault").to_string();
    for (certificates, key, expected) in [
        ("none.pem", "key.pem", "none.pem: "),
        ("cert.pem", "none.pem", "none.pem: "),
        ("empty.pem", "key.pem", "empty.pem: expected a certificate"),
        ("key.pem", "key.pem", "key.pem: expected a certificate"),
        (
            "cert.pem",
            "empty.pem",
            "empty.pem: expected an unencrypted private key",
        ),
        ("cert.pem", "cert.pem", "cert.pem: expected an unencrypted private key"),
        ("broken.pem", "key.pem", "broken.pem: not a PEM file"),
        (
            "cert.pem",
            "other.pem",
            "the key is not the key of the first certificate",
        ),
    ] {
        let told = fault(certificates, key);
        assert!(told.contains(expected), "{told}");
    }
}
