//! Sorts that keep no more than their rows.
//!
//! A column of string or binary views points into buffers. A few rows, picked out of many, keep all
//! of those alive, and count with all of them against the memory of their query: batches of a
//! megabyte with some kilobytes of rows. Only what crosses the network is compact.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, GenericByteViewArray, RecordBatch};
use arrow::datatypes::{ByteViewType, DataType};
use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

use super::stand_in::{Substitute, stand_in, with_inputs_through};

/// Buffers that are not worth a copy.
const WASTE_BYTES: usize = 16 << 10;

/// `node` over a compact input, if it is a sort that holds views.
///
/// # Errors
/// When the sort cannot be rebuilt.
pub(super) fn compact_sort_input(
    node: Arc<dyn ExecutionPlan>,
) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    // One with a limit holds few rows, and copies them.
    let is_whole = |sort: &SortExec| sort.fetch().is_none();
    let schema = node.schema();
    let mut types = schema.fields().iter().map(|field| field.data_type());
    let has_views = types.any(|kind| matches!(kind, DataType::Utf8View | DataType::BinaryView));
    if !has_views || !node.downcast_ref::<SortExec>().is_some_and(is_whole) {
        return Ok(Transformed::no(node));
    }
    let compact = CompactSort::over(&node)?;
    Ok(Transformed::yes(stand_in(node, compact)))
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

    use super::*;

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
