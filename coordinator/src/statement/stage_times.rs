//! Where a distributed query's time went: dispatch, then the execution of each stage.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};
use datafusion_distributed::{MaxLatencyMetric, NetworkBoundaryExt};

/// One line for dispatch and one for each stage, from a plan that carries its tasks' metrics.
///
/// All times count from the moment the query's execution began: a stage's line says when the last
/// of its tasks had its plan, when it began and when it ended. Stages overlap, because data flows
/// between them as it is produced.
pub(super) fn stage_times(plan: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let mut dispatch = Duration::ZERO;
    let mut stages: BTreeMap<usize, String> = BTreeMap::new();
    let visited = plan.apply(|node| {
        if let Some(boundary) = node.as_network_boundary() {
            let stage = boundary.input_stage();
            let metrics = stage.metrics();
            let added = time_of(&metrics, "plan_added_at");
            let executed = time_of(&metrics, "plan_executed_at");
            let finished = time_of(&metrics, "plan_finished_at");
            dispatch = dispatch.max(added);
            let line = format!(
                "stage {}: {} tasks, dispatched at {}, started at {}, finished at {}, ran {}",
                stage.num(),
                stage.task_count(),
                millis(added),
                millis(executed),
                millis(finished),
                millis(finished.saturating_sub(executed)),
            );
            stages.insert(stage.num(), line);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(visited.is_ok(), "the visitor never fails");
    let mut lines = vec![format!("dispatch: {}", millis(dispatch))];
    lines.extend(stages.into_values());
    lines
}

/// The latest of a stage's tasks.
fn time_of(metrics: &MetricsSet, name: &str) -> Duration {
    let nanos = metrics.iter().filter_map(|metric| match metric.value() {
        MetricValue::Custom { name: known, value } if known == name => value
            .as_any()
            .downcast_ref::<MaxLatencyMetric>()
            .map(MaxLatencyMetric::value),
        _ => None,
    });
    Duration::from_nanos(nanos.max().unwrap_or(0) as u64)
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}
