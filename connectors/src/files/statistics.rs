//! Statistics of a scan, put together from the facts of its files.
//!
//! Three sources, from the surest to the vaguest: the footers of all files, the footers of a
//! sample scaled up by size, and what `ANALYZE TABLE` stored.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use waterbuck_engine::sql::sql_type;
use waterbuck_engine::{Error, Result};

use super::file_facts::FileFacts;
use super::listing::FileEntry;
use super::partition::{is_below_key, undeclared};
use super::schema::{can_hold, can_read_as};

/// What `ANALYZE TABLE` found out about a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableSummary {
    /// Rows of the whole table.
    pub row_count: u64,
    /// By column name.
    pub columns: BTreeMap<String, ColumnSummary>,
}

/// What `ANALYZE TABLE` found out about a column.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ColumnSummary {
    /// Distinct values, NULL not counted.
    pub distinct_count: Option<u64>,
    /// The share of NULLs, 0 to 1.
    pub null_fraction: f64,
    /// The least value, as text that casts to the column's type.
    pub min: Option<String>,
    /// The greatest value, as text that casts to the column's type.
    pub max: Option<String>,
    /// Bytes of a value in memory, on average.
    pub average_width: f64,
}

/// The statistics of a file in terms of the table's file columns.
///
/// # Errors
/// `Data` naming the file and column when the file's type cannot be read as the table's.
pub(super) fn of_file(facts: &FileFacts, columns: &Schema, file: &str) -> Result<Statistics> {
    let rows = facts.statistics.num_rows;
    let column_statistics = columns
        .fields()
        .iter()
        .map(|field| match facts.schema.column_with_name(field.name()) {
            Some((index, found)) => {
                let known = &facts.statistics.column_statistics[index];
                of_column(known, found.data_type(), field, file)
            }
            None => missing_column(rows, field, &facts.schema, file),
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Statistics {
        num_rows: rows,
        total_byte_size: facts.statistics.total_byte_size,
        column_statistics,
    })
}

fn of_column(
    known: &ColumnStatistics,
    found: &DataType,
    field: &Field,
    file: &str,
) -> Result<ColumnStatistics> {
    let wanted = field.data_type();
    if found == wanted {
        return Ok(known.clone());
    }
    if !can_read_as(found, wanted) {
        return Err(Error::data(format!(
            "file \"{file}\" has the column \"{}\" as {}, which cannot be read as {}",
            field.name(),
            sql_type(found),
            sql_type(wanted)
        )));
    }
    // A bound survives a cast only where the cast keeps every value.
    let kept = can_hold(found, wanted);
    let bound = |value: &Precision<ScalarValue>| match value.get_value() {
        Some(scalar) if kept => match scalar.cast_to(wanted) {
            Ok(cast) if !cast.is_null() => match value {
                Precision::Exact(_) => Precision::Exact(cast),
                _ => Precision::Inexact(cast),
            },
            _ => Precision::Absent,
        },
        _ => Precision::Absent,
    };
    Ok(ColumnStatistics {
        null_count: if kept {
            known.null_count
        } else {
            known.null_count.to_inexact()
        },
        min_value: bound(&known.min_value),
        max_value: bound(&known.max_value),
        sum_value: Precision::Absent,
        distinct_count: known.distinct_count,
        byte_size: known.byte_size.to_inexact(),
    })
}

/// A column that a file does not have reads as NULL; one that differs in case only is a mistake
/// that must not pass for it.
fn missing_column(
    rows: Precision<usize>,
    field: &Field,
    schema: &Schema,
    file: &str,
) -> Result<ColumnStatistics> {
    let close = schema
        .fields()
        .iter()
        .find(|f| f.name().eq_ignore_ascii_case(field.name()));
    if let Some(close) = close {
        return Err(Error::data(format!(
            "file \"{file}\" has no column \"{}\" but one called \"{}\"; declare the column with \
             that name in double quotes",
            field.name(),
            close.name()
        )));
    }
    if is_below_key(file, field.name()) {
        return Err(undeclared(file, field.name()));
    }
    Ok(ColumnStatistics {
        null_count: rows,
        byte_size: Precision::Exact(0),
        ..ColumnStatistics::new_unknown()
    })
}

/// Appends the partition columns: every row of a file has the same values.
pub(super) fn with_partition_values(mut file: Statistics, values: &[ScalarValue]) -> Statistics {
    for value in values {
        let null = value.is_null();
        let bound = match null {
            true => Precision::Absent,
            false => Precision::Exact(value.clone()),
        };
        file.column_statistics.push(ColumnStatistics {
            null_count: if null {
                file.num_rows
            } else {
                Precision::Exact(0)
            },
            min_value: bound.clone(),
            max_value: bound,
            sum_value: Precision::Absent,
            distinct_count: Precision::Exact(usize::from(!null)),
            byte_size: match value.data_type().primitive_width() {
                Some(width) => file.num_rows.multiply(&Precision::Exact(width)),
                None => file.num_rows.multiply(&Precision::Exact(16)).to_inexact(),
            },
        });
    }
    file
}

/// Adds files up. An empty set has exactly no rows.
pub(super) fn merge<'a>(files: impl Iterator<Item = &'a Statistics>, columns: usize) -> Statistics {
    let mut total: Option<Statistics> = None;
    for file in files {
        match &mut total {
            None => total = Some(file.clone()),
            Some(total) => {
                for (left, right) in total
                    .column_statistics
                    .iter_mut()
                    .zip(&file.column_statistics)
                {
                    add_column(left, total.num_rows, right, file.num_rows);
                }
                total.num_rows = total.num_rows.add(&file.num_rows);
                total.total_byte_size = total.total_byte_size.add(&file.total_byte_size);
            }
        }
    }
    total.unwrap_or_else(|| Statistics {
        num_rows: Precision::Exact(0),
        total_byte_size: Precision::Exact(0),
        column_statistics: vec![ColumnStatistics::new_unknown(); columns],
    })
}

fn add_column(
    left: &mut ColumnStatistics,
    left_rows: Precision<usize>,
    right: &ColumnStatistics,
    right_rows: Precision<usize>,
) {
    // A side without any value has no say in the bounds.
    let empty = |nulls: &Precision<usize>, rows: &Precision<usize>| matches!((nulls, rows), (Precision::Exact(n), Precision::Exact(r)) if n == r);
    if empty(&left.null_count, &left_rows) {
        left.min_value = right.min_value.clone();
        left.max_value = right.max_value.clone();
    } else if !empty(&right.null_count, &right_rows) {
        left.min_value = left.min_value.min(&right.min_value);
        left.max_value = left.max_value.max(&right.max_value);
    }
    left.null_count = left.null_count.add(&right.null_count);
    left.byte_size = left.byte_size.add(&right.byte_size);
    left.distinct_count = match (
        left.distinct_count.get_value(),
        right.distinct_count.get_value(),
    ) {
        (Some(a), Some(b)) => Precision::Inexact(*a.max(b)),
        _ => Precision::Absent,
    };
}

/// Turns the sum over a sample into an estimate for all files, in proportion to their bytes.
pub(super) fn scale(sample: Statistics, sample_bytes: u64, all_bytes: u64) -> Statistics {
    let factor = if sample_bytes == 0 {
        1.0
    } else {
        all_bytes as f64 / sample_bytes as f64
    };
    let up = |value: Precision<usize>| match value.get_value() {
        Some(value) => Precision::Inexact((*value as f64 * factor).round() as usize),
        None => Precision::Absent,
    };
    let mut scaled = sample.to_inexact();
    scaled.num_rows = up(scaled.num_rows);
    scaled.total_byte_size = up(scaled.total_byte_size);
    for column in &mut scaled.column_statistics {
        column.null_count = up(column.null_count);
        column.byte_size = up(column.byte_size);
    }
    scaled
}

/// Sets the number of distinct values of the partition columns, which the listing tells.
pub(super) fn count_partitions(statistics: &mut Statistics, files: &[&FileEntry], columns: usize) {
    let Some(first) = files.first() else { return };
    for index in 0..first.partition_values.len() {
        let mut seen = HashSet::new();
        let mut last: Option<&Arc<[ScalarValue]>> = None;
        for file in files {
            if last.is_some_and(|last| Arc::ptr_eq(last, &file.partition_values)) {
                continue;
            }
            last = Some(&file.partition_values);
            seen.extend(
                file.partition_values
                    .get(index)
                    .filter(|value| !value.is_null()),
            );
        }
        if let Some(column) = statistics.column_statistics.get_mut(columns + index) {
            column.distinct_count = Precision::Inexact(seen.len());
        }
    }
}

/// Fills in what the files do not tell from what `ANALYZE TABLE` stored; `share` is the part of
/// the table's bytes that the scan reads.
pub(super) fn complete(
    statistics: &mut Statistics,
    schema: &Schema,
    summary: &TableSummary,
    share: f64,
) {
    let estimate = |value: f64| Precision::Inexact(value.max(0.0).round() as usize);
    if statistics.num_rows == Precision::Absent {
        statistics.num_rows = estimate(summary.row_count as f64 * share);
    }
    let rows = statistics.num_rows.get_value().copied().unwrap_or_default();
    for (field, column) in schema
        .fields()
        .iter()
        .zip(&mut statistics.column_statistics)
    {
        let Some(known) = summary.columns.get(field.name()) else {
            continue;
        };
        if let (Precision::Absent, Some(count)) = (column.distinct_count, known.distinct_count) {
            column.distinct_count = Precision::Inexact((count as usize).min(rows));
        }
        if column.null_count == Precision::Absent {
            column.null_count = estimate(known.null_fraction * rows as f64);
        }
        if column.byte_size == Precision::Absent {
            column.byte_size = estimate(known.average_width * rows as f64);
        }
        let bound = |text: &Option<String>| {
            let text = text.clone()?;
            ScalarValue::try_from_string(text, field.data_type())
                .ok()
                .map(Precision::Inexact)
        };
        if column.min_value == Precision::Absent {
            column.min_value = bound(&known.min).unwrap_or_default();
        }
        if column.max_value == Precision::Absent {
            column.max_value = bound(&known.max).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(min: Option<i32>, max: Option<i32>, nulls: usize) -> ColumnStatistics {
        let exact = |v: Option<i32>| match v {
            Some(v) => Precision::Exact(ScalarValue::Int32(Some(v))),
            None => Precision::Absent,
        };
        ColumnStatistics {
            null_count: Precision::Exact(nulls),
            min_value: exact(min),
            max_value: exact(max),
            ..ColumnStatistics::new_unknown()
        }
    }

    fn file(rows: usize, column: ColumnStatistics) -> Statistics {
        Statistics {
            num_rows: Precision::Exact(rows),
            total_byte_size: Precision::Absent,
            column_statistics: vec![column],
        }
    }

    #[test]
    fn a_file_of_nulls_does_not_blur_the_bounds() {
        let files = [
            file(3, column(None, None, 3)),
            file(2, column(Some(4), Some(9), 0)),
            file(1, column(None, None, 1)),
            file(2, column(Some(-1), Some(5), 1)),
        ];
        let total = merge(files.iter(), 1);
        assert_eq!(total.num_rows, Precision::Exact(8));
        let column = &total.column_statistics[0];
        assert_eq!(
            column.min_value,
            Precision::Exact(ScalarValue::Int32(Some(-1)))
        );
        assert_eq!(
            column.max_value,
            Precision::Exact(ScalarValue::Int32(Some(9)))
        );
        assert_eq!(column.null_count, Precision::Exact(5));
    }

    #[test]
    fn a_file_without_bounds_takes_them_away() {
        let files = [
            file(2, column(Some(4), Some(9), 0)),
            file(2, column(None, None, 0)),
        ];
        assert_eq!(
            merge(files.iter(), 1).column_statistics[0].min_value,
            Precision::Absent
        );
    }

    #[test]
    fn a_sample_is_scaled_and_inexact() {
        let scaled = scale(file(10, column(Some(1), Some(2), 5)), 100, 1000);
        assert_eq!(scaled.num_rows, Precision::Inexact(100));
        assert_eq!(
            scaled.column_statistics[0].null_count,
            Precision::Inexact(50)
        );
        let min = &scaled.column_statistics[0].min_value;
        assert_eq!(*min, Precision::Inexact(ScalarValue::Int32(Some(1))));
    }

    #[test]
    fn the_null_partition_counts_as_null() {
        let with =
            with_partition_values(file(7, column(None, None, 7)), &[ScalarValue::Int64(None)]);
        assert_eq!(with.column_statistics[1].null_count, Precision::Exact(7));
        assert_eq!(with.column_statistics[1].min_value, Precision::Absent);
    }
}
