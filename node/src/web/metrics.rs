//! Figures for Prometheus, over plain HTTP: inside one's own network only.

use axum::Router;
use axum::http::header;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// Serves the figures until `stop`.
pub async fn serve_metrics(listener: TcpListener, metrics: Metrics, stop: CancellationToken) {
    let figures = move || {
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        let text = metrics.encode();
        async move { ([(header::CONTENT_TYPE, kind)], text) }
    };
    let router = Router::new().route("/metrics", get(figures));
    let serving = axum::serve(listener, router);
    if let Err(error) = serving.with_graceful_shutdown(stop.cancelled_owned()).await {
        tracing::error!(%error, "metrics are not served");
    }
}
