//! The control plane of one process: what sessions share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion_distributed::{ChannelResolver, GetWorkerInfoRequest};
use futures::future::BoxFuture;
use http::HeaderMap;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use url::Url;
use uuid::Uuid;
use waterbuck_catalog::CatalogStore;
use waterbuck_connectors::files::write::PublishGate;
use waterbuck_connectors::files::{FileMetadata, Stores};
use waterbuck_engine::cluster::VERSION;
use waterbuck_engine::cluster_access::ClusterAccess;
use waterbuck_engine::session::{NodeRuntime, SessionFactory};
use waterbuck_engine::settings::Settings;
use waterbuck_engine::{Error, ErrorKind, Result};

use crate::audit::AuditLog;
use crate::cluster::{ExecutorInfo, Membership};
use crate::login::{Authority, OidcConfig};
use crate::places::{Places, PlacesConfig};
use crate::query::{
    Admission, AdmissionLimits, LocalExecutor, QueryProgress, QueryRecord, QueryRegistry,
    StatePlanner,
};
use crate::quota::Quotas;
use crate::recovery::{Recovery, recover_file_tables};
use crate::revocations::Revocations;
use crate::session::{Session, SessionUser};

/// How long a stopping coordinator waits for publications.
const FINISH_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a session outlives a change of its user that another coordinator made.
const USERS_INTERVAL: Duration = Duration::from_secs(5);
/// How often it is looked whether the keys of logins must change.
const KEYS_INTERVAL: Duration = Duration::from_secs(60);
const PROBE_TIMEOUT: Duration = Duration::from_millis(1500);

/// What a coordinator is made of; the wiring brings it together.
pub struct CoordinatorParts {
    /// What names mean.
    pub catalog: Arc<dyn CatalogStore>,
    /// How sessions are assembled, the same as on executors.
    pub sessions: SessionFactory,
    /// Memory and spill space for what runs on the coordinator.
    pub runtime: Arc<NodeRuntime>,
    /// Object stores.
    pub stores: Arc<Stores>,
    /// Listings and footers.
    pub files: Arc<FileMetadata>,
    /// Connections to executors.
    pub channels: Arc<dyn ChannelResolver + Send + Sync>,
    /// The headers with which executors are called.
    pub peer_headers: HeaderMap,
    /// What executors must show to be taken in.
    pub cluster_access: ClusterAccess,
    /// The executor inside this process, in the all-in-one server and the embedded engine.
    pub local: Option<LocalExecutor>,
    /// What has to run as long as [`Self::local`] does.
    pub upkeep: Option<BoxFuture<'static, ()>>,
    /// The settings every session starts with.
    pub settings: Settings,
    /// The issuer whose tokens are logins, if there is one.
    pub oidc: Option<OidcConfig>,
    /// The file to which every action is recorded, if there is one.
    pub audit_log: Option<PathBuf>,
    /// Where users may send the server.
    pub places: PlacesConfig,
    /// How many queries may run and wait.
    pub admission: AdmissionLimits,
    /// The directory, as a URL, that tables without a location live under.
    pub data_url: String,
}

/// What all sessions of a coordinator share.
pub(crate) struct Core {
    pub(crate) catalog: Arc<dyn CatalogStore>,
    pub(crate) planner: StatePlanner,
    pub(crate) runtime: Arc<NodeRuntime>,
    pub(crate) stores: Arc<Stores>,
    pub(crate) files: Arc<FileMetadata>,
    pub(crate) channels: Arc<dyn ChannelResolver + Send + Sync>,
    pub(crate) members: Arc<Membership>,
    pub(crate) queries: QueryRegistry,
    pub(crate) admission: Admission,
    pub(crate) settings: Settings,
    pub(crate) data_url: String,
    /// Keeps listings and publications of the same directory apart.
    pub(crate) gate: Arc<PublishGate>,
    pub(crate) recovery: Recovery,
    pub(crate) audit: Arc<AuditLog>,
    /// Who may come in.
    pub(crate) authority: Authority,
    /// Where users may send the server.
    pub(crate) places: Places,
    /// What users may have.
    pub(crate) quotas: Quotas,
    /// Whose sessions are over, because the user was changed or dropped.
    pub(crate) revocations: Revocations,
    /// Watchers, which end with the process.
    background: Mutex<JoinSet<()>>,
    /// What must come to its end, whatever becomes of the statement which began it: publications,
    /// commits and clean-up.
    finishing: Mutex<JoinSet<()>>,
}

/// The control plane of one process.
pub struct Coordinator {
    core: Arc<Core>,
}

impl Coordinator {
    /// A coordinator of `parts`. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the cluster token cannot travel in a header, the audit log cannot be written, or
    /// an allowed location is none.
    pub fn start(parts: CoordinatorParts) -> Result<Arc<Self>> {
        let members = Arc::new(Membership::new(VERSION, parts.cluster_access));
        let planner = StatePlanner::new(
            &parts.sessions,
            Arc::clone(&parts.channels),
            parts.peer_headers,
            parts.local,
        )?;
        let audit = Arc::new(AuditLog::open(parts.audit_log.as_deref())?);
        let places = Places::new(&parts.places, &parts.data_url)?;
        let core = Arc::new(Core {
            places,
            authority: Authority::new(Arc::clone(&parts.catalog), parts.oidc),
            quotas: Quotas::default(),
            catalog: parts.catalog,
            planner,
            runtime: parts.runtime,
            stores: parts.stores,
            files: parts.files,
            channels: parts.channels,
            members: Arc::clone(&members),
            queries: QueryRegistry::audited(Arc::clone(&audit)),
            audit,
            admission: Admission::new(parts.admission),
            settings: parts.settings,
            data_url: parts.data_url,
            gate: PublishGate::new(),
            recovery: Recovery::new(),
            revocations: Revocations::default(),
            background: Mutex::new(JoinSet::new()),
            finishing: Mutex::new(JoinSet::new()),
        });
        core.in_background(async move { members.watch().await });
        if let Some(upkeep) = parts.upkeep {
            core.in_background(upkeep);
        }
        core.in_background(recover_file_tables(Arc::clone(&core)));
        core.in_background(keep_login_keys(Arc::clone(&core)));
        core.in_background(look_at_users(Arc::clone(&core)));
        Ok(Arc::new(Self { core }))
    }

    /// Opens a session inside this process for a user who has proved who they are.
    pub fn open_session(&self, user: SessionUser) -> Arc<Session> {
        self.continue_session(user, Uuid::now_v7(), "this process")
    }

    /// Opens a session of a client at `peer` under an id, which another coordinator may have given.
    pub(crate) fn continue_session(&self, user: SessionUser, id: Uuid, peer: &str) -> Arc<Session> {
        Session::open(Arc::clone(&self.core), user, id, peer)
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// All executors, with the one inside this process.
    pub fn executors(&self) -> Vec<ExecutorInfo> {
        self.core.executors()
    }

    /// The executors that send heartbeats.
    pub fn members(&self) -> &Arc<Membership> {
        &self.core.members
    }

    /// The catalog.
    pub fn catalog(&self) -> &Arc<dyn CatalogStore> {
        &self.core.catalog
    }

    /// How far a query is; `None` when it is not known, any more or at all.
    pub fn progress(&self, query_id: Uuid) -> Option<QueryProgress> {
        let query = self.core.queries.get(query_id)?;
        Some(self.core.progress(&query))
    }

    /// The queries this coordinator knows.
    pub fn queries(&self) -> &QueryRegistry {
        &self.core.queries
    }

    /// The memory and spill space of this process.
    pub(crate) fn runtime(&self) -> &NodeRuntime {
        &self.core.runtime
    }

    /// Stops every running query and the coordinator's own tasks.
    pub async fn shutdown(&self) {
        for query in self.core.queries.all() {
            query.cancel.cancel();
        }
        let finished = async {
            loop {
                let finishing = std::mem::take(&mut *self.core.finishing.lock());
                if finishing.is_empty() {
                    return;
                }
                finishing.join_all().await;
            }
        };
        if tokio::time::timeout(FINISH_TIMEOUT, finished)
            .await
            .is_err()
        {
            tracing::warn!("stopping before all writes were completed: the next start does that");
        }
        let mut background = std::mem::take(&mut *self.core.background.lock());
        background.shutdown().await;
    }
}

impl Core {
    /// All executors, with the one inside this process.
    pub(crate) fn executors(&self) -> Vec<ExecutorInfo> {
        let local = self.planner.local_report().map(|mut report| {
            // Its tasks are dispatched without a call that could be counted.
            let stages = report.queries.iter().flat_map(|query| &query.stages);
            report.running_tasks = stages.map(|stage| stage.tasks - stage.tasks_done).sum();
            report
        });
        let local = local.and_then(|report| ExecutorInfo::from_heartbeat(report).ok());
        local.into_iter().chain(self.members.all()).collect()
    }

    /// How far a query is.
    pub(crate) fn progress(&self, query: &QueryRecord) -> QueryProgress {
        let id = query.id.to_string();
        let mut work = self.members.work_for(&id);
        work.extend(self.runtime.query_work(&id));
        let mut progress = QueryProgress::new(&query.view(), &work);
        if query.conceals_reads() {
            progress.forget_reads();
        }
        progress
    }

    /// Runs `work` to its end, whatever becomes of the caller, and gives what it gave.
    ///
    /// # Errors
    /// Those of `work`.
    pub(crate) async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (tell, told) = tokio::sync::oneshot::channel();
        self.finishing(async move {
            // Whoever asked may be gone.
            let _gone = tell.send(work.await);
        });
        told.await
            .map_err(|_| Error::new(ErrorKind::Cancelled, "the server is stopping"))?
    }

    /// Runs `work` beside everything else; the coordinator does not stop before it has ended.
    pub(crate) fn finishing(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut finishing = self.finishing.lock();
        while finishing.try_join_next().is_some() {}
        finishing.spawn(work);
    }

    /// Runs `work` beside everything else until the coordinator stops.
    pub(crate) fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut background = self.background.lock();
        while background.try_join_next().is_some() {}
        background.spawn(work);
    }

    /// Asks each of `executors` whether it is there; those that do not answer are taken out.
    pub(crate) async fn find_lost(&self, executors: &[Url]) -> Vec<Url> {
        let probes = executors
            .iter()
            .filter(|url| !self.planner.is_local(std::slice::from_ref(*url)));
        let answers = futures::future::join_all(probes.map(|url| async move {
            // A busy executor may answer late; one whose heartbeats go on is there all the same.
            let alive = tokio::time::timeout(PROBE_TIMEOUT, self.is_alive(url)).await;
            (
                url.clone(),
                alive.unwrap_or_else(|_late| self.members.is_heard(url)),
            )
        }))
        .await;
        let active = self.members.active();
        let draining: Vec<Url> = self
            .members
            .all()
            .into_iter()
            .map(|known| known.url)
            .collect();
        answers
            .into_iter()
            .filter(|(url, alive)| {
                if !alive {
                    self.members.mark_lost(url, "did not answer");
                }
                !alive || !(active.contains(url) || draining.contains(url))
            })
            .map(|(url, _)| url)
            .collect()
    }

    async fn is_alive(&self, url: &Url) -> bool {
        let Ok(mut client) = self.channels.get_worker_client_for_url(url).await else {
            return false;
        };
        match client.get_worker_info(GetWorkerInfoRequest {}).await {
            Ok(_) => true,
            // Whoever refuses a caller without the cluster's token is there.
            Err(error) => error.to_string().contains("cluster token"),
        }
    }
}

/// Sees to it that there is a key for today's logins, and that executors know it.
async fn keep_login_keys(core: Arc<Core>) {
    let mut ticks = tokio::time::interval(KEYS_INTERVAL);
    loop {
        ticks.tick().await;
        match core.authority.rotate_keys().await {
            Ok(keys) => core.members.set_login_keys(keys),
            Err(error) => tracing::warn!(%error, "the keys of logins cannot be kept"),
        }
    }
}

/// Ends sessions of users whom other coordinators have changed or dropped.
async fn look_at_users(core: Arc<Core>) {
    let mut ticks = tokio::time::interval(USERS_INTERVAL);
    loop {
        ticks.tick().await;
        if let Err(error) = core.authority.look().await {
            tracing::warn!(%error, "users cannot be looked at");
        }
    }
}
