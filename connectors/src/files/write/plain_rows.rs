//! Rows in the types that files hold, checked against the columns' declarations.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{Field, SchemaRef};
use datafusion::common::Result;
use waterbuck_engine::Error;
use waterbuck_engine::sql::{sql_type, with_sql_types};

/// `batch` in the plain types of `schema`, by position. A value that does not fit its column is
/// an error, as is a NULL in a column that takes none.
pub(super) fn plain_rows(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns: Result<Vec<ArrayRef>> = columns.map(|(c, field)| plain_column(c, field)).collect();
    Ok(RecordBatch::try_new(Arc::clone(schema), columns?)?)
}

fn plain_column(column: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    if !field.is_nullable() && column.logical_null_count() > 0 {
        let message = format!(
            "column \"{}\" does not take NULL, but a row holds it",
            field.name()
        );
        return Err(Error::data(message).into());
    }
    if column.data_type() == field.data_type() {
        return Ok(Arc::clone(column));
    }
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(column, field.data_type(), &strict).map_err(|e| {
        let (name, data_type) = (field.name(), sql_type(field.data_type()));
        Error::data(format!(
            "a value does not fit column \"{name}\" of type {data_type}"
        ))
        .with_source(with_sql_types(&e.to_string()))
        .into()
    })
}
