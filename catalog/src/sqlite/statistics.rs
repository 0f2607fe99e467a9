//! What `ANALYZE TABLE` found. Statistics describe the present, so they are not versioned.

use std::collections::BTreeMap;

use chrono::DateTime;
use sqlx::sqlite::SqliteConnection;
use waterbuck_engine::{Error, ErrorKind};

use super::commit::{parse_time, time_text};
use super::database::Database;
use super::fault::Outcome;
use crate::model::{ColumnStatistics, TableStatistics};

pub(super) async fn read(database: &Database, table_id: i64) -> Outcome<Option<TableStatistics>> {
    let mut read = database.read().await?;
    let row = sqlx::query_as::<_, (i64, String)>(
        "SELECT row_count, computed_at FROM wb_table_statistics WHERE table_id = ?",
    )
    .bind(table_id)
    .fetch_optional(&mut *read)
    .await?;
    let Some((row_count, computed_at)) = row else {
        return Ok(None);
    };
    let computed_at = parse_time(&computed_at).map(|time| time.to_utc());
    let columns = read_columns(&mut read, table_id).await?;
    Ok(Some(TableStatistics {
        row_count: row_count.max(0) as u64,
        computed_at: computed_at.unwrap_or(DateTime::UNIX_EPOCH),
        columns,
    }))
}

async fn read_columns(
    connection: &mut SqliteConnection,
    table_id: i64,
) -> Outcome<BTreeMap<String, ColumnStatistics>> {
    type Row = (
        String,
        Option<i64>,
        f64,
        Option<String>,
        Option<String>,
        f64,
        Option<Vec<u8>>,
    );
    let rows = sqlx::query_as::<_, Row>(
        "SELECT column_name, distinct_count, null_fraction, min_value, max_value, average_width,
           sketch
         FROM wb_column_statistics WHERE table_id = ?",
    )
    .bind(table_id)
    .fetch_all(connection)
    .await?;
    let column = |(name, distinct, null_fraction, min, max, average_width, sketch): Row| {
        let distinct_count = distinct.map(|count| count.max(0) as u64);
        (
            name,
            ColumnStatistics {
                distinct_count,
                null_fraction,
                min,
                max,
                average_width,
                sketch,
            },
        )
    };
    Ok(rows.into_iter().map(column).collect())
}

/// Stores statistics of a table that is still there.
pub(super) async fn put(
    database: &Database,
    table_id: i64,
    statistics: TableStatistics,
) -> Outcome<()> {
    let mut write = database.write().await?;
    let live: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM ducklake_table WHERE table_id = ?1 AND end_snapshot IS NULL)
           OR EXISTS (SELECT 1 FROM wb_external_table WHERE table_id = ?1 AND end_snapshot IS NULL)",
    )
    .bind(table_id)
    .fetch_one(&mut *write)
    .await?;
    if !live {
        let message = format!("table {table_id} was dropped by another session");
        return Err(Error::new(ErrorKind::Conflict, message).into());
    }
    sqlx::query("INSERT OR REPLACE INTO wb_table_statistics VALUES (?, ?, ?)")
        .bind(table_id)
        .bind(statistics.row_count as i64)
        .bind(time_text(statistics.computed_at))
        .execute(&mut *write)
        .await?;
    for (name, column) in &statistics.columns {
        sqlx::query("INSERT OR REPLACE INTO wb_column_statistics VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(table_id)
            .bind(name)
            .bind(column.distinct_count.map(|count| count as i64))
            .bind(finite(column.null_fraction))
            .bind(&column.min)
            .bind(&column.max)
            .bind(finite(column.average_width))
            .bind(&column.sketch)
            .execute(&mut *write)
            .await?;
    }
    Ok(write.commit().await?)
}

/// Forgets a table's statistics.
pub(super) async fn forget(database: &Database, table_id: i64) -> Outcome<()> {
    let mut write = database.write().await?;
    delete(&mut write, table_id).await?;
    Ok(write.commit().await?)
}

/// The same within a transaction.
pub(super) async fn delete(connection: &mut SqliteConnection, table_id: i64) -> Outcome<()> {
    for sql in [
        "DELETE FROM wb_table_statistics WHERE table_id = ?",
        "DELETE FROM wb_column_statistics WHERE table_id = ?",
    ] {
        sqlx::query(sql)
            .bind(table_id)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// SQLite has no NaN; a ratio over no rows counts as 0.
fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}
