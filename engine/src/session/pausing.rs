//! Joins that let others run.
//!
//! A join may turn one input batch into millions of pairs without once giving its thread back: the
//! base counts batches that leaves hand out, and a join has few of those. Until it gives the thread
//! back its query cannot be cancelled, and a process whose threads are all taken so answers nobody.
//! Here every join pauses after some milliseconds of work, at its inputs and at its output.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec,
};
use datafusion::physical_plan::metrics::MetricsSet;
use futures::{Stream, StreamExt};

use super::stand_in::{Passage, Substitute, stand_in, with_inputs_through};

/// How long a join may work before it pauses.
const PAUSE_AFTER: Duration = Duration::from_millis(10);
/// Rows of the probe side that a join with a free condition is given at once: it compares each with
/// every row of the build side before it looks up again.
const PROBE_ROWS: usize = 512;

/// `node` made to pause, if it is a join.
///
/// # Errors
/// When the join cannot be rebuilt.
pub(super) fn pause_join(
    node: Arc<dyn ExecutionPlan>,
) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let Some(inputs) = join_inputs(&node) else {
        return Ok(Transformed::no(node));
    };
    let pausing = PausingJoin::over(&node, inputs)?;
    Ok(Transformed::yes(stand_in(node, pausing)))
}

/// How the rows of its inputs reach `node` if it is a join that should pause.
fn join_inputs(node: &Arc<dyn ExecutionPlan>) -> Option<Passage> {
    let whole: Passage = |rows| Pausing::over(rows, usize::MAX);
    let in_portions: Passage = |rows| Pausing::over(rows, PROBE_ROWS);
    if node.is::<NestedLoopJoinExec>() {
        return Some(in_portions);
    }
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        return Some(if join.filter().is_some() {
            in_portions
        } else {
            whole
        });
    }
    (node.is::<CrossJoinExec>() || node.is::<SortMergeJoinExec>()).then_some(whole)
}

/// A join over inputs that pause.
#[derive(Debug)]
struct PausingJoin {
    pausing: Arc<dyn ExecutionPlan>,
    inputs: Passage,
}

impl PausingJoin {
    fn over(join: &Arc<dyn ExecutionPlan>, inputs: Passage) -> Result<Self> {
        let pausing = with_inputs_through(join, inputs)?;
        Ok(Self { pausing, inputs })
    }
}

impl Substitute for PausingJoin {
    fn renewed(&self, join: &Arc<dyn ExecutionPlan>) -> Result<Self> {
        Self::over(join, self.inputs)
    }

    fn execute(
        &self,
        _join: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let output = self.pausing.execute(partition, context)?;
        Ok(Pausing::over(output, usize::MAX))
    }

    fn metrics(&self, _join: &Arc<dyn ExecutionPlan>) -> Option<MetricsSet> {
        self.pausing.metrics()
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
    use datafusion::common::config::ConfigOptions;
    use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
    use datafusion::physical_plan::{collect, displayable};
    use datafusion::prelude::{SessionConfig, SessionContext};
    use futures::FutureExt;

    use super::*;
    use crate::session::prepare_plan;

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
        let pausing =
            prepare_plan(self::plan(PAIRS).await.1, &ConfigOptions::new()).expect("it is rebuilt");
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
        let pausing = prepare_plan(plan, &ConfigOptions::new()).expect("it is rebuilt");
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
