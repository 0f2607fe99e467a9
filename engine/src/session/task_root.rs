//! What stands at the root of every task: panics become errors, and rows are counted.
//!
//! The base sends the rows of a task's partitions from tasks of their own and takes the end of such
//! a task for the end of its rows: a panic would make a short answer that looks whole. Here the
//! panic becomes an error of the partition it happened in.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion_distributed::{BroadcastExec, MaxGaugeMetric};
use futures::{Stream, StreamExt};

use super::stand_in::{Substitute, stand_in};
use super::task_work::TaskWork;
use crate::Error;

/// How the most memory that a query held on a node is named among the metrics of its tasks.
pub const QUERY_MEMORY_METRIC: &str = "query_memory_peak";

/// The plan of a task with panics as errors, counting into `work`. It looks like the plan to whoever
/// walks it.
///
/// # Errors
/// When the plan cannot be rebuilt.
pub(super) fn report_task(
    plan: Arc<dyn ExecutionPlan>,
    work: Option<Arc<TaskWork>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    // The base makes the operator that hands out rows anew for each reader, from what is below it.
    let is_handing_out = plan.is::<RepartitionExec>() || plan.is::<BroadcastExec>();
    let (root, above) = match plan.children().as_slice() {
        [below] if is_handing_out => (Arc::clone(below), Some(Arc::clone(&plan))),
        _ => (plan, None),
    };
    if let Some(work) = &work {
        work.begins(&root);
    }
    let reporting = stand_in(root, Reporting(work));
    match above {
        Some(above) => replace_children_if_necessary(above, vec![reporting]),
        None => Ok(reporting),
    }
}

/// The root of a task.
#[derive(Debug)]
struct Reporting(Option<Arc<TaskWork>>);

impl Substitute for Reporting {
    fn renewed(&self, _plan: &Arc<dyn ExecutionPlan>) -> Result<Self> {
        Ok(Self(self.0.clone()))
    }

    fn execute(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = plan.execute(partition, context)?;
        Ok(Box::pin(ReportingRows {
            rows: Some(rows),
            schema: plan.schema(),
            work: self.0.clone(),
        }))
    }

    fn metrics(&self, plan: &Arc<dyn ExecutionPlan>) -> Option<MetricsSet> {
        let mut metrics = plan.metrics();
        let peak = self.0.as_ref().and_then(|work| work.query_memory_peak());
        if let Some(peak) = peak {
            let gauge = MaxGaugeMetric::new_metric(QUERY_MEMORY_METRIC, peak);
            metrics.get_or_insert_default().push(gauge);
        }
        metrics
    }
}

struct ReportingRows {
    /// `None` after a panic: what it left is not touched again.
    rows: Option<SendableRecordBatchStream>,
    schema: SchemaRef,
    work: Option<Arc<TaskWork>>,
}

impl Drop for ReportingRows {
    fn drop(&mut self) {
        if let Some(work) = &self.work {
            work.partition_ended();
        }
    }
}

impl Stream for ReportingRows {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(rows) = &mut self.rows else {
            return Poll::Ready(None);
        };
        match catch_unwind(AssertUnwindSafe(|| rows.poll_next_unpin(context))) {
            Ok(polled) => {
                if let (Some(work), Poll::Ready(Some(Ok(batch)))) = (&self.work, &polled) {
                    work.handed_out(batch.num_rows());
                }
                polled
            }
            Err(panic) => {
                self.rows = None;
                Poll::Ready(Some(Err(error_of(panic.as_ref()))))
            }
        }
    }
}

impl RecordBatchStream for ReportingRows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

fn error_of(panic: &(dyn Any + Send)) -> DataFusionError {
    let words = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a word");
    Error::internal(format!("an operator broke: {words}")).into()
}

#[cfg(test)]
mod tests {
    use datafusion::physical_plan::Partitioning;
    use datafusion::physical_plan::empty::EmptyExec;
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_and_then_the_end() {
        let schema: SchemaRef = Arc::new(arrow::datatypes::Schema::empty());
        let broken = futures::stream::poll_fn(|_| panic!("out of bounds"));
        let rows: SendableRecordBatchStream =
            Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&schema), broken));
        let mut reporting = ReportingRows {
            rows: Some(rows),
            schema,
            work: None,
        };
        let error = reporting
            .next()
            .await
            .expect("an error")
            .expect_err("a panic");
        assert!(error.to_string().contains("out of bounds"), "{error}");
        assert!(reporting.next().await.is_none());
    }

    #[tokio::test]
    async fn rows_below_a_repartitioning_root_are_counted_and_its_panics_reported() {
        let schema: SchemaRef = Arc::new(arrow::datatypes::Schema::empty());
        let leaf: Arc<dyn ExecutionPlan> = Arc::new(EmptyExec::new(schema));
        let shuffle: Arc<dyn ExecutionPlan> = Arc::new(
            RepartitionExec::try_new(leaf, Partitioning::RoundRobinBatch(3)).expect("a plan"),
        );
        let plan = report_task(shuffle, None).expect("a plan");
        let shuffle = plan
            .downcast_ref::<RepartitionExec>()
            .expect("the root stays what it is");
        assert!(format!("{:?}", shuffle.input()).contains("Reporting"));
        assert_eq!(shuffle.input().name(), "EmptyExec");
    }
}
