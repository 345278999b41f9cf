//! HTTP/1.1 on the wire: heads, and bodies that are read piece by piece.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

/// Longest head, chunk line and trailer.
const HEAD: usize = 64 << 10;

/// Bytes of a body that are held at once.
pub(super) const PIECE: usize = 256 << 10;

/// A connection, and what was read of it beyond what was asked for.
pub(super) struct Wire {
    pub(super) stream: TcpStream,
    ahead: Vec<u8>,
    taken: usize,
}

/// First line and headers.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) first: String,
    headers: Vec<(String, String)>,
}

/// How much of a body is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// So many bytes.
    Bytes(u64),
    /// Chunks; so many bytes of the one that is being read.
    Chunk { left: u64, is_first: bool },
    /// Until the connection ends.
    All,
}

fn wrong(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Wire {
        let _ = stream.set_nodelay(true);
        Wire {
            stream,
            ahead: Vec::new(),
            taken: 0,
        }
    }

    fn more(&mut self) -> io::Result<usize> {
        if self.taken == self.ahead.len() {
            self.ahead.clear();
            self.taken = 0;
        }
        let before = self.ahead.len();
        self.ahead.resize(before + (16 << 10), 0);
        let got = loop {
            match self.stream.read(&mut self.ahead[before..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                got => break got,
            }
        };
        self.ahead.truncate(before + got.as_ref().copied().unwrap_or(0));
        got
    }

    /// The next line without its end; nothing where the connection ends before it begins.
    fn line(&mut self) -> io::Result<Option<String>> {
        let mut looked = 0;
        loop {
            let rest = &self.ahead[self.taken..];
            if let Some(at) = rest[looked..].iter().position(|&byte| byte == b'\n') {
                let end = looked + at;
                let line = String::from_utf8_lossy(&rest[..end]).trim_end_matches('\r').to_owned();
                self.taken += end + 1;
                return Ok(Some(line));
            }
            looked = rest.len();
            if looked > HEAD {
                return Err(wrong("a line too long"));
            }
            if self.more()? == 0 {
                return if looked == 0 {
                    Ok(None)
                } else {
                    Err(ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }

    /// The next head; nothing where the connection ends before it.
    pub(super) fn head(&mut self) -> io::Result<Option<Head>> {
        let Some(first) = self.line()? else { return Ok(None) };
        let mut head = Head {
            first,
            headers: Vec::new(),
        };
        loop {
            let line = self.line()?.ok_or(ErrorKind::UnexpectedEof)?;
            if line.is_empty() {
                return Ok(Some(head));
            }
            let (name, value) = line.split_once(':').ok_or_else(|| wrong("no header"))?;
            head.headers.push((name.to_owned(), value.trim().to_owned()));
            if head.headers.len() > 200 {
                return Err(wrong("too many headers"));
            }
        }
    }

    /// Some bytes of a body; none at its end.
    pub(super) fn read(&mut self, left: &mut Left, into: &mut [u8]) -> io::Result<usize> {
        if let Left::Chunk { left: 0, is_first } = *left {
            *left = self.chunk(is_first)?;
        }
        let most = match *left {
            Left::Bytes(count) | Left::Chunk { left: count, .. } => {
                usize::try_from(count).map_or(into.len(), |count| count.min(into.len()))
            }
            Left::All => into.len(),
        };
        if most == 0 {
            return Ok(0);
        }
        let held = self.ahead.len() - self.taken;
        let got = if held > 0 {
            let count = held.min(most);
            into[..count].copy_from_slice(&self.ahead[self.taken..self.taken + count]);
            self.taken += count;
            count
        } else {
            self.stream.read(&mut into[..most])?
        };
        match left {
            _ if got == 0 && *left != Left::All => return Err(ErrorKind::UnexpectedEof.into()),
            Left::Bytes(count) | Left::Chunk { left: count, .. } => *count -= got as u64,
            Left::All => {}
        }
        Ok(got)
    }

    /// The line of the next chunk; at the end what is behind the last one is read, too.
    fn chunk(&mut self, is_first: bool) -> io::Result<Left> {
        if !is_first {
            self.line()?.ok_or(ErrorKind::UnexpectedEof)?;
        }
        let line = self.line()?.ok_or(ErrorKind::UnexpectedEof)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let left = u64::from_str_radix(digits, 16).map_err(|_| wrong("no length of a chunk"))?;
        if left > 0 {
            return Ok(Left::Chunk { left, is_first: false });
        }
        while !self.line()?.ok_or(ErrorKind::UnexpectedEof)?.is_empty() {}
        Ok(Left::Bytes(0))
    }
}

impl Head {
    pub(super) fn new(first: &str) -> Head {
        Head {
            first: first.to_owned(),
            headers: Vec::new(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(there, _)| there.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.headers.retain(|(there, _)| !there.eq_ignore_ascii_case(name));
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.into()));
    }

    pub(super) fn has(&self, name: &str, word: &str) -> bool {
        self.get(name)
            .is_some_and(|value| value.to_ascii_lowercase().contains(word))
    }

    pub(super) fn status(&self) -> u16 {
        let status = self.first.split(' ').nth(1);
        status.and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    pub(super) fn length(&self) -> Option<u64> {
        self.get("content-length")?.parse().ok()
    }

    pub(super) fn request_body(&self) -> Left {
        if self.has("transfer-encoding", "chunked") {
            return Left::Chunk {
                left: 0,
                is_first: true,
            };
        }
        Left::Bytes(self.length().unwrap_or(0))
    }

    pub(super) fn response_body(&self, method: &str) -> Left {
        let status = self.status();
        if method == "HEAD" || status < 200 || status == 204 || status == 304 {
            return Left::Bytes(0);
        }
        if self.has("transfer-encoding", "chunked") {
            return Left::Chunk {
                left: 0,
                is_first: true,
            };
        }
        self.length().map_or(Left::All, Left::Bytes)
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\r\n", self.first);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text + "\r\n"
    }
}

/// Where a body goes.
pub(super) struct Out<'a> {
    stream: &'a TcpStream,
    is_chunked: bool,
}

impl<'a> Out<'a> {
    /// Sends the head; the body is sent in chunks where the head says so.
    pub(super) fn begin(stream: &'a TcpStream, head: &Head) -> io::Result<Out<'a>> {
        let mut to = stream;
        to.write_all(head.text().as_bytes())?;
        Ok(Out {
            stream,
            is_chunked: head.has("transfer-encoding", "chunked"),
        })
    }

    pub(super) fn piece(&self, bytes: &[u8]) -> io::Result<()> {
        let mut to = self.stream;
        if bytes.is_empty() {
            return Ok(());
        }
        if !self.is_chunked {
            return to.write_all(bytes);
        }
        to.write_all(format!("{:x}\r\n", bytes.len()).as_bytes())?;
        to.write_all(bytes)?;
        to.write_all(b"\r\n")
    }

    pub(super) fn end(self) -> io::Result<()> {
        let mut to = self.stream;
        if self.is_chunked {
            to.write_all(b"0\r\n\r\n")
        } else {
            Ok(())
        }
    }
}
