//! When a commit of files may not go through.
//!
//! A statement has read at its base snapshot and now commits on the newest one. What it touches are
//! partitions: those of its new files, and those it overwrites. In them
//!
//! | since the base  | append   | overwrite |
//! |-----------------|----------|-----------|
//! | files were added | fine     | conflict  |
//! | files were ended | conflict | conflict  |
//!
//! A table that was dropped, replaced or altered is a conflict always. This is snapshot isolation: a
//! statement that reads one partition and appends to another does not see what happens in the first.

use sqlx::sqlite::SqliteConnection;
use waterbuck_engine::{Error, ErrorKind};

use super::fault::Outcome;
use super::managed::ManagedRow;
use crate::model::{FileChange, NewDataFile, PartitionValues};

/// A partition with a place for every partition column; `None` stands for any value.
pub(super) type Pattern = Vec<Option<Option<String>>>;

/// The partitions a change touches.
pub(super) fn touched(
    table: &ManagedRow,
    change: &FileChange,
    files: &[NewDataFile],
) -> Result<Vec<Pattern>, Error> {
    let of_files = || -> Result<Vec<Pattern>, Error> {
        let exact = |file| Ok(table.key_of(file)?.into_iter().map(Some).collect());
        files.iter().map(exact).collect()
    };
    match change {
        FileChange::Append => of_files(),
        FileChange::Overwrite => Ok(vec![vec![None; table.partition_columns.len()]]),
        FileChange::OverwritePartitions(partitions) => {
            let patterns: Vec<Pattern> = partitions
                .iter()
                .map(|values| pattern(table, values))
                .collect::<Result<_, _>>()?;
            for file in files {
                let key = table.key_of(file)?;
                if !patterns.iter().any(|pattern| matches(pattern, &key)) {
                    return Err(Error::internal(format!(
                        "file \"{}\" is in a partition of \"{}\" that is not overwritten",
                        file.path, table.name
                    )));
                }
            }
            Ok(patterns)
        }
    }
}

fn pattern(table: &ManagedRow, values: &PartitionValues) -> Result<Pattern, Error> {
    let mut pattern = vec![None; table.partition_columns.len()];
    for (column, value) in values {
        let place = table
            .partition_columns
            .iter()
            .position(|(_, name)| name == column);
        let place = place.ok_or_else(|| {
            Error::invalid(format!(
                "\"{column}\" is not a partition column of \"{}\"",
                table.name
            ))
        })?;
        pattern[place] = Some(value.clone());
    }
    Ok(pattern)
}

/// Whether a file with the partition values `key` is in the partition. Values of another
/// partitioning, which only another engine can have set, count as being in every one.
pub(super) fn matches(pattern: &Pattern, key: &[Option<String>]) -> bool {
    pattern.len() != key.len()
        || pattern
            .iter()
            .zip(key)
            .all(|(wanted, is)| wanted.as_ref().is_none_or(|w| w == is))
}

/// Refuses what the table above says.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    table: &ManagedRow,
    base_snapshot: i64,
    appends: bool,
    touched: &[Pattern],
) -> Outcome<()> {
    let altered: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM ducklake_column
             WHERE table_id = ?1 AND (begin_snapshot > ?2 OR end_snapshot > ?2))
           OR EXISTS (SELECT 1 FROM ducklake_partition_info
             WHERE table_id = ?1 AND (begin_snapshot > ?2 OR end_snapshot > ?2))",
    )
    .bind(table.id)
    .bind(base_snapshot)
    .fetch_one(&mut *connection)
    .await?;
    if altered {
        return Err(conflict(&table.name, "altered").into());
    }
    for file in table.files_since(connection, base_snapshot).await? {
        if !touched.iter().any(|pattern| matches(pattern, &file.key)) {
            continue;
        }
        if file.ended {
            return Err(conflict(&table.name, "overwritten").into());
        }
        if !appends {
            return Err(conflict(&table.name, "added to").into());
        }
    }
    Ok(())
}

/// The error of a statement that another one has overtaken.
pub(super) fn conflict(table: &str, what: &str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!("table \"{table}\" was {what} by another session meanwhile; try again"),
    )
}
