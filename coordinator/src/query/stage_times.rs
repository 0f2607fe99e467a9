//! Where a distributed query's time and memory went: dispatch, then each stage.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};
use datafusion_distributed::NetworkBoundaryExt;

/// What happened to the tasks of a stage, counted from the moment the query's execution began: the
/// last of them had its plan, began and ended.
#[derive(Debug, Default, PartialEq, Eq)]
struct Times {
    dispatched: Duration,
    started: Duration,
    finished: Duration,
}

/// What a stage gave and took, over all its tasks.
#[derive(Debug, Default)]
struct Totals {
    tasks: usize,
    rows: usize,
    sent_bytes: usize,
    memory_bytes: usize,
    spilled_bytes: usize,
}

/// How long it took until the last task had its plan, and one line for the coordinator's own part
/// and for each stage. `plan` carries its tasks' metrics, `text` is the same plan as it is shown:
/// only there the base tells when the tasks began and ended.
///
/// Stages overlap, because data flows between them as it is produced.
pub(super) fn stage_times(plan: &Arc<dyn ExecutionPlan>, text: &str) -> (Duration, Vec<String>) {
    let times = times_in(text);
    let dispatched = times.values().map(|stage| stage.dispatched).max();
    let dispatched = dispatched.unwrap_or_default();
    let stages = totals_of(plan).into_iter().map(|(number, totals)| {
        let unknown = Times::default();
        let stage = times.get(&number).unwrap_or(&unknown);
        format!(
            "stage {number}: {} tasks, dispatched at {}, started at {}, finished at {}, ran {}; \
             {} rows, {} bytes sent, {} bytes of memory, {} bytes spilled",
            totals.tasks,
            millis(stage.dispatched),
            millis(stage.started),
            millis(stage.finished),
            millis(stage.finished.saturating_sub(stage.started)),
            totals.rows,
            totals.sent_bytes,
            totals.memory_bytes,
            totals.spilled_bytes,
        )
    });
    let mut own = Totals {
        rows: plan
            .children()
            .first()
            .and_then(|merged| merged.metrics()?.output_rows())
            .unwrap_or(0),
        ..Totals::default()
    };
    add_operators(plan, &mut own);
    let own = format!(
        "coordinator: {} rows, {} bytes of memory, {} bytes spilled",
        own.rows, own.memory_bytes, own.spilled_bytes
    );
    (dispatched, std::iter::once(own).chain(stages).collect())
}

fn totals_of(plan: &Arc<dyn ExecutionPlan>) -> BTreeMap<usize, Totals> {
    let mut stages: BTreeMap<usize, Totals> = BTreeMap::new();
    let visited = plan.apply(|node| {
        if let Some(boundary) = node.as_network_boundary() {
            let stage = boundary.input_stage();
            let metrics = node.metrics().unwrap_or_default();
            let mut totals = Totals {
                tasks: stage.task_count(),
                rows: metrics.output_rows().unwrap_or(0),
                sent_bytes: sum_of(&metrics, |name| name == "bytes_transferred"),
                ..Totals::default()
            };
            if let Some(inside) = stage.local_plan() {
                add_operators(inside, &mut totals);
            }
            stages.insert(stage.num(), totals);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(visited.is_ok(), "the visitor never fails");
    stages
}

/// Adds what the operators of one stage used.
fn add_operators(stage: &Arc<dyn ExecutionPlan>, totals: &mut Totals) {
    let visited = stage.apply(|node| {
        if node.is_network_boundary() {
            return Ok(TreeNodeRecursion::Jump);
        }
        let metrics = node.metrics().unwrap_or_default();
        totals.memory_bytes += sum_of(&metrics, |name| name.contains("mem_used"));
        totals.spilled_bytes += metrics.spilled_bytes().unwrap_or(0);
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(visited.is_ok(), "the visitor never fails");
}

fn sum_of(metrics: &MetricsSet, wanted: impl Fn(&str) -> bool) -> usize {
    let values = metrics.iter().map(|metric| metric.value());
    values
        .filter(|value| wanted(value.name()))
        .map(MetricValue::as_usize)
        .sum()
}

/// The times in the headings of the stages: `Stage 2 ── tasks=3, … plan_added_at={0:2.91ms, 1:…}`.
fn times_in(text: &str) -> BTreeMap<usize, Times> {
    let heading = |line: &str| {
        let (_, after) = line.split_once("───── Stage ")?;
        let number = after.split_whitespace().next()?.parse().ok()?;
        let times = Times {
            dispatched: latest(after, "plan_added_at"),
            started: latest(after, "plan_executed_at"),
            finished: latest(after, "plan_finished_at"),
        };
        Some((number, times))
    };
    text.lines().filter_map(heading).collect()
}

/// The latest of the times written as `name=1.2ms` or `name={0:1.2ms, 1:3.4ms}`.
fn latest(heading: &str, name: &str) -> Duration {
    let value = heading
        .split_once(name)
        .and_then(|(_, after)| after.strip_prefix('='))
        .unwrap_or_default();
    let list = match value.strip_prefix('{') {
        Some(tasks) => tasks.split('}').next().unwrap_or_default(),
        None => value.split([',', ' ']).next().unwrap_or_default(),
    };
    let times = list
        .split(',')
        .filter_map(|task| duration(task.rsplit(':').next()?.trim()));
    times.max().unwrap_or_default()
}

fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 4] = [("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0)];
    let (number, unit) = UNITS
        .iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))?;
    let seconds: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(seconds * unit).ok()
}

/// A time as every line of the summary shows it.
pub(super) fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_times_are_read_from_the_headings() {
        let text = "│ CoalescePartitionsExec\n  ┌───── Stage 2 ── tasks=3, partitions=2 \
                    plan_added_at={0:2.91ms, 1:21.7µs, 2:1.54ms}, plan_executed_at={0:2.96ms}, \
                    plan_finished_at={0:4.85ms, 1:1.25s}\n  ┌───── Stage 1 ── tasks=1, partitions=1 \
                    plan_added_at=7ns, plan_executed_at=8.00µs, plan_finished_at=9.00ms\n";
        let times = times_in(text);
        let expected = Times {
            dispatched: Duration::from_micros(2910),
            started: Duration::from_micros(2960),
            finished: Duration::from_millis(1250),
        };
        assert_eq!(times[&2], expected);
        let expected = Times {
            dispatched: Duration::from_nanos(7),
            started: Duration::from_micros(8),
            finished: Duration::from_millis(9),
        };
        assert_eq!(times[&1], expected);
    }
}
