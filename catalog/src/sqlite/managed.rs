//! A live managed table as a commit of files needs it.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use waterbuck_engine::Error;

use super::columns::{read_lake, read_rows};
use super::conflict::conflict;
use super::fault::Outcome;
use crate::location::joined;
use crate::model::NewDataFile;
use crate::types::{LakeColumns, Leaf};

/// The table, its partitioning and the parts of its columns that have statistics.
#[derive(Debug)]
pub(super) struct ManagedRow {
    pub(super) id: i64,
    pub(super) name: String,
    /// The directory of its data, with its slash.
    pub(super) path: String,
    pub(super) partition_id: Option<i64>,
    /// Column id and name, by key index.
    pub(super) partition_columns: Vec<(i64, String)>,
    pub(super) mapping_id: Option<i64>,
    pub(super) leaves: Vec<Leaf>,
}

/// A file with its partition values by key index.
#[derive(Debug)]
pub(super) struct FileKey {
    pub(super) id: i64,
    pub(super) ended: bool,
    pub(super) key: Vec<Option<String>>,
}

impl ManagedRow {
    /// The live table with this id; a conflict when it was dropped.
    pub(super) async fn read(
        connection: &mut SqliteConnection,
        data_path: &str,
        id: i64,
    ) -> Outcome<Self> {
        let (name, path) = live(connection, data_path, id).await?;
        let partition_columns = sqlx::query_as::<_, (i64, i64, String)>(
            "SELECT i.partition_id, p.column_id, c.column_name
             FROM ducklake_partition_info i
             JOIN ducklake_partition_column p ON p.partition_id = i.partition_id
             JOIN ducklake_column c ON c.table_id = i.table_id AND c.column_id = p.column_id
               AND c.end_snapshot IS NULL
             WHERE i.table_id = ? AND i.end_snapshot IS NULL
             ORDER BY p.partition_key_index",
        )
        .bind(id)
        .fetch_all(&mut *connection)
        .await?;
        let mapping_id = sqlx::query_scalar(
            "SELECT mapping_id FROM ducklake_column_mapping WHERE table_id = ? ORDER BY mapping_id",
        )
        .bind(id)
        .fetch_optional(&mut *connection)
        .await?;
        Ok(Self {
            id,
            path,
            partition_id: partition_columns
                .first()
                .map(|(partition_id, ..)| *partition_id),
            partition_columns: partition_columns
                .into_iter()
                .map(|(_, id, name)| (id, name))
                .collect(),
            mapping_id,
            leaves: leaves(connection, id, &name).await?,
            name,
        })
    }

    /// A file's partition values in the order of the keys.
    pub(super) fn key_of(&self, file: &NewDataFile) -> Result<Vec<Option<String>>, Error> {
        let given = &file.partition_values;
        let value = |(_, column): &(i64, String)| {
            let found = given.iter().find(|(name, _)| name == column);
            found.map(|(_, value)| value.clone())
        };
        let key: Option<Vec<_>> = self.partition_columns.iter().map(value).collect();
        match key {
            Some(key) if key.len() == given.len() => Ok(key),
            _ => Err(Error::internal(format!(
                "file \"{}\" does not have exactly the partition columns of \"{}\"",
                file.path, self.name
            ))),
        }
    }

    /// The files that were added or ended after a snapshot.
    pub(super) async fn files_since(
        &self,
        connection: &mut SqliteConnection,
        snapshot: i64,
    ) -> Outcome<Vec<FileKey>> {
        // A union, so that each half is answered by its index.
        let files = "SELECT * FROM ducklake_data_file WHERE table_id = ?1 AND begin_snapshot > ?2
             UNION
             SELECT * FROM ducklake_data_file WHERE table_id = ?1 AND end_snapshot > ?2";
        file_keys(connection, files, self.id, Some(snapshot)).await
    }

    /// The files of the newest snapshot.
    pub(super) async fn live_files(
        &self,
        connection: &mut SqliteConnection,
    ) -> Outcome<Vec<FileKey>> {
        let files = "SELECT * FROM ducklake_data_file WHERE table_id = ?1 AND end_snapshot IS NULL";
        file_keys(connection, files, self.id, None).await
    }
}

async fn file_keys(
    connection: &mut SqliteConnection,
    files: &str,
    table_id: i64,
    snapshot: Option<i64>,
) -> Outcome<Vec<FileKey>> {
    let sql = format!(
        "SELECT f.data_file_id, f.end_snapshot IS NOT NULL, v.partition_key_index, v.partition_value
         FROM ({files}) f
         LEFT JOIN ducklake_file_partition_value v ON v.data_file_id = f.data_file_id
         ORDER BY f.data_file_id, v.partition_key_index"
    );
    let rows = sqlx::query_as::<_, (i64, bool, Option<i64>, Option<String>)>(AssertSqlSafe(sql))
        .bind(table_id)
        .bind(snapshot)
        .fetch_all(connection)
        .await?;
    let mut by_id: BTreeMap<i64, FileKey> = BTreeMap::new();
    for (id, ended, index, value) in rows {
        let file = by_id.entry(id).or_insert_with(|| FileKey {
            id,
            ended,
            key: Vec::new(),
        });
        if index.is_some() {
            file.key.push(value);
        }
    }
    Ok(by_id.into_values().collect())
}

async fn live(
    connection: &mut SqliteConnection,
    data_path: &str,
    id: i64,
) -> Outcome<(String, String)> {
    let row = sqlx::query_as::<_, (String, String, bool, String, bool, Option<i64>)>(
        "SELECT t.table_name, t.path, t.path_is_relative, s.path, s.path_is_relative, t.end_snapshot
         FROM ducklake_table t JOIN ducklake_schema s ON s.schema_id = t.schema_id
         WHERE t.table_id = ? ORDER BY t.begin_snapshot DESC LIMIT 1",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    match row {
        None => Err(Error::not_found(format!("there is no managed table {id}")).into()),
        Some((name, .., Some(_))) => Err(conflict(&name, "dropped").into()),
        Some((name, path, relative, schema_path, in_data, None)) => {
            let schema_path = joined(&schema_path, in_data, data_path);
            Ok((name, joined(&path, relative, &schema_path)))
        }
    }
}

/// The parts of the columns that have values. Ids are derived from the definition, so they must be
/// what the catalog has.
async fn leaves(connection: &mut SqliteConnection, id: i64, name: &str) -> Outcome<Vec<Leaf>> {
    let columns = read_lake(connection, Some(id))
        .await?
        .remove(&id)
        .unwrap_or_default();
    let rows = read_rows(connection, Some(id))
        .await?
        .remove(&id)
        .unwrap_or_default();
    let lake = LakeColumns::new(&columns)?;
    if lake.rows != rows {
        let message = format!(
            "table \"{name}\" was altered by another engine and cannot be written; attach the \
             catalog read-only there"
        );
        return Err(Error::unsupported(message).into());
    }
    Ok(lake.leaves)
}
