//! What a client asks of its driver, and what the driver tells it: plain data, no I/O.

use std::fmt;

use super::settings::Millis;
use crate::sink::FileKind;

/// Number of a request, for its answer.
pub type CallId = u64;

/// Number of a file in the order of the manifest's pages: `output`, `deleted`, `error` of the first page, then of the next.
pub type FileNo = usize;

/// What is to be done now. The driver asks [`Client::next`](super::Client::next) until it is told to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Append this line to the journal before anything else; with `sync` it must be safe from a loss of power before the
    /// driver asks on. Lines hold no token and no record.
    Remember {
        /// One line of JSON without its newline.
        line: String,
        /// Whether it has to be on the disk.
        sync: bool,
    },
    /// Get a new token, then tell [`Event::Token`] or [`Event::NoToken`].
    Authorize,
    /// Send a request, then tell [`Event::Answer`] or [`Event::Trouble`]. Redirects are not followed by the driver where it
    /// can help it: the machine does that, because it decides who may have the token.
    Send(Call),
    /// Fetch a file, then tell [`Event::Fetched`] or [`Event::Unfetched`].
    Fetch(Fetch),
    /// Nothing to start: wait for an event, but no longer than until then.
    Wait {
        /// `None`: only an event changes anything.
        until: Option<Millis>,
    },
    /// The job has been accepted and remembered; somebody else goes on with it ([`Settings::detach`](super::Settings)).
    Detached,
    /// Everything asked for is there, and the job is deleted at the server, or kept as asked.
    Done,
    /// The end, and why. What was remembered can be resumed where the failure says so.
    Failed(Failure),
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The kick-off.
    KickOff,
    /// The state of the job.
    Status,
    /// A further page of the manifest.
    Page,
    /// The job's deletion.
    Delete,
}

/// A request with a small answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// For the answer.
    pub id: CallId,
    /// What it is for.
    pub what: What,
    /// `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// Absolute URL.
    pub url: String,
    /// Headers besides `Authorization`.
    pub headers: Vec<(&'static str, String)>,
    /// Body of a POST.
    pub body: Option<String>,
    /// Whether the token goes with it.
    pub with_token: bool,
    /// Most bytes of the answer's body that are wanted; more is [`Trouble::TooLarge`].
    pub most: u64,
}

/// A file to fetch. Where the driver still holds the beginning of it, it may ask for the rest (`Range`, `If-Range`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Its number.
    pub file: FileNo,
    /// `output`, `deleted` or `error`.
    pub kind: FileKind,
    /// The type that the manifest names.
    pub type_name: Option<String>,
    /// Absolute URL; the target of a redirect on the way.
    pub url: String,
    /// Whether the token goes with it.
    pub with_token: bool,
    /// The lines that it should have, where they are held against what comes.
    pub count: Option<u64>,
    /// Bytes of the stored file, by the manifest.
    pub size: Option<u64>,
    /// Number of the attempt, from 1.
    pub attempt: u32,
}

/// The answer to a request.
#[derive(Clone, Copy, Default)]
pub struct Answer<'a> {
    /// Status code.
    pub status: u16,
    /// Headers, names in any case.
    pub headers: &'a [(String, String)],
    /// The body, decoded.
    pub body: &'a [u8],
}

/// Headers may hold signed URLs, and bodies records: neither gets into a log this way.
impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Answer");
        out.field("status", &self.status).field("bytes", &self.body.len());
        out.finish_non_exhaustive()
    }
}

/// Why there is no answer, or no whole one. Says nothing of what was in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// No connection: name, port, refused.
    Connect,
    /// The certificate or the handshake.
    Tls,
    /// Nothing came for too long, or so little that it is as good as nothing.
    Timeout,
    /// The connection ended in the middle.
    Broken,
    /// More bytes than wanted.
    TooLarge,
    /// Other bytes than announced: `Content-Length`, `fileSize`.
    Length,
    /// The checksum that came along does not fit (`Repr-Digest`, `Content-Digest`, the gzip trailer).
    Checksum,
    /// What came cannot be decoded: coding, gzip.
    Coding,
    /// Not NDJSON: HTML, another media type.
    Media,
    /// Other lines than the manifest's `count`.
    Count,
    /// Lines that are no JSON objects, where that was to be checked.
    Content,
    /// The driver's own machine has no room for it just now: no thread, say.
    Room,
}

/// What has happened.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A request was answered.
    Answer {
        /// Which.
        call: CallId,
        /// With what.
        answer: Answer<'a>,
    },
    /// A request was not answered.
    Trouble {
        /// Which.
        call: CallId,
        /// Why.
        trouble: Trouble,
    },
    /// There is a new token.
    Token {
        /// When it ends, if that is known.
        expires: Option<Millis>,
    },
    /// There is none; final where `again` is false.
    NoToken {
        /// Whether it may help to ask again.
        again: bool,
        /// What the authorization server said, for people.
        why: String,
    },
    /// A file is complete, checked and safe.
    Fetched {
        /// Which.
        file: FileNo,
        /// The driver's own facts of it, one JSON value without a newline; remembered, and given back on resuming.
        receipt: String,
    },
    /// A file is not complete.
    Unfetched {
        /// Which.
        file: FileNo,
        /// What came instead.
        why: Unfetched<'a>,
        /// Whether bytes came that the driver still holds.
        progress: bool,
    },
    /// What a receipt promised is not there: the driver looks when it resumes, before it asks for the first step, and once more
    /// when all is done. The file is fetched again, where that can be.
    Gone {
        /// Which.
        file: FileNo,
    },
    /// The user wants no more: delete the job at the server, then end.
    Cancel,
}

/// What came instead of a file.
#[derive(Clone, Copy, Debug)]
pub enum Unfetched<'a> {
    /// Another status than 200 and 206: redirects, refusals.
    Answer(Answer<'a>),
    /// Nothing, or something wrong.
    Trouble(Trouble),
    /// The driver cannot store it (disk full, no right to write): there is no sense in trying on.
    Disk,
}

/// Why it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One word for programs.
    pub code: &'static str,
    /// For people: what happened, and what may help. Holds texts of the server's OperationOutcome, cut to a bounded length,
    /// no tokens, and of URLs neither query nor credentials.
    pub message: String,
    /// Whether resuming may help.
    pub resumable: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_are_printed_keep_what_is_in_them() {
        let headers = [("location".to_owned(), "https://store/f?sig=secret".to_owned())];
        let answer = Answer {
            status: 403,
            headers: &headers,
            body: b"secret",
        };
        let event = Event::Unfetched {
            file: 1,
            why: Unfetched::Answer(answer),
            progress: false,
        };
        let told = format!("{event:?}");
        assert!(told.contains("Answer { status: 403, bytes: 6, .. }"), "{told}");
    }
}
