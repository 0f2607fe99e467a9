//! How an executor makes itself known: one heartbeat a second to every coordinator.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use arrow_flight::Action;
use arrow_flight::flight_service_client::FlightServiceClient;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use tracing::{info, warn};
use url::Url;
use waterbuck_engine::cluster::{HEARTBEAT_ACTION, Heartbeat, HeartbeatReply, NodeState, VERSION};
use waterbuck_engine::{Error, Result};

use crate::node::ExecutorNode;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// Sends the heartbeats of one executor to one set of coordinators.
pub struct HeartbeatSender {
    pub(crate) node: Arc<ExecutorNode>,
    executor_id: String,
    url: String,
    public_url: Option<String>,
    state: AtomicU8,
}

impl HeartbeatSender {
    /// A sender for `node`, which others reach at `url`, and clients at `public_url`.
    pub fn new(node: Arc<ExecutorNode>, url: &Url, public_url: Option<String>) -> Arc<Self> {
        let url = url.as_str().trim_end_matches('/').to_owned();
        Arc::new(Self {
            node,
            executor_id: uuid::Uuid::now_v7().to_string(),
            url,
            public_url,
            state: AtomicU8::new(0),
        })
    }

    /// What the next heartbeat says.
    pub fn current(&self) -> Heartbeat {
        let runtime = &self.node.runtime;
        Heartbeat {
            executor_id: self.executor_id.clone(),
            url: self.url.clone(),
            version: VERSION.to_owned(),
            state: self.state(),
            running_tasks: self.node.tasks.count() as u64,
            running_queries: runtime.running_queries() as u64,
            memory_used_bytes: runtime.budget().used() as u64,
            memory_peak_bytes: runtime.budget().peak() as u64,
            memory_limit_bytes: runtime.budget().limit() as u64,
            spilled_bytes: runtime.spilled_bytes(),
            cores: std::thread::available_parallelism().map_or(1, usize::from) as u64,
            queries: runtime.work(),
            cluster_token: self.node.access.token().map(str::to_owned),
            public_url: self.public_url.clone(),
            results: self.node.tasks.served().reports(),
        }
    }

    /// Whether this executor takes new tasks.
    pub(crate) fn state(&self) -> NodeState {
        match self.state.load(Ordering::SeqCst) {
            0 => NodeState::Active,
            1 => NodeState::Draining,
            _ => NodeState::Leaving,
        }
    }

    /// Says in all later heartbeats that this executor takes no new tasks.
    pub fn set_state(&self, state: NodeState) {
        let code = match state {
            NodeState::Active => 0,
            NodeState::Draining => 1,
            NodeState::Leaving => 2,
        };
        self.state.store(code, Ordering::SeqCst);
    }

    /// Sends heartbeats to `coordinator` until `stop`; an unreachable coordinator is tried again.
    pub async fn run(self: Arc<Self>, coordinator: Url, stop: CancellationToken) {
        let mut registered = false;
        let mut wait = Duration::ZERO;
        let mut reports = self.node.tasks.served().changes();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
                // Somebody waits for what a client has read. The sender lives as long as the node.
                Ok(()) = reports.changed(), if registered => {}
            }
            wait = match self.send(&coordinator).await {
                Ok(reply) => {
                    if !registered {
                        info!(%coordinator, executor = %self.executor_id, "registered");
                    }
                    registered = true;
                    // All coordinators of a cluster sign with the keys of one catalog.
                    self.node.logins.set_keys(&reply.login_keys);
                    Duration::from_millis(reply.interval_ms)
                }
                Err(error) => {
                    if registered || wait.is_zero() {
                        warn!(%coordinator, %error, "heartbeat not taken");
                    }
                    registered = false;
                    Duration::from_millis(500)
                }
            };
        }
    }

    /// Sends one heartbeat.
    ///
    /// # Errors
    /// `Unavailable` when the coordinator cannot be reached, its own refusal otherwise.
    pub async fn send(&self, coordinator: &Url) -> Result<HeartbeatReply> {
        let heartbeat = self.current();
        let body = serde_json::to_vec(&heartbeat)
            .map_err(|error| Error::internal("heartbeat cannot be encoded").with_source(error))?;
        let timely = |endpoint: Endpoint| {
            endpoint
                .connect_timeout(REQUEST_TIMEOUT)
                .timeout(REQUEST_TIMEOUT)
        };
        let dialer = self.node.channels.dialer();
        let channel = dialer.connect(coordinator, timely).await?;
        let action = Action {
            r#type: HEARTBEAT_ACTION.to_owned(),
            body: body.into(),
        };
        let refused = |status: tonic::Status| {
            Error::unavailable(format!("coordinator says: {}", status.message()))
        };
        let mut replies = FlightServiceClient::new(channel)
            .do_action(action)
            .await
            .map_err(refused)?
            .into_inner();
        let reply = replies
            .message()
            .await
            .map_err(refused)?
            .ok_or_else(|| Error::unavailable("coordinator gave no answer to a heartbeat"))?;
        serde_json::from_slice(&reply.body).map_err(|error| {
            Error::unavailable("coordinator's answer is damaged").with_source(error)
        })
    }
}
