//! What browsers are told, and who is told nothing.

use std::str::FromStr as _;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode};

use super::{NoOrigin, Origin, Origins};
use crate::page::tests::{House, asked, header, house_with, text};
use crate::profile::IG;

#[test]
fn origins_are_read_as_browsers_write_them() {
    for good in [
        "https://app.example.org",
        "http://localhost:5173",
        "http://127.0.0.1:8088",
        "https://[::1]:8443",
        "https://app.example.org:80",
        "https://xn--berklinik-z9a.example",
    ] {
        assert_eq!(
            Origin::from_str(good).map(|Origin(value)| value),
            Ok(HeaderValue::from_static(good))
        );
    }
    for (bad, why) in [
        ("https://app.example.org/", NoOrigin::Path),
        ("https://app.example.org/app", NoOrigin::Path),
        ("https://app.example.org?x", NoOrigin::Path),
        ("https://app.example.org:443", NoOrigin::Port),
        ("http://app.example.org:80", NoOrigin::Port),
        ("null", NoOrigin::Null),
        ("", NoOrigin::Shape),
        ("https://", NoOrigin::Shape),
        ("app.example.org", NoOrigin::Shape),
        ("file://x", NoOrigin::Shape),
        ("HTTPS://app.example.org", NoOrigin::Shape),
        ("https://App.example.org", NoOrigin::Shape),
        ("https://user@app.example.org", NoOrigin::Shape),
        ("https://app.example.org:", NoOrigin::Shape),
        ("https://app.example.org:08443", NoOrigin::Shape),
        ("https://app.example.org:99999", NoOrigin::Shape),
        ("https://*.example.org", NoOrigin::Shape),
        ("https://app.example.org https://other.example", NoOrigin::Path),
        ("https://überklinik.example", NoOrigin::Shape),
    ] {
        assert_eq!(Origin::from_str(bad), Err(why), "{bad}");
    }
}

#[test]
fn a_star_stands_alone() {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    assert_eq!(Origins::of(&[]), Ok(Origins::None));
    assert_eq!(Origins::of(&texts(&["*"])), Ok(Origins::Any));
    assert_eq!(
        Origins::of(&texts(&["https://a.example", "*"])),
        Err(("*", NoOrigin::Star))
    );
    assert_eq!(
        Origins::of(&texts(&["https://a.example", "b"])),
        Err(("b", NoOrigin::Shape))
    );
}

const GOOD: &str = "https://app.example.org";

async fn house(is_open: bool, origins: &[&str]) -> House {
    let texts: Vec<String> = origins.iter().map(|&text| text.to_owned()).collect();
    house_with(is_open, &IG, |settings| {
        settings.origins = Origins::of(&texts).expect("origins")
    })
    .await
}

impl House {
    async fn from(&self, origin: &str, method: &str, path: &str) -> Response<Body> {
        let kickoff = [
            ("accept", "*/*"),
            ("prefer", "respond-async"),
            ("sec-fetch-site", "cross-site"),
            ("origin", origin),
        ];
        self.ask(asked(method, path, &kickoff, "")).await
    }

    async fn beforehand(&self, origin: &str, path: &str) -> Response<Body> {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "GET"),
            ("access-control-request-headers", "prefer"),
        ];
        self.ask(asked("OPTIONS", path, &headers, "")).await
    }
}

/// The headers that are of this subject.
fn told(response: &Response<Body>) -> Vec<&str> {
    let names = response.headers().keys().map(|name| name.as_str());
    names.filter(|name| name.starts_with("access-control-")).collect()
}

#[tokio::test]
async fn listed_origins_are_told_what_they_may() {
    let house = house(false, &[GOOD, "http://localhost:5173"]).await;
    for path in [
        "/fhir/$export",
        "/fhir/metadata",
        "/fhir/auth/token",
        "/fhir/bulk-export/files/x",
        "/fhir/nothing",
    ] {
        let response = house.beforehand(GOOD, path).await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT, "{path}");
        assert_eq!(header(&response, "access-control-allow-origin"), GOOD);
        assert_eq!(
            header(&response, "access-control-allow-methods"),
            "GET, HEAD, POST, DELETE"
        );
        assert!(
            header(&response, "access-control-allow-headers")
                .contains("Authorization, Content-Type, Accept, Prefer, Range")
        );
        assert_eq!(header(&response, "access-control-max-age"), "7200");
        assert_eq!(header(&response, "vary"), "Origin");
        assert!(!response.headers().contains_key("access-control-allow-credentials"));
    }
    // Good and bad answers alike: no token, no page, no such method, a kick-off that lacks something.
    for (method, path, status) in [
        ("GET", "/fhir/metadata", StatusCode::OK),
        ("GET", "/fhir/$export", StatusCode::UNAUTHORIZED),
        ("GET", "/fhir/bulk-export/jobs/x", StatusCode::UNAUTHORIZED),
        ("GET", "/fhir/nothing", StatusCode::NOT_FOUND),
        ("DELETE", "/fhir/metadata", StatusCode::METHOD_NOT_ALLOWED),
        ("POST", "/fhir/auth/token", StatusCode::BAD_REQUEST),
    ] {
        let response = house.from("http://localhost:5173", method, path).await;
        assert_eq!(response.status(), status, "{method} {path}");
        assert_eq!(
            header(&response, "access-control-allow-origin"),
            "http://localhost:5173",
            "{path}"
        );
        let shown = header(&response, "access-control-expose-headers");
        assert!(shown.contains("Content-Location, Retry-After, X-Progress"));
        // A client that is told this knows that no coding is hidden from it, and lets downloads go on.
        let told_all = [
            "ETag",
            "Content-Range",
            "Content-Encoding",
            "Access-Control-Expose-Headers",
        ];
        assert!(
            told_all
                .iter()
                .all(|name| shown.split(", ").any(|other| other == *name))
        );
        let vary = response.headers().get_all("vary").iter().any(|value| value == "Origin");
        assert!(vary && told(&response).len() == 2, "{:?}", response.headers());
    }
}

#[tokio::test]
async fn others_are_told_nothing() {
    let house = house(false, &[GOOD]).await;
    for origin in [
        "null",
        "https://app.example.org.evil.example",
        "https://evil.example/https://app.example.org",
        "https://evilapp.example.org",
        "https://app.example.org:8443",
        "https://app.example.org:443",
        "https://app.example.org/",
        "https://APP.example.org",
        "http://app.example.org",
        "*",
        "",
    ] {
        let before = house.beforehand(origin, "/fhir/metadata").await;
        assert_eq!(
            (before.status(), told(&before).len()),
            (StatusCode::METHOD_NOT_ALLOWED, 0),
            "{origin}"
        );
        let response = house.from(origin, "GET", "/fhir/metadata").await;
        assert_eq!(
            (response.status(), told(&response).len()),
            (StatusCode::OK, 0),
            "{origin}"
        );
        assert_eq!(header(&response, "vary"), "Origin");
    }
    let two = house
        .ask(asked(
            "GET",
            "/fhir/metadata",
            &[("origin", GOOD), ("origin", GOOD)],
            "",
        ))
        .await;
    assert_eq!(told(&two).len(), 0);
    // What is no part of the API has none of it, whoever asks.
    for path in [
        "/",
        "/page/overview",
        "/page/app.js",
        "/health",
        "/metrics",
        "/admin/reload",
        "/browser/",
        "/nothing",
    ] {
        for response in [house.from(GOOD, "GET", path).await, house.beforehand(GOOD, path).await] {
            assert_eq!(told(&response).len(), 0, "{path}");
            assert!(!response.headers().contains_key("vary"), "{path}");
        }
    }
    let silent = self::house(false, &[]).await;
    let response = silent.from(GOOD, "GET", "/fhir/metadata").await;
    assert!(told(&response).is_empty() && !response.headers().contains_key("vary"));
}

#[tokio::test]
async fn a_star_is_for_everybody_and_for_servers_with_tokens() {
    let house = house(false, &["*"]).await;
    for origin in [GOOD, "null"] {
        let response = house.from(origin, "GET", "/fhir/$export").await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(header(&response, "access-control-allow-origin"), "*");
    }
    let page = house.from(GOOD, "GET", "/page/overview").await;
    assert_eq!((page.status(), told(&page).len()), (StatusCode::FORBIDDEN, 0));
}

#[tokio::test]
async fn an_open_server_answers_the_pages_that_were_named_and_shows_them_nothing_else() {
    let house = house(true, &[GOOD]).await;
    let taken = house.from(GOOD, "GET", "/fhir/$export").await;
    assert_eq!(taken.status(), StatusCode::ACCEPTED, "{}", text(taken).await);
    for (origin, path) in [
        ("https://evil.example", "/fhir/$export"),
        ("null", "/fhir/$export"),
        (GOOD, "/page/overview"),
        (GOOD, "/page/jobs"),
        (GOOD, "/metrics"),
    ] {
        let refused = house.from(origin, "GET", path).await;
        assert_eq!(
            (refused.status(), told(&refused).len()),
            (StatusCode::FORBIDDEN, 0),
            "{origin} {path}"
        );
    }
    // Under a name of its own that leads here, a page is still a stranger.
    let rebound = [("origin", GOOD), ("host", "app.example.org")];
    let refused = house.ask(asked("GET", "/fhir/metadata", &rebound, "")).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        header(&refused, "access-control-allow-origin"),
        GOOD,
        "its page may read why"
    );
    let reload = house.from(GOOD, "POST", "/admin/reload").await;
    assert_eq!(reload.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn where_the_base_is_the_root_the_same_holds() {
    let texts = [GOOD.to_owned()];
    let house = house_with(false, &IG, |settings| {
        settings.base_path = String::new();
        settings.origins = Origins::of(&texts).expect("origins");
    });
    let house = house.await;
    for path in ["/metadata", "/nothing"] {
        let response = house.from(GOOD, "GET", path).await;
        assert_eq!(header(&response, "access-control-allow-origin"), GOOD, "{path}");
    }
    for path in ["/health", "/metrics", "/page/overview", "/", "/browser/"] {
        assert_eq!(told(&house.from(GOOD, "GET", path).await).len(), 0, "{path}");
    }
}
