//! The rest of an input sorted by partition, for writes to more partitions than files may be open.
//!
//! Sorting spills to disk when memory is short, whereas thousands of open files would each hold
//! part of a row group, and closing them early would leave thousands of tiny files.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, stream};
use parking_lot::Mutex;

/// `first` and what follows it in `rest`, sorted by `columns`.
pub(super) fn sorted_rest(
    first: RecordBatch,
    rest: SendableRecordBatchStream,
    columns: &[usize],
    context: &Arc<TaskContext>,
) -> Result<SendableRecordBatchStream> {
    let schema = rest.schema();
    let whole = stream::iter([Ok(first)]).chain(rest);
    let once = OnceStream {
        schema: Arc::clone(&schema),
        rows: Mutex::new(Some(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&schema),
            whole,
        )))),
    };
    let source = StreamingTableExec::try_new(
        Arc::clone(&schema),
        vec![Arc::new(once)],
        None,
        None,
        false,
        None,
    )?;
    let by_partition = columns.iter().map(|&index| {
        PhysicalSortExpr::new_default(Arc::new(Column::new(schema.field(index).name(), index)))
    });
    let ordering = by_partition.collect::<Vec<_>>();
    let ordering = datafusion::physical_expr::LexOrdering::new(ordering)
        .ok_or_else(|| internal_datafusion_err!("no partition columns to sort by"))?;
    SortExec::new(ordering, Arc::new(source)).execute(0, Arc::clone(context))
}

/// A stream that is already running, as the input of an operator.
struct OnceStream {
    schema: SchemaRef,
    rows: Mutex<Option<SendableRecordBatchStream>>,
}

impl fmt::Debug for OnceStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceStream")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl PartitionStream for OnceStream {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let again = || {
            let error = internal_datafusion_err!("the input of a write was read twice");
            let schema = Arc::clone(&self.schema);
            let failed: SendableRecordBatchStream = Box::pin(RecordBatchStreamAdapter::new(
                schema,
                stream::iter([Err(error)]),
            ));
            failed
        };
        self.rows.lock().take().unwrap_or_else(again)
    }
}
