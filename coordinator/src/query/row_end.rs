//! Tells when the last row of a distributed query has come.
//!
//! The base ends a query's rows when every task has closed its call to the coordinator and reported
//! its metrics. Nobody who waits for rows waits for those; they come in behind the answer:
//!
//! ```text
//! DistributedExec ── ends when all tasks have reported
//!   RowEndExec ───── counts rows, and tells their number at the last one
//!     the plan
//! ```

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion_distributed::DistributedExec;
use futures::{Stream, StreamExt};
use tokio::sync::Notify;

/// How many rows a plan has given, known once it has given all of them.
#[derive(Debug, Default)]
pub(super) struct RowEnd {
    rows: OnceLock<usize>,
    told: Notify,
}

impl RowEnd {
    /// Whether the plan gave `received` rows and will give no more.
    pub(super) fn is_reached(&self, received: usize) -> bool {
        self.rows.get() == Some(&received)
    }

    /// Whether the plan will give no more rows.
    pub(super) fn is_known(&self) -> bool {
        self.rows.get().is_some()
    }

    /// Waits until the number of rows is known; to be called once. Cancel-safe.
    pub(super) async fn known(&self) {
        self.told.notified().await;
    }

    fn tell(&self, rows: usize) {
        if self.rows.set(rows).is_ok() {
            self.told.notify_one();
        }
    }
}

/// `plan`, telling `end` of its last row if it is distributed.
///
/// # Errors
/// When the plan cannot be rebuilt.
pub(super) fn tell_row_end(
    plan: Arc<dyn ExecutionPlan>,
    end: &Arc<RowEnd>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let input = match plan.children().as_slice() {
        [input] if plan.is::<DistributedExec>() => Arc::clone(input),
        _ => return Ok(plan),
    };
    let end = Arc::clone(end);
    replace_children_if_necessary(plan, vec![Arc::new(RowEndExec { input, end })])
}

/// Passes rows on.
#[derive(Debug)]
struct RowEndExec {
    input: Arc<dyn ExecutionPlan>,
    end: Arc<RowEnd>,
}

impl DisplayAs for RowEndExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowEndExec")
    }
}

impl ExecutionPlan for RowEndExec {
    fn name(&self) -> &str {
        "RowEndExec"
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
            return internal_err!("RowEndExec has one input");
        };
        let end = Arc::clone(&self.end);
        Ok(Arc::new(Self { input, end }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        Ok(Box::pin(CountedRows {
            rows: self.input.execute(partition, context)?,
            end: Arc::clone(&self.end),
            given: 0,
            failed: false,
        }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.input.metrics()
    }
}

struct CountedRows {
    rows: SendableRecordBatchStream,
    end: Arc<RowEnd>,
    given: usize,
    /// What comes after an error is no end.
    failed: bool,
}

impl Stream for CountedRows {
    type Item = Result<RecordBatch, DataFusionError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.rows.poll_next_unpin(context);
        match &polled {
            Poll::Ready(Some(Ok(batch))) => self.given += batch.num_rows(),
            Poll::Ready(Some(Err(_))) => self.failed = true,
            Poll::Ready(None) if !self.failed => self.end.tell(self.given),
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }
}

impl RecordBatchStream for CountedRows {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::physical_plan::empty::EmptyExec;
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
    use futures::stream;
    use waterbuck_engine::settings::Settings;

    use super::*;
    use crate::query::hold::{Hold, Pumped, pump};

    fn batch(rows: i64) -> RecordBatch {
        let column = Arc::new(Int64Array::from_iter_values(0..rows));
        RecordBatch::try_from_iter([("x", column as _)]).unwrap()
    }

    fn boxed(
        rows: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
    ) -> SendableRecordBatchStream {
        Box::pin(RecordBatchStreamAdapter::new(batch(0).schema(), rows))
    }

    fn counted(rows: Vec<Result<RecordBatch>>, end: &Arc<RowEnd>) -> SendableRecordBatchStream {
        Box::pin(CountedRows {
            rows: boxed(stream::iter(rows)),
            end: Arc::clone(end),
            given: 0,
            failed: false,
        })
    }

    /// Pumps `rows`, whose stream never ends, and gives what came out.
    async fn pumped(rows: SendableRecordBatchStream, end: &RowEnd) -> (Pumped, Vec<usize>) {
        let (tx, mut rx) = tokio::sync::mpsc::channel(10);
        let pool = Arc::clone(&SessionStateBuilder::new().build().runtime_env().memory_pool);
        let hold = Hold::new(&Settings::new(), &pool);
        let mut rows = boxed(rows.chain(stream::pending()));
        let never = std::future::pending();
        let outcome = pump(&mut rows, &tx, hold, (end, never)).await;
        drop(tx);
        let mut sizes = vec![];
        while let Some(batch) = rx.recv().await {
            sizes.push(batch.unwrap().num_rows());
        }
        (outcome, sizes)
    }

    #[tokio::test]
    async fn rows_end_with_the_last_of_them_and_not_with_the_stream() {
        let end = Arc::new(RowEnd::default());
        let rows = counted(vec![Ok(batch(2)), Ok(batch(0)), Ok(batch(3))], &end);
        let (outcome, sizes) = pumped(rows, &end).await;
        assert!(matches!(outcome, Pumped::Done));
        assert_eq!(sizes, [2, 3]);
    }

    #[tokio::test]
    async fn an_end_that_is_known_early_cuts_off_no_row() {
        let end = Arc::new(RowEnd::default());
        end.tell(5);
        let late = stream::iter([Ok(batch(2)), Ok(batch(3))]).then(|batch| async move {
            tokio::task::yield_now().await;
            batch
        });
        let (_, sizes) = pumped(boxed(late), &end).await;
        assert_eq!(sizes, [2, 3]);
    }

    #[tokio::test]
    async fn an_error_is_no_end() {
        let end = Arc::new(RowEnd::default());
        let error = DataFusionError::Execution("lost".to_owned());
        let mut rows = counted(vec![Ok(batch(2)), Err(error)], &end);
        while rows.next().await.is_some() {}
        assert!(!end.is_known());
    }

    #[test]
    fn the_end_is_told_below_the_exchange_of_reports() {
        let end = Arc::new(RowEnd::default());
        let plan: Arc<dyn ExecutionPlan> = Arc::new(EmptyExec::new(batch(0).schema()));
        let here = tell_row_end(Arc::clone(&plan), &end).unwrap();
        assert!(here.is::<EmptyExec>(), "nothing reports in one process");
        let distributed = Arc::new(DistributedExec::new(plan));
        let telling = tell_row_end(distributed, &end).unwrap();
        assert!(telling.is::<DistributedExec>());
        assert!(telling.children()[0].is::<RowEndExec>());
    }
}
