//! Frees what ended tasks hold.
//!
//! The base keeps the plan of each task, and with it the hash tables of its joins, in a cache. What
//! is removed from that cache is freed by a later call to it, and by none that comes too soon: after
//! the last query the memory would stay taken, and a query that is run again because it ran out of
//! memory would still find it taken.

use std::sync::Arc;
use std::time::Duration;

use datafusion_distributed::{ExecuteTaskRequest, ProducerHead, TaskKey, Worker};
use tokio::time::{MissedTickBehavior, interval, timeout};
use uuid::Uuid;
use waterbuck_engine::session::NodeRuntime;

/// A call frees nothing within 300 ms of the last that did (`moka`, `LOG_SYNC_INTERVAL_MILLIS`).
const PERIOD: Duration = Duration::from_millis(310);
/// Enough for the call to reach the cache; it then waits for a plan that never comes.
const CALL_TIMEOUT: Duration = Duration::from_millis(20);

/// Calls the task cache of `worker` as long as queries have work on the node; never returns.
pub(crate) async fn free_ended_tasks(worker: Worker, runtime: Arc<NodeRuntime>) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if runtime.running_queries() == 0 {
            continue;
        }
        let no_task = ExecuteTaskRequest {
            task_key: TaskKey {
                query_id: Uuid::nil(),
                stage_id: 0,
                task_number: 0,
            },
            target_partition_start: 0,
            target_partition_end: 0,
            producer_head: ProducerHead::None,
        };
        drop(timeout(CALL_TIMEOUT, worker.execute_task(no_task)).await);
    }
}
