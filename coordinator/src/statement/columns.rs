//! Columns as declared, as the catalog keeps them.

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::DFSchema;
use datafusion::logical_expr::ExprSchemable;
use waterbuck_catalog::ColumnDef;
use waterbuck_engine::Result;
use waterbuck_engine::sql::{ColumnSpec, PartitionColumn};

use super::StatementContext;
use crate::plan::plan_error;

/// Declared columns with their Arrow types.
///
/// # Errors
/// For a type that does not exist.
pub(super) fn catalog_columns(
    context: &StatementContext,
    columns: &[ColumnSpec],
) -> Result<Vec<ColumnDef>> {
    columns
        .iter()
        .map(|column| catalog_column(context, column))
        .collect()
}

fn catalog_column(context: &StatementContext, column: &ColumnSpec) -> Result<ColumnDef> {
    let cast = format!("CAST(NULL AS {})", column.data_type);
    let schema = DFSchema::empty();
    let mut base = context.core().planner.base().clone();
    // Without it a type with a time zone would lose its zone.
    let time_zone = context.settings.values().timezone.clone();
    base.config_mut().options_mut().execution.time_zone = Some(time_zone);
    let data_type = base
        .create_logical_expr(&cast, &schema)
        .and_then(|expr| expr.get_type(&schema))
        .map_err(|error| plan_error(&context.sql, error))?;
    Ok(ColumnDef {
        name: column.name.clone(),
        data_type: plain_type(&data_type),
        nullable: column.nullable,
        default: column.default.as_ref().map(ToString::to_string),
        comment: column.comment.clone(),
    })
}

/// The partition columns of a declaration: those named only are found among `declared`, or their
/// type is found from the paths.
pub(super) fn partition_columns(
    context: &StatementContext,
    partitioned_by: &[PartitionColumn],
    declared: &[ColumnDef],
) -> Result<Vec<(String, Option<ColumnDef>)>> {
    partitioned_by
        .iter()
        .map(|column| {
            let known = match column {
                PartitionColumn::Spec(spec) => Some(catalog_column(context, spec)?),
                PartitionColumn::Name(name) => {
                    declared.iter().find(|known| known.name == *name).cloned()
                }
            };
            Ok((column.name().to_owned(), known))
        })
        .collect()
}

/// The columns of a query's result, in types that files can hold.
pub(super) fn plain_columns(schema: &Schema) -> Vec<ColumnDef> {
    schema
        .fields()
        .iter()
        .map(|field| ColumnDef {
            name: field.name().clone(),
            data_type: plain_type(field.data_type()),
            nullable: true,
            default: None,
            comment: None,
        })
        .collect()
}

/// A type without views, dictionaries and run-ends: how values are kept, not how they are moved.
pub(crate) fn plain_type(data_type: &DataType) -> DataType {
    let plain = |field: &Field| field.clone().with_data_type(plain_type(field.data_type()));
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, value) => plain_type(value),
        DataType::RunEndEncoded(_, values) => plain_type(values.data_type()),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => DataType::List(plain(item).into()),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(plain(item).into(), *size),
        DataType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|field| plain(field))
                .collect::<Vec<_>>()
                .into(),
        ),
        DataType::Map(entries, sorted) => DataType::Map(plain(entries).into(), *sorted),
        DataType::Null => DataType::Utf8,
        other => other.clone(),
    }
}
