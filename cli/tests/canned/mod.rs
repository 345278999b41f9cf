//! A server that answers what a test wants, and remembers what it was asked.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn is(&self, start: &str) -> bool {
        format!("{} {}", self.method, self.target).starts_with(start)
    }
}

/// An answer. A body that is cut ends the connection behind so many bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) cut: Option<usize>,
    /// The head does not say how long the body is: it ends with the connection.
    pub(crate) open_ended: bool,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Reply {
        Reply {
            status,
            body: body.into(),
            ..Reply::default()
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

type Handler = dyn Fn(&Asked, &str) -> Reply + Send + Sync;

/// The server; it ends with the test.
pub(crate) struct Canned {
    pub(crate) origin: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    over: Arc<AtomicBool>,
}

impl Canned {
    /// Answers with `handler`, which gets the request and the server's own origin.
    pub(crate) fn start(handler: impl Fn(&Asked, &str) -> Reply + Send + Sync + 'static) -> Canned {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let (asked, over) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let handler: Arc<Handler> = Arc::new(handler);
        let canned = Canned {
            origin: origin.clone(),
            asked: Arc::clone(&asked),
            over: Arc::clone(&over),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let (handler, asked, origin) = (handler.clone(), asked.clone(), origin.clone());
                std::thread::spawn(move || serve(&stream, &*handler, &asked, &origin));
            }
        });
        canned
    }

    /// Everything that it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    /// How often it was asked what begins so.
    pub(crate) fn times(&self, start: &str) -> usize {
        self.asked().iter().filter(|asked| asked.is(start)).count()
    }
}

impl Drop for Canned {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let address = self.origin.trim_start_matches("http://");
        drop(TcpStream::connect(address));
    }
}

/// One connection, request after request. A client that goes away ends it.
fn serve(stream: &TcpStream, handler: &Handler, asked: &Mutex<Vec<Asked>>, origin: &str) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let request = read(&mut reader)?;
        asked.lock().expect("no panic").push(request.clone());
        let reply = handler(&request, origin);
        let mut head = format!("HTTP/1.1 {} answer\r\n", reply.status);
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !reply.open_ended
            && !reply
                .headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        {
            head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
        }
        head.push_str("\r\n");
        let mut writer = stream;
        writer.write_all(head.as_bytes()).ok()?;
        let length = reply.cut.unwrap_or(reply.body.len());
        writer.write_all(&reply.body[..length]).ok()?;
        if reply.cut.is_some() || reply.open_ended {
            stream.shutdown(std::net::Shutdown::Both).ok()?;
            return None;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap_or(0));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked {
        method,
        target,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// A job that is done at once, with one file of these lines; `other` answers first.
pub(crate) fn server(
    lines: &'static str,
    other: impl Fn(&Asked, &str) -> Option<Reply> + Send + Sync + 'static,
) -> Canned {
    Canned::start(move |asked, origin| {
        if let Some(reply) = other(asked, origin) {
            return reply;
        }
        let manifest = serde_json::json!({
            "transactionTime": "2024-01-01T00:00:00Z",
            "request": format!("{origin}/fhir/$export"),
            "requiresAccessToken": true,
            "output": [{ "type": "Patient", "url": format!("{origin}/files/1") }],
            "error": [],
        });
        match asked.target.as_str() {
            "/job" if asked.method == "DELETE" => Reply::new(202, ""),
            "/job" => Reply::new(200, manifest.to_string()).with("content-type", "application/json"),
            "/files/1" => Reply::new(200, lines).with("content-type", "application/fhir+ndjson"),
            target if target.contains("$export") => {
                Reply::new(202, "").with("content-location", format!("{origin}/job"))
            }
            _ => Reply::new(404, ""),
        }
    })
}
