//! Small results that no plan computes.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;
use waterbuck_engine::{Error, Result};

use super::StatementContext;
use crate::query::QueryState;
use crate::session::Outcome;

/// Columns of text.
pub(super) fn text_schema(columns: &[&str]) -> SchemaRef {
    Arc::new(Schema::new(
        columns
            .iter()
            .map(|name| Field::new(*name, DataType::Utf8, true))
            .collect::<Vec<_>>(),
    ))
}

/// Rows of text as an outcome; each row has as many cells as there are columns.
pub(super) fn text_outcome(
    context: &StatementContext,
    columns: &[&str],
    rows: &[Vec<Option<String>>],
) -> Result<Outcome> {
    let arrays = (0..columns.len()).map(|column| {
        let cells = rows
            .iter()
            .map(|row| row.get(column).and_then(|cell| cell.as_deref()));
        Arc::new(cells.collect::<StringArray>()) as ArrayRef
    });
    let batch = RecordBatch::try_new(text_schema(columns), arrays.collect())
        .map_err(|error| Error::internal("rows cannot be built").with_source(error))?;
    Ok(batch_outcome(context, batch))
}

/// One batch as an outcome.
pub(super) fn batch_outcome(context: &StatementContext, batch: RecordBatch) -> Outcome {
    let schema = batch.schema();
    context
        .record
        .handed_over(batch.num_rows(), batch.get_array_memory_size());
    context
        .core()
        .queries
        .finish(&context.record, QueryState::Finished, None);
    let stream = RecordBatchStreamAdapter::new(schema, stream::iter([Ok(batch)]));
    Outcome::Rows {
        query_id: context.record.id,
        stream: Box::pin(stream),
    }
}
