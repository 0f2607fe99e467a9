//! A task that panics fails.
//!
//! The base sends the rows of a task's partitions from tasks of their own and takes the end of such
//! a task for the end of its rows: a panic would make a short answer that looks whole. Here the
//! panic becomes an error of the partition it happened in.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, Statistics};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{Stream, StreamExt};

use crate::Error;

/// `plan` with panics as errors. It looks like the plan to whoever walks it.
pub(super) fn report_panics(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    Arc::new(Reporting { plan })
}

#[derive(Debug)]
struct Reporting {
    plan: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for Reporting {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.fmt_as(kind, f)
    }
}

impl ExecutionPlan for Reporting {
    fn name(&self) -> &str {
        self.plan.name()
    }

    fn downcast_delegate(&self) -> Option<&dyn ExecutionPlan> {
        Some(self.plan.as_ref())
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.plan.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.plan.children()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.plan.apply_expressions(f)
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.plan.maintains_input_order()
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = replace_children_if_necessary(Arc::clone(&self.plan), children)?;
        Ok(report_panics(plan))
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(report_panics(Arc::clone(&self.plan).reset_state()?))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = self.plan.execute(partition, context)?;
        Ok(Box::pin(ReportingRows {
            rows: Some(rows),
            schema: self.plan.schema(),
        }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.plan.metrics()
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        self.plan.child_stats_requests(partition)
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        self.plan.statistics_from_inputs(inputs, args)
    }
}

struct ReportingRows {
    /// `None` after a panic: what it left is not touched again.
    rows: Option<SendableRecordBatchStream>,
    schema: SchemaRef,
}

impl Stream for ReportingRows {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(rows) = &mut self.rows else {
            return Poll::Ready(None);
        };
        match catch_unwind(AssertUnwindSafe(|| rows.poll_next_unpin(context))) {
            Ok(polled) => polled,
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
        };
        let error = reporting
            .next()
            .await
            .expect("an error")
            .expect_err("a panic");
        assert!(error.to_string().contains("out of bounds"), "{error}");
        assert!(reporting.next().await.is_none());
    }
}
