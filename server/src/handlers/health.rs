//! Whether the server is well, and its figures.

use axum::extract::State;
use axum::http::StatusCode;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::app::Shared;
use crate::reply::{Answer, body};

/// Answers 200 as long as the store answers.
pub(crate) async fn health(State(app): State<Shared>) -> Answer {
    let tally = app.store.tally().await?;
    let of = |state| tally.of(state);
    let catalogue = app.keeper.current();
    let text = serde_json::json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "jobs": {
            "accepted": of(fhirehose_store::State::Accepted),
            "running": of(fhirehose_store::State::Running),
        },
        "data": {
            "files": catalogue.files().len(),
            "bytes": catalogue.bytes_stored(),
            "scanned": crate::offer::instant(catalogue.scanned),
        },
    });
    Ok(body(StatusCode::OK, "application/json", text.to_string()))
}

/// Prometheus's text. What the store counts is asked for now.
pub(crate) async fn metrics(State((app, handle)): State<(Shared, PrometheusHandle)>) -> Answer {
    let tally = app.store.tally().await?;
    for state in fhirehose_store::State::ALL {
        // Some thousand jobs are counted exactly.
        metrics::gauge!("fhirehose_jobs", "state" => state.name()).set(tally.of(state) as f64);
    }
    Ok(body(StatusCode::OK, "text/plain; version=0.0.4", handle.render()))
}
