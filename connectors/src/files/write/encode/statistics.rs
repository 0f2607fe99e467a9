//! Statistics of a Parquet file's columns, from the metadata its writer returns.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::datatypes::{DataType, Schema};
use datafusion::common::{Result, ScalarValue};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::ParquetMetaData;

use crate::files::write::written::ColumnStats;

/// One entry per column of `schema`. Nested and binary columns have no minimum and maximum.
pub(super) fn column_stats(
    schema: &Schema,
    metadata: &ParquetMetaData,
    nan: &[bool],
) -> Result<Vec<ColumnStats>> {
    let rows: u64 = metadata
        .row_groups()
        .iter()
        .map(|g| g.num_rows().unsigned_abs())
        .sum();
    let sizes = column_bytes(schema, metadata);
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (index, field) in schema.fields().iter().enumerate() {
        let mut stats = ColumnStats {
            column: field.name().clone(),
            field_id: field
                .metadata()
                .get(PARQUET_FIELD_ID_META_KEY)
                .and_then(|i| i.parse().ok()),
            value_count: rows,
            bytes: sizes[index],
            contains_nan: field.data_type().is_floating().then(|| nan[index]),
            ..ColumnStats::default()
        };
        if !field.data_type().is_nested() {
            add_bounds(&mut stats, schema, metadata)?;
        }
        columns.push(stats);
    }
    Ok(columns)
}

/// Compressed bytes per top-level column.
fn column_bytes(schema: &Schema, metadata: &ParquetMetaData) -> Vec<u64> {
    let mut bytes = vec![0; schema.fields().len()];
    for group in metadata.row_groups() {
        for (leaf, chunk) in group.columns().iter().enumerate() {
            let root = group.schema_descr().get_column_root_idx(leaf);
            bytes[root] += chunk.compressed_size().unsigned_abs();
        }
    }
    bytes
}

fn add_bounds(stats: &mut ColumnStats, schema: &Schema, metadata: &ParquetMetaData) -> Result<()> {
    let parquet_schema = metadata.file_metadata().schema_descr();
    let converter = StatisticsConverter::try_new(&stats.column, schema, parquet_schema)?
        .with_missing_null_counts_as_zero(false);
    let nulls = converter.row_group_null_counts(metadata.row_groups())?;
    if nulls.null_count() == 0 {
        stats.null_count = Some(nulls.values().iter().sum());
    }
    if !has_text(converter.arrow_field().data_type()) {
        return Ok(());
    }
    let full = filled_groups(metadata, &nulls);
    let min = converter.row_group_mins(metadata.row_groups())?;
    let max = converter.row_group_maxes(metadata.row_groups())?;
    stats.min = extreme(&min, &full, Ordering::Less)?;
    stats.max = extreme(&max, &full, Ordering::Greater)?;
    Ok(())
}

/// Row groups in which the column has a value; the others have no bounds and need none.
fn filled_groups(metadata: &ParquetMetaData, nulls: &UInt64Array) -> Vec<usize> {
    let groups = metadata.row_groups().iter().enumerate();
    groups
        .filter(|(i, group)| nulls.is_null(*i) || nulls.value(*i) < group.num_rows().unsigned_abs())
        .map(|(i, _)| i)
        .collect()
}

/// The text of the smallest or greatest bound; `None` when a group that has values lacks one.
fn extreme(bounds: &ArrayRef, groups: &[usize], wanted: Ordering) -> Result<Option<String>> {
    let mut best: Option<ScalarValue> = None;
    for &group in groups {
        if bounds.is_null(group) {
            return Ok(None);
        }
        let bound = ScalarValue::try_from_array(bounds, group)?;
        match &best {
            Some(known) if bound.partial_cmp(known) != Some(wanted) => {}
            _ => best = Some(bound),
        }
    }
    match best
        .map(|bound| bound.cast_to(&DataType::Utf8))
        .transpose()?
    {
        Some(ScalarValue::Utf8(text)) => Ok(text),
        _ => Ok(None),
    }
}

fn has_text(data_type: &DataType) -> bool {
    !matches!(
        data_type,
        DataType::Binary
            | DataType::LargeBinary
            | DataType::FixedSizeBinary(_)
            | DataType::Interval(_)
            | DataType::Duration(_)
            | DataType::Null
    )
}
