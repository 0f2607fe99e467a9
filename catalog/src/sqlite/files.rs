//! The files of a managed table at a snapshot.

use std::collections::HashMap;

use sqlx::sqlite::SqliteConnection;
use waterbuck_engine::{Error, ErrorKind};

use super::database::Database;
use super::fault::Outcome;
use crate::location::joined;
use crate::model::{DataFile, FileColumnStats, PartitionValues};

/// What is asked for: the rows of one table that are visible at one snapshot.
#[derive(Debug, Clone, Copy)]
struct At {
    table_id: i64,
    snapshot: i64,
}

/// The files of a table at a snapshot, by id.
pub(super) async fn at(
    database: &Database,
    table_id: i64,
    snapshot: i64,
) -> Outcome<Vec<DataFile>> {
    type Row = (i64, String, bool, i64, i64, i64, i64);
    let at = At { table_id, snapshot };
    let mut read = database.read().await?;
    let (table, path) = directory_at(&mut read, &database.data_path(), at).await?;
    refuse_foreign_rows(&mut read, &table, at).await?;
    let mut partitions = partition_values(&mut read, at).await?;
    let mut stats = column_stats(&mut read, at).await?;
    let rows = sqlx::query_as::<_, Row>(
        "SELECT data_file_id, path, path_is_relative, record_count, file_size_bytes,
           coalesce(footer_size, 0), begin_snapshot
         FROM ducklake_data_file
         WHERE table_id = ?1 AND begin_snapshot <= ?2
           AND (end_snapshot IS NULL OR end_snapshot > ?2)
         ORDER BY data_file_id",
    )
    .bind(table_id)
    .bind(snapshot)
    .fetch_all(&mut *read)
    .await?;
    let file = |(id, name, relative, rows, bytes, footer, begin_snapshot): Row| DataFile {
        id,
        path: joined(&name, relative, &path),
        row_count: rows.max(0) as u64,
        bytes: bytes.max(0) as u64,
        footer_bytes: footer.max(0) as u64,
        partition_values: partitions.remove(&id).unwrap_or_default(),
        column_stats: stats.remove(&id).unwrap_or_default(),
        begin_snapshot,
    };
    Ok(rows.into_iter().map(file).collect())
}

/// The table's name and directory. A table that was made after the snapshot must not look empty.
async fn directory_at(
    connection: &mut SqliteConnection,
    data_path: &str,
    at: At,
) -> Outcome<(String, String)> {
    let row = sqlx::query_as::<_, (String, String, bool, String, bool)>(
        "SELECT t.table_name, t.path, t.path_is_relative, s.path, s.path_is_relative
         FROM ducklake_table t JOIN ducklake_schema s ON s.schema_id = t.schema_id
         WHERE t.table_id = ?1 AND t.begin_snapshot <= ?2
           AND (t.end_snapshot IS NULL OR t.end_snapshot > ?2)",
    )
    .bind(at.table_id)
    .bind(at.snapshot)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some((table, path, relative, schema_path, in_data)) = row {
        let schema_path = joined(&schema_path, in_data, data_path);
        return Ok((table, joined(&path, relative, &schema_path)));
    }
    let name: Option<String> =
        sqlx::query_scalar("SELECT table_name FROM ducklake_table WHERE table_id = ? LIMIT 1")
            .bind(at.table_id)
            .fetch_optional(connection)
            .await?;
    let error = match name {
        Some(name) => Error::new(
            ErrorKind::Conflict,
            format!(
                "table \"{name}\" was replaced or dropped by another session (it is not in snapshot \
                 {}); try again",
                at.snapshot
            ),
        ),
        None => Error::not_found(format!("there is no managed table {}", at.table_id)),
    };
    Err(error.into())
}

/// Rows that only another engine can have written (inlined rows, deletes) are not in the list of
/// files: without them the answer would be wrong.
async fn refuse_foreign_rows(
    connection: &mut SqliteConnection,
    table: &str,
    at: At,
) -> Outcome<()> {
    let foreign: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM ducklake_delete_file
             WHERE table_id = ?1 AND begin_snapshot <= ?2
               AND (end_snapshot IS NULL OR end_snapshot > ?2))
           OR EXISTS (SELECT 1 FROM ducklake_inlined_data_tables WHERE table_id = ?1)
           OR EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'ducklake_inlined_delete_' || ?1)",
    )
    .bind(at.table_id)
    .bind(at.snapshot)
    .fetch_one(connection)
    .await?;
    if foreign {
        let message = format!(
            "table \"{table}\" has inlined rows or deletes of another engine, which this version \
             does not read; attach the catalog read-only there"
        );
        return Err(Error::unsupported(message).into());
    }
    Ok(())
}

async fn partition_values(
    connection: &mut SqliteConnection,
    at: At,
) -> Outcome<HashMap<i64, PartitionValues>> {
    let rows = sqlx::query_as::<_, (i64, String, Option<String>)>(
        "SELECT f.data_file_id, c.column_name, v.partition_value
         FROM ducklake_data_file f
         JOIN ducklake_file_partition_value v ON v.data_file_id = f.data_file_id
         JOIN ducklake_partition_column p ON p.partition_id = f.partition_id
           AND p.partition_key_index = v.partition_key_index
         JOIN ducklake_column c ON c.table_id = f.table_id AND c.column_id = p.column_id
           AND c.begin_snapshot <= ?2 AND (c.end_snapshot IS NULL OR c.end_snapshot > ?2)
         WHERE f.table_id = ?1 AND f.begin_snapshot <= ?2
           AND (f.end_snapshot IS NULL OR f.end_snapshot > ?2)
         ORDER BY f.data_file_id, v.partition_key_index",
    )
    .bind(at.table_id)
    .bind(at.snapshot)
    .fetch_all(connection)
    .await?;
    let mut by_file: HashMap<i64, PartitionValues> = HashMap::new();
    for (file, column, value) in rows {
        by_file.entry(file).or_default().push((column, value));
    }
    Ok(by_file)
}

/// Statistics by file; columns of which nothing is known are left out.
async fn column_stats(
    connection: &mut SqliteConnection,
    at: At,
) -> Outcome<HashMap<i64, Vec<FileColumnStats>>> {
    type Row = (
        i64,
        i64,
        i64,
        i64,
        Option<String>,
        Option<String>,
        Option<bool>,
        i64,
    );
    let columns = column_paths(connection, at).await?;
    let rows = sqlx::query_as::<_, Row>(
        "SELECT s.data_file_id, s.column_id, s.value_count, s.null_count, s.min_value, s.max_value,
           s.contains_nan, coalesce(s.column_size_bytes, 0)
         FROM ducklake_data_file f
         JOIN ducklake_file_column_stats s ON s.data_file_id = f.data_file_id
         WHERE f.table_id = ?1 AND f.begin_snapshot <= ?2
           AND (f.end_snapshot IS NULL OR f.end_snapshot > ?2)
           AND s.value_count IS NOT NULL AND s.null_count IS NOT NULL
         ORDER BY s.data_file_id, s.column_id",
    )
    .bind(at.table_id)
    .bind(at.snapshot)
    .fetch_all(connection)
    .await?;
    let mut by_file: HashMap<i64, Vec<FileColumnStats>> = HashMap::new();
    for (file, column, values, nulls, min, max, contains_nan, bytes) in rows {
        let Some(column) = columns.get(&column).cloned() else {
            continue;
        };
        by_file.entry(file).or_default().push(FileColumnStats {
            column,
            value_count: values.max(0) as u64,
            null_count: nulls.max(0) as u64,
            min,
            max,
            contains_nan,
            bytes: bytes.max(0) as u64,
        });
    }
    Ok(by_file)
}

/// The dotted path of every column and part of a column. Parents come before their parts.
async fn column_paths(connection: &mut SqliteConnection, at: At) -> Outcome<HashMap<i64, String>> {
    let rows = sqlx::query_as::<_, (i64, Option<i64>, String)>(
        "SELECT column_id, parent_column, column_name FROM ducklake_column
         WHERE table_id = ?1 AND begin_snapshot <= ?2
           AND (end_snapshot IS NULL OR end_snapshot > ?2)
         ORDER BY column_order",
    )
    .bind(at.table_id)
    .bind(at.snapshot)
    .fetch_all(connection)
    .await?;
    let mut paths: HashMap<i64, String> = HashMap::with_capacity(rows.len());
    for (id, parent, name) in rows {
        let path = match parent.and_then(|parent| paths.get(&parent)) {
            Some(parent) => format!("{parent}.{name}"),
            None => name,
        };
        paths.insert(id, path);
    }
    Ok(paths)
}
