//! Small results that no plan computes.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::like;
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

/// The rows whose first cell is like an SQL pattern; all of them without one.
pub(super) fn named_like(
    rows: Vec<Vec<Option<String>>>,
    pattern: Option<&str>,
) -> Result<Vec<Vec<Option<String>>>> {
    let Some(pattern) = pattern else {
        return Ok(rows);
    };
    let names: StringArray = rows
        .iter()
        .map(|row| row.first().and_then(|name| name.as_deref()))
        .collect();
    let alike = like(&names, &StringArray::new_scalar(pattern))
        .map_err(|error| Error::internal("names cannot be compared").with_source(error))?;
    let kept = rows.into_iter().zip(alike.iter());
    Ok(kept
        .filter(|(_, alike)| *alike == Some(true))
        .map(|(row, _)| row)
        .collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_kept_by_the_name_in_front() {
        let row = |name: &str| vec![Some(name.to_owned()), Some("INT".to_owned())];
        let rows = || vec![row("a_1"), row("ab1"), row("b")];
        let names = |pattern| -> Vec<String> {
            let kept = named_like(rows(), pattern).expect("rows");
            kept.into_iter()
                .filter_map(|mut row| row.remove(0))
                .collect()
        };
        assert_eq!(names(None), ["a_1", "ab1", "b"]);
        assert_eq!(names(Some("a%")), ["a_1", "ab1"]);
        assert_eq!(names(Some("a\\_%")), ["a_1"]);
        assert!(names(Some("A%")).is_empty());
    }
}
