//! What a query did: the metrics of its operators, the times of its stages, its memory.

use std::sync::Arc;
use std::time::Duration;

use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion_distributed::{
    DistributedExec, DistributedMetricsFormat, display_plan_ascii,
    rewrite_distributed_plan_with_metrics,
};
use waterbuck_engine::seal::conceal_text;
use waterbuck_engine::session::QUERY_MEMORY_METRIC;
use waterbuck_engine::{Error, Result};

use super::record::QueryRecord;
use super::stage_times::{millis, stage_times};
use crate::plan::run_error;

/// How long an executor may take to report a finished task's metrics.
const METRICS_TIMEOUT: Duration = Duration::from_secs(5);

/// What the run of a plan left behind.
pub(crate) struct Profile {
    /// The plan, each operator with its metrics, down to the seals.
    pub(crate) plan: String,
    /// One line for dispatch, the coordinator's own part and each stage; none when the plan ran on
    /// the coordinator alone.
    pub(crate) stages: Vec<String>,
    /// The most bytes the query held at once on one executor.
    pub(crate) memory_peak_bytes: u64,
}

/// Collects what the run of `plan` left behind, waiting for the executors' part of it.
///
/// # Errors
/// When an executor does not report its part in time.
pub(crate) async fn measure(
    plan: Arc<dyn ExecutionPlan>,
    format: DistributedMetricsFormat,
) -> Result<Profile> {
    if !plan.is::<DistributedExec>() {
        // Told apart by partition, and with every file, only where each task is told apart.
        let shown = match format {
            DistributedMetricsFormat::Aggregated => {
                DisplayableExecutionPlan::with_metrics(plan.as_ref())
                    .indent(false)
                    .to_string()
            }
            DistributedMetricsFormat::PerTask => {
                DisplayableExecutionPlan::with_full_metrics(plan.as_ref())
                    .indent(true)
                    .to_string()
            }
        };
        return Ok(Profile {
            plan: conceal_text(&shown),
            stages: vec![],
            memory_peak_bytes: 0,
        });
    }
    let measured = with_metrics(Arc::clone(&plan), format).await?;
    let text = display_plan_ascii(measured.as_ref(), true);
    let summed = match format {
        DistributedMetricsFormat::Aggregated => measured,
        DistributedMetricsFormat::PerTask => {
            with_metrics(plan, DistributedMetricsFormat::Aggregated).await?
        }
    };
    Ok(Profile {
        stages: stage_times(&summed, &text),
        memory_peak_bytes: memory_peak(&summed),
        plan: conceal_text(&text),
    })
}

async fn with_metrics(
    plan: Arc<dyn ExecutionPlan>,
    format: DistributedMetricsFormat,
) -> Result<Arc<dyn ExecutionPlan>> {
    let collected = rewrite_distributed_plan_with_metrics(plan, format);
    tokio::time::timeout(METRICS_TIMEOUT, collected)
        .await
        .map_err(|_late| Error::unavailable("an executor did not report its metrics in time"))?
        .map_err(|error: DataFusionError| run_error(error))
}

fn memory_peak(plan: &Arc<dyn ExecutionPlan>) -> u64 {
    let mut peak = 0;
    let visited = plan.apply(|node| {
        for metric in node.metrics().unwrap_or_default().iter() {
            if metric.value().name() == QUERY_MEMORY_METRIC {
                peak = peak.max(metric.value().as_usize() as u64);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(visited.is_ok(), "the visitor never fails");
    peak
}

/// Writes the profile of `query`, which has ended and ran `plan` last, into its record.
pub(super) async fn write_profile(query: Arc<QueryRecord>, plan: Arc<dyn ExecutionPlan>) {
    let timings = query.view().timings;
    let mut lines = vec![
        format!("planning: {}", millis(timings.planning)),
        format!("queueing: {}", millis(timings.queued)),
    ];
    let profile = measure(plan, DistributedMetricsFormat::Aggregated).await;
    let plan = match profile {
        Ok(profile) => {
            let peak = usize::try_from(profile.memory_peak_bytes).unwrap_or(usize::MAX);
            query.set_peak_memory(peak);
            lines.extend(profile.stages);
            profile.plan
        }
        Err(error) => error.to_string(),
    };
    lines.push(format!("execution: {}", millis(timings.execution)));
    let peak = query.view().peak_memory_bytes;
    lines.push(format!("memory: {peak} bytes at most on one node"));
    query.set_profile(&format!("{}\n{plan}", lines.join("\n")));
}
