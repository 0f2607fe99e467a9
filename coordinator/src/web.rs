//! The web port: whether the process is well, and what it is doing, for monitors.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use waterbuck_engine::cluster::VERSION;
use waterbuck_engine::{Error, Result};

use crate::cluster::ExecutorState;
use crate::coordinator::Coordinator;

/// Serves until `stop`.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    coordinator: Arc<Coordinator>,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<()> {
    let router = Router::new()
        .route(
            "/",
            get(async || axum::response::Redirect::temporary("/status")),
        )
        .route("/healthz", get(async || "ok\n"))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .with_state(coordinator);
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
        .map_err(|error| Error::unavailable("the web port broke").with_source(error))
}

/// Counts only: neither statements nor names of users or tables.
async fn status(State(coordinator): State<Arc<Coordinator>>) -> Json<Value> {
    let counts = Counts::of(&coordinator);
    Json(json!({
        "version": VERSION,
        "executors": {
            "active": counts.active,
            "draining": counts.draining,
            "lost": counts.lost,
        },
        "queries": { "running": counts.running, "ended": counts.ended },
    }))
}

async fn metrics(State(coordinator): State<Arc<Coordinator>>) -> String {
    let counts = Counts::of(&coordinator);
    let mut text = String::new();
    let mut say = |name: &str, help: &str, rows: &[(&str, usize)]| {
        let _infallible = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (state, count) in rows {
            let _infallible = writeln!(text, "{name}{{state=\"{state}\"}} {count}");
        }
    };
    say(
        "waterbuck_executors",
        "Known executors.",
        &[
            ("active", counts.active),
            ("draining", counts.draining),
            ("lost", counts.lost),
        ],
    );
    say(
        "waterbuck_queries",
        "Queries in memory.",
        &[("running", counts.running), ("ended", counts.ended)],
    );
    text
}

struct Counts {
    active: usize,
    draining: usize,
    lost: usize,
    running: usize,
    ended: usize,
}

impl Counts {
    fn of(coordinator: &Coordinator) -> Self {
        let executors = coordinator.executors();
        let in_state = |state| {
            executors
                .iter()
                .filter(|known| known.state == state)
                .count()
        };
        let queries = coordinator.queries().all();
        let ended = queries
            .iter()
            .filter(|query| query.view().state.is_final())
            .count();
        Self {
            active: in_state(ExecutorState::Active),
            draining: in_state(ExecutorState::Draining),
            lost: in_state(ExecutorState::Lost),
            running: queries.len() - ended,
            ended,
        }
    }
}
