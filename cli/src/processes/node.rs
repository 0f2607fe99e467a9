//! What every process that runs queries has: memory, storage, sessions and connections.

use std::path::Path;
use std::sync::Arc;

use datafusion::execution::object_store::ObjectStoreRegistry;
use futures::FutureExt;
use sysinfo::System;
use url::Url;
use waterbuck_catalog::{CatalogStore, open_sqlite};
use waterbuck_connectors::files::{FileMetadata, FilesExtension, Stores};
use waterbuck_coordinator::{Coordinator, CoordinatorParts, LocalExecutor};
use waterbuck_engine::session::{NodeRuntime, RuntimeConfig, SessionFactory, TaskOptions};
use waterbuck_engine::settings::Settings;
use waterbuck_engine::{Error, Result};
use waterbuck_executor::{ExchangeChannels, ExecutorNode, HeartbeatSender, NodeStores};
use waterbuck_transport::Dialer;

use crate::config::Config;

/// Listings and footers kept by a coordinator.
const FILE_METADATA_BYTES: usize = 256 << 20;
/// Known to nobody: the address of the executor inside this process is never connected to.
const LOCAL_EXECUTOR_URL: &str = "http://executor.local";
/// Without a limit the disk is the limit, and a full disk an error of the query that filled it.
const SPILL_UNLIMITED: u64 = u64::MAX / 2;

/// The parts of one process.
pub(super) struct Node {
    pub(super) runtime: Arc<NodeRuntime>,
    pub(super) stores: Arc<Stores>,
    pub(super) sessions: SessionFactory,
    pub(super) channels: Arc<ExchangeChannels>,
    pub(super) executor: Arc<ExecutorNode>,
}

impl Node {
    /// The parts of a process with this configuration.
    pub(super) fn new(config: &Config, spill_dir: &Path) -> Result<Self> {
        let runtime = NodeRuntime::new(&RuntimeConfig {
            memory_limit_bytes: memory_limit(config),
            spill_dir: Some(spill_dir.to_owned()),
            spill_limit_bytes: config.spill_limit_bytes.unwrap_or(SPILL_UNLIMITED),
        })
        .map_err(|error| Error::invalid("the process cannot start").with_source(error))?;
        let stores = Stores::referring(config.places.referrals());
        let sessions = SessionFactory::new(vec![Arc::new(FilesExtension)]);
        let dialer = Dialer::new(&config.tls, config.insecure_plaintext)?;
        let channels = Arc::new(ExchangeChannels::new(dialer));
        let executor = ExecutorNode::new(
            Arc::clone(&runtime),
            sessions.clone(),
            Arc::new(TaskStores(Arc::clone(&stores))),
            Arc::clone(&channels),
            config.cluster_access(),
        );
        Ok(Self {
            runtime,
            stores,
            sessions,
            channels,
            executor,
        })
    }

    /// A coordinator on these parts; with `local` its queries run in this process.
    pub(super) fn coordinator(
        &self,
        catalog: Arc<dyn CatalogStore>,
        config: &Config,
        local: bool,
    ) -> Result<Arc<Coordinator>> {
        let data_url = catalog.data_path().to_owned();
        let (local, upkeep) = if local {
            let url = Url::parse(LOCAL_EXECUTOR_URL)
                .map_err(|error| Error::internal("no local address").with_source(error))?;
            let heart = HeartbeatSender::new(Arc::clone(&self.executor), &url, None);
            let worker = self.executor.worker();
            let local = LocalExecutor {
                url,
                worker: worker.clone(),
                report: Box::new(move || heart.current()),
            };
            (Some(local), Some(self.executor.upkeep(worker).boxed()))
        } else {
            (None, None)
        };
        Coordinator::start(CoordinatorParts {
            catalog,
            sessions: self.sessions.clone(),
            runtime: Arc::clone(&self.runtime),
            stores: Arc::clone(&self.stores),
            files: FileMetadata::new(FILE_METADATA_BYTES),
            channels: Arc::clone(&self.channels) as _,
            peer_headers: self.executor.peer_headers(),
            cluster_access: config.cluster_access(),
            local,
            upkeep,
            settings: Settings::new(),
            places: config.places.clone(),
            oidc: config.oidc.clone(),
            audit_log: config.audit_log.clone(),
            admission: config.admission,
            data_url,
        })
    }
}

/// Opens the catalog of a data directory, making both when they are absent.
pub(super) async fn open_catalog(data_dir: &Path) -> Result<Arc<dyn CatalogStore>> {
    std::fs::create_dir_all(data_dir).map_err(|error| {
        let message = format!("data directory \"{}\" cannot be made", data_dir.display());
        Error::unavailable(message).with_source(error)
    })?;
    let data_dir = std::path::absolute(data_dir).map_err(|error| {
        let message = format!("data directory \"{}\" has no path", data_dir.display());
        Error::unavailable(message).with_source(error)
    })?;
    let tables = data_dir.join("tables");
    open_sqlite(&data_dir.join("catalog.sqlite"), &tables.to_string_lossy()).await
}

/// The bytes queries may use on this machine, or in its control group where that is smaller.
fn memory_limit(config: &Config) -> usize {
    let mut system = System::new();
    system.refresh_memory();
    let group = system
        .cgroup_limits()
        .map_or(u64::MAX, |limits| limits.total_memory);
    let available = system.total_memory().min(group);
    usize::try_from(config.memory_limit().resolve(available)).unwrap_or(usize::MAX)
}

/// The object stores of the tasks of one query on this node.
struct TaskStores(Arc<Stores>);

impl NodeStores for TaskStores {
    fn for_query(&self, options: &TaskOptions) -> Arc<dyn ObjectStoreRegistry> {
        let secrets = options
            .secrets()
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok());
        self.0.for_query(secrets.unwrap_or_default())
    }
}
