//! Entries of a Bundle that delete: each becomes a line of its own, with the time that is told for it.
//!
//! The time is the entry's `response.lastModified`, or else the Bundle's `timestamp`, or else its `meta.lastUpdated`, as
//! in lines of deletions. The last two may stand behind the entries. A deletion without a time takes away what may have
//! come back, so one that may still get its time waits for the end of the Bundle; only its URL is kept.

use std::sync::LazyLock;

use fhirehose_core::record;
use fhirehose_core::scan::json::Json;
use fhirehose_core::scan::slots::Capture;
use fhirehose_core::scan::trie::Trie;
use fhirehose_core::scan::walk::{self, Flow, WalkScratch, Walked, Watch};
use memchr::memmem;

/// Most bytes of lines that wait.
pub(super) const MOST_WAITING: usize = 64 << 20;

/// Longer than any instant: nothing of that length is written once for each line that waits.
const LONGEST_TIME: usize = 64;

static DELETE: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"DELETE"));

const BEFORE_URL: &str =
    r#"{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"#;
const BEFORE_TIME: &str = r#"},"response":{"lastModified":""#;
const BEHIND_TIME: &str = "\"}}]}\n";
const WITHOUT_TIME: &str = "}}]}\n";

/// A deletion of nothing, which the reader of lines tells as a bad line.
const UNUSABLE: &str =
    "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[{\"request\":{\"method\":\"DELETE\"}}]}\n";

/// A value that is looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Of an entry.
    Request,
    /// Of an entry.
    Response,
    /// Of the Bundle.
    Meta,
    /// Of the Bundle.
    Timestamp,
}

/// What an entry says besides its resource.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) has_resource: bool,
    request: Vec<u8>,
    requests: u32,
    /// Read only if the entry deletes.
    response: Vec<u8>,
}

/// What comes of an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It deletes nothing.
    Nothing,
    /// It deletes what the URL names, a JSON string.
    Deletion { url: Vec<u8>, time: Option<String> },
    /// It deletes something, but also holds a resource, or says it in no single way.
    Unusable,
    /// It has no resource, and what it asks for cannot be read.
    Unreadable,
}

impl Entry {
    pub(super) fn start(&mut self) {
        self.has_resource = false;
        self.request.clear();
        self.requests = 0;
        self.response.clear();
    }

    pub(super) fn request(&mut self, value: &[u8]) {
        if value != b"null" {
            self.request.clear();
            self.request.extend_from_slice(value);
            self.requests += 1;
        }
    }

    /// Of several the first counts.
    pub(super) fn response(&mut self, value: &[u8]) {
        if self.response.is_empty() {
            self.response.extend_from_slice(value);
        }
    }

    pub(super) fn told(&self) -> Told {
        if self.requests == 0 {
            return Told::Nothing;
        }
        let request = Json::new(&self.request);
        let says = |name: &str, value: Json<'_>| value.text().is_some_and(|text| text.is(name));
        // Nearly all entries of most Bundles hold a resource and put it: a look at the bytes is enough.
        let may_delete = DELETE.find(&self.request).is_some() || memchr::memchr(b'\\', &self.request).is_some();
        let deletes = may_delete
            && request
                .members()
                .any(|(name, value)| name.is("method") && says("DELETE", value));
        let is_readable = || self.requests == 1 && is_request(&self.request);
        match (deletes, self.has_resource) {
            (false, true) if self.requests == 1 => Told::Nothing,
            (_, true) => Told::Unusable,
            (false, false) if is_readable() => Told::Nothing,
            (false, false) => Told::Unreadable,
            (true, false) if is_readable() => {
                let url = request.get("url").filter(|url| url.text().is_some());
                Told::Deletion {
                    url: url.map_or(&b"\"\""[..], Json::raw).to_vec(),
                    time: Json::new(&self.response).get("lastModified").and_then(time),
                }
            }
            (true, false) => Told::Unusable,
        }
    }
}

/// Whether it is a JSON object that says its method and its URL once.
fn is_request(value: &[u8]) -> bool {
    let mut trie = Trie::default();
    for name in ["method", "url"] {
        trie.insert(0, &[name]);
    }
    let line = [value, b"\n"].concat();
    let walked = walk::line(&line, 0, &trie, &mut WalkScratch::default(), &mut ToTheEnd);
    matches!(walked, Ok(Walked::Whole(end)) if end == value.len())
}

struct ToTheEnd;

impl Watch for ToTheEnd {
    fn root_closed(&mut self, _: usize, _: &[u8], _: usize, _: &[Capture]) -> Flow {
        Flow::Continue
    }
}

/// A time that the reader of lines takes for one.
fn time(value: Json<'_>) -> Option<String> {
    let text = value.text()?;
    record::time(text)?;
    Some(text.decode().into_owned()).filter(|text| text.len() <= LONGEST_TIME)
}

/// The deletions of a Bundle that wait for its time, and that time.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    /// The URLs, each with a line feed behind it.
    urls: Vec<u8>,
    count: usize,
    /// `None`: has not come; of several the first counts.
    timestamp: Option<Option<String>>,
    updated: Option<Option<String>>,
}

impl Waiting {
    pub(super) fn start(&mut self) {
        *self = Waiting::default();
    }

    pub(super) fn timestamp(&mut self, value: &[u8]) {
        self.timestamp.get_or_insert_with(|| time(Json::new(value)));
    }

    pub(super) fn meta(&mut self, value: &[u8]) {
        self.updated
            .get_or_insert_with(|| Json::new(value).get("lastUpdated").and_then(time));
    }

    /// Writes a deletion, or keeps it. `false`: too many wait.
    #[must_use]
    pub(super) fn add(&mut self, url: &[u8], own: Option<&str>, out: &mut Vec<u8>) -> bool {
        let known = own.or(self.timestamp.as_ref().and_then(Option::as_deref));
        if known.is_some() {
            write(url, known, out);
            return true;
        }
        self.urls.extend_from_slice(url);
        self.urls.push(b'\n');
        self.count += 1;
        let around = BEFORE_URL.len() + BEFORE_TIME.len() + LONGEST_TIME + BEHIND_TIME.len();
        self.urls.len() + self.count * around <= MOST_WAITING
    }

    /// The Bundle has ended: nothing more is told.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        let time = self.timestamp.take().flatten().or(self.updated.take().flatten());
        for url in self.urls.split(|&byte| byte == b'\n').filter(|url| !url.is_empty()) {
            write(url, time.as_deref(), out);
        }
        self.start();
    }
}

fn write(url: &[u8], time: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(BEFORE_URL.as_bytes());
    out.extend_from_slice(url);
    match time {
        Some(time) => {
            // A time has no byte that would need an escape.
            for part in [BEFORE_TIME, time, BEHIND_TIME] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        None => out.extend_from_slice(WITHOUT_TIME.as_bytes()),
    }
}

pub(super) fn write_unusable(out: &mut Vec<u8>) {
    out.extend_from_slice(UNUSABLE.as_bytes());
}
