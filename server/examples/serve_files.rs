//! How fast files go out: serves one file over loopback to several clients at once, each with its own raw socket.
//!
//! `serve_files FILE [CLIENTS] [ROUNDS] [identity|gzip]`; a name that ends in `.gz` is a file stored as gzip. Every
//! client counts the bytes it gets, and compares their number with the length said, where one is said.
//!
//! `serve_files FILE 0 [CERTIFICATE KEY]` prints its address and serves other clients until its input ends.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, UNIX_EPOCH};

use axum::Router;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use fhirehose_server::files::{Served, Stored, send};
use fhirehose_server::net::{Limits, bind, serve, tls};
use fhirehose_store::{Folder, StoredFile};
use tokio::sync::oneshot;

struct Shelf {
    path: String,
    stored: StoredFile,
    coding: Stored,
}

async fn answer(shelf: Arc<Shelf>, method: Method, headers: HeaderMap) -> Response {
    let Ok(file) = File::open(&shelf.path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let served = Served {
        file,
        stored: &shelf.stored,
        coding: shelf.coding,
        modified: UNIX_EPOCH,
        content_type: "application/fhir+ndjson",
        hold: Box::new(()),
    };
    match send(served, &method, &headers).await {
        Ok(response) => response,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn download(address: SocketAddr, coding: &str) -> io::Result<u64> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET / HTTP/1.1\r\nhost: x\r\naccept-encoding: {coding}\r\nconnection: close\r\n\r\n"
    )?;
    let mut piece = vec![0; 256 << 10];
    let (mut head, mut got) = (Vec::new(), 0);
    loop {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            break;
        }
        got += count as u64;
        if head.len() < 4096 {
            head.extend_from_slice(&piece[..count.min(4096)]);
        }
    }
    let end = head.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.ok_or_else(|| io::Error::other("no head"))? + 4;
    let text = String::from_utf8_lossy(&head[..end]);
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse::<u64>().ok());
    let got = got - end as u64;
    if !text.starts_with("HTTP/1.1 200") || length.is_some_and(|length| length != got) {
        return Err(io::Error::other("not the whole file"));
    }
    Ok(got)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next() else {
        writeln!(
            io::stderr(),
            "usage: serve_files FILE [CLIENTS [ROUNDS [CODING]]]; nothing was served"
        )?;
        return Ok(());
    };
    let clients: usize = arguments.next().map_or(Ok(8), |text| text.parse())?;
    let rest: Vec<String> = arguments.collect();
    let stored = StoredFile {
        id: "id".to_owned(),
        name: "Observation.000.ndjson".to_owned(),
        folder: Folder::Output,
        resource_type: None,
        continues_in: None,
        count: 0,
        bytes: std::fs::metadata(&path)?.len(),
        sha256: [0; 32],
    };
    let is_gzip = path.ends_with(".gz");
    let shelf = Arc::new(Shelf {
        path,
        stored,
        coding: if is_gzip { Stored::Gzip } else { Stored::Plain },
    });
    let router = Router::new().route("/", get(move |method, headers| answer(shelf, method, headers)));
    let runtime = tokio::runtime::Runtime::new()?;
    let listener = {
        let _inside = runtime.enter();
        bind(SocketAddr::from(([127, 0, 0, 1], 0)))?
    };
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let tls = match rest.as_slice() {
        [certificate, key] if clients == 0 => Some(tls::load(Path::new(certificate), Path::new(key))?),
        _ => None,
    };
    let server = runtime.spawn(serve(listener, tls, router, Limits::default(), async {
        let _ = stopped.await;
    }));
    if clients == 0 {
        writeln!(io::stdout(), "{address}")?;
        io::copy(&mut io::stdin(), &mut io::sink())?;
    } else {
        let rounds: usize = rest.first().map_or(Ok(1), |text| text.parse())?;
        let coding = rest.get(1).map_or("identity", String::as_str);
        for _ in 0..rounds {
            round(address, clients, coding)?;
        }
    }
    let _ = stop.send(());
    runtime.block_on(server)??;
    Ok(())
}

fn round(address: SocketAddr, clients: usize, coding: &str) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let downloads: Vec<_> = (0..clients)
        .map(|_| {
            let coding = coding.to_owned();
            std::thread::spawn(move || download(address, &coding))
        })
        .collect();
    let mut bytes = 0;
    for download in downloads {
        bytes += download.join().map_err(|_| "a client panicked")??;
    }
    let seconds = began.elapsed().as_secs_f64();
    let speed = bytes as f64 / seconds / 1e9;
    writeln!(
        io::stdout(),
        "{clients} clients: {bytes} bytes in {seconds:.3} s, {speed:.2} GB/s"
    )?;
    Ok(())
}
