//! Which executors there are, as their heartbeats tell.
//!
//! ```text
//!            heartbeat                 drain announced
//!   (new) ─────────────► active ─────────────────────► draining ──► gone
//!                        ▲    │ silent, or a dispatch failed
//!              heartbeat │    ▼
//!                        └─ lost
//! ```
//! The list is soft state: a restarted coordinator learns it again within one heartbeat.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::{info, warn};
use url::Url;
use waterbuck_engine::bearer::PublicKey;
use waterbuck_engine::cluster::{Heartbeat, HeartbeatReply, NodeState, QueryWork, ResultReport};
use waterbuck_engine::cluster_access::ClusterAccess;
use waterbuck_engine::{Error, Result};

/// An executor whose last heartbeat is older than this is lost.
const SILENCE_LIMIT: Duration = Duration::from_secs(5);
/// A lost executor that stays silent this long is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(600);
const HEARD_LATELY: Duration = Duration::from_secs(2);
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(500);

/// Whether tasks are sent to an executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutorState {
    /// Takes tasks.
    Active,
    /// Finishes what it has.
    Draining,
    /// Silent or unreachable; comes back with its next heartbeat.
    Lost,
}

impl ExecutorState {
    /// The state's name as users see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Draining => "draining",
            Self::Lost => "lost",
        }
    }
}

/// One known executor.
#[derive(Debug, Clone)]
pub struct ExecutorInfo {
    /// Unique to one run of its process.
    pub id: String,
    /// Where it serves.
    pub url: Url,
    /// The version of its binary.
    pub version: String,
    /// Whether tasks are sent to it.
    pub state: ExecutorState,
    /// Tasks alive on it.
    pub running_tasks: u64,
    /// Queries with work on it.
    pub running_queries: u64,
    /// Bytes reserved by operators.
    pub memory_used_bytes: u64,
    /// The most bytes ever reserved at once.
    pub memory_peak_bytes: u64,
    /// Bytes operators may reserve.
    pub memory_limit_bytes: u64,
    /// Bytes in spill files.
    pub spilled_bytes: u64,
    /// Processors it may use.
    pub cores: u64,
    /// What it has done so far for the queries that run on it.
    pub queries: Vec<QueryWork>,
    /// Where clients reach it to read results, if they do.
    pub public_url: Option<String>,
    /// The results that clients read or have read from it.
    pub results: Vec<ResultReport>,
    /// When it was first seen.
    pub registered_at: DateTime<Utc>,
    last_seen: Instant,
    /// Why it was taken out, when it was.
    pub reason: Option<String>,
}

impl ExecutorInfo {
    /// What an executor says of itself now.
    ///
    /// # Errors
    /// When its address is no URL.
    pub(crate) fn from_heartbeat(beat: Heartbeat) -> Result<Self> {
        let url = Url::parse(&beat.url).map_err(|error| {
            Error::invalid(format!("executor's address \"{}\" is no URL", beat.url))
                .with_source(error)
        })?;
        Ok(Self {
            id: beat.executor_id,
            url,
            version: beat.version,
            state: match beat.state {
                NodeState::Active => ExecutorState::Active,
                NodeState::Draining | NodeState::Leaving => ExecutorState::Draining,
            },
            running_tasks: beat.running_tasks,
            running_queries: beat.running_queries,
            memory_used_bytes: beat.memory_used_bytes,
            memory_peak_bytes: beat.memory_peak_bytes,
            memory_limit_bytes: beat.memory_limit_bytes,
            spilled_bytes: beat.spilled_bytes,
            cores: beat.cores,
            queries: beat.queries,
            public_url: beat.public_url,
            results: beat.results,
            registered_at: Utc::now(),
            last_seen: Instant::now(),
            reason: None,
        })
    }

    /// How long ago its last heartbeat came.
    pub fn silent_for(&self) -> Duration {
        self.last_seen.elapsed()
    }
}

/// The executors this coordinator knows.
#[derive(Debug)]
pub struct Membership {
    executors: Mutex<BTreeMap<String, ExecutorInfo>>,
    /// Those that said goodbye: they had finished their tasks, so no query has lost anything.
    left: Mutex<HashSet<Url>>,
    changes: watch::Sender<u64>,
    /// Changes when an executor tells how far clients are that read results from it.
    reports: watch::Sender<u64>,
    version: &'static str,
    access: ClusterAccess,
    /// What executors check the tokens of clients by.
    login_keys: Mutex<Vec<PublicKey>>,
}

impl Membership {
    /// An empty list, of executors to which `access` is granted.
    pub fn new(version: &'static str, access: ClusterAccess) -> Self {
        let changes = watch::Sender::new(0);
        Self {
            executors: Mutex::new(BTreeMap::new()),
            left: Mutex::default(),
            changes,
            reports: watch::Sender::new(0),
            version,
            access,
            login_keys: Mutex::default(),
        }
    }

    /// Tells executors, with the answers to their heartbeats, by which keys clients' tokens are
    /// checked.
    pub(crate) fn set_login_keys(&self, keys: Vec<PublicKey>) {
        *self.login_keys.lock() = keys;
    }

    /// Takes in a heartbeat (JSON) and answers it (JSON). `is_member` says whether its connection
    /// has shown a certificate of the cluster.
    ///
    /// # Errors
    /// When the heartbeat is damaged, of another version or of another cluster.
    pub fn heartbeat(&self, body: &[u8], is_member: bool) -> Result<Vec<u8>> {
        let beat: Heartbeat = serde_json::from_slice(body)
            .map_err(|error| Error::invalid("damaged heartbeat").with_source(error))?;
        self.access
            .check(beat.cluster_token.as_deref(), is_member)?;
        if beat.version != self.version {
            return Err(Error::unsupported(format!(
                "executor is version {}, this coordinator is version {}: run the same version \
                 everywhere",
                beat.version, self.version
            )));
        }
        self.record(beat)?;
        let reply = HeartbeatReply {
            interval_ms: HEARTBEAT_INTERVAL.as_millis() as u64,
            login_keys: self.login_keys.lock().clone(),
        };
        serde_json::to_vec(&reply)
            .map_err(|error| Error::internal("reply cannot be encoded").with_source(error))
    }

    fn record(&self, beat: Heartbeat) -> Result<()> {
        let leaving = beat.state == NodeState::Leaving;
        let mut info = ExecutorInfo::from_heartbeat(beat)?;
        let mut executors = self.executors.lock();
        // A restarted process at the same address takes the place of the old one.
        executors.retain(|id, known| *id == info.id || known.url != info.url);
        if leaving {
            self.left.lock().insert(info.url.clone());
            if executors.remove(&info.id).is_some() {
                info!(executor = %info.id, url = %info.url, "executor left");
                self.changes.send_modify(|version| *version += 1);
            }
            return Ok(());
        }
        self.left.lock().remove(&info.url);
        let known = executors.get(&info.id);
        let before = known.map(|known| known.state);
        info.registered_at = known.map_or(info.registered_at, |known| known.registered_at);
        if before != Some(info.state) {
            info!(executor = %info.id, url = %info.url, state = info.state.name(), "executor");
            self.changes.send_modify(|version| *version += 1);
        }
        let reports = !info.results.is_empty();
        executors.insert(info.id.clone(), info);
        if reports {
            self.reports.send_modify(|version| *version += 1);
        }
        Ok(())
    }

    /// All known executors.
    pub fn all(&self) -> Vec<ExecutorInfo> {
        self.executors.lock().values().cloned().collect()
    }

    /// What each executor has done for a query, as of its last heartbeat.
    pub fn work_for(&self, query_id: &str) -> Vec<QueryWork> {
        let executors = self.executors.lock();
        let work = executors.values().flat_map(|known| &known.queries);
        work.filter(|work| work.query_id == query_id)
            .cloned()
            .collect()
    }

    /// How far the clients are that read the results of one run of a query from executors.
    pub(crate) fn results_of(&self, attempt: &str) -> Vec<ResultReport> {
        let executors = self.executors.lock();
        let reports = executors.values().flat_map(|known| &known.results);
        let own = reports.filter(|report| report.attempt == attempt);
        own.cloned().collect()
    }

    /// Changes when [`Self::results_of`] may have.
    pub(crate) fn reports(&self) -> watch::Receiver<u64> {
        self.reports.subscribe()
    }

    /// Where clients reach each of `urls`; `None` if they do not reach all of them.
    pub(crate) fn locations(&self, urls: &[Url]) -> Option<BTreeMap<Url, String>> {
        let executors = self.executors.lock();
        let location = |url: &Url| {
            let known = executors.values().find(|known| known.url == *url)?;
            Some((url.clone(), known.public_url.clone()?))
        };
        urls.iter().map(location).collect()
    }

    /// The addresses of the executors that take tasks, in a stable order.
    pub fn active(&self) -> Vec<Url> {
        let executors = self.executors.lock();
        executors
            .values()
            .filter(|known| known.state == ExecutorState::Active)
            .map(|known| known.url.clone())
            .collect()
    }

    /// Whether the executor at `url` has sent a heartbeat of late.
    pub fn is_heard(&self, url: &Url) -> bool {
        let executors = self.executors.lock();
        executors
            .values()
            .any(|known| known.url == *url && known.silent_for() < HEARD_LATELY)
    }

    /// Takes the executor at `url` out until its next heartbeat.
    pub fn mark_lost(&self, url: &Url, reason: &str) {
        let mut executors = self.executors.lock();
        for known in executors.values_mut().filter(|known| known.url == *url) {
            if known.state != ExecutorState::Lost {
                warn!(executor = %known.id, %url, reason, "executor lost");
                known.state = ExecutorState::Lost;
                known.reason = Some(reason.to_owned());
                self.changes.send_modify(|version| *version += 1);
            }
        }
    }

    /// Waits until one of `urls` is lost or gone, and says which. Cancel-safe.
    pub async fn any_lost(&self, urls: &[Url]) -> Url {
        let mut changes = self.changes.subscribe();
        loop {
            if let Some(lost) = self.first_lost(urls) {
                return lost;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn first_lost(&self, urls: &[Url]) -> Option<Url> {
        let executors = self.executors.lock();
        let left = self.left.lock();
        urls.iter()
            .find(|url| {
                let there = executors
                    .values()
                    .any(|known| known.url == **url && known.state != ExecutorState::Lost);
                !there && !left.contains(*url)
            })
            .cloned()
    }

    /// Marks the silent ones lost, again and again; runs until it is dropped.
    pub async fn watch(&self) {
        let mut tick = tokio::time::interval(HEARTBEAT_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let silent: Vec<Url> = {
                let mut executors = self.executors.lock();
                executors.retain(|_, known| known.silent_for() < FORGET_AFTER);
                executors
                    .values()
                    .filter(|known| known.state != ExecutorState::Lost)
                    .filter(|known| known.silent_for() > SILENCE_LIMIT)
                    .map(|known| known.url.clone())
                    .collect()
            };
            for url in silent {
                self.mark_lost(&url, "no heartbeat");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use waterbuck_engine::ErrorKind;

    use super::*;

    fn beat(id: &str, port: u16, state: &str) -> Vec<u8> {
        format!(
            r#"{{"executor_id":"{id}","url":"http://127.0.0.1:{port}","version":"1","state":"{state}",
               "running_tasks":0,"running_queries":0,"memory_used_bytes":0,"memory_peak_bytes":0,
               "memory_limit_bytes":1,"spilled_bytes":0,"cores":1,"cluster_token":null}}"#
        )
        .into_bytes()
    }

    #[tokio::test]
    async fn a_lost_executor_is_reported_and_comes_back_with_a_heartbeat() {
        let members = Membership::new("1", ClusterAccess::open());
        members.heartbeat(&beat("a", 1, "active"), false).unwrap();
        let urls = members.active();
        assert_eq!(urls.len(), 1);
        members.mark_lost(&urls[0], "test");
        assert_eq!(members.any_lost(&urls).await, urls[0]);
        assert!(members.active().is_empty());
        members.heartbeat(&beat("a", 1, "active"), false).unwrap();
        assert_eq!(members.active(), urls);
    }

    #[test]
    fn a_draining_executor_gets_no_tasks_and_a_leaving_one_is_forgotten() {
        let members = Membership::new("1", ClusterAccess::open());
        members.heartbeat(&beat("a", 1, "draining"), false).unwrap();
        assert!(members.active().is_empty());
        assert_eq!(members.all().len(), 1);
        members.heartbeat(&beat("a", 1, "leaving"), false).unwrap();
        assert!(members.all().is_empty());
    }

    #[test]
    fn another_version_or_token_is_refused() {
        let other = Membership::new("2", ClusterAccess::open());
        let error = other.heartbeat(&beat("a", 1, "active"), false).unwrap_err();
        assert!(error.to_string().contains("version 1"), "{error}");
        let secret = Membership::new("1", ClusterAccess::new(Some("s".to_owned()), false));
        let error = secret
            .heartbeat(&beat("a", 1, "active"), false)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    }

    #[test]
    fn an_executor_without_the_clusters_certificate_is_refused() {
        let members = Membership::new("1", ClusterAccess::new(None, true));
        let error = members.heartbeat(&beat("a", 1, "active"), false);
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Unauthenticated);
        assert!(members.all().is_empty());
        members.heartbeat(&beat("a", 1, "active"), true).unwrap();
        assert_eq!(members.all().len(), 1);
    }

    #[test]
    fn a_restarted_process_takes_the_place_of_the_old_one() {
        let members = Membership::new("1", ClusterAccess::open());
        members.heartbeat(&beat("a", 1, "active"), false).unwrap();
        members.heartbeat(&beat("b", 1, "active"), false).unwrap();
        assert_eq!(members.all().len(), 1);
    }
}
