//! The catalog's columns as Arrow knows them.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use waterbuck_catalog::ColumnDef;

/// Columns as an Arrow schema.
pub(crate) fn arrow_schema(columns: &[ColumnDef]) -> SchemaRef {
    let fields = columns
        .iter()
        .map(|column| Field::new(&column.name, column.data_type.clone(), column.nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
