use schemars::JsonSchema;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Health, Metrics};

/// The port for probes and metrics.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdminConfig {
    /// Address and port of `/livez`, `/readyz` and `/metrics`; port 0 takes a free one.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
}

impl Default for AdminConfig {
    fn default() -> Self {
        // Loopback: a container's configuration opens it, a laptop's does not.
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9464)),
        }
    }
}

/// A listening admin port.
#[derive(Debug)]
pub struct Admin {
    /// Where it listens.
    pub address: SocketAddr,
}

#[derive(Clone)]
struct Shown {
    health: Health,
    metrics: Metrics,
}

/// Serves probes and metrics until `stop` fires.
pub async fn serve_admin(
    config: &AdminConfig,
    health: Health,
    metrics: Metrics,
    stop: CancellationToken,
) -> std::io::Result<Admin> {
    let listener = TcpListener::bind(config.listen).await?;
    let address = listener.local_addr()?;
    let upkeep = metrics.clone();
    let routes = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(show_metrics))
        .with_state(Shown { health, metrics });
    let ended = stop.clone();
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes)
            .with_graceful_shutdown(ended.cancelled_owned())
            .await
        {
            tracing::error!(%error, "the admin port ended");
        }
    });
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_secs(5));
        while tokio::select! { _ = tick.tick() => true, () = stop.cancelled() => false } {
            upkeep.upkeep();
        }
    });
    Ok(Admin { address })
}

async fn livez(State(shown): State<Shown>) -> impl IntoResponse {
    answer(shown.health.silent(), "does not turn")
}

async fn readyz(State(shown): State<Shown>) -> impl IntoResponse {
    answer(shown.health.unready(), "is not ready")
}

async fn show_metrics(State(shown): State<Shown>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        shown.metrics.render(),
    )
}

fn answer(at_fault: Vec<String>, fault: &str) -> (StatusCode, String) {
    if at_fault.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{}: {fault}\n", at_fault.join(", ")),
        )
    }
}
