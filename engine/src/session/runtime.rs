//! What one node lends to all its queries: memory, spill space, caches; and the slice of it that
//! each query gets.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use dashmap::DashMap;
use datafusion::common::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use tokio::time::timeout;

use super::memory::{MemoryBudget, QueryMemoryPool};
use super::spill_directory::SpillDirectory;
use super::task_work::{QueryTasks, TaskLabel, TaskWork};
use crate::cluster::QueryWork;

/// How many queries a report of their work names.
const REPORTED_QUERIES: usize = 256;
/// Memory that a query has for each spilled run which a merge reads at a time, and how many runs it
/// reads at least.
const MERGED_RUN_BYTES: usize = 512 << 10;
const MERGED_RUNS_MIN: usize = 8;
/// How long tasks that were stopped may take to be gone.
const LEAVING_TIMEOUT: Duration = Duration::from_secs(5);

/// The limits of a node.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// Bytes all queries together may hold.
    pub memory_limit_bytes: usize,
    /// Where operators spill; the system's temporary directory when `None`.
    pub spill_dir: Option<PathBuf>,
    /// Bytes all spill files together may take.
    pub spill_limit_bytes: u64,
}

/// The memory, spill space and caches of one node.
#[derive(Debug)]
pub struct NodeRuntime {
    budget: Arc<MemoryBudget>,
    template: RuntimeEnv,
    queries: DashMap<String, Share>,
    spill_directory: Option<SpillDirectory>,
}

/// Remembers a query's slice without keeping it alive: its tasks do that.
#[derive(Debug)]
struct Share {
    runtime: Weak<RuntimeEnv>,
    pool: Weak<QueryMemoryPool>,
    tasks: Arc<QueryTasks>,
}

impl NodeRuntime {
    /// A node's runtime within the limits of `config`.
    ///
    /// # Errors
    /// When the spill directory cannot be made.
    pub fn new(config: &RuntimeConfig) -> Result<Arc<Self>, DataFusionError> {
        let mut spill_directory = None;
        let mode = match &config.spill_dir {
            Some(dir) => {
                let own = SpillDirectory::within(dir).map_err(|error| {
                    DataFusionError::Configuration(format!(
                        "spill directory \"{}\" cannot be made: {error}",
                        dir.display()
                    ))
                })?;
                let mode = DiskManagerMode::Directories(vec![own.path().to_owned()]);
                spill_directory = Some(own);
                mode
            }
            None => DiskManagerMode::OsTmpDirectory,
        };
        let disk = DiskManagerBuilder::default()
            .with_mode(mode)
            .with_max_temp_directory_size(config.spill_limit_bytes);
        let template = RuntimeEnvBuilder::new()
            .with_disk_manager_builder(disk)
            .build()?;
        let budget = MemoryBudget::new(config.memory_limit_bytes);
        Ok(Arc::new(Self {
            budget,
            template,
            queries: DashMap::new(),
            spill_directory,
        }))
    }

    /// The node's memory budget.
    pub fn budget(&self) -> &Arc<MemoryBudget> {
        &self.budget
    }

    /// Bytes that spill files take at this moment.
    pub fn spilled_bytes(&self) -> u64 {
        let shared = &self.template.disk_manager;
        let own = |share: &Share| -> u64 {
            let runtime = share.runtime.upgrade();
            let disk = runtime.map(|runtime| Arc::clone(&runtime.disk_manager));
            disk.filter(|disk| !Arc::ptr_eq(disk, shared))
                .map_or(0, |disk| disk.used_disk_space())
        };
        let queries: u64 = self.queries.iter().map(|share| own(share.value())).sum();
        shared.used_disk_space() + queries
    }

    /// The spill files of a query that may hold less memory or disk than there is; `None` for one
    /// that takes what it gets.
    fn own_disk(&self, memory_limit: usize, spill_limit: u64) -> Option<DiskManagerBuilder> {
        let directory = self.spill_directory.as_ref()?;
        let is_small = memory_limit != 0 && memory_limit < self.budget.limit();
        if spill_limit == 0 && !is_small {
            return None;
        }
        let mut disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Directories(vec![
            directory.path().to_owned(),
        ]));
        let most = self.template.disk_manager.max_temp_directory_size();
        disk.set_max_temp_directory_size(if spill_limit == 0 {
            most
        } else {
            spill_limit.min(most)
        });
        if is_small {
            // A merge takes as many runs at a time as it gets memory for: the first one would
            // leave the others, and its own rows, none.
            disk.set_max_spill_merge_fan_in((memory_limit / MERGED_RUN_BYTES).max(MERGED_RUNS_MIN));
        }
        Some(disk)
    }

    /// The runtime of one query on this node: every task of the query shares it, with a memory pool
    /// of `memory_limit` bytes, spill files of at most `spill_limit` bytes unless that is 0, and the
    /// object stores that `stores` makes for the first of them.
    ///
    /// # Errors
    /// When the runtime cannot be built.
    pub fn for_query(
        &self,
        query_id: &str,
        (memory_limit, spill_limit): (usize, u64),
        stores: impl FnOnce() -> Arc<dyn ObjectStoreRegistry>,
    ) -> Result<Arc<RuntimeEnv>, DataFusionError> {
        self.queries
            .retain(|_, share| share.runtime.strong_count() > 0);
        let slot = self.queries.entry(query_id.to_owned());
        if let dashmap::Entry::Occupied(slot) = &slot
            && let Some(runtime) = slot.get().runtime.upgrade()
        {
            return Ok(runtime);
        }
        let pool = Arc::new(QueryMemoryPool::new(Arc::clone(&self.budget), memory_limit));
        let mut builder = RuntimeEnvBuilder::from_runtime_env(&self.template);
        if let Some(disk) = self.own_disk(memory_limit, spill_limit) {
            builder = builder.with_disk_manager_builder(disk);
        }
        let runtime = builder
            .with_memory_pool(Arc::clone(&pool) as Arc<dyn MemoryPool>)
            .with_object_store_registry(stores())
            .build_arc()?;
        drop(slot.insert(Share {
            runtime: Arc::downgrade(&runtime),
            pool: Arc::downgrade(&pool),
            tasks: Arc::default(),
        }));
        Ok(runtime)
    }

    /// The most bytes a running query held on this node, or `None` when it does not run here.
    pub fn query_peak_bytes(&self, query_id: &str) -> Option<usize> {
        self.queries
            .get(query_id)?
            .pool
            .upgrade()
            .map(|pool| pool.peak())
    }

    /// Enters a task of a query that has its slice of this node; `None` when it has none.
    pub fn enter_task(&self, query_id: &str, label: &TaskLabel) -> Option<Arc<TaskWork>> {
        let share = self.queries.get(query_id)?;
        Some(share.tasks.enter(label, Weak::clone(&share.pool)))
    }

    /// Waits, but not for ever, until the tasks of a query's earlier attempts have given back their
    /// memory, if it is much: an attempt that follows one that ran out of memory needs it.
    pub async fn earlier_attempts_left(&self, query_id: &str) {
        let Some(share) = self.queries.get(query_id) else {
            return;
        };
        if !share.pool.upgrade().is_some_and(|pool| pool.is_in_use()) {
            return;
        }
        let tasks = Arc::clone(&share.tasks);
        drop(share);
        if timeout(LEAVING_TIMEOUT, tasks.earlier_left())
            .await
            .is_err()
        {
            tracing::warn!(query_id, "an earlier attempt still has tasks");
        }
    }

    /// Waits, but not for ever, until a query holds no memory on this node: its next attempt may
    /// need all of it.
    pub async fn memory_freed(&self, query_id: &str) {
        let share = self.queries.get(query_id);
        let Some(pool) = share.and_then(|share| share.pool.upgrade()) else {
            return;
        };
        if timeout(LEAVING_TIMEOUT, pool.emptied()).await.is_err() {
            let bytes = pool.reserved();
            tracing::warn!(query_id, bytes, "a stopped attempt still holds memory");
        }
    }

    /// What the tasks of a running query have done so far on this node.
    pub fn query_work(&self, query_id: &str) -> Option<QueryWork> {
        let share = self.queries.get(query_id)?;
        work_of(query_id, &share)
    }

    /// What the tasks of all running queries have done so far on this node; of very many queries,
    /// some are left out.
    pub fn work(&self) -> Vec<QueryWork> {
        let queries = self.queries.iter();
        queries
            .filter_map(|query| work_of(query.key(), query.value()))
            .take(REPORTED_QUERIES)
            .collect()
    }

    /// How many queries have work on this node.
    pub fn running_queries(&self) -> usize {
        self.queries
            .iter()
            .filter(|share| share.runtime.strong_count() > 0)
            .count()
    }
}

fn work_of(query_id: &str, share: &Share) -> Option<QueryWork> {
    let pool = share.pool.upgrade()?;
    Some(QueryWork {
        query_id: query_id.to_owned(),
        memory_peak_bytes: pool.peak() as u64,
        stages: share.tasks.stages(),
    })
}
