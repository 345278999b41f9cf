//! All routes, on one page.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{any, delete, get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use tracing::Instrument as _;

use crate::app::Shared;
use crate::browser;
use crate::handlers::{admin, discovery, files, groups, health, here, jobs, kickoff, token};
use crate::origins;
use crate::outcome::Reply;
use crate::page;
use crate::random;

/// The server: what FHIR knows under the base path, and what people and machines look at beside it.
pub(crate) fn routes(app: Shared, base_path: &str, figures: PrometheusHandle) -> Router {
    let under_base = Router::new()
        // Kick-offs tell of wrong methods themselves: which ones are right is the profile's to say. Some clients encode the `$`.
        .route("/$export", any(kickoff::system))
        .route("/%24export", any(kickoff::system))
        .route("/Patient/$export", any(kickoff::patient))
        .route("/Patient/%24export", any(kickoff::patient))
        .route("/Group/{id}/$export", any(kickoff::group))
        .route("/Group/{id}/%24export", any(kickoff::group))
        .route("/bulk-export/jobs/{id}", get(jobs::status).merge(delete(jobs::delete)))
        .route("/bulk-export/files/{id}", get(files::file))
        .route("/bulk-export/store/{id}", get(files::signed))
        .route("/metadata", get(discovery::metadata))
        .route("/.well-known/smart-configuration", get(discovery::smart_configuration))
        .route("/auth/token", post(token::token))
        .route("/OperationDefinition/{id}", get(discovery::operation))
        .route("/openapi.json", get(discovery::api))
        .route("/Group", get(groups::search))
        .route("/Group/{id}", get(groups::read));
    // What is asked of a store that is not whole is told so, before it is asked.
    let under_base = under_base
        .route_layer(middleware::from_fn_with_state(app.clone(), has_store))
        .fallback(no_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(app.clone(), only_here_and_guests))
        // Around everything: what a browser is not told of errors its page does not learn.
        .layer(middleware::from_fn_with_state(app.clone(), origins::told));
    let beside = Router::new()
        .merge(page::routes(base_path))
        .merge(browser::routes())
        .route("/health", get(health::health))
        .route("/admin/reload", post(admin::reload))
        .route("/metrics", get(health::metrics).with_state((app.clone(), figures)))
        .method_not_allowed_fallback(wrong_method);
    let here = middleware::from_fn_with_state(app.clone(), only_here);
    let router = match base_path {
        "" | "/" => beside.layer(here).merge(under_base),
        path => beside.fallback(no_route).layer(here).nest(path, under_base),
    };
    router.layer(middleware::from_fn(observed)).with_state(app)
}

async fn no_route() -> Reply {
    Reply::not_found("page")
}

/// The router names the methods that there are in `Allow`.
async fn wrong_method(method: Method) -> Reply {
    Reply::error(
        405,
        "not-supported",
        format!("{method} is not taken here; `Allow` names what is"),
    )
}

/// Where everything is open, it is so for this machine only: not for whoever a proxy on it speaks for, and not for a page from
/// elsewhere in a browser on it, whatever name it is under.
async fn only_here(State(app): State<Shared>, request: Request, next: Next) -> Result<Response, Reply> {
    if app.rules.is_open {
        let (parts, body) = request.into_parts();
        here::asked_here(&parts, &app)?;
        return Ok(next.run(Request::from_parts(parts, body)).await);
    }
    Ok(next.run(request).await)
}

/// The same for the FHIR routes, which pages of other origins may ask if they were named.
async fn only_here_and_guests(State(app): State<Shared>, request: Request, next: Next) -> Result<Response, Reply> {
    if app.rules.is_open {
        let (parts, body) = request.into_parts();
        here::asked_here_or_by_guest(&parts, &app)?;
        return Ok(next.run(Request::from_parts(parts, body)).await);
    }
    Ok(next.run(request).await)
}

/// Whether what is asked for can be had of the store as it is.
async fn has_store(State(app): State<Shared>, request: Request, next: Next) -> Result<Response, Reply> {
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("", MatchedPath::as_str);
    let needs = |part: &str| path.contains(part);
    if needs("$export") || needs("%24export") || needs("/auth/token") {
        app.rules.store.allows(true)?;
    } else if needs("/bulk-export/") {
        app.rules.store.allows(request.method() == Method::DELETE)?;
    }
    Ok(next.run(request).await)
}

/// Gives each request an id, and takes down what became of it: never a query, a header or a body.
async fn observed(request: Request, next: Next) -> Response {
    // Without random numbers requests cannot be told apart in the log, and are answered all the same.
    let id: Arc<str> = random::hex::<8>().unwrap_or_default().into();
    let method = request.method().clone();
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let path = path.unwrap_or_else(|| "(none)".to_owned());
    let begun = Instant::now();
    let span = tracing::info_span!("request", id = &*id);
    let mut response = next.run(request).instrument(span).await;
    let status = response.status();
    let took = begun.elapsed();
    tracing::info!(id = &*id, %method, path, status = status.as_u16(), milliseconds = took.as_millis(), "answered");
    let labels = [("path", path), ("status", status.as_u16().to_string())];
    metrics::counter!("fhirehose_requests_total", &labels).increment(1);
    metrics::histogram!("fhirehose_request_seconds").record(took.as_secs_f64());
    // Oracle's name, and everybody's.
    if let Ok(value) = HeaderValue::from_str(&id) {
        let headers = response.headers_mut();
        headers.insert(HeaderName::from_static("x-request-id"), value.clone());
        headers.insert(HeaderName::from_static("opc-request-id"), value);
    }
    response
}
