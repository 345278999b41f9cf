//! What the client is told instead of the server's answer.

use std::io::{self, ErrorKind, Write as _};
use std::time::{Duration, Instant};

use super::exchange::{Exchange, GoesOn};
use super::wire::{Head, Left, Out, PIECE};
use super::{Class, Fault, Faults, Signed, waits};

const PAGE: &str =
    "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n<body><p>Please sign in.</p></body></html>\n";

impl Exchange<'_> {
    /// A small answer of the proxy's own.
    pub(super) fn say(&mut self, status: u16, headers: &[(&str, &str)], text: &str) -> GoesOn {
        self.drain()?;
        let mut head = Head::new(&format!("HTTP/1.1 {status} Answer"));
        head.set("Content-Length", text.len().to_string());
        for (name, value) in headers {
            head.set(name, *value);
        }
        self.told(status);
        let text = if self.request.method == "HEAD" { "" } else { text };
        let mut to = &self.client.stream;
        to.write_all((head.text() + text).as_bytes())?;
        Ok(true)
    }

    pub(super) fn refuse(&mut self) -> GoesOn {
        let status = *self.random.pick(&[429, 500, 502, 503, 504]).unwrap_or(&503);
        let wait = waits::odd(&mut self.random);
        self.did(Fault::Refuse, format!("{status}, Retry-After {wait:?}"));
        let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"transient"}]}"#;
        let (text, media) = match self.random.below(3) {
            0 => (outcome, "application/fhir+json"),
            1 => (PAGE, "text/html"),
            _ => ("", "text/plain"),
        };
        let mut headers = vec![("Content-Type", media)];
        if let Some(wait) = &wait {
            headers.push(("Retry-After", wait));
        }
        self.say(status, &headers, text)
    }

    pub(super) fn expire(&mut self) -> GoesOn {
        self.did(Fault::Expire, String::new());
        let header = r#"Bearer error="invalid_token", error_description="The access token expired""#;
        self.say(401, &[("WWW-Authenticate", header)], "")
    }

    /// To a URL at the other origin that opens what was asked for, with or without a query that looks like a signature.
    pub(super) fn redirect(&mut self) -> GoesOn {
        let name = super::exchange::last_part(&self.request.target);
        let path = format!("/elsewhere-{:x}/{name}", self.random.next());
        let query = if self.random.one_in(2) {
            "?X-Signature=abc%2Fdef&Expires=1"
        } else {
            ""
        };
        self.did(Fault::Redirect, format!("to {path}{query}"));
        let signed = Signed {
            target: self.request.target.clone(),
            authorization: self.request.head.get("authorization").map(str::to_owned),
        };
        let location = format!("http://127.0.0.1:{}{path}{query}", self.shared.other);
        self.shared.lock().signed.insert(path, signed);
        self.say(307, &[("Location", &location)], "")
    }

    pub(super) fn html(&mut self) -> GoesOn {
        // Some say that it is what was asked for.
        let media = match self.request.class {
            Class::File if self.random.one_in(4) => "application/fhir+ndjson",
            Class::Status if self.random.one_in(4) => "application/json",
            _ => "text/html; charset=utf-8",
        };
        self.did(Fault::Html, media.to_owned());
        self.say(200, &[("Content-Type", media)], PAGE)
    }

    /// Says nothing until the client has had enough, or the time is over.
    pub(super) fn hang(&mut self) -> GoesOn {
        self.did(Fault::Hang, String::new());
        self.drain()?;
        let end = Instant::now() + self.shared.faults.hang;
        // Reading, because that ends when the client goes.
        self.client.stream.set_read_timeout(Some(Duration::from_millis(50)))?;
        while Instant::now() < end && !self.shared.is_over() {
            match self.client.stream.peek(&mut [0]) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                // A request behind the one that hangs waits.
                Ok(1..) => self.shared.pause(Duration::from_millis(50)),
                Ok(0) | Err(_) => break,
            }
        }
        Ok(false)
    }
}

/// The answer as it is, and then on and on.
pub(super) fn endless(exchange: &mut Exchange<'_>, mut head: Head, mut left: Left) -> GoesOn {
    let is_gzip = head.has("content-encoding", "gzip");
    head.remove("content-length");
    head.set("Transfer-Encoding", "chunked");
    let is_manifest = exchange.request.class == Class::Status;
    let filler = match (is_manifest, is_gzip) {
        (true, _) => vec![b' '; PIECE],
        (false, false) => lines(),
        (false, true) => stored(&lines())?,
    };
    exchange.did(Fault::Endless, String::new());
    let client = exchange.client.stream.try_clone()?;
    let out = Out::begin(&client, &head)?;
    let mut sent = 0;
    exchange.copy(&mut left, |piece| {
        // Of a manifest only the first brace comes before the spaces, or it would be whole.
        let piece = if !is_manifest {
            piece
        } else if sent == 0 {
            &piece[..1]
        } else {
            &[]
        };
        sent += piece.len() as u64;
        out.piece(piece)
    })?;
    while sent < Faults::ENDLESS && !exchange.shared.is_over() {
        out.piece(&filler)?;
        exchange.shared.count(filler.len());
        sent += filler.len() as u64;
    }
    Ok(false)
}

/// Lines that a file could have.
fn lines() -> Vec<u8> {
    let line = b"{\"resourceType\":\"Basic\",\"id\":\"endless\"}\n";
    line.repeat(PIECE / line.len())
}

/// A whole gzip member that holds the bytes as they are.
fn stored(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    to.write_all(bytes)?;
    to.finish()
}
