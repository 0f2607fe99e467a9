//! Takes from footers the upper bounds of floating-point columns.
//!
//! Parquet's bounds leave NaN out, while in SQL NaN is greater than every number: a reader that
//! trusts the upper bound skips rows that `x > 5` selects. Lower bounds stay, as they are right.

use std::sync::Arc;

use parquet::basic::{LogicalType, Type};
use parquet::errors::Result;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescriptor;

/// The footer without bounds that NaN may exceed, neither of row groups nor of pages.
///
/// # Errors
/// When the footer is not put together right.
pub(super) fn without_upper_float_bounds(
    footer: Arc<ParquetMetaData>,
) -> Result<Arc<ParquetMetaData>> {
    let columns = footer.file_metadata().schema_descr().columns();
    let floats: Vec<bool> = columns.iter().map(|column| is_float(column)).collect();
    if !floats.contains(&true)
        || !footer
            .row_groups()
            .iter()
            .any(|group| has_bounds(group, &floats))
    {
        return Ok(footer);
    }
    let footer = Arc::unwrap_or_clone(footer);
    let pages = footer.column_index().cloned().map(|mut groups| {
        for group in &mut groups {
            for (pages, _) in group.iter_mut().zip(&floats).filter(|(_, float)| **float) {
                *pages = ColumnIndexMetaData::NONE;
            }
        }
        groups
    });
    let groups = footer
        .row_groups()
        .iter()
        .map(|group| without_bounds(group.clone(), &floats))
        .collect::<Result<Vec<_>>>()?;
    let builder = footer
        .into_builder()
        .set_row_groups(groups)
        .set_column_index(pages);
    Ok(Arc::new(builder.build()))
}

fn is_float(column: &ColumnDescriptor) -> bool {
    matches!(column.physical_type(), Type::FLOAT | Type::DOUBLE)
        || matches!(column.logical_type_ref(), Some(LogicalType::Float16))
}

fn has_bounds(group: &RowGroupMetaData, floats: &[bool]) -> bool {
    let mut columns = group
        .columns()
        .iter()
        .zip(floats)
        .filter(|(_, float)| **float);
    columns.any(|(column, _)| {
        column
            .statistics()
            .is_some_and(|s| s.max_bytes_opt().is_some())
            || column.column_index_offset().is_some()
    })
}

fn without_bounds(group: RowGroupMetaData, floats: &[bool]) -> Result<RowGroupMetaData> {
    let columns = group
        .columns()
        .iter()
        .zip(floats)
        .map(|(column, float)| match float {
            true => without_maximum(column.clone()),
            false => Ok(column.clone()),
        })
        .collect::<Result<Vec<_>>>()?;
    group.into_builder().set_column_metadata(columns).build()
}

fn without_maximum(column: ColumnChunkMetaData) -> Result<ColumnChunkMetaData> {
    let lower = column.statistics().map(|known| {
        let (distinct, nulls) = (known.distinct_count_opt(), known.null_count_opt());
        match known {
            Statistics::Float(s) => {
                Statistics::float(s.min_opt().copied(), None, distinct, nulls, false)
            }
            Statistics::Double(s) => {
                Statistics::double(s.min_opt().copied(), None, distinct, nulls, false)
            }
            _ => Statistics::fixed_len_byte_array(None, None, distinct, nulls, false),
        }
    });
    // The page index is loaded later, if at all; without a place it cannot be.
    let builder = column
        .into_builder()
        .set_column_index_offset(None)
        .set_column_index_length(None);
    match lower {
        Some(lower) => builder.set_statistics(lower).build(),
        None => builder.build(),
    }
}
