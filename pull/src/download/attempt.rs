//! One attempt at a file: asks for it, or for the rest of it, and hands what comes to the thread that reads it.

use fhirehose_core::client::{Fetch, FileNo, Trouble};
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, IF_RANGE, RANGE};
use reqwest::{Response, Version};
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::incoming::{Piece, pipe};
use super::patience::{Pace, Patience};
use super::worker::{Fault, How, Work, work};
use crate::http::{self, Got, Http};
use crate::receipt::Receipt;

/// A file that has begun to come.
pub(crate) struct Held {
    sender: Sender<Piece>,
    result: oneshot::Receiver<Result<Receipt, Fault>>,
    /// Bytes that were handed on.
    received: u64,
    /// Bytes that there are in all, as soon as the server has said so.
    total: Option<u64>,
    /// A strong tag: the rest may be asked for.
    etag: Option<String>,
    coding: String,
    digest: Option<[u8; 32]>,
}

/// How an attempt ended.
pub(crate) enum Ended {
    /// The file is complete.
    Whole(Receipt),
    /// Something else than a file came.
    Refused(Got),
    /// What came is not right, or not all.
    Trouble(Trouble),
    /// It cannot be written.
    Disk(std::io::Error),
    /// A bad line, and the request says to stop at the first.
    BadLine(String),
}

/// An attempt that has ended.
pub(crate) struct Attempt {
    pub(crate) file: FileNo,
    pub(crate) ended: Ended,
    /// What may be gone on with.
    pub(crate) held: Option<Held>,
    /// Bytes came.
    pub(crate) progress: bool,
}

/// Makes one attempt. `held`: what an earlier one left.
pub(crate) async fn attempt(
    http: Http,
    fetch: Fetch,
    held: Option<Held>,
    token: Option<String>,
    how: How,
    patience: Patience,
) -> Attempt {
    let file = fetch.file;
    let ended = |ended, held: Option<Held>, progress| Attempt {
        file,
        ended,
        held,
        progress,
    };
    let token = token.filter(|_| fetch.with_token);
    let response = http.open(&fetch.url, asked(held.as_ref()), token.as_deref()).await;
    let response = match response {
        Ok(response) => response,
        Err(trouble) => return ended(Ended::Trouble(trouble), held, false),
    };
    let held = match (response.status().as_u16(), held) {
        (200, before) => {
            // Nobody sends to the thread of what was begun before any more; it ends by itself.
            drop(before);
            match begin(&fetch, &response, &how) {
                Ok(held) => held,
                Err(trouble) => return ended(Ended::Trouble(trouble), None, false),
            }
        }
        (206, Some(mut held)) if goes_on(&held, response.headers()) => {
            held.total = held.total.or(total_of_range(response.headers()));
            held
        }
        // The rest of something else, or of nothing: from the start.
        (206 | 416, _) => return ended(Ended::Trouble(Trouble::Broken), None, false),
        (_, held) => {
            return match http.refusal(response).await {
                Ok(mut got) => {
                    http::mask(&mut got.body, token.as_deref().unwrap_or_default().as_bytes());
                    ended(Ended::Refused(got), held, false)
                }
                Err(trouble) => ended(Ended::Trouble(trouble), held, false),
            };
        }
    };
    let (end, held, progress) = receive(response, held, &how, patience).await;
    ended(end, held, progress)
}

/// The headers of the request.
fn asked(held: Option<&Held>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/fhir+ndjson"));
    http::accept_coding(&mut headers);
    if let Some(held) = held
        && let Some(etag) = held.etag.as_deref().and_then(|etag| HeaderValue::from_str(etag).ok())
        && let Ok(range) = HeaderValue::from_str(&format!("bytes={}-", held.received))
    {
        headers.insert(RANGE, range);
        headers.insert(IF_RANGE, etag);
    }
    headers
}

/// Whether an answer is the rest of what was begun, or a piece of it: from the same place, of the same whole.
fn goes_on(held: &Held, headers: &HeaderMap) -> bool {
    let range = text(headers, "content-range").unwrap_or_default();
    let first = range
        .strip_prefix("bytes ")
        .and_then(|range| range.split('-').next())
        .and_then(|first| first.trim().parse().ok());
    let is_same = text(headers, "etag").is_none_or(|etag| Some(etag) == held.etag.as_deref());
    let is_whole_known = match (held.total, total_of_range(headers)) {
        (Some(before), Some(now)) => before == now,
        (None, None) => false,
        _ => true,
    };
    first == Some(held.received) && is_same && is_whole_known && coding(headers) == held.coding
}

/// How long the whole is, as a part says it.
fn total_of_range(headers: &HeaderMap) -> Option<u64> {
    text(headers, "content-range")?.rsplit_once('/')?.1.trim().parse().ok()
}

/// Whether the end of the body can only be told by the end of the connection, which may come too early.
fn ends_with_the_connection(response: &Response) -> bool {
    let has = |name| text(response.headers(), name).is_some();
    response.version() < Version::HTTP_2 && !has("content-length") && !has("transfer-encoding")
}

/// Begins a file.
fn begin(fetch: &Fetch, response: &Response, how: &How) -> Result<Held, Trouble> {
    let headers = response.headers();
    let media = text(headers, "content-type").unwrap_or_default().to_ascii_lowercase();
    if ["text/html", "application/xhtml", "image/", "multipart/"]
        .iter()
        .any(|bad| media.starts_with(bad))
    {
        return Err(Trouble::Media);
    }
    let coding = coding(headers);
    if !["", "identity", "gzip", "x-gzip"].contains(&coding.as_str()) {
        return Err(Trouble::Coding);
    }
    let digest = digest(headers);
    let is_whole = text(headers, "accept-ranges").is_none_or(|units| !units.eq_ignore_ascii_case("none"));
    let etag = text(headers, "etag").filter(|etag| etag.starts_with('"') && is_whole);
    let job = Work {
        file: fetch.file,
        kind: fetch.kind,
        type_name: fetch.type_name.clone(),
        count: fetch.count,
        coded: coding.ends_with("gzip"),
        size: fetch.size,
        is_open_ended: ends_with_the_connection(response) && digest.is_none(),
    };
    let (sender, incoming) = pipe(digest.is_some() && !how.hashes_as_it_comes(&job));
    let (tell, result) = oneshot::channel();
    let how = how.clone();
    let thread = std::thread::Builder::new().name(format!("file-{}", fetch.file));
    let started = thread.spawn(move || {
        // Nobody may be waiting any more.
        let _ = tell.send(work(&job, incoming, &how));
    });
    started.map_err(|_| Trouble::Room)?;
    Ok(Held {
        sender,
        result,
        received: 0,
        total: response.content_length(),
        etag: etag.map(str::to_owned),
        coding,
        digest,
    })
}

/// Hands on what comes, until it ends.
async fn receive(mut response: Response, mut held: Held, how: &How, patience: Patience) -> (Ended, Option<Held>, bool) {
    let mut pace = Pace::new(patience);
    let mut progress = false;
    loop {
        let asked = Instant::now();
        let came = timeout(patience.silence, response.chunk()).await;
        let waited = asked.elapsed();
        let chunk = match came {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => break,
            Ok(Err(error)) if !error.is_timeout() => return broken(http::trouble(&error), held, progress),
            Ok(Err(_)) | Err(_) => {
                pace.came(0, waited);
                return broken(Trouble::Timeout, held, pace.is_progress());
            }
        };
        progress = true;
        let length = chunk.len() as u64;
        how.progress
            .wire
            .fetch_add(length, std::sync::atomic::Ordering::Relaxed);
        if held.sender.send(Piece::Data(chunk)).await.is_err() {
            // The thread has ended early, and says why.
            return (verdict(held.result).await, None, false);
        }
        held.received += length;
        if !pace.came(length, waited) {
            return broken(Trouble::Timeout, held, pace.is_progress());
        }
    }
    // A part may be shorter than what was asked for: its end is not that of the file.
    match held.total {
        Some(total) if held.received < total => return broken(Trouble::Broken, held, progress),
        Some(total) if held.received > total => return (Ended::Trouble(Trouble::Length), None, false),
        _ => {}
    }
    // A thread that is gone has left its verdict.
    let _ = held.sender.send(Piece::End(held.digest)).await;
    // Whatever it is: if the file is not complete, nothing of it is held any more.
    (verdict(held.result).await, None, false)
}

/// The connection is gone, or worth nothing. Without a tag nothing can be gone on with.
fn broken(trouble: Trouble, held: Held, progress: bool) -> (Ended, Option<Held>, bool) {
    let held = Some(held).filter(|held| held.etag.is_some());
    let progress = progress && held.is_some();
    (Ended::Trouble(trouble), held, progress)
}

async fn verdict(result: oneshot::Receiver<Result<Receipt, Fault>>) -> Ended {
    match result.await {
        Ok(Ok(receipt)) => Ended::Whole(receipt),
        Ok(Err(Fault::Trouble(trouble))) => Ended::Trouble(trouble),
        Ok(Err(Fault::Disk(error))) => Ended::Disk(error),
        Ok(Err(Fault::BadLine(place))) => Ended::BadLine(place),
        Ok(Err(Fault::Given)) | Err(_) => Ended::Trouble(Trouble::Broken),
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &'static str) -> Option<&'h str> {
    headers.get(HeaderName::from_static(name))?.to_str().ok().map(str::trim)
}

fn coding(headers: &HeaderMap) -> String {
    text(headers, "content-encoding")
        .unwrap_or_default()
        .to_ascii_lowercase()
}

/// The SHA-256 of the whole, where the server says it (RFC 9530, and RFC 3230 before it).
fn digest(headers: &HeaderMap) -> Option<[u8; 32]> {
    let fields = ["repr-digest", "content-digest", "digest"].into_iter();
    let fields = fields.filter_map(|name| text(headers, name));
    let items = fields.flat_map(|field| field.split(','));
    let mut digests = items.filter_map(|item| {
        let (name, value) = item.split_once('=')?;
        let value = value.trim().trim_matches(':');
        let is_sha256 = name.trim().eq_ignore_ascii_case("sha-256");
        let engine = base64::engine::general_purpose::STANDARD;
        let bytes = base64::Engine::decode(&engine, value).ok().filter(|_| is_sha256)?;
        bytes.try_into().ok()
    });
    digests.next()
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;

    use super::*;

    fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(HeaderName::from_static(name), value.parse().expect("a value"));
        }
        headers
    }

    #[test]
    fn checksums_are_read_as_both_standards_spell_them() {
        let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        for (name, value) in [
            ("repr-digest", format!("sha-256=:{zeros}:")),
            ("repr-digest", format!("sha-512=:AAAA:, SHA-256=:{zeros}:")),
            ("digest", format!("SHA-256={zeros}")),
        ] {
            assert_eq!(digest(&headers(&[(name, &value)])), Some([0; 32]), "{value}");
        }
        assert_eq!(digest(&headers(&[("repr-digest", "sha-256=:AAAA:")])), None);
        assert_eq!(digest(&headers(&[])), None);
    }

    #[test]
    fn only_the_rest_of_the_same_bytes_goes_on() {
        let (sender, _) = pipe(false);
        let (_, result) = oneshot::channel();
        let held = Held {
            sender,
            result,
            received: 10,
            total: None,
            etag: Some("\"a\"".into()),
            coding: "gzip".into(),
            digest: None,
        };
        let good = [
            ("content-range", "bytes 10-19/20"),
            ("etag", "\"a\""),
            ("content-encoding", "gzip"),
        ];
        assert!(goes_on(&held, &headers(&good)));
        for (at, other) in [(0, "bytes 9-19/20"), (0, "bytes */20"), (1, "\"b\""), (2, "identity")] {
            let mut bad = good;
            bad[at].1 = other;
            assert!(!goes_on(&held, &headers(&bad)), "{other}");
        }
        let held = Held {
            total: Some(21),
            ..held
        };
        assert!(!goes_on(&held, &headers(&good)), "of another whole");
    }

    /// A body that brings so many bytes after each so many seconds, a silence at the end of which nothing comes.
    struct Drip {
        drops: std::vec::IntoIter<(usize, u64)>,
        next: Option<(usize, std::pin::Pin<Box<tokio::time::Sleep>>)>,
    }

    impl http_body::Body for Drip {
        type Data = bytes::Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            context: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
            if self.next.is_none() {
                let after = |seconds| Box::pin(tokio::time::sleep(std::time::Duration::from_secs(seconds)));
                self.next = self.drops.next().map(|(bytes, seconds)| (bytes, after(seconds)));
            }
            let Some((bytes, sleep)) = &mut self.next else {
                return std::task::Poll::Ready(None);
            };
            let bytes = *bytes;
            std::task::ready!(sleep.as_mut().poll(context));
            self.next = None;
            std::task::Poll::Ready(Some(Ok(http_body::Frame::data(vec![b'x'; bytes].into()))))
        }
    }

    /// What comes of a body, with eight downloads side by side: the trouble, bytes that came, whether it was progress, seconds.
    async fn dripped(drops: Vec<(usize, u64)>) -> (Option<Trouble>, u64, bool, u64) {
        let body = reqwest::Body::wrap(Drip {
            drops: drops.into_iter(),
            next: None,
        });
        let (sender, mut incoming) = pipe(false);
        let (tell, result) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let copied = std::io::copy(&mut incoming, &mut std::io::sink());
            let _ = tell.send(copied.map(|_| Receipt::default()).map_err(Fault::Disk));
            incoming.wire()
        });
        let held = Held {
            sender,
            result,
            received: 0,
            total: None,
            etag: Some("\"a\"".into()),
            coding: String::new(),
            digest: None,
        };
        let how = How {
            plan: None,
            compression: fhirehose_native::codec_out::Compression::None,
            hashes: false,
            folder: std::path::PathBuf::new(),
            progress: std::sync::Arc::default(),
            ignores_counts: false,
            types: std::sync::Arc::default(),
            serial: std::sync::Arc::default(),
        };
        let begun = Instant::now();
        let patience = Patience::new(std::time::Duration::from_secs(60), 8);
        let (ended, held, progress) = receive(::http::Response::new(body).into(), held, &how, patience).await;
        let seconds = begun.elapsed().as_secs();
        let trouble = match ended {
            Ended::Trouble(trouble) => Some(trouble),
            _ => None,
        };
        assert_eq!(trouble.is_some(), held.is_some(), "what has come is held");
        drop(held);
        (trouble, thread.join().expect("reads"), progress, seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_broken_off_as_silence_is() {
        let timeout = Some(Trouble::Timeout);
        assert_eq!(dripped(vec![(1, 10), (1, 61)]).await, (timeout, 1, false, 70));
        assert_eq!(dripped(vec![(1, 59); 1000]).await, (timeout, 11, false, 649));
        // What came before it was worth while, and the row of failures begins anew.
        let drops = [vec![(1 << 20, 1)], vec![(1, 59); 1000]].concat();
        assert_eq!(dripped(drops).await, (timeout, (1 << 20) + 22, true, 1299));
        // Two hours at an eighth of 64 kbit/s.
        assert_eq!(dripped(vec![(1000, 1); 7200]).await, (None, 7_200_000, false, 7200));
    }
}
