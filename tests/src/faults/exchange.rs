//! One connection of a client: requests come, are passed on, and their answers come back, whole or not.

use std::io::{self, ErrorKind, Write as _};
use std::net::{Shutdown, TcpStream};

use super::change::{self, Change};
use super::wire::{Head, Left, Out, PIECE, Wire};
use super::{At, Class, Fault, Seen, Shared, answers, manifest, waits};
use crate::random::Random;

/// Most bytes of a request's body that are read of a request that is not passed on.
const DRAINED: u64 = 16 << 20;

/// Most bytes of a manifest that is changed.
const MANIFEST: usize = 128 << 20;

/// A request that has come.
pub(super) struct Request {
    pub(super) head: Head,
    pub(super) method: String,
    /// Path and query at the server.
    pub(super) target: String,
    pub(super) class: Class,
    pub(super) at: At,
    /// By a header of the client's.
    is_authorized: bool,
    pub(super) number: usize,
    pub(super) body: Left,
}

/// Both ends, and what decides.
pub(super) struct Exchange<'a> {
    pub(super) shared: &'a Shared,
    pub(super) client: &'a mut Wire,
    /// Kept for the next request.
    server: &'a mut Option<Wire>,
    pub(super) request: Request,
    pub(super) random: Random,
}

/// Whether the client may ask on over the same connection.
pub(super) type GoesOn = io::Result<bool>;

/// Serves a connection to its end.
pub(super) fn serve(shared: &Shared, stream: TcpStream, at: At) {
    let mut client = Wire::new(stream);
    let mut server = None;
    // Whatever is wrong with a connection ends it; the client sees that.
    while let Ok(Some(head)) = client.head() {
        if shared.lock().has_ended {
            break;
        }
        match one(shared, &mut client, &mut server, head, at) {
            Ok(true) => {}
            Ok(false) | Err(_) => break,
        }
    }
    let _ = client.stream.shutdown(Shutdown::Both);
}

fn one(shared: &Shared, client: &mut Wire, server: &mut Option<Wire>, head: Head, at: At) -> GoesOn {
    let wants_end = head.has("connection", "close") || head.first.ends_with("HTTP/1.0");
    let (request, fault, random) = take(shared, head, at)?;
    if request.head.has("expect", "100-continue") {
        client.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut exchange = Exchange {
        shared,
        client,
        server,
        request,
        random,
    };
    Ok(exchange.answer(fault)? && !wants_end)
}

/// Makes out what a request is, and takes it down.
fn take(shared: &Shared, mut head: Head, at: At) -> io::Result<(Request, Option<Fault>, Random)> {
    let mut words = head.first.split(' ');
    let (Some(method), Some(asked)) = (words.next(), words.next()) else {
        return Err(ErrorKind::InvalidData.into());
    };
    let (method, mut target) = (method.to_owned(), asked.to_owned());
    let is_authorized = head.get("authorization").is_some();
    let mut state = shared.lock();
    if let Some(rest) = target.strip_prefix("/again-") {
        target = rest
            .find('/')
            .map_or_else(|| "/".to_owned(), |at| rest[at..].to_owned());
    }
    let path = target.split('?').next().unwrap_or_default().to_owned();
    if at == At::Other
        && let Some(signed) = state.signed.get(&path).cloned()
    {
        target = signed.target;
        // Two ways of being let in are one too many; the server is not asked then.
        if let (Some(authorization), false) = (signed.authorization, is_authorized) {
            head.set("Authorization", authorization);
        }
    }
    let plain = target.split('?').next().unwrap_or_default();
    let class = class_of(&method, plain);
    if class == Class::File {
        state.asked.insert(last_part(plain).to_owned());
    }
    let number = state.seen.len();
    let (fault, random) = if state.is_calm {
        (None, Random::new(0))
    } else {
        shared.faults.draw(state.seed, number, (class, at, is_authorized))
    };
    state.seen.push(Seen {
        method: method.clone(),
        path,
        class,
        at,
        authorized: is_authorized,
        has_range: head.get("range").is_some(),
        fault: None,
        detail: String::new(),
        status: 0,
    });
    drop(state);
    shared.changed.notify_all();
    let body = head.request_body();
    let request = Request {
        head,
        method,
        target,
        class,
        at,
        is_authorized,
        number,
        body,
    };
    Ok((request, fault, random))
}

fn class_of(method: &str, path: &str) -> Class {
    if method == "DELETE" {
        Class::Delete
    } else if path.ends_with("$export") || path.ends_with("%24export") {
        Class::Kickoff
    } else if path.contains("/bulk-export/jobs/") {
        Class::Status
    } else if path.contains("/bulk-export/") {
        Class::File
    } else if path.ends_with("/token") {
        Class::Token
    } else {
        Class::Other
    }
}

/// What names a file, whatever stands before it.
pub(super) fn last_part(url: &str) -> &str {
    let url = url.split('?').next().unwrap_or_default();
    url.rsplit('/').next().unwrap_or_default()
}

impl Exchange<'_> {
    fn answer(&mut self, fault: Option<Fault>) -> GoesOn {
        if self.request.at == At::Other && self.request.is_authorized {
            return self.say(400, &[], "only one way of being let in is allowed");
        }
        match fault {
            Some(Fault::Delay) => {
                let length = 1 + self.random.below(60);
                self.did(Fault::Delay, format!("{length} ms"));
                self.shared.pause(std::time::Duration::from_millis(length));
                self.pass(None)
            }
            Some(Fault::Drop) if self.random.one_in(2) => {
                self.did(Fault::Drop, "before the server was asked".to_owned());
                Ok(false)
            }
            Some(Fault::Refuse) => self.refuse(),
            Some(Fault::Expire) => self.expire(),
            Some(Fault::Redirect) => self.redirect(),
            Some(Fault::Html) => self.html(),
            Some(Fault::Hang) => self.hang(),
            fault => self.pass(fault),
        }
    }

    /// Takes down what has been done.
    pub(super) fn did(&self, fault: Fault, detail: String) {
        self.shared.note(self.request.number, |seen| {
            seen.fault = Some(fault);
            seen.detail = detail;
        });
    }

    pub(super) fn told(&self, status: u16) {
        self.shared.note(self.request.number, |seen| seen.status = status);
    }

    /// Reads what the client still sends of its request.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        let mut piece = vec![0; 64 << 10];
        let mut most = DRAINED;
        loop {
            let got = self.client.read(&mut self.request.body, &mut piece)?;
            if got == 0 {
                return Ok(());
            }
            most = most.checked_sub(got as u64).ok_or(ErrorKind::InvalidData)?;
        }
    }

    /// Asks the server, and gives the client its answer, or what becomes of it.
    fn pass(&mut self, fault: Option<Fault>) -> GoesOn {
        let Some(mut head) = self.ask()? else {
            return self.say(503, &[], "there is no server behind the proxy");
        };
        let mut left = head.response_body(&self.request.method);
        self.told(head.status());
        head.remove("connection");
        head.remove("keep-alive");
        match fault {
            Some(Fault::Drop) => {
                self.did(Fault::Drop, "after the server was asked".to_owned());
                return Ok(false);
            }
            Some(Fault::OddWait) if head.status() == 202 => self.odd_wait(&mut head),
            Some(Fault::ChangeManifest | Fault::HugeManifest) if head.status() == 200 => {
                return self.change_manifest(fault == Some(Fault::HugeManifest), head, left);
            }
            Some(Fault::Endless) if head.status() == 200 => return answers::endless(self, head, left),
            _ => {}
        }
        let change = Change::of(fault, &head, &mut self.random);
        if let (Some(fault), Some(change)) = (fault, &change) {
            self.did(fault, change.detail());
        }
        self.send(head, &mut left, change)
    }

    fn odd_wait(&mut self, head: &mut Head) {
        let wait = waits::odd(&mut self.random);
        head.remove("retry-after");
        self.did(Fault::OddWait, format!("{wait:?}"));
        if let Some(wait) = wait {
            head.set("Retry-After", wait);
        }
    }

    fn send(&mut self, mut head: Head, left: &mut Left, change: Option<Change>) -> GoesOn {
        if *left == Left::All {
            // The end of the connection would be the only one there is.
            head.set("Transfer-Encoding", "chunked");
        }
        let change = change.unwrap_or(Change::Nothing);
        change.head(&mut head);
        let out = Out::begin(&self.client.stream, &head)?;
        let mut server = self.server.take().ok_or(ErrorKind::NotConnected)?;
        let goes_on = change::body(self.shared, &mut server, left, out, change)?;
        let is_reusable = !matches!(left, Left::All) && !head.first.starts_with("HTTP/1.0");
        if goes_on && is_reusable {
            *self.server = Some(server);
        }
        Ok(goes_on)
    }

    /// Hands out the server's body piece by piece.
    pub(super) fn copy(&mut self, left: &mut Left, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut server = self.server.take().ok_or(ErrorKind::NotConnected)?;
        let mut piece = vec![0; PIECE];
        loop {
            let got = server.read(left, &mut piece)?;
            if got == 0 {
                break;
            }
            take(&piece[..got])?;
        }
        if *left != Left::All {
            *self.server = Some(server);
        }
        Ok(())
    }

    fn change_manifest(&mut self, is_huge: bool, mut head: Head, mut left: Left) -> GoesOn {
        let mut body = Vec::new();
        self.copy(&mut left, |piece| {
            body.extend_from_slice(piece);
            if body.len() > MANIFEST {
                Err(ErrorKind::InvalidData.into())
            } else {
                Ok(())
            }
        })?;
        let is_known = |file: &str| self.shared.lock().asked.contains(file);
        let changed = if is_huge {
            manifest::huge(&body, &mut self.random).map(|made| (Fault::HugeManifest, made))
        } else {
            manifest::changed(&body, self.request.number, is_known, &mut self.random)
                .map(|made| (Fault::ChangeManifest, made))
        };
        let body = match changed {
            Some((fault, (detail, made))) => {
                self.did(fault, detail.to_owned());
                made
            }
            None => body,
        };
        head.remove("transfer-encoding");
        head.set("Content-Length", body.len().to_string());
        let out = Out::begin(&self.client.stream, &head)?;
        for piece in body.chunks(PIECE) {
            out.piece(piece)?;
            self.shared.count(piece.len());
        }
        Ok(true)
    }

    /// Sends the request to the server; gives the head of the answer, or nothing where there is no server.
    fn ask(&mut self) -> io::Result<Option<Head>> {
        let Some(target) = self.shared.lock().target.clone() else {
            self.drain()?;
            return Ok(None);
        };
        let request = &self.request;
        let mut head = request.head.clone();
        head.first = format!("{} {} HTTP/1.1", request.method, request.target);
        head.set("Host", format!("127.0.0.1:{}", self.shared.main));
        for name in ["connection", "keep-alive", "expect"] {
            head.remove(name);
        }
        if request.class == Class::Status {
            // It may have to be read here.
            head.remove("accept-encoding");
        }
        let has_body = request.body != Left::Bytes(0);
        // A connection that was kept may have been ended by the server meanwhile; what has a body is sent only once.
        if !has_body
            && let Some(mut kept) = self.server.take()
            && let Ok(()) = kept.stream.write_all(head.text().as_bytes())
            && let Ok(Some(answer)) = final_head(&mut kept)
        {
            *self.server = Some(kept);
            return Ok(Some(answer));
        }
        let Ok(stream) = TcpStream::connect(&target) else {
            self.drain()?;
            return Ok(None);
        };
        let mut server = Wire::new(stream);
        let out = Out::begin(&server.stream, &head)?;
        let mut piece = vec![0; if has_body { PIECE } else { 0 }];
        loop {
            let got = self.client.read(&mut self.request.body, &mut piece)?;
            if got == 0 {
                break;
            }
            out.piece(&piece[..got])?;
        }
        out.end()?;
        let answer = final_head(&mut server)?.ok_or(ErrorKind::UnexpectedEof)?;
        *self.server = Some(server);
        Ok(Some(answer))
    }
}

/// The head of the answer, without those that only say that it is being worked on.
fn final_head(server: &mut Wire) -> io::Result<Option<Head>> {
    loop {
        match server.head()? {
            Some(head) if (100..200).contains(&head.status()) => {}
            head => return Ok(head),
        }
    }
}
