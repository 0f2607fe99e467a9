//! Serves an executor over gRPC until it is told to drain.

use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Status};
use tracing::{info, warn};
use url::Url;
use waterbuck_engine::cluster::{CLUSTER_TOKEN_HEADER, NodeState, TASK_HEADERS_BYTES_MAX};
use waterbuck_engine::cluster_access::{ClusterAccess, ClusterMember};
use waterbuck_engine::{Error, Result};
use waterbuck_transport::{Incoming, ListenerTls, mark_peer};

use crate::heartbeat::HeartbeatSender;
use crate::node::ExecutorNode;
use crate::result_service::ResultService;
use crate::tasks::CountTasks;

/// How long a drained executor goes on serving so that its last results are fetched.
const LINGER: Duration = Duration::from_millis(200);

/// Where an executor serves and whom it reports to.
#[derive(Clone)]
pub struct ServeConfig {
    /// The URL under which the other processes reach this one.
    pub advertise: Url,
    /// Where clients reach it to read results, as Flight writes locations; `None` if they do not.
    pub public_url: Option<String>,
    /// The coordinators that heartbeats go to.
    pub coordinators: Vec<Url>,
    /// How long running tasks may take to finish once draining has begun.
    pub drain_timeout: Duration,
    /// TLS of the listener; without it calls are served in plain text.
    pub tls: Option<Arc<ListenerTls>>,
}

/// An executor process's server.
pub struct ExecutorServer {
    node: Arc<ExecutorNode>,
    config: ServeConfig,
    sender: Arc<HeartbeatSender>,
}

impl ExecutorServer {
    /// A server for `node`.
    pub fn new(node: Arc<ExecutorNode>, config: ServeConfig) -> Self {
        let sender = HeartbeatSender::new(
            Arc::clone(&node),
            &config.advertise,
            config.public_url.clone(),
        );
        Self {
            node,
            config,
            sender,
        }
    }

    /// What this server says of itself, to coordinators and to monitors.
    pub fn sender(&self) -> &Arc<HeartbeatSender> {
        &self.sender
    }

    /// Serves on `listener` and reports to the coordinators until `drain` is cancelled; then takes
    /// no new tasks, lets the running ones finish, and returns.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn run(self, listener: TcpListener, drain: CancellationToken) -> Result<()> {
        let stop = CancellationToken::new();
        let heartbeats = self.start_heartbeats(&stop)?;
        let serving = self.serve(listener, stop.clone());
        tokio::pin!(serving);
        tokio::select! {
            result = &mut serving => return result,
            () = drain.cancelled() => {}
        }
        tokio::select! {
            result = &mut serving => return result,
            () = self.drain() => {}
        }
        stop.cancel();
        drop(heartbeats);
        Ok(())
    }

    /// Heartbeats have a thread and a runtime of their own: tasks that keep every worker thread
    /// busy must not make the executor look lost.
    fn start_heartbeats(&self, stop: &CancellationToken) -> Result<Heartbeats> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("heartbeat")
            .enable_all()
            .build()
            .map_err(|error| Error::unavailable("no thread for heartbeats").with_source(error))?;
        let mut sending = JoinSet::new();
        for coordinator in &self.config.coordinators {
            let beats = Arc::clone(&self.sender).run(coordinator.clone(), stop.clone());
            sending.spawn_on(beats, runtime.handle());
        }
        Ok(Heartbeats {
            _sending: sending,
            runtime: Some(runtime),
        })
    }

    async fn drain(&self) {
        info!(tasks = self.node.tasks.count(), "draining");
        self.announce(NodeState::Draining).await;
        let finished = tokio::time::timeout(self.config.drain_timeout, async {
            // A query planned just before the announcement may still send its tasks.
            tokio::time::sleep(LINGER).await;
            self.node.tasks.all_done().await;
            tokio::time::sleep(LINGER).await;
        });
        if finished.await.is_err() {
            warn!(
                tasks = self.node.tasks.count(),
                "leaving with tasks unfinished"
            );
        }
        self.announce(NodeState::Leaving).await;
        info!("drained");
    }

    async fn announce(&self, state: NodeState) {
        self.sender.set_state(state);
        for coordinator in &self.config.coordinators {
            if let Err(error) = self.sender.send(coordinator).await {
                warn!(%coordinator, %error, "coordinator was not told");
            }
        }
    }

    async fn serve(&self, listener: TcpListener, stop: CancellationToken) -> Result<()> {
        let access = self.node.access.clone();
        let guard = move |request: Request<()>| admit(&access, mark_peer(request)?);
        let worker = self.node.worker();
        let mut upkeep = JoinSet::new();
        upkeep.spawn(self.node.upkeep(worker.clone()));
        let results = ResultService {
            node: Arc::clone(&self.node),
            worker: worker.clone(),
            coordinators: self.config.coordinators.clone(),
        };
        let worker = worker.into_worker_server();
        let counted = CountTasks {
            inner: worker,
            tasks: Arc::clone(&self.node.tasks),
        };
        let worker = InterceptedService::new(counted, guard);
        let sockets = TcpIncoming::from(listener).with_nodelay(Some(true));
        let incoming = Incoming::new(sockets, self.config.tls.clone());
        Server::builder()
            .http2_keepalive_interval(Some(Duration::from_secs(5)))
            .initial_stream_window_size(8 * 1024 * 1024)
            .initial_connection_window_size(32 * 1024 * 1024)
            .http2_max_header_list_size(TASK_HEADERS_BYTES_MAX)
            .add_service(worker)
            .add_service(FlightServiceServer::new(results))
            .serve_with_incoming_shutdown(incoming, stop.cancelled())
            .await
            .map_err(|error| Error::unavailable("executor's listener broke").with_source(error))
    }
}

/// The heartbeats of an executor: dropping this ends them.
struct Heartbeats {
    _sending: JoinSet<()>,
    runtime: Option<Runtime>,
}

impl Drop for Heartbeats {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A runtime may not be waited for inside another one.
            runtime.shutdown_background();
        }
    }
}

/// Lets a call of the cluster through to the tasks, and no other.
fn admit(access: &ClusterAccess, request: Request<()>) -> std::result::Result<Request<()>, Status> {
    let token = request
        .metadata()
        .get(CLUSTER_TOKEN_HEADER)
        .map(|value| value.to_str().unwrap_or_default());
    let is_member = request.extensions().get::<ClusterMember>().is_some();
    match access.check(token, is_member) {
        Ok(()) => Ok(request),
        Err(error) => Err(Status::unauthenticated(error.message())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(token: Option<&'static str>) -> Request<()> {
        let mut request = Request::new(());
        if let Some(token) = token {
            let value = token.parse().unwrap();
            request.metadata_mut().insert(CLUSTER_TOKEN_HEADER, value);
        }
        request
    }

    #[test]
    fn a_call_without_the_clusters_token_is_refused() {
        let access = ClusterAccess::new(Some("secret".to_owned()), false);
        assert!(admit(&access, call(Some("secret"))).is_ok());
        for token in [None, Some("other")] {
            let status = admit(&access, call(token)).unwrap_err();
            assert_eq!(status.code(), tonic::Code::Unauthenticated);
        }
    }

    #[test]
    fn a_call_without_the_clusters_certificate_is_refused() {
        let access = ClusterAccess::new(None, true);
        assert!(admit(&access, call(None)).is_err());
        let mut member = call(None);
        member.extensions_mut().insert(ClusterMember);
        assert!(admit(&access, member).is_ok());
    }
}
