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

use super::record::{QueryRecord, Timings};
use super::stage_times::{millis, stage_times};
use crate::plan::run_error;

/// How long an executor may take to report a finished task's metrics.
const METRICS_TIMEOUT: Duration = Duration::from_secs(5);

/// What the run of a plan left behind.
pub(crate) struct Profile {
    /// The plan, each operator with its metrics, down to the seals.
    pub(crate) plan: String,
    /// From the start of execution until the last task had its plan; nothing when the plan ran on
    /// the coordinator alone.
    dispatch: Option<Duration>,
    /// One line for the coordinator's own part and each stage; none when there was no dispatch.
    stages: Vec<String>,
    /// The most bytes the query held at once on one executor.
    memory_peak_bytes: u64,
}

/// Where the time of a query went, line by line: planning, queueing, dispatch and execution, which
/// begins when the last task has its plan, add up to the total.
fn time_lines(timings: &Timings, profile: Option<&Profile>) -> Vec<String> {
    let dispatch = profile.and_then(|profile| profile.dispatch);
    let dispatch = dispatch.map(|dispatch| dispatch.min(timings.execution));
    let execution = timings
        .execution
        .saturating_sub(dispatch.unwrap_or_default());
    let mut lines = vec![
        format!("planning: {}", millis(timings.planning)),
        format!("queueing: {}", millis(timings.queued)),
    ];
    lines.extend(dispatch.map(|dispatch| format!("dispatch: {}", millis(dispatch))));
    lines.extend(profile.iter().flat_map(|profile| profile.stages.clone()));
    lines.push(format!("execution: {}", millis(execution)));
    let total = timings.planning + timings.queued + timings.execution;
    lines.push(format!("total: {}", millis(total)));
    lines
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
            dispatch: None,
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
    let (dispatch, stages) = stage_times(&summed, &text);
    Ok(Profile {
        dispatch: Some(dispatch),
        stages,
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
    let profile = measure(plan, DistributedMetricsFormat::Aggregated).await;
    let (lines, plan) = match profile {
        Ok(profile) => (summary(&query, &timings, Some(&profile)), profile.plan),
        Err(error) => (summary(&query, &timings, None), error.to_string()),
    };
    query.set_profile(&format!("{}\n{plan}", lines.join("\n")));
}

/// Where the time and the memory of `query` went, whose record learns of the memory.
pub(crate) fn summary(
    query: &QueryRecord,
    timings: &Timings,
    profile: Option<&Profile>,
) -> Vec<String> {
    let peak = profile.map_or(0, |profile| profile.memory_peak_bytes);
    query.set_peak_memory(usize::try_from(peak).unwrap_or(usize::MAX));
    let peak = query.view().peak_memory_bytes;
    let mut lines = time_lines(timings, profile);
    lines.push(format!("memory: {peak} bytes at most on one node"));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The milliseconds of the lines that add up, and of the total.
    fn times(lines: &[String]) -> (f64, f64) {
        let mut sum = 0.0;
        let mut total = 0.0;
        for line in lines {
            let (name, time) = line.split_once(": ").expect("a name and a time");
            let time = || time.strip_suffix(" ms").and_then(|t| t.parse::<f64>().ok());
            match name {
                "planning" | "queueing" | "dispatch" | "execution" => sum += time().expect("ms"),
                "total" => total = time().expect("ms"),
                _ => {}
            }
        }
        (sum, total)
    }

    #[test]
    fn the_parts_of_a_querys_time_add_up() {
        let timings = Timings {
            planning: Duration::from_millis(7),
            queued: Duration::from_millis(20),
            first_row: None,
            execution: Duration::from_millis(100),
        };
        for dispatch in [None, Some(30), Some(500)] {
            let profile = Profile {
                plan: String::new(),
                dispatch: dispatch.map(Duration::from_millis),
                stages: vec!["stage 1: 2 tasks".to_owned()],
                memory_peak_bytes: 0,
            };
            let (sum, total) = times(&time_lines(&timings, Some(&profile)));
            assert!((sum - 127.0).abs() < 1e-6, "{dispatch:?}: {sum}");
            assert!((total - 127.0).abs() < 1e-6, "{dispatch:?}: {total}");
        }
    }
}
