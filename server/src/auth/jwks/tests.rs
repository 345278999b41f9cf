//! Key sets in files and behind URLs; the server of the URLs is a listener on this machine.

use std::sync::atomic::Ordering;

use super::*;
use crate::auth::testing::{Pair, ok, serve};

const NOW: Time = Time(1_000_000_000);

fn later(seconds: u64) -> Time {
    NOW.plus(Duration::from_secs(seconds))
}

fn set(kid: &str) -> String {
    ok(&Pair::RSA.set(kid), "")
}

async fn find(jwks: &Jwks, source: &str, kid: &str, now: Time) -> Option<KeyFault> {
    jwks.find(source, kid, Signing::Rs384, now).await.err()
}

#[test]
fn sources_are_files_and_urls_that_are_safe() {
    for good in [
        "https://client.example/jwks",
        "http://127.0.0.1:8/jwks",
        "http://[::1]:8/jwks",
        "http://localhost/jwks",
    ] {
        assert!(matches!(Source::parse(good), Ok(Source::Url(_))), "{good}");
    }
    for bad in [
        "",
        "http://client.example/jwks",
        "http://127.0.0.1.example/jwks",
        "http://10.0.0.1/jwks",
        "https://user:word@client.example/jwks",
        "https://client.example/jwks#a",
        "https://",
        "file:///etc/passwd",
        "ftp://127.0.0.1/a",
    ] {
        assert_eq!(Source::parse(bad), Err(KeyFault::NotASource), "{bad}");
    }
    assert!(matches!(Source::parse("keys/a.json"), Ok(Source::File(_))));
}

#[tokio::test]
async fn a_file_is_read_each_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("jwks.json");
    let source = path.to_str().expect("text");
    let jwks = Jwks::default();
    assert_eq!(find(&jwks, source, "a", NOW).await, Some(KeyFault::Unreadable));
    std::fs::write(&path, Pair::RSA.set("a")).expect("written");
    assert_eq!(find(&jwks, source, "a", NOW).await, None);
    std::fs::write(&path, Pair::RSA.set("b")).expect("written");
    assert_eq!(find(&jwks, source, "a", NOW).await, Some(KeyFault::Missing));
    std::fs::write(&path, " ".repeat(MOST_BYTES + 1)).expect("written");
    assert_eq!(find(&jwks, source, "a", NOW).await, Some(KeyFault::TooLong));
    let folder = folder.path().to_str().expect("text");
    assert_eq!(find(&jwks, folder, "a", NOW).await, Some(KeyFault::Unreadable));
}

#[tokio::test]
async fn a_fetched_set_is_remembered_for_ten_minutes() {
    let (url, count) = serve(vec![set("a")]).await;
    let jwks = Jwks::default();
    for seconds in [0, 100, 599] {
        assert_eq!(find(&jwks, &url, "a", later(seconds)).await, None);
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
    assert_eq!(find(&jwks, &url, "a", later(600)).await, None);
    assert_eq!(count.load(Ordering::SeqCst), 2);
    // The clock was set back.
    assert_eq!(find(&jwks, &url, "a", NOW).await, None);
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_set_is_remembered_no_longer_than_its_server_says() {
    let headers = ["Cache-Control: public, max-age=60\r\n", "Cache-Control: no-store\r\n"];
    let body = Pair::RSA.set("a");
    let answers = headers.map(|headers| ok(&body, headers)).to_vec();
    let (url, count) = serve(answers).await;
    let jwks = Jwks::default();
    for (seconds, fetches) in [(0, 1), (59, 1), (60, 2), (60, 3)] {
        assert_eq!(find(&jwks, &url, "a", later(seconds)).await, None);
        assert_eq!(count.load(Ordering::SeqCst), fetches);
    }
}

#[tokio::test]
async fn an_unknown_kid_fetches_once_more_and_not_too_often() {
    let (url, count) = serve(vec![set("a"), set("b")]).await;
    let jwks = Jwks::default();
    assert_eq!(find(&jwks, &url, "a", NOW).await, None);
    assert_eq!(find(&jwks, &url, "b", later(29)).await, Some(KeyFault::Missing));
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert_eq!(find(&jwks, &url, "b", later(30)).await, None);
    assert_eq!(count.load(Ordering::SeqCst), 2);
    for seconds in [31, 59] {
        assert_eq!(find(&jwks, &url, "c", later(seconds)).await, Some(KeyFault::Missing));
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test]
async fn what_cannot_be_fetched_is_not_asked_at_once_again() {
    let error = "HTTP/1.1 500 Oh\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_owned();
    let (url, count) = serve(vec![error, set("a")]).await;
    let jwks = Jwks::default();
    for seconds in [0, 4] {
        assert_eq!(
            find(&jwks, &url, "a", later(seconds)).await,
            Some(KeyFault::Unreachable)
        );
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
    assert_eq!(find(&jwks, &url, "a", later(5)).await, None);
}

#[tokio::test]
async fn keys_are_not_good_for_longer_because_their_server_is_gone() {
    let error = "HTTP/1.1 503 Oh\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_owned();
    let (url, _) = serve(vec![set("a"), error]).await;
    let jwks = Jwks::default();
    assert_eq!(find(&jwks, &url, "a", NOW).await, None);
    assert_eq!(find(&jwks, &url, "a", later(600)).await, Some(KeyFault::Unreachable));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (target, reached) = serve(vec![set("a")]).await;
    let redirect =
        format!("HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n");
    let (url, _) = serve(vec![redirect]).await;
    assert_eq!(
        find(&Jwks::default(), &url, "a", NOW).await,
        Some(KeyFault::Unreachable)
    );
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_set_that_is_too_long_or_none_is_refused() {
    let long = ok(&format!("{}{}", " ".repeat(MOST_BYTES), Pair::RSA.set("a")), "");
    for (answer, fault) in [
        (long, KeyFault::TooLong),
        (ok("<html>", ""), KeyFault::NotASet),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".to_owned(),
            KeyFault::Unreachable,
        ),
    ] {
        let (url, _) = serve(vec![answer]).await;
        assert_eq!(find(&Jwks::default(), &url, "a", NOW).await, Some(fault));
    }
}

#[tokio::test]
async fn many_at_once_fetch_one_set() {
    let (url, count) = serve(vec![set("a")]).await;
    let jwks = Arc::new(Jwks::default());
    let finds = (0..20).map(|_| {
        let (jwks, url) = (Arc::clone(&jwks), url.clone());
        tokio::spawn(async move { find(&jwks, &url, "a", NOW).await })
    });
    for found in futures_util::future::join_all(finds).await {
        assert_eq!(found.expect("no panic"), None);
    }
    assert!(count.load(Ordering::SeqCst) <= MOST_FETCHES);
}

#[test]
fn the_client_for_other_machines_can_be_built_or_says_so_and_takes_no_http() {
    if let Some(client) = far() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let refused = runtime.block_on(client.get("http://127.0.0.1:9/").send());
        assert!(refused.is_err_and(|error| error.is_builder()));
    }
}
