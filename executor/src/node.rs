//! What one executor is made of, whether it is a process of its own or a part of the server.

use std::sync::Arc;

use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion_distributed::Worker;
use http::{HeaderMap, HeaderValue};
use waterbuck_engine::bearer::TokenVerifier;
use waterbuck_engine::cluster::{CLUSTER_TOKEN_HEADER, VERSION};
use waterbuck_engine::cluster_access::ClusterAccess;
use waterbuck_engine::session::{NodeRuntime, SessionFactory, TaskOptions};

use crate::channels::ExchangeChannels;
use crate::task_session::TaskSessions;
use crate::tasks::RunningTasks;
use crate::upkeep::free_ended_tasks;

/// How a query's object stores come about on an executor; handed in by the wiring, because only
/// connectors know storage.
pub trait NodeStores: Send + Sync {
    /// The stores of one query, opened with its secrets.
    fn for_query(&self, options: &TaskOptions) -> Arc<dyn ObjectStoreRegistry>;
}

/// One executor: its runtime, its tasks and its connections to the others.
pub struct ExecutorNode {
    pub(crate) runtime: Arc<NodeRuntime>,
    pub(crate) sessions: SessionFactory,
    pub(crate) stores: Arc<dyn NodeStores>,
    pub(crate) channels: Arc<ExchangeChannels>,
    pub(crate) tasks: Arc<RunningTasks>,
    pub(crate) access: ClusterAccess,
    pub(crate) logins: TokenVerifier,
}

impl ExecutorNode {
    /// An executor on `runtime`. Only processes to which `access` is granted are served.
    pub fn new(
        runtime: Arc<NodeRuntime>,
        sessions: SessionFactory,
        stores: Arc<dyn NodeStores>,
        channels: Arc<ExchangeChannels>,
        access: ClusterAccess,
    ) -> Arc<Self> {
        let tasks = Arc::new(RunningTasks::default());
        Arc::new(Self {
            runtime,
            sessions,
            stores,
            channels,
            tasks,
            access,
            logins: TokenVerifier::default(),
        })
    }

    /// The memory and spill space of this executor.
    pub fn runtime(&self) -> &Arc<NodeRuntime> {
        &self.runtime
    }

    /// The tasks alive on this executor.
    pub fn tasks(&self) -> &Arc<RunningTasks> {
        &self.tasks
    }

    /// Checks the tokens of clients by the keys that the coordinators told last.
    pub fn logins(&self) -> &TokenVerifier {
        &self.logins
    }

    /// The part that runs tasks, for serving over gRPC or for use inside this process.
    pub fn worker(self: &Arc<Self>) -> Worker {
        Worker::from_session_builder(TaskSessions::new(Arc::clone(self))).with_version(VERSION)
    }

    /// What has to run as long as `worker`, a part of this executor, is used; never returns.
    pub fn upkeep(&self, worker: Worker) -> impl Future<Output = ()> + Send + use<> {
        free_ended_tasks(worker, Arc::clone(&self.runtime))
    }

    /// The headers with which this process calls the others of its cluster.
    pub fn peer_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(Ok(mut value)) = self.access.token().map(HeaderValue::from_str) {
            // Whoever prints the headers must not print the token.
            value.set_sensitive(true);
            headers.insert(CLUSTER_TOKEN_HEADER, value);
        }
        headers
    }
}
