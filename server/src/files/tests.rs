//! Files given out, as a client sees the answers.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use fhirehose_store::{Folder, StoredFile};
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};

use super::{Served, Stored, send};

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn modified() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(784_111_777_250)
}

/// Bytes that do not repeat within a piece.
fn numbered(length: usize) -> Vec<u8> {
    (0..).flat_map(|n: u32| n.to_le_bytes()).take(length).collect()
}

/// Two members, the second of which is short.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (most, few) = bytes.split_at(bytes.len() - bytes.len() / 8);
    for member in [most, few] {
        let mut encoder = GzEncoder::new(&mut out, Compression::fast());
        encoder.write_all(member).expect("into memory");
        encoder.finish().expect("into memory");
    }
    out
}

/// A file that is stored.
struct Shelf {
    folder: tempfile::TempDir,
    file: StoredFile,
    coding: Stored,
    hold: Arc<()>,
}

impl Shelf {
    fn new(bytes: &[u8], coding: Stored) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("it"), bytes).expect("written");
        let file = StoredFile {
            id: "id".into(),
            name: "Patient.000.ndjson.gz".into(),
            folder: Folder::Output,
            resource_type: Some("Patient".into()),
            continues_in: None,
            count: 1,
            bytes: bytes.len() as u64,
            sha256: Sha256::digest(bytes).into(),
        };
        let hold = Arc::new(());
        Shelf {
            folder,
            file,
            coding,
            hold,
        }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("it")
    }

    async fn try_answer(&self, method: Method, given: &[(&str, &str)]) -> io::Result<Response<Body>> {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            let name = HeaderName::try_from(*name).expect("a name");
            headers.append(name, HeaderValue::try_from(*value).expect("a value"));
        }
        let served = Served {
            file: open(&self.path()),
            stored: &self.file,
            coding: self.coding,
            modified: modified(),
            content_type: "application/fhir+ndjson",
            hold: Box::new(Arc::clone(&self.hold)),
        };
        send(served, &method, &headers).await
    }

    async fn answer(&self, method: Method, given: &[(&str, &str)]) -> Answer {
        let response = self.try_answer(method, given).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes().to_vec();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    async fn get(&self, given: &[(&str, &str)]) -> Answer {
        self.answer(Method::GET, given).await
    }
}

fn open(path: &Path) -> File {
    File::open(path).expect("an open file")
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

/// Over several pieces, and not a multiple of one.
const LONG: usize = (1 << 20) + 12_345;

#[tokio::test]
async fn a_plain_file_is_sent_as_it_is() {
    for length in [0, 1, 256 << 10, (256 << 10) + 1, LONG] {
        let bytes = numbered(length);
        let shelf = Shelf::new(&bytes, Stored::Plain);
        let answer = shelf.get(&[("accept-encoding", "gzip")]).await;
        assert_eq!(answer.status, 200);
        assert!(answer.body == bytes, "{length}");
        assert_eq!(answer.header("content-length"), length.to_string());
        for (name, value) in [
            ("content-type", "application/fhir+ndjson"),
            ("content-encoding", ""),
            ("accept-ranges", "bytes"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("vary", "Accept-Encoding"),
            ("last-modified", MODIFIED),
            ("content-disposition", "attachment; filename=\"Patient.000.ndjson\""),
        ] {
            assert_eq!(answer.header(name), value, "{name}");
        }
    }
}

#[tokio::test]
async fn the_digest_is_of_the_representation_also_beside_a_part() {
    let shelf = Shelf::new(b"", Stored::Plain);
    let empty = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
    assert_eq!(shelf.get(&[]).await.header("repr-digest"), empty);
    let shelf = Shelf::new(b"0123456789", Stored::Plain);
    let whole = shelf.get(&[]).await;
    let part = shelf.get(&[("range", "bytes=2-3")]).await;
    assert!(!whole.header("repr-digest").is_empty());
    assert_eq!(part.header("repr-digest"), whole.header("repr-digest"));
    assert_eq!(part.header("etag"), whole.header("etag"));
}

#[tokio::test]
async fn a_gzip_file_is_sent_stored_or_inflated_under_two_tags() {
    for length in [1, 8, 2 * (256 << 10), LONG] {
        let bytes = numbered(length);
        let stored = gzip(&bytes);
        let shelf = Shelf::new(&stored, Stored::Gzip);
        let packed = shelf.get(&[("accept-encoding", "gzip")]).await;
        assert!(packed.body == stored);
        assert_eq!(packed.header("content-encoding"), "gzip");
        assert_eq!(packed.header("content-length"), stored.len().to_string());
        assert_eq!(packed.header("accept-ranges"), "bytes");
        assert!(!packed.header("repr-digest").is_empty());

        let inflated = shelf.get(&[]).await;
        assert!(inflated.body == bytes, "{length}");
        assert_eq!(inflated.header("accept-ranges"), "none");
        for name in ["content-encoding", "content-length", "repr-digest"] {
            assert_eq!(inflated.header(name), "", "{name}");
        }
        assert_ne!(packed.header("etag"), inflated.header("etag"));
        for answer in [&packed, &inflated] {
            let tag = answer.header("etag");
            assert!(tag.starts_with('"') && tag.ends_with('"'), "strong: {tag}");
            assert_eq!(answer.header("vary"), "Accept-Encoding");
            assert_eq!(answer.header("content-type"), "application/fhir+ndjson");
        }
    }
    assert_eq!(Shelf::new(b"", Stored::Gzip).get(&[]).await.body, b"");
}

#[tokio::test]
async fn one_range_is_a_part() {
    let bytes = numbered(LONG);
    let shelf = Shelf::new(&bytes, Stored::Plain);
    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=300000-900000", 300_000, 900_000),
        ("bytes=-5", LONG - 5, LONG - 1),
        ("bytes=262144-", 262_144, LONG - 1),
    ] {
        let answer = shelf.get(&[("range", range)]).await;
        assert_eq!(answer.status, 206, "{range}");
        assert!(answer.body == bytes[first..=last], "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {first}-{last}/{LONG}"));
        assert_eq!(answer.header("content-length"), (last - first + 1).to_string());
    }
    let several = shelf.get(&[("range", "bytes=0-1,5-6")]).await;
    assert_eq!((several.status, several.body.len()), (200, LONG));
    let beyond = shelf.get(&[("range", "bytes=2000000-")]).await;
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.header("content-range"), format!("bytes */{LONG}"));
    assert_eq!(beyond.header("content-type"), "application/fhir+json");
    assert!(beyond.body.starts_with(br#"{"resourceType":"OperationOutcome""#));
}

#[tokio::test]
async fn ranges_never_go_across_codings() {
    let bytes = numbered(LONG);
    let stored = gzip(&bytes);
    let shelf = Shelf::new(&stored, Stored::Gzip);
    let range = ("range", "bytes=10-");
    let takes_gzip = ("accept-encoding", "gzip");
    let part = shelf.get(&[takes_gzip, range]).await;
    assert_eq!((part.status, part.header("content-encoding")), (206, "gzip"));
    assert!(part.body == stored[10..]);
    let whole = shelf.get(&[range]).await;
    assert_eq!(whole.status, 200);
    assert!(whole.body == bytes);

    // A client that changes its mind on the way.
    let inflated_tag = whole.header("etag").to_owned();
    let changed = shelf.get(&[takes_gzip, range, ("if-range", &inflated_tag)]).await;
    assert_eq!(changed.status, 200);
    let dated = shelf.get(&[takes_gzip, range, ("if-range", MODIFIED)]).await;
    assert_eq!(dated.status, 200);
    let gzip_tag = part.header("etag").to_owned();
    let same = shelf.get(&[takes_gzip, range, ("if-range", &gzip_tag)]).await;
    assert_eq!(same.status, 206);
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let shelf = Shelf::new(b"0123456789", Stored::Plain);
    let tag = shelf.get(&[]).await.header("etag").to_owned();
    for given in [
        &[("if-none-match", &*tag)][..],
        &[("if-modified-since", MODIFIED)],
        &[("if-none-match", &*tag), ("range", "bytes=0-1")],
    ] {
        let answer = shelf.get(given).await;
        assert_eq!((answer.status, answer.body.len()), (304, 0));
        assert_eq!(answer.header("etag"), tag);
        assert_eq!(answer.header("content-length"), "");
    }
    assert_eq!(shelf.get(&[("if-match", "\"x\"")]).await.status, 412);
    assert_eq!(shelf.get(&[("accept-encoding", "identity;q=0")]).await.status, 406);
}

#[tokio::test]
async fn head_has_the_headers_and_no_body() {
    for (coding, given) in [
        (Stored::Plain, &[][..]),
        (Stored::Gzip, &[("accept-encoding", "gzip")]),
        (Stored::Gzip, &[]),
    ] {
        let shelf = Shelf::new(&gzip(&numbered(LONG)), coding);
        let get = shelf.get(given).await;
        let mut given = given.to_vec();
        given.push(("range", "bytes=0-1"));
        let head = shelf.answer(Method::HEAD, &given).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.headers, get.headers);
    }
}

#[tokio::test]
async fn a_file_of_another_length_is_no_answer_at_all() {
    for coding in [Stored::Plain, Stored::Gzip] {
        for difference in [-1_i64, 1] {
            let shelf = Shelf::new(&gzip(&numbered(LONG)), coding);
            let file = File::options().write(true).open(shelf.path()).expect("an open file");
            let length = shelf.file.bytes.checked_add_signed(difference).expect("a length");
            file.set_len(length).expect("another length");
            assert!(
                shelf.try_answer(Method::GET, &[]).await.is_err(),
                "{coding:?} {difference}"
            );
            assert!(shelf.try_answer(Method::HEAD, &[]).await.is_ok());
        }
    }
}

async fn sent_until_error(response: Response<Body>) -> (usize, bool) {
    let mut body = response.into_body();
    let mut got = 0;
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => got += frame.data_ref().map_or(0, |data| data.len()),
            Err(_) => return (got, true),
        }
    }
    (got, false)
}

#[tokio::test]
async fn a_file_that_gets_shorter_on_the_way_is_an_error_of_the_body() {
    let shelf = Shelf::new(&numbered(4 * LONG), Stored::Plain);
    let response = shelf.try_answer(Method::GET, &[]).await.expect("an answer");
    let file = File::options().write(true).open(shelf.path()).expect("an open file");
    file.set_len(3 * LONG as u64).expect("another length");
    let (got, has_failed) = sent_until_error(response).await;
    assert!(has_failed && got <= 3 * LONG, "{got}");
}

#[tokio::test]
async fn gzip_that_is_broken_is_an_error_of_the_body() {
    let bytes = numbered(4 * LONG);
    let good = gzip(&bytes);
    let mut flipped = good.clone();
    // In the check sum of the last member.
    flipped[good.len() - 6] ^= 1;
    let mut trailing = good.clone();
    trailing.extend_from_slice(b"no member");
    for broken in [flipped, good[..good.len() - 1].to_vec(), trailing] {
        let shelf = Shelf::new(&broken, Stored::Gzip);
        let response = shelf.try_answer(Method::GET, &[]).await.expect("an answer");
        let (_, has_failed) = sent_until_error(response).await;
        assert!(has_failed);
    }
}

#[tokio::test]
async fn the_hold_is_kept_until_the_body_is_done_or_dropped() {
    let shelf = Shelf::new(&numbered(LONG), Stored::Plain);
    let mut response = shelf.try_answer(Method::GET, &[]).await.expect("an answer");
    let first = response.body_mut().frame().await.expect("a frame").expect("a piece");
    assert_eq!(Arc::strong_count(&shelf.hold), 2);
    let rest = response.body_mut().collect().await.expect("the rest").to_bytes();
    assert_eq!(first.data_ref().map_or(0, |data| data.len()) + rest.len(), LONG);
    assert_eq!(
        Arc::strong_count(&shelf.hold),
        2,
        "the connection may still have bytes to write"
    );
    drop(response);
    assert_eq!(Arc::strong_count(&shelf.hold), 1);
    for (method, given) in [(Method::HEAD, &[][..]), (Method::GET, &[("if-none-match", "*")])] {
        let _response = shelf.try_answer(method, given).await.expect("an answer");
        assert_eq!(Arc::strong_count(&shelf.hold), 1, "nothing of the file is sent");
    }
}

#[tokio::test]
async fn a_download_takes_a_few_pieces_of_memory_which_are_read_into_again() {
    let shelf = Shelf::new(&numbered(4 * LONG), Stored::Plain);
    let mut response = shelf.try_answer(Method::GET, &[]).await.expect("an answer");
    let mut addresses = std::collections::BTreeSet::new();
    while let Some(frame) = response.body_mut().frame().await {
        let piece = frame.expect("a piece").into_data().expect("data");
        addresses.insert(piece.as_ptr() as usize);
    }
    assert!(addresses.len() <= 3, "pieces are read into again: {}", addresses.len());
}

#[test]
fn a_client_that_does_not_read_holds_no_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
        .expect("a runtime");
    let shelf = Shelf::new(&numbered(4 * LONG), Stored::Plain);
    runtime.block_on(async {
        let _unread = shelf.try_answer(Method::GET, &[]).await.expect("an answer");
        assert_eq!(shelf.get(&[]).await.body.len(), 4 * LONG);
    });
}
