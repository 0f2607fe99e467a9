//! Sorts that keep no more than their rows.
//!
//! A column of string or binary views points into buffers. A few rows, picked out of many, keep all
//! of those alive, and count with all of them against the memory of their query: batches of a
//! megabyte with some kilobytes of rows. Only what crosses the network is compact.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, GenericByteViewArray, RecordBatch};
use arrow::datatypes::{ByteViewType, DataType};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::{Column, cast};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

use super::stand_in::{Substitute, stand_in, with_inputs_through};

/// Buffers that are not worth a copy.
const WASTE_BYTES: usize = 16 << 10;

/// `node` over a compact input, if it is a sort that holds views; in a plan that is to spill, over an
/// input without views.
///
/// # Errors
/// When the sort cannot be rebuilt.
pub(super) fn compact_sort_input(
    node: Arc<dyn ExecutionPlan>,
    is_to_spill: bool,
) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let schema = node.schema();
    let mut types = schema.fields().iter().map(|field| field.data_type());
    let has_views = types.any(|kind| matches!(kind, DataType::Utf8View | DataType::BinaryView));
    let Some(sort) = node.downcast_ref::<SortExec>().filter(|_| has_views) else {
        return Ok(Transformed::no(node));
    };
    // One with a limit holds few rows, and copies them.
    let is_plain = is_to_spill && sort.fetch().is_none() && by_columns(sort);
    if is_plain {
        let plain = PlainSort::over(&node)?;
        return Ok(Transformed::yes(stand_in(node, plain)));
    }
    let compact = CompactSort::over(&node)?;
    Ok(Transformed::yes(stand_in(node, compact)))
}

/// Whether rows are compared by columns as they are, of whatever type.
fn by_columns(sort: &SortExec) -> bool {
    sort.expr().iter().all(|key| key.expr.is::<Column>())
}

/// A sort of columns without views, whose rows get them back.
#[derive(Debug)]
struct PlainSort {
    sort: Arc<dyn ExecutionPlan>,
    with_views: Arc<dyn ExecutionPlan>,
}

impl PlainSort {
    fn over(node: &Arc<dyn ExecutionPlan>) -> Result<Self> {
        let Some(sort) = node.downcast_ref::<SortExec>() else {
            return internal_err!("only a sort can be made plain");
        };
        let input = Arc::clone(sort.input());
        let plain = |kind: &DataType| match kind {
            DataType::Utf8View => DataType::Utf8,
            DataType::BinaryView => DataType::Binary,
            other => other.clone(),
        };
        let kinds = input
            .schema()
            .fields()
            .iter()
            .map(|field| plain(field.data_type()))
            .collect();
        let plain = cast_columns(input, kinds)?;
        let sort = SortExec::new(sort.expr().clone(), plain)
            .with_preserve_partitioning(sort.preserve_partitioning());
        let sort: Arc<dyn ExecutionPlan> = Arc::new(sort);
        let kinds = node
            .schema()
            .fields()
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let with_views = cast_columns(Arc::clone(&sort), kinds)?;
        Ok(Self { sort, with_views })
    }
}

fn cast_columns(
    input: Arc<dyn ExecutionPlan>,
    kinds: Vec<DataType>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = input.schema();
    let columns = schema.fields().iter().zip(kinds).enumerate();
    let columns: Vec<ProjectionExpr> = columns
        .map(|(index, (field, kind))| {
            let column = Arc::new(Column::new(field.name(), index));
            Ok(ProjectionExpr {
                expr: cast(column, &schema, kind)?,
                alias: field.name().clone(),
            })
        })
        .collect::<Result<_>>()?;
    Ok(Arc::new(ProjectionExec::try_new(columns, input)?))
}

impl Substitute for PlainSort {
    fn renewed(&self, sort: &Arc<dyn ExecutionPlan>) -> Result<Self> {
        Self::over(sort)
    }

    fn execute(
        &self,
        sort: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = self.with_views.execute(partition, context)?;
        // A cast forgets what is known of a field besides its type.
        let schema = sort.schema();
        let named = Arc::clone(&schema);
        let rows = rows.map(move |batch| {
            let (_, columns, _) = batch?.into_parts();
            Ok(RecordBatch::try_new(Arc::clone(&named), columns)?)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    fn metrics(&self, _sort: &Arc<dyn ExecutionPlan>) -> Option<MetricsSet> {
        self.sort.metrics()
    }
}

/// A sort over a compact input.
#[derive(Debug)]
struct CompactSort(Arc<dyn ExecutionPlan>);

impl CompactSort {
    fn over(sort: &Arc<dyn ExecutionPlan>) -> Result<Self> {
        with_inputs_through(sort, compacted).map(Self)
    }
}

impl Substitute for CompactSort {
    fn renewed(&self, sort: &Arc<dyn ExecutionPlan>) -> Result<Self> {
        Self::over(sort)
    }

    fn execute(
        &self,
        _sort: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.0.execute(partition, context)
    }

    fn metrics(&self, _sort: &Arc<dyn ExecutionPlan>) -> Option<MetricsSet> {
        self.0.metrics()
    }
}

fn compacted(rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let rows = rows.map(|batch| compact(&batch?));
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

fn compact(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch
        .columns()
        .iter()
        .map(|column| match column.data_type() {
            DataType::Utf8View => compact_views(column, column.as_string_view()),
            DataType::BinaryView => compact_views(column, column.as_binary_view()),
            _ => Arc::clone(column),
        });
    let columns = columns.collect();
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

fn compact_views<T: ByteViewType>(column: &ArrayRef, views: &GenericByteViewArray<T>) -> ArrayRef {
    let kept: usize = views
        .data_buffers()
        .iter()
        .map(|buffer| buffer.capacity())
        .sum();
    if kept > WASTE_BYTES && kept / 2 > views.total_buffer_bytes_used() {
        Arc::new(views.gc())
    } else {
        Arc::clone(column)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;
    use datafusion::physical_plan::collect;
    use datafusion::prelude::{SessionContext, col};

    use super::*;

    #[tokio::test]
    async fn a_sort_that_is_to_spill_gives_the_same_rows_without_views_inside() {
        let texts =
            (0..2000).map(|row| (row % 7 != 0).then(|| format!("text {}", row * 37 % 1000)));
        let texts: ArrayRef = Arc::new(texts.collect::<StringViewArray>());
        let batch =
            RecordBatch::try_from_iter_with_nullable([("x", texts, true)]).expect("a column");
        let context = SessionContext::new();
        let frame = context.read_batch(batch).expect("it is read");
        let frame = frame.sort_by(vec![col("x")]).expect("there is a column");
        let plan = frame.create_physical_plan().await.expect("it is planned");
        let rows = collect(Arc::clone(&plan), context.task_ctx())
            .await
            .expect("it runs");
        let plain = compact_sort_input(plan, true).expect("it is rebuilt");
        assert!(plain.transformed);
        let plain = plain.data;
        assert_eq!(plain.schema().field(0).data_type(), &DataType::Utf8View);
        let ours = collect(Arc::clone(&plain), context.task_ctx())
            .await
            .expect("it runs");
        let whole = |rows: &[RecordBatch]| {
            arrow::compute::concat_batches(&rows[0].schema(), rows).expect("one schema")
        };
        assert_eq!(whole(&ours), whole(&rows));
        let sorted = plain.metrics().and_then(|metrics| metrics.output_rows());
        assert_eq!(sorted, Some(2000));
    }

    #[test]
    fn rows_picked_out_of_many_are_copied_and_dense_ones_are_not() {
        let long = |row: usize| format!("a text that does not fit into a view: {row}");
        let views: ArrayRef = Arc::new(StringViewArray::from_iter_values((0..5000).map(long)));
        let few = views.slice(100, 10);
        let batch = |column: &ArrayRef| {
            RecordBatch::try_from_iter([("x", Arc::clone(column))]).expect("one column")
        };
        let compacted = compact(&batch(&few)).expect("the same schema");
        assert_eq!(compacted, batch(&few));
        assert!(compacted.column(0).get_buffer_memory_size() < 2000);
        let dense = compact(&batch(&views)).expect("the same schema");
        assert!(Arc::ptr_eq(dense.column(0), &views));
    }
}
