//! What the tasks of a query have done so far on this node.
//!
//! ```text
//! NodeRuntime ─► QueryTasks (a query) ─► TaskWork (a task) ◄─ the task's plan counts into it
//!      └─ QueryWork: sums by stage, for heartbeats and the coordinator
//! ```

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion_distributed::{NetworkBoundaryExt, TaskKey};
use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::memory::QueryMemoryPool;
use crate::cluster::StageWork;

/// Metadata key of a [`TaskLabel`] sent with a task.
const TASK_LABEL_HEADER: &str = "x-waterbuck-task";

/// Which attempt and stage of its query a task belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TaskLabel {
    /// Told apart from those of other attempts to run the same query.
    pub attempt: String,
    /// The stage's number in the distributed plan.
    pub stage: u64,
}

impl TaskLabel {
    /// The label of a task of a distributed plan.
    pub fn of(task: &TaskKey) -> Self {
        Self {
            attempt: task.query_id.to_string(),
            stage: task.stage_id as u64,
        }
    }

    /// Adds the label to what is sent with a task.
    ///
    /// # Errors
    /// When the attempt's name cannot stand in a header.
    pub fn write(&self, headers: &mut HeaderMap) -> Result<()> {
        let value = HeaderValue::try_from(format!("{}/{}", self.attempt, self.stage))
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        headers.insert(TASK_LABEL_HEADER, value);
        Ok(())
    }

    /// The label that [`Self::write`] added, if there is one.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(TASK_LABEL_HEADER)?;
        let (attempt, stage) = value.to_str().ok()?.split_once('/')?;
        Some(Self {
            attempt: attempt.to_owned(),
            stage: stage.parse().ok()?,
        })
    }
}

/// What one task has done so far.
#[derive(Debug)]
pub struct TaskWork {
    stage: u64,
    partitions: AtomicUsize,
    partitions_ended: AtomicUsize,
    rows: AtomicU64,
    /// Its operators count the rows they read.
    plan: OnceLock<Weak<dyn ExecutionPlan>>,
    pool: Weak<QueryMemoryPool>,
    left: Arc<Notify>,
}

impl Drop for TaskWork {
    fn drop(&mut self) {
        self.left.notify_waiters();
    }
}

impl TaskWork {
    fn new(stage: u64, pool: Weak<QueryMemoryPool>, left: Arc<Notify>) -> Self {
        Self {
            stage,
            partitions: AtomicUsize::new(usize::MAX),
            partitions_ended: AtomicUsize::new(0),
            rows: AtomicU64::new(0),
            plan: OnceLock::new(),
            pool,
            left,
        }
    }

    /// Says what the task runs.
    pub(super) fn begins(&self, plan: &Arc<dyn ExecutionPlan>) {
        let partitions = plan.output_partitioning().partition_count();
        self.partitions.store(partitions, Ordering::Relaxed);
        // A task has one plan; a second call would change nothing.
        self.plan.get_or_init(|| Arc::downgrade(plan));
    }

    /// Counts rows that were handed out.
    pub(super) fn handed_out(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Counts a partition whose reader has all rows or wants no more.
    pub(super) fn partition_ended(&self) {
        self.partitions_ended.fetch_add(1, Ordering::Relaxed);
    }

    /// The most bytes that the task's query has held at once on this node.
    pub(super) fn query_memory_peak(&self) -> Option<usize> {
        self.pool.upgrade().map(|pool| pool.peak())
    }

    fn is_done(&self) -> bool {
        self.partitions_ended.load(Ordering::Relaxed) >= self.partitions.load(Ordering::Relaxed)
    }

    fn rows_read(&self) -> u64 {
        let Some(plan) = self.plan.get().and_then(Weak::upgrade) else {
            return 0;
        };
        let mut rows = 0;
        let visited = plan.apply(|node| {
            if node.children().is_empty() && !node.is_network_boundary() {
                let read = node.metrics().and_then(|metrics| metrics.output_rows());
                rows += read.unwrap_or(0) as u64;
            }
            Ok(TreeNodeRecursion::Continue)
        });
        debug_assert!(visited.is_ok(), "the visitor never fails");
        rows
    }
}

/// The tasks of one query on this node.
#[derive(Debug, Default)]
pub(super) struct QueryTasks {
    attempt: Mutex<Attempt>,
    /// Told when a task is gone with all it held.
    left: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Attempt {
    name: String,
    tasks: Vec<Arc<TaskWork>>,
    /// The tasks of earlier attempts.
    earlier: Vec<Weak<TaskWork>>,
    /// Rows of tasks whose plan is gone would be forgotten otherwise.
    rows_read: BTreeMap<u64, u64>,
}

impl QueryTasks {
    /// Enters a task. The first one of a new attempt takes the place of all before it.
    pub(super) fn enter(&self, label: &TaskLabel, pool: Weak<QueryMemoryPool>) -> Arc<TaskWork> {
        let task = Arc::new(TaskWork::new(label.stage, pool, Arc::clone(&self.left)));
        let mut attempt = self.attempt.lock();
        if attempt.name != label.attempt {
            let mut earlier = std::mem::take(&mut attempt.earlier);
            earlier.extend(attempt.tasks.iter().map(Arc::downgrade));
            *attempt = Attempt {
                name: label.attempt.clone(),
                earlier,
                ..Attempt::default()
            };
        }
        attempt.tasks.push(Arc::clone(&task));
        task
    }

    /// Waits until the tasks of all attempts but the newest are gone. Cancel-safe.
    pub(super) async fn earlier_left(&self) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            // From here on no task leaves unheard.
            left.as_mut().enable();
            let is_gone = |task: &Weak<TaskWork>| task.strong_count() == 0;
            if self.attempt.lock().earlier.iter().all(is_gone) {
                return;
            }
            left.await;
        }
    }

    /// What the tasks of each stage have done.
    pub(super) fn stages(&self) -> Vec<StageWork> {
        let mut attempt = self.attempt.lock();
        let mut stages: BTreeMap<u64, StageWork> = BTreeMap::new();
        for task in &attempt.tasks {
            let stage = stages.entry(task.stage).or_insert_with(|| StageWork {
                stage: task.stage,
                ..StageWork::default()
            });
            stage.tasks += 1;
            stage.tasks_done += u64::from(task.is_done());
            stage.rows += task.rows.load(Ordering::Relaxed);
            stage.rows_read += task.rows_read();
        }
        for (number, stage) in &mut stages {
            let most = attempt.rows_read.entry(*number).or_default();
            *most = stage.rows_read.max(*most);
            stage.rows_read = *most;
        }
        stages.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn label(attempt: &str, stage: u64) -> TaskLabel {
        TaskLabel {
            attempt: attempt.to_owned(),
            stage,
        }
    }

    #[test]
    fn a_label_survives_the_wire() {
        let mut headers = HeaderMap::new();
        assert_eq!(TaskLabel::read(&headers), None);
        let label = label("a-b", 3);
        label.write(&mut headers).unwrap();
        assert_eq!(TaskLabel::read(&headers), Some(label));
        for other in ["a", "a/b"] {
            headers.insert(TASK_LABEL_HEADER, HeaderValue::from_static(other));
            assert_eq!(TaskLabel::read(&headers), None);
        }
    }

    #[test]
    fn tasks_are_summed_by_stage_and_forgotten_with_their_attempt() {
        let tasks = QueryTasks::default();
        let first = tasks.enter(&label("x", 1), Weak::new());
        tasks.enter(&label("x", 1), Weak::new());
        first.partitions.store(2, Ordering::Relaxed);
        first.handed_out(5);
        first.partition_ended();
        let sums = tasks.stages();
        assert_eq!((sums[0].tasks, sums[0].tasks_done, sums[0].rows), (2, 0, 5));
        first.partition_ended();
        assert_eq!(tasks.stages()[0].tasks_done, 1);
        tasks.enter(&label("y", 2), Weak::new());
        let sums = tasks.stages();
        assert_eq!((sums.len(), sums[0].stage, sums[0].rows), (1, 2, 0));
    }

    #[tokio::test]
    async fn a_new_attempt_waits_for_the_tasks_before_it() {
        let tasks = QueryTasks::default();
        let first = tasks.enter(&label("x", 1), Weak::new());
        let _second = tasks.enter(&label("y", 1), Weak::new());
        let mut waiting = Box::pin(tasks.earlier_left());
        assert!((&mut waiting).now_or_never().is_none());
        drop(first);
        waiting.await;
    }
}
