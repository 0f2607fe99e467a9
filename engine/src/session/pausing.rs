//! Joins that let others run.
//!
//! A join may turn one input batch into millions of pairs without once giving its thread back: the
//! base counts batches that leaves hand out, and a join has few of those. Until it gives the thread
//! back its query cannot be cancelled, and a process whose threads are all taken so answers nobody.
//! Here every join pauses after some milliseconds of work, at its inputs and at its output.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::task_root::report_task;
use super::task_work::TaskWork;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec,
};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion_distributed::{
    NetworkBoundaryExt, WorkerPlanRewriteEvent, WorkerPlanRewriteEventResponse,
};
use futures::{Stream, StreamExt};

/// How long a join may work before it pauses.
const PAUSE_AFTER: Duration = Duration::from_millis(10);
/// Rows of the probe side that a join with a free condition is given at once: it compares each with
/// every row of the build side before it looks up again.
const PROBE_ROWS: usize = 512;

/// `plan` with joins that pause. What is below an exchange stays as it is: that runs elsewhere.
///
/// # Errors
/// When the plan cannot be rebuilt.
pub fn pause_joins(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let down = |node: Arc<dyn ExecutionPlan>| {
        let below = if node.is_network_boundary() {
            TreeNodeRecursion::Jump
        } else {
            TreeNodeRecursion::Continue
        };
        Ok(Transformed::new(node, false, below))
    };
    let up = |node: Arc<dyn ExecutionPlan>| match probe_rows(&node) {
        Some(rows) => Ok(Transformed::yes(PausingJoin::over(node, rows)?)),
        None => Ok(Transformed::no(node)),
    };
    Ok(plan.transform_down_up(down, up)?.data)
}

/// The handler that prepares every task an executor receives.
///
/// # Errors
/// When the plan cannot be rebuilt.
pub(super) fn prepare_task(
    event: WorkerPlanRewriteEvent<'_>,
) -> Result<WorkerPlanRewriteEventResponse> {
    let plan = pause_joins(event.plan)?;
    let work = event.session_config.get_extension::<TaskWork>();
    let plan = report_task(plan, work)?;
    Ok(WorkerPlanRewriteEventResponse::new(plan))
}

/// How many probe rows `node` may be given at once if it is a join that should pause.
fn probe_rows(node: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    if node.is::<NestedLoopJoinExec>() {
        return Some(PROBE_ROWS);
    }
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        return Some(if join.filter().is_some() {
            PROBE_ROWS
        } else {
            usize::MAX
        });
    }
    (node.is::<CrossJoinExec>() || node.is::<SortMergeJoinExec>()).then_some(usize::MAX)
}

/// A join that pauses. In every other respect it is the join it stands for, which it shows to
/// whoever walks the plan: metrics of a task are matched with the coordinator's plan node by node.
#[derive(Debug)]
struct PausingJoin {
    join: Arc<dyn ExecutionPlan>,
    /// The same join over inputs that pause; this one is executed.
    pausing: Arc<dyn ExecutionPlan>,
    probe_rows: usize,
}

impl PausingJoin {
    fn over(join: Arc<dyn ExecutionPlan>, probe_rows: usize) -> Result<Arc<dyn ExecutionPlan>> {
        let inputs = join.children().into_iter().map(|input| {
            Arc::new(PausingInput {
                input: Arc::clone(input),
                rows_max: probe_rows,
            }) as _
        });
        let inputs = inputs.collect();
        let pausing = replace_children_if_necessary(Arc::clone(&join), inputs)?;
        Ok(Arc::new(Self {
            join,
            pausing,
            probe_rows,
        }))
    }
}

impl DisplayAs for PausingJoin {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.join.fmt_as(kind, f)
    }
}

impl ExecutionPlan for PausingJoin {
    fn name(&self) -> &str {
        self.join.name()
    }

    fn downcast_delegate(&self) -> Option<&dyn ExecutionPlan> {
        Some(self.join.as_ref())
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.join.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.join.children()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.join.apply_expressions(f)
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.join.maintains_input_order()
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let join = replace_children_if_necessary(Arc::clone(&self.join), children)?;
        Self::over(join, self.probe_rows)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let output = self.pausing.execute(partition, context)?;
        Ok(Pausing::over(output, usize::MAX))
    }

    /// A recursive query starts its plan again and again, each time with a build side to collect.
    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let join = Arc::clone(&self.join).reset_state()?;
        Self::over(join, self.probe_rows)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.pausing.metrics()
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        self.join.child_stats_requests(partition)
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        self.join.statistics_from_inputs(inputs, args)
    }
}

/// An input of a join, in portions and with pauses.
#[derive(Debug)]
struct PausingInput {
    input: Arc<dyn ExecutionPlan>,
    rows_max: usize,
}

impl DisplayAs for PausingInput {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.input.fmt_as(kind, f)
    }
}

impl ExecutionPlan for PausingInput {
    fn name(&self) -> &str {
        self.input.name()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([input]) = <[_; 1]>::try_from(children) else {
            return internal_err!("an input of a join has one input");
        };
        Ok(Arc::new(Self {
            input,
            rows_max: self.rows_max,
        }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, context)?;
        Ok(Pausing::over(rows, self.rows_max))
    }
}

/// Hands batches on in portions of `rows_max` rows, and gives the thread back now and then.
struct Pausing {
    input: SendableRecordBatchStream,
    rows_max: usize,
    /// What is left of a batch that was too large.
    rest: Option<RecordBatch>,
    /// When the work began that no pause has interrupted.
    since: Option<Instant>,
}

impl Pausing {
    fn over(input: SendableRecordBatchStream, rows_max: usize) -> SendableRecordBatchStream {
        Box::pin(Self {
            input,
            rows_max,
            rest: None,
            since: None,
        })
    }

    fn portion(&mut self, batch: RecordBatch) -> RecordBatch {
        let rows = batch.num_rows();
        if rows <= self.rows_max {
            return batch;
        }
        self.rest = Some(batch.slice(self.rows_max, rows - self.rows_max));
        batch.slice(0, self.rows_max)
    }
}

impl Stream for Pausing {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.since.get_or_insert_with(Instant::now).elapsed() > PAUSE_AFTER {
            self.since = None;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(rest) = self.rest.take() {
            return Poll::Ready(Some(Ok(self.portion(rest))));
        }
        match self.input.poll_next_unpin(context) {
            Poll::Ready(Some(Ok(batch))) => Poll::Ready(Some(Ok(self.portion(batch)))),
            Poll::Pending => {
                self.since = None;
                Poll::Pending
            }
            end => end,
        }
    }
}

impl RecordBatchStream for Pausing {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}

#[cfg(test)]
mod tests {
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
    use datafusion::physical_plan::{collect, displayable};
    use datafusion::prelude::{SessionConfig, SessionContext};
    use futures::FutureExt;

    use super::*;

    const PAIRS: &str = "SELECT count(*) FROM generate_series(1, 3000) a(x) \
         JOIN generate_series(1, 3000) b(x) ON a.x % 7 <> b.x % 11 AND a.x + b.x > 10";

    async fn plan(sql: &str) -> (SessionContext, Arc<dyn ExecutionPlan>) {
        // One partition, so that nothing runs in tasks of its own.
        let config = SessionConfig::new().with_target_partitions(1);
        let context = SessionContext::new_with_config(config);
        let frame = context.sql(sql).await.expect("the query is right");
        let plan = frame.create_physical_plan().await.expect("it is planned");
        (context, plan)
    }

    #[tokio::test]
    async fn a_pausing_join_looks_and_answers_like_the_join() {
        let (context, plan) = plan(PAIRS).await;
        let pausing = pause_joins(self::plan(PAIRS).await.1).expect("it is rebuilt");
        let text =
            |plan: &Arc<dyn ExecutionPlan>| displayable(plan.as_ref()).indent(true).to_string();
        assert_eq!(text(&pausing), text(&plan));
        let rows = collect(plan, context.task_ctx()).await.expect("it runs");
        let ours = collect(Arc::clone(&pausing), context.task_ctx())
            .await
            .expect("it runs");
        assert_eq!(ours, rows);
        let mut measured = 0;
        pausing
            .apply(|node| {
                measured += node
                    .metrics()
                    .and_then(|set| set.output_rows())
                    .unwrap_or(0);
                Ok(TreeNodeRecursion::Continue)
            })
            .expect("it is walked");
        assert!(
            measured > 8_000_000,
            "{measured}: metrics of the join are seen"
        );
    }

    #[tokio::test]
    async fn a_pausing_join_gives_its_thread_back() {
        let (context, plan) = plan(PAIRS).await;
        let pausing = pause_joins(plan).expect("it is rebuilt");
        let mut all = collect(pausing, context.task_ctx()).boxed();
        let mut pauses = 0;
        loop {
            // Polled outside the scheduler, so that no other task's end can be mistaken for a pause.
            let polled = std::future::poll_fn(|context| Poll::Ready(all.poll_unpin(context))).await;
            if polled.is_ready() {
                break;
            }
            pauses += 1;
            tokio::task::yield_now().await;
        }
        assert!(pauses > 3, "{pauses} pauses");
    }

    #[tokio::test]
    async fn large_batches_are_portioned_without_loss() {
        let column = Arc::new(arrow::array::Int64Array::from_iter_values(0..10));
        let batch = RecordBatch::try_from_iter([("x", column as _)]).expect("one column");
        let input = futures::stream::iter([Ok(batch.clone())]);
        let input = Box::pin(RecordBatchStreamAdapter::new(batch.schema(), input));
        let portions: Vec<_> = Pausing::over(input, 4).collect().await;
        let portions: Vec<_> = portions
            .into_iter()
            .map(|portion| portion.expect("rows"))
            .collect();
        let sizes: Vec<_> = portions.iter().map(RecordBatch::num_rows).collect();
        assert_eq!(sizes, [4, 4, 2]);
        let whole = arrow::compute::concat_batches(&batch.schema(), &portions).expect("one schema");
        assert_eq!(whole, batch);
    }
}
