//! The page's own routes, asked as a browser does.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode};
use fhirehose_core::search::table::Registry;
use fhirehose_native::codec_out::Compression;
use http_body_util::BodyExt as _;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::app::Shared;
use crate::offer::Offer;
use crate::profile::{IG, ORACLE, ServerProfile};
use crate::routes::routes;
use crate::serve::{Settings, build};

const PATIENTS: &str = r#"{"resourceType":"Patient","id":"a","meta":{"lastUpdated":"2026-01-02T00:00:00Z"}}
{"resourceType":"Patient","id":"b","meta":{"lastUpdated":"2026-03-04T00:00:00Z"}}
"#;
const GROUPS: &str = r#"{"resourceType":"Group","id":"g","name":"<b>Both</b>","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/a"}},{"entity":{"reference":"Patient/b"}}]}
"#;

pub(crate) struct House {
    app: Shared,
    router: Router,
    _folder: TempDir,
}

async fn house(is_open: bool, profile: &'static ServerProfile) -> House {
    house_with(is_open, profile, |_| {}).await
}

/// A server whose settings are changed before it begins.
pub(crate) async fn house_with(
    is_open: bool,
    profile: &'static ServerProfile,
    change: impl FnOnce(&mut Settings),
) -> House {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    std::fs::write(data.join("Patient.ndjson"), PATIENTS).expect("a file");
    std::fs::write(data.join("Group.ndjson"), GROUPS).expect("a file");
    let few = NonZeroUsize::MIN;
    let mut settings = Settings {
        data,
        state: folder.path().to_owned(),
        jobs: None,
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        base_path: "/fhir".to_owned(),
        public_url: None,
        offer: Offer {
            profile,
            registry: Arc::new(Registry::r4()),
            public_base: String::new(),
            data_base: None,
            value_sets: Default::default(),
            assume_async: false,
        },
        is_open,
        browser_page: None,
        origins: Default::default(),
        tls: None,
        is_insecure: false,
        expires: None,
        max_running: few,
        max_queued: 10,
        threads: few,
        compression: Compression::None,
        limits: Default::default(),
        page: few,
        partial_page: few,
        watches: false,
        grace: Duration::from_secs(1),
    };
    change(&mut settings);
    let built = build(&settings, "http://ehr.example.org/fhir".to_owned()).await;
    let (app, _) = built.unwrap_or_else(|error| panic!("{error}"));
    let figures = PrometheusBuilder::new().build_recorder().handle();
    House {
        router: routes(app.clone(), &settings.base_path, figures),
        app,
        _folder: folder,
    }
}

pub(crate) fn asked(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost:8088");
    }
    let mut request = request.body(Body::from(body.to_owned())).expect("a request");
    let peer = SocketAddr::from(([127, 0, 0, 1], 4711));
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

impl House {
    pub(crate) async fn ask(&self, request: Request<Body>) -> Response<Body> {
        let Ok(response) = self.router.clone().oneshot(request).await;
        response
    }

    pub(crate) async fn get(&self, path: &str) -> Response<Body> {
        self.ask(asked("GET", path, &[("host", "127.0.0.1:8088")], "")).await
    }

    async fn json(&self, path: &str) -> Value {
        read(self.get(path).await).await
    }
}

pub(crate) async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.map(|body| body.to_bytes());
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}

async fn read(response: Response<Body>) -> Value {
    serde_json::from_str(&text(response).await).unwrap_or_default()
}

pub(crate) fn header(response: &Response<Body>, name: &str) -> String {
    let value = response.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_page_comes_with_its_policy_and_is_sent_once() {
    let house = house(true, &IG).await;
    let response = house.get("/").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&response, "cache-control"), "no-cache");
    assert!(header(&response, "content-security-policy").starts_with("default-src 'self';"));
    let tag = header(&response, "etag");
    assert!(tag.len() > 10 && tag.starts_with('"'), "{tag}");
    for known in [tag.clone(), format!("\"x\", W/{tag}")] {
        let again = house.ask(asked("GET", "/", &[("if-none-match", &known)], "")).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(header(&again, "etag"), tag);
        assert_eq!(text(again).await, "");
    }
    let other = house
        .ask(asked("GET", "/page/app.js", &[("if-none-match", &tag)], ""))
        .await;
    assert_eq!(other.status(), StatusCode::OK);
    assert_eq!(house.get("/page/other.js").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(house.get("/page/%2e%2e%2fmod.rs").await.status(), StatusCode::NOT_FOUND);
}

/// What stands between two marks, wherever they occur.
fn between<'t>(text: &'t str, before: &str, after: char) -> Vec<&'t str> {
    let parts = text.split(before).skip(1);
    parts.filter_map(|part| part.split(after).next()).collect()
}

#[tokio::test]
async fn the_page_asks_for_nothing_that_is_not_its_own() {
    let house = house(true, &IG).await;
    let html = text(house.get("/").await).await;
    let mut wanted: Vec<String> = Vec::new();
    for mark in ["href=\"", "src=\""] {
        let found = between(&html, mark, '"')
            .into_iter()
            .filter(|url| !url.starts_with('#') && *url != "/browser/");
        wanted.extend(found.map(str::to_owned));
    }
    assert!(wanted.contains(&"/page/app.js".to_owned()) && wanted.contains(&"/page/style.css".to_owned()));
    for inline in [
        "style=",
        "<style",
        "<script>",
        "onclick=",
        "oninput=",
        "onload=",
        "onsubmit=",
    ] {
        assert!(!html.contains(inline), "{inline}");
    }
    let mut seen = Vec::new();
    while let Some(url) = wanted.pop() {
        if seen.contains(&url) {
            continue;
        }
        let response = house.get(&url).await;
        assert_eq!(response.status(), StatusCode::OK, "{url}");
        let script = text(response).await;
        let imported = between(&script, "from \"./", '"').into_iter();
        wanted.extend(imported.map(|name| format!("/page/{name}")));
        for markup in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "localStorage",
        ] {
            assert!(!script.contains(markup), "{url}: {markup}");
        }
        for other in if url.ends_with(".css") {
            ["url(", "@import"]
        } else {
            ["://", "import("]
        } {
            // Names of namespaces are not asked for.
            assert!(
                !script.replace("http://www.w3.org/2000/svg", "").contains(other),
                "{url}: {other}"
            );
        }
        seen.push(url);
    }
    let scripts = seen.iter().filter(|url| url.ends_with(".js")).count();
    assert_eq!(scripts, 9, "{seen:?}");
}

#[tokio::test]
async fn the_overview_tells_what_is_here_and_what_is_offered() {
    let open = house(true, &IG).await;
    let told = open.json("/page/overview").await;
    assert_eq!(told["profile"], "ig");
    assert_eq!(told["base"], "http://ehr.example.org/fhir");
    assert_eq!(told["path"], "/fhir");
    assert_eq!(told["open"], true);
    assert_eq!(told["fhirVersion"], "R4");
    assert_eq!(told["doors"][2]["path"], "Group/{id}/$export");
    assert_eq!(told["data"]["files"], 2);
    assert_eq!(told["data"]["patients"], 2);
    assert_eq!(told["data"]["types"][1]["type"], "Patient");
    assert_eq!(told["data"]["types"][1]["resources"], 2);
    assert!(
        told["data"]["types"][1]["newest"]
            .as_str()
            .is_some_and(|newest| newest.starts_with("2026-03-04"))
    );
    assert_eq!(told["data"]["groups"][0]["name"], "<b>Both</b>");
    assert_eq!(told["data"]["groups"][0]["members"], 2);
    assert_eq!(told["data"]["groupsInAll"], 1);
    let oracle = house(true, &ORACLE).await.json("/page/overview").await;
    assert_eq!(oracle["doors"].as_array().map(Vec::len), Some(2));
    assert_eq!(oracle["doors"][0]["methods"], serde_json::json!(["GET"]));
}

#[tokio::test]
async fn filters_are_explained_or_told_what_is_wrong_with_them() {
    let house = house(true, &IG).await;
    let good = "/page/explain?level=patient&_type=Patient&_typeFilter=Patient%3Fgender%3Dmale";
    let told = house.json(good).await;
    assert_eq!(told["ok"], true, "{told}");
    let text = told["text"].as_str().unwrap_or_default();
    assert!(text.contains("gender=male") && text.contains("2 patients"), "{text}");
    // U+1F600 is four bytes, and two units of JavaScript.
    let bad = "/page/explain?level=system&_typeFilter=Patient%3Fname%3D%F0%9F%98%80%26nam%3Dx";
    let told = house.json(bad).await;
    assert_eq!(told["ok"], false, "{told}");
    let issue = &told["issues"][0];
    assert_eq!(issue["parameter"], "_typeFilter");
    assert_eq!(issue["value"], "Patient?name=😀&nam=x");
    assert_eq!(
        (&issue["start"], &issue["end"]),
        (&Value::from(16), &Value::from(19)),
        "{issue}"
    );
    assert!(
        issue["text"]
            .as_str()
            .is_some_and(|text| text.contains("nam") && text.contains("did you mean"))
    );
    let unknown = house.get("/page/explain?level=all").await;
    assert_eq!(unknown.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_only_the_data_can_tell_is_told_too() {
    let house = house(true, &IG).await;
    let told = house.json("/page/explain?level=group&group=g").await;
    assert_eq!(told["ok"], true, "{told}");
    for id in ["h", "%2e%2e"] {
        let told = house.json(&format!("/page/explain?level=group&group={id}")).await;
        assert_eq!(told["issues"][0]["parameter"], "group", "{told}");
    }
    let listed = |id: &str| {
        format!(
            r#"{{"resourceType":"Parameters","parameter":[{{"name":"patient","valueReference":{{"reference":"Patient/{id}"}}}}]}}"#
        )
    };
    let headers = [("content-type", "application/fhir+json")];
    let post = |id: &str| asked("POST", "/page/explain?level=patient", &headers, &listed(id));
    let told = read(house.ask(post("a")).await).await;
    assert!(
        told["text"].as_str().is_some_and(|text| text.contains("1 patient\n")),
        "{told}"
    );
    let told = read(house.ask(post("stranger")).await).await;
    assert_eq!(told["issues"][0]["parameter"], "patient", "{told}");
    let oracle = self::house(true, &ORACLE).await;
    let told = oracle.json("/page/explain?level=system").await;
    assert_eq!(told["ok"], false);
}

fn from(peer: [u8; 4], path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = asked("GET", path, headers, "");
    if !headers.iter().any(|(name, _)| *name == "host") {
        request.headers_mut().remove("host");
    }
    request
        .extensions_mut()
        .insert(ConnectInfo(SocketAddr::from((peer, 4711))));
    request
}

#[tokio::test]
async fn where_tokens_are_needed_the_page_shows_data_to_its_own_machine_only() {
    const HERE: [u8; 4] = [127, 0, 0, 1];
    let house = house(false, &IG).await;
    let local = ("host", "localhost:8088");
    let public = ("host", "ehr.example.org");
    type Headers<'h> = &'h [(&'h str, &'h str)];
    let cases: [([u8; 4], Headers<'_>, StatusCode); 10] = [
        (HERE, &[local], StatusCode::OK),
        (HERE, &[public], StatusCode::OK),
        (HERE, &[local, ("origin", "http://localhost:8088")], StatusCode::OK),
        (HERE, &[local, ("origin", "http://evil.example")], StatusCode::FORBIDDEN),
        (HERE, &[local, ("origin", "null")], StatusCode::FORBIDDEN),
        (HERE, &[("host", "evil.example")], StatusCode::FORBIDDEN),
        (HERE, &[], StatusCode::FORBIDDEN),
        (HERE, &[local, ("x-forwarded-for", "10.0.0.1")], StatusCode::FORBIDDEN),
        (HERE, &[local, ("forwarded", "for=10.0.0.1")], StatusCode::FORBIDDEN),
        ([10, 0, 0, 1], &[local], StatusCode::FORBIDDEN),
    ];
    for (peer, headers, status) in cases {
        for path in ["/page/overview", "/page/explain?level=system"] {
            let response = house.ask(from(peer, path, headers)).await;
            assert_eq!(response.status(), status, "{peer:?} {headers:?} {path}");
        }
        let response = house.ask(from(peer, "/", headers)).await;
        assert_eq!(response.status(), StatusCode::OK, "the page itself");
        let mut reload = from(peer, "/admin/reload", headers);
        *reload.method_mut() = axum::http::Method::POST;
        assert_eq!(house.ask(reload).await.status(), status, "{peer:?} {headers:?}");
    }
    let refused = house.ask(from([10, 0, 0, 1], "/page/jobs", &[local])).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(read(refused).await["resourceType"], "OperationOutcome");
}

/// The jobs of the next event; `None`: the stream has ended.
async fn event(stream: &mut Body) -> Option<Value> {
    let frame = stream.frame().await?.ok()?;
    let data: Bytes = frame.into_data().ok()?;
    let text = String::from_utf8_lossy(&data).into_owned();
    let data = text.strip_prefix("event: jobs\ndata: ")?;
    serde_json::from_str(data.trim_end()).ok()
}

#[tokio::test]
async fn jobs_are_told_at_once_and_whenever_something_changes() {
    let house = house(true, &IG).await;
    let response = house.get("/page/jobs").await;
    assert_eq!(header(&response, "content-type"), "text/event-stream");
    let mut stream = response.into_body();
    let first = event(&mut stream).await.unwrap_or_default();
    assert_eq!(first["jobs"], serde_json::json!([]));
    assert_eq!(first["scanned"], house.app.keeper.current().scanned.0);
    let kickoff = [("accept", "application/fhir+json"), ("prefer", "respond-async")];
    let started = house
        .ask(asked("GET", "/fhir/Group/g/$export?_type=Patient", &kickoff, ""))
        .await;
    assert_eq!(started.status(), StatusCode::ACCEPTED);
    let job = loop {
        let told = event(&mut stream).await.expect("the stream goes on");
        if told["jobs"][0]["state"] == "complete" {
            break told["jobs"][0].clone();
        }
    };
    assert_eq!(job["level"], "group");
    assert_eq!(job["kept"], 2);
    assert!(job["done"].as_u64() > Some(100) && job["done"] == job["total"], "{job}");
    assert_eq!(
        job["request"],
        "http://ehr.example.org/fhir/Group/g/$export?_type=Patient"
    );
    assert_eq!(job["url"], Value::from(header(&started, "content-location")));
    assert!(job["expires"].as_i64() > job["created"].as_i64());
    house.app.streams.close();
    assert_eq!(event(&mut stream).await, None);
}

#[tokio::test]
async fn there_is_a_bound_on_streams_and_a_place_that_is_left_is_free_again() {
    let house = house(true, &IG).await;
    let mut streams = Vec::new();
    let refused = loop {
        let response = house.get("/page/jobs").await;
        if response.status() != StatusCode::OK {
            break response;
        }
        streams.push(response.into_body());
        assert!(streams.len() < 1000);
    };
    assert_eq!((streams.len(), refused.status()), (50, StatusCode::TOO_MANY_REQUESTS));
    assert!(!header(&refused, "retry-after").is_empty());
    streams.pop();
    assert_eq!(house.get("/page/jobs").await.status(), StatusCode::OK);
}
