//! What a running pipeline tells over HTTP: whether it lives, whether it is ready, and its metrics.

mod address;
mod exposition;
mod families;
mod health;
#[cfg(test)]
mod tests;

pub(crate) use address::listen_address;
pub(crate) use health::Health;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sluicegate::config::Secrets;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::failure::Failure;

/// What the answers are made from.
struct Served {
    health: Arc<Health>,
    secrets: Secrets,
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    /// Where it listens; with the port that the system chose where it was asked for port 0.
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Listens at `address` and answers in the background of the current runtime.
pub(crate) async fn serve(address: SocketAddr, health: Arc<Health>, secrets: Secrets) -> Result<Server, Failure> {
    let cannot = |error: std::io::Error| {
        let help = "stop whoever listens there, or choose another address with --listen";
        Failure::failed(format!("{address} cannot be listened at: {error}\n  help: {help}"))
    };
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Arc::new(Served { health, secrets }));
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(target: "sluice", %error, "health and metrics are no longer served");
        }
    });
    Ok(Server { address, task })
}

async fn healthz(State(served): State<Arc<Served>>) -> Response {
    json(StatusCode::OK, served.health.alive().to_string())
}

async fn readyz(State(served): State<Arc<Served>>) -> Response {
    let (ready, body) = served.health.ready();
    json(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, body.to_string())
}

async fn metrics(State(served): State<Arc<Served>>) -> Response {
    let text = exposition::text(&served.health.metrics().samples());
    let text = served.secrets.redact(&text).into_owned();
    ([(header::CONTENT_TYPE, exposition::CONTENT_TYPE)], text).into_response()
}

fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body + "\n").into_response()
}
