//! The web port of every process: whether it is well, and what it is doing, for monitors.
//!
//! It has a thread and a runtime of its own: queries that keep every worker thread busy must not
//! make the process look dead.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use axum::serve::Listener;
use axum::{Json, Router};
use futures::StreamExt;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tonic::transport::server::TcpIncoming;
use tracing::error;
use waterbuck_engine::monitor::Report;
use waterbuck_engine::{Error, Result};
use waterbuck_transport::{Connection, Incoming};

use super::ready::Port;

/// The version of the text format of Prometheus.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Asks the process for its report.
type Watched = Arc<dyn Fn() -> Report + Send + Sync>;

/// A web port that answers until it is dropped.
pub(super) struct WebPort {
    serving: JoinSet<()>,
    runtime: Option<Runtime>,
}

impl WebPort {
    /// Answers on `port` with what `report` says at that moment.
    ///
    /// # Errors
    /// When there is no thread to answer on.
    pub(super) fn open(
        port: Port,
        report: impl Fn() -> Report + Send + Sync + 'static,
    ) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::unavailable("the web port cannot be served").with_source(error)
        };
        let listener = port.listener.into_std().map_err(failed)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("web")
            .enable_all()
            .build()
            .map_err(failed)?;
        let handle = runtime.handle().clone();
        let mut web = Self {
            serving: JoinSet::new(),
            runtime: Some(runtime),
        };
        let listener = {
            let _inside = handle.enter();
            TcpListener::from_std(listener).map_err(failed)?
        };
        let address = listener.local_addr().map_err(failed)?;
        let connections = Connections {
            incoming: Incoming::new(TcpIncoming::from(listener), port.tls),
            address,
        };
        let pages = pages(Arc::new(report));
        let serving = async move {
            if let Err(error) = axum::serve(connections, pages).await {
                error!(%error, "the web port broke");
            }
        };
        web.serving.spawn_on(serving, &handle);
        Ok(web)
    }
}

impl Drop for WebPort {
    fn drop(&mut self) {
        self.serving.abort_all();
        if let Some(runtime) = self.runtime.take() {
            // A runtime may not be waited for inside another one.
            runtime.shutdown_background();
        }
    }
}

/// The connections of the port, in TLS or in plain text.
struct Connections {
    incoming: Incoming,
    address: SocketAddr,
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            match self.incoming.next().await {
                Some(Ok(connection)) => {
                    // One that has gone again is answered like the others, and then found broken.
                    let peer = connection.peer().address().unwrap_or(self.address);
                    return (connection, peer);
                }
                None => std::future::pending().await,
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

fn pages(watched: Watched) -> Router {
    Router::new()
        .route("/", get(async || Redirect::temporary("/status")))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .with_state(watched)
}

async fn ready(State(watched): State<Watched>) -> (StatusCode, &'static str) {
    if watched().ready {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    }
}

async fn status(State(watched): State<Watched>) -> Json<Value> {
    Json(watched().status())
}

async fn metrics(State(watched): State<Watched>) -> impl IntoResponse {
    ([(CONTENT_TYPE, METRICS_TYPE)], watched().metrics())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn page(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_draining_process_is_well_and_not_ready() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ready = Arc::new(AtomicBool::new(true));
        let told = Arc::clone(&ready);
        let port = Port {
            listener,
            tls: None,
        };
        let _port = WebPort::open(port, move || Report {
            ready: told.load(Ordering::SeqCst),
            gauges: vec![],
        })
        .unwrap();
        assert!(page(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        ready.store(false, Ordering::SeqCst);
        assert!(page(address, "/readyz").await.starts_with("HTTP/1.1 503"));
        assert!(page(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        let metrics = page(address, "/metrics").await;
        assert!(metrics.contains("text/plain; version=0.0.4"), "{metrics}");
        assert!(metrics.ends_with("\nwaterbuck_ready 0\n"), "{metrics}");
        let status = page(address, "/status").await;
        assert!(status.contains("\"ready\":false"), "{status}");
        let root = page(address, "/").await;
        assert!(root.contains("location: /status"), "{root}");
    }
}
