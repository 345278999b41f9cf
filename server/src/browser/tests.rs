//! The demo page, asked as a browser does.

use std::fs;
use std::path::Path;

use axum::http::StatusCode;

use super::{Site, folder};
use crate::page::tests::{asked, header, house_with, text};
use crate::profile::IG;

fn page() -> tempfile::TempDir {
    let page = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| {
        let path = page.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
        fs::write(path, bytes).expect("writes");
    };
    write("index.html", b"<!doctype html>");
    write("app.js", b"import './fhirehose/index.js';");
    write("fhirehose/fhirehose.wasm", b"\0asm");
    write("fhirehose/notes.txt", b"not of the page");
    write(".secret.js", b"not of the page");
    page
}

#[tokio::test]
async fn a_built_page_is_served_from_memory() {
    let page = page();
    let house = house_with(true, &IG, |settings| {
        settings.browser_page = Some(page.path().to_owned())
    })
    .await;
    page.close().expect("is removed");
    let first = house.get("/browser").await;
    assert_eq!(first.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(header(&first, "location"), "browser/");
    for (path, media_type, held) in [
        ("/browser/", "text/html; charset=utf-8", "<!doctype html>"),
        (
            "/browser/app.js",
            "text/javascript; charset=utf-8",
            "import './fhirehose/index.js';",
        ),
        ("/browser/fhirehose/fhirehose.wasm", "application/wasm", "\0asm"),
    ] {
        let response = house.get(path).await;
        assert_eq!(
            (response.status(), header(&response, "content-type")),
            (StatusCode::OK, media_type.to_owned())
        );
        assert_eq!(header(&response, "cache-control"), "no-cache");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        let policy = header(&response, "content-security-policy");
        for part in [
            "default-src 'self';",
            "script-src 'self' 'wasm-unsafe-eval';",
            "style-src 'self';",
            "connect-src *;",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        let tag = header(&response, "etag");
        assert_eq!(text(response).await, held);
        let again = house.ask(asked("GET", path, &[("if-none-match", &tag)], "")).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }
    for path in [
        "/browser/index.htm",
        "/browser/fhirehose/notes.txt",
        "/browser/.secret.js",
        "/browser/fhirehose/",
        "/browser/..%2fCargo.toml",
        "/browser/%2e%2e/%2e%2e/etc/passwd",
        "/browser//etc/passwd",
        "/browser/fhirehose/../app.js",
        "/browser/app.js%00",
        "/browser/%ff",
    ] {
        assert_eq!(house.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    // A link from elsewhere may lead to the page, and not to a part of it.
    for (path, status) in [
        ("/browser/", StatusCode::OK),
        ("/browser/app.js", StatusCode::FORBIDDEN),
    ] {
        let linked = [("sec-fetch-site", "cross-site")];
        assert_eq!(
            house.ask(asked("GET", path, &linked, "")).await.status(),
            status,
            "{path}"
        );
    }
    assert!(
        text(house.get("/page/overview").await)
            .await
            .contains("\"hasBrowserPage\":true")
    );
}

#[tokio::test]
async fn a_server_without_a_folder_has_the_page_of_its_build_or_says_how_to_get_one() {
    let house = house_with(true, &IG, |_| {}).await;
    let is_embedded = !Site::embedded().is_empty();
    for path in ["/browser/", "/browser/app.js", "/browser/fhirehose/fhirehose.wasm"] {
        let response = house.get(path).await;
        assert_eq!(response.status() == StatusCode::OK, is_embedded, "{path}");
        assert!(is_embedded || text(response).await.contains("--browser-page"), "{path}");
    }
}

#[test]
fn what_is_no_page_is_refused() {
    let told = |path: &Path| folder::list(path).expect_err("no page").to_string();
    let empty = tempfile::tempdir().expect("a folder");
    assert!(told(empty.path()).contains("index.html"));
    let large = page();
    fs::File::create(large.path().join("large.wasm"))
        .and_then(|file| file.set_len(17 << 20))
        .expect("a file");
    assert!(told(large.path()).contains("bytes"));
    let many = page();
    for number in 0..501 {
        fs::write(many.path().join(format!("{number}.js")), "").expect("writes");
    }
    assert!(told(many.path()).contains("files"));
    let deep = page();
    fs::create_dir_all(deep.path().join("a/b/c/d/e/f/g/h/i/j")).expect("makes");
    assert!(told(deep.path()).contains("deep"));
    #[cfg(unix)]
    for target in ["/etc/hostname", "index.html", "."] {
        let linked = page();
        std::os::unix::fs::symlink(target, linked.path().join("link.js")).expect("a link");
        assert!(told(linked.path()).contains("link.js is a link"), "{target}");
    }
}
