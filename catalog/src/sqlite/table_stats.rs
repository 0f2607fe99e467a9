//! Statistics of files, and of the table as a whole.
//!
//! Other readers fold a filter against the table's bounds before they look at any file, and for
//! every snapshot alike. So the bounds are widened by every file that is added, become unknown with
//! the first file whose bounds are unknown, and are never narrowed, not even by an overwrite.

use std::collections::HashMap;

use sqlx::sqlite::SqliteConnection;
use waterbuck_engine::Error;

use super::bulk::insert_rows;
use super::fault::Outcome;
use super::managed::ManagedRow;
use crate::bounds::{Bound, End, may_be_nan};
use crate::model::{FileColumnStats, NewDataFile};
use crate::types::Leaf;

/// One row of `ducklake_file_column_stats`; `None` is unknown.
#[derive(Debug, Clone)]
pub(super) struct LeafStats {
    pub(super) column_id: i64,
    pub(super) bytes: i64,
    pub(super) value_count: Option<i64>,
    pub(super) null_count: Option<i64>,
    pub(super) min: Option<Bound>,
    pub(super) max: Option<Bound>,
    pub(super) contains_nan: Option<bool>,
}

/// Live rows and bytes, and the first row id that is free.
#[derive(Debug)]
pub(super) struct RowTotals {
    pub(super) row_count: i64,
    pub(super) next_row_id: i64,
    pub(super) bytes: i64,
    /// No row was ever added.
    pub(super) fresh: bool,
}

impl RowTotals {
    pub(super) fn add(&mut self, file: &NewDataFile) {
        self.row_count += file.row_count as i64;
        self.next_row_id += file.row_count as i64;
        self.bytes += file.bytes as i64;
    }
}

/// The totals after the files that end with `snapshot` are taken away. Row ids are never used again.
pub(super) async fn totals(
    connection: &mut SqliteConnection,
    table_id: i64,
    snapshot: i64,
) -> Outcome<RowTotals> {
    let row = sqlx::query_as::<_, (i64, i64, i64)>(
        "SELECT record_count, next_row_id, file_size_bytes FROM ducklake_table_stats
         WHERE table_id = ?",
    )
    .bind(table_id)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((row_count, next_row_id, bytes)) = row else {
        return Ok(RowTotals {
            row_count: 0,
            next_row_id: 0,
            bytes: 0,
            fresh: true,
        });
    };
    let (ended_rows, ended_bytes) = sqlx::query_as::<_, (i64, i64)>(
        "SELECT coalesce(sum(record_count), 0), coalesce(sum(file_size_bytes), 0)
         FROM ducklake_data_file WHERE table_id = ? AND end_snapshot = ?",
    )
    .bind(table_id)
    .bind(snapshot)
    .fetch_one(connection)
    .await?;
    let (row_count, bytes) = (row_count - ended_rows, bytes - ended_bytes);
    Ok(RowTotals {
        row_count,
        next_row_id,
        bytes,
        fresh: next_row_id == 0,
    })
}

/// The statistics of every part of every column in a file.
pub(super) fn leaf_stats(table: &ManagedRow, file: &NewDataFile) -> Result<Vec<LeafStats>, Error> {
    let key = table.key_of(file)?;
    let one = |leaf: &Leaf| {
        let partition = table
            .partition_columns
            .iter()
            .position(|(id, _)| *id == leaf.id);
        if let Some(value) = partition.and_then(|place| key.get(place)) {
            return of_partition(leaf, file, value.as_deref());
        }
        let paths = [&leaf.path, &leaf.parquet_path, &leaf.standard_path];
        let is_it = |stats: &&FileColumnStats| paths.contains(&&stats.column);
        match file.column_stats.iter().find(is_it) {
            Some(stats) => of_column(leaf, file, stats),
            None => unknown(leaf),
        }
    };
    Ok(table.leaves.iter().map(one).collect())
}

fn unknown(leaf: &Leaf) -> LeafStats {
    LeafStats {
        column_id: leaf.id,
        bytes: 0,
        value_count: None,
        null_count: None,
        min: None,
        max: None,
        contains_nan: None,
    }
}

/// A partition column has one value in the whole file.
fn of_partition(leaf: &Leaf, file: &NewDataFile, value: Option<&str>) -> LeafStats {
    let rows = file.row_count as i64;
    let floating = may_be_nan(&leaf.data_type);
    let is_nan = value.is_some_and(|value| value.parse::<f64>().is_ok_and(f64::is_nan));
    LeafStats {
        value_count: Some(if value.is_some() { rows } else { 0 }),
        null_count: Some(if value.is_some() { 0 } else { rows }),
        min: value.and_then(|value| Bound::read(&leaf.data_type, End::Min, value)),
        max: value.and_then(|value| Bound::read(&leaf.data_type, End::Max, value)),
        contains_nan: floating.then_some(is_nan),
        ..unknown(leaf)
    }
}

fn of_column(leaf: &Leaf, file: &NewDataFile, stats: &FileColumnStats) -> LeafStats {
    let bytes = stats.bytes as i64;
    if leaf.top_level && stats.null_count > file.row_count {
        return LeafStats {
            bytes,
            ..unknown(leaf)
        };
    }
    // A part of a list or map may have any number of values in a row.
    let value_count = if leaf.top_level {
        file.row_count - stats.null_count
    } else {
        stats.value_count
    };
    let empty = value_count == 0;
    let bound = |end, text: &Option<String>| {
        text.as_deref()
            .filter(|_| !empty)
            .and_then(|text| Bound::read(&leaf.data_type, end, text))
    };
    let contains_nan = if empty {
        Some(false)
    } else {
        stats.contains_nan
    };
    LeafStats {
        column_id: leaf.id,
        bytes,
        value_count: Some(value_count as i64),
        null_count: Some(stats.null_count as i64),
        min: bound(End::Min, &stats.min),
        max: bound(End::Max, &stats.max),
        contains_nan: contains_nan.filter(|_| may_be_nan(&leaf.data_type)),
    }
}

/// What the table's row says of one column while files are added to it.
#[derive(Debug, Clone)]
struct Range {
    contains_null: Option<bool>,
    contains_nan: Option<bool>,
    min: Edge,
    max: Edge,
}

/// One end of the table's range.
#[derive(Debug, Clone)]
enum Edge {
    /// No value yet.
    None,
    At(Bound),
    Unknown,
}

impl Edge {
    fn widened(self, bound: Option<&Bound>, end: End) -> Self {
        match (self, bound) {
            (Self::Unknown, _) | (_, None) => Self::Unknown,
            (Self::None, Some(bound)) => Self::At(bound.clone()),
            (Self::At(edge), Some(bound)) => Self::At(edge.widest(bound.clone(), end)),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::At(bound) => Some(&bound.text),
            _ => None,
        }
    }
}

impl Range {
    /// The range of a column without values.
    fn empty(leaf: &Leaf) -> Self {
        Self {
            contains_null: Some(false),
            contains_nan: may_be_nan(&leaf.data_type).then_some(false),
            min: Edge::None,
            max: Edge::None,
        }
    }

    /// The range of a column of which files are there but nothing is known.
    fn unknown() -> Self {
        Self {
            contains_null: None,
            contains_nan: None,
            min: Edge::Unknown,
            max: Edge::Unknown,
        }
    }

    fn widened(self, stats: &LeafStats) -> Self {
        let either = |a: Option<bool>, b: Option<bool>| Some(a? || b?);
        let contains_null = either(self.contains_null, stats.null_count.map(|count| count > 0));
        let contains_nan = either(self.contains_nan, stats.contains_nan);
        if stats.value_count == Some(0) {
            return Self {
                contains_null,
                contains_nan,
                ..self
            };
        }
        Self {
            contains_null,
            contains_nan,
            min: self.min.widened(stats.min.as_ref(), End::Min),
            max: self.max.widened(stats.max.as_ref(), End::Max),
        }
    }
}

/// Widens the table's statistics by those of files that have rows.
pub(super) async fn widen(
    connection: &mut SqliteConnection,
    table: &ManagedRow,
    fresh: bool,
    files: Vec<Vec<LeafStats>>,
) -> Outcome<()> {
    if files.is_empty() {
        return Ok(());
    }
    let mut present = read_ranges(connection, table).await?;
    let mut ranges = Vec::with_capacity(table.leaves.len());
    for (place, leaf) in table.leaves.iter().enumerate() {
        let mut range = match present.remove(&leaf.id) {
            Some(range) => range,
            None if fresh => Range::empty(leaf),
            None => Range::unknown(),
        };
        for stats in files.iter().filter_map(|file| file.get(place)) {
            range = range.widened(stats);
        }
        ranges.push((leaf.id, range));
    }
    sqlx::query("DELETE FROM ducklake_table_column_stats WHERE table_id = ?")
        .bind(table.id)
        .execute(&mut *connection)
        .await?;
    insert_rows(
        connection,
        "ducklake_table_column_stats",
        &ranges,
        |mut row, (id, range)| {
            row.push_bind(table.id).push_bind(*id);
            row.push_bind(range.contains_null)
                .push_bind(range.contains_nan);
            row.push_bind(range.min.text())
                .push_bind(range.max.text())
                .push("NULL");
        },
    )
    .await
}

/// An edge that is stored as NULL may stand for no value or for an unknown one; the latter is safe.
async fn read_ranges(
    connection: &mut SqliteConnection,
    table: &ManagedRow,
) -> Outcome<HashMap<i64, Range>> {
    type Row = (
        i64,
        Option<bool>,
        Option<bool>,
        Option<String>,
        Option<String>,
    );
    let rows = sqlx::query_as::<_, Row>(
        "SELECT column_id, contains_null, contains_nan, min_value, max_value
         FROM ducklake_table_column_stats WHERE table_id = ?",
    )
    .bind(table.id)
    .fetch_all(connection)
    .await?;
    let mut ranges = HashMap::with_capacity(rows.len());
    for (id, contains_null, contains_nan, min, max) in rows {
        let Some(leaf) = table.leaves.iter().find(|leaf| leaf.id == id) else {
            continue;
        };
        let edge = |end, text: Option<String>| {
            let bound = text.and_then(|text| Bound::read(&leaf.data_type, end, &text));
            bound.map_or(Edge::Unknown, Edge::At)
        };
        let (min, max) = (edge(End::Min, min), edge(End::Max, max));
        ranges.insert(
            id,
            Range {
                contains_null,
                contains_nan,
                min,
                max,
            },
        );
    }
    Ok(ranges)
}
