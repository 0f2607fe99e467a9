//! Adding files to a managed table, and ending those they replace.

use std::collections::HashSet;

use waterbuck_engine::{Error, ErrorKind};

use super::bulk::{end_files, insert_rows};
use super::commit::Commit;
use super::conflict::{Pattern, check, matches, touched};
use super::fault::Outcome;
use super::managed::{FileKey, ManagedRow};
use super::table_stats::{LeafStats, RowTotals, leaf_stats, totals, widen};
use crate::bounds::Bound;
use crate::location::file_in;
use crate::model::{FileChange, NewDataFile};

/// Makes `change`; returns the snapshot in which it is visible.
pub(super) async fn commit(
    mut commit: Commit,
    table_id: i64,
    base_snapshot: i64,
    change: FileChange,
    files: Vec<NewDataFile>,
) -> Outcome<i64> {
    if base_snapshot > commit.head() {
        let message = format!("snapshot {base_snapshot} does not exist");
        return Err(Error::internal(message).into());
    }
    let data_path = commit.data_path();
    let table = ManagedRow::read(commit.connection(), &data_path, table_id).await?;
    let touched = touched(&table, &change, &files)?;
    let appends = change == FileChange::Append;
    check(
        commit.connection(),
        &table,
        base_snapshot,
        appends,
        &touched,
    )
    .await?;
    let ended = if appends {
        0
    } else {
        end_touched(&mut commit, &table, &touched).await?
    };
    if ended == 0 && files.is_empty() {
        return Ok(commit.head());
    }
    if ended > 0 {
        commit.changed_data(format!("deleted_from_table:{table_id}"));
    }
    add(&mut commit, &table, &files).await?;
    commit.finish().await
}

/// Adds the first files of a table that is made in the same commit.
pub(super) async fn insert_files(
    commit: &mut Commit,
    table_id: i64,
    files: &[NewDataFile],
) -> Outcome<()> {
    let data_path = commit.data_path();
    let table = ManagedRow::read(commit.connection(), &data_path, table_id).await?;
    add(commit, &table, files).await
}

/// Ends the live files of the touched partitions; returns how many there were.
async fn end_touched(
    commit: &mut Commit,
    table: &ManagedRow,
    touched: &[Pattern],
) -> Outcome<usize> {
    let live = table.live_files(commit.connection()).await?;
    let is_touched = |file: &FileKey| touched.iter().any(|pattern| matches(pattern, &file.key));
    let ids: Vec<i64> = live
        .iter()
        .filter(|file| is_touched(file))
        .map(|file| file.id)
        .collect();
    let snapshot = commit.snapshot();
    end_files(commit.connection(), "ducklake_data_file", snapshot, &ids).await?;
    end_files(commit.connection(), "ducklake_delete_file", snapshot, &ids).await?;
    Ok(ids.len())
}

/// Adds the files and brings the table's statistics up to date, also after files have ended.
async fn add(commit: &mut Commit, table: &ManagedRow, files: &[NewDataFile]) -> Outcome<()> {
    let snapshot = commit.snapshot();
    let mut totals = totals(commit.connection(), table.id, snapshot).await?;
    let mut added = Vec::with_capacity(files.len());
    for file in files {
        let (path, relative) = file_in(&file.path, &table.path)?;
        let (id, row_id_start) = (commit.next_file_id(), totals.next_row_id);
        let (key, stats) = (table.key_of(file)?, leaf_stats(table, file)?);
        added.push(Added {
            id,
            file,
            path,
            relative,
            row_id_start,
            key,
            stats,
        });
        totals.add(file);
    }
    refuse_duplicates(commit, table, &added).await?;
    insert_rows_of_files(commit, table, &added).await?;
    insert_keys(commit, table, &added).await?;
    insert_stats(commit, table, &added).await?;
    let fresh = totals.fresh;
    store_totals(commit, table.id, &totals).await?;
    let filled = added.into_iter().filter(|added| added.file.row_count > 0);
    let filled = filled.map(|added| added.stats).collect();
    widen(commit.connection(), table, fresh, filled).await?;
    if !files.is_empty() {
        commit.changed_data(format!("inserted_into_table:{}", table.id));
    }
    Ok(())
}

/// A file with all that its rows need.
struct Added<'a> {
    id: i64,
    file: &'a NewDataFile,
    path: String,
    relative: bool,
    row_id_start: i64,
    key: Vec<Option<String>>,
    stats: Vec<LeafStats>,
}

/// A file that is in the table twice would be read twice: a commit that is tried again after its
/// outcome was lost ends here.
async fn refuse_duplicates(
    commit: &mut Commit,
    table: &ManagedRow,
    added: &[Added<'_>],
) -> Outcome<()> {
    let mut seen = HashSet::with_capacity(added.len());
    for new in added {
        let taken: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM ducklake_data_file
             WHERE table_id = ? AND path = ? AND end_snapshot IS NULL)",
        )
        .bind(table.id)
        .bind(&new.path)
        .fetch_one(commit.connection())
        .await?;
        if taken || !seen.insert(&new.path) {
            let (path, name) = (&new.file.path, &table.name);
            let message = format!("file \"{path}\" is already in table \"{name}\"");
            return Err(Error::new(ErrorKind::Conflict, message).into());
        }
    }
    Ok(())
}

async fn insert_rows_of_files(
    commit: &mut Commit,
    table: &ManagedRow,
    added: &[Added<'_>],
) -> Outcome<()> {
    let snapshot = commit.snapshot();
    let connection = commit.connection();
    insert_rows(connection, "ducklake_data_file", added, |mut row, new| {
        row.push_bind(new.id)
            .push_bind(table.id)
            .push_bind(snapshot)
            .push("NULL, NULL");
        row.push_bind(&new.path)
            .push_bind(new.relative)
            .push("'parquet'");
        row.push_bind(new.file.row_count as i64)
            .push_bind(new.file.bytes as i64);
        row.push_bind(new.file.footer_bytes as i64)
            .push_bind(new.row_id_start);
        row.push_bind(table.partition_id)
            .push("NULL")
            .push_bind(table.mapping_id)
            .push("NULL");
    })
    .await
}

/// Without these rows other readers prune a file by its key.
async fn insert_keys(commit: &mut Commit, table: &ManagedRow, added: &[Added<'_>]) -> Outcome<()> {
    let keys = |new: &Added<'_>| {
        let id = new.id;
        new.key
            .clone()
            .into_iter()
            .enumerate()
            .map(move |(index, value)| (id, index, value))
    };
    let keys: Vec<_> = added.iter().flat_map(keys).collect();
    insert_rows(
        commit.connection(),
        "ducklake_file_partition_value",
        &keys,
        |mut row, key| {
            let (id, index, value) = key;
            row.push_bind(*id)
                .push_bind(table.id)
                .push_bind(*index as i64)
                .push_bind(value);
        },
    )
    .await
}

async fn insert_stats(commit: &mut Commit, table: &ManagedRow, added: &[Added<'_>]) -> Outcome<()> {
    let stats: Vec<(i64, &LeafStats)> = added
        .iter()
        .flat_map(|new| new.stats.iter().map(|leaf| (new.id, leaf)))
        .collect();
    insert_rows(
        commit.connection(),
        "ducklake_file_column_stats",
        &stats,
        |mut row, (id, leaf)| {
            let text = |bound: &Option<Bound>| bound.as_ref().map(|bound| bound.text.clone());
            row.push_bind(*id)
                .push_bind(table.id)
                .push_bind(leaf.column_id)
                .push_bind(leaf.bytes);
            row.push_bind(leaf.value_count).push_bind(leaf.null_count);
            row.push_bind(text(&leaf.min)).push_bind(text(&leaf.max));
            row.push_bind(leaf.contains_nan).push("NULL");
        },
    )
    .await
}

async fn store_totals(commit: &mut Commit, table_id: i64, totals: &RowTotals) -> Outcome<()> {
    sqlx::query("DELETE FROM ducklake_table_stats WHERE table_id = ?")
        .bind(table_id)
        .execute(commit.connection())
        .await?;
    sqlx::query("INSERT INTO ducklake_table_stats VALUES (?, ?, ?, ?)")
        .bind(table_id)
        .bind(totals.row_count)
        .bind(totals.next_row_id)
        .bind(totals.bytes)
        .execute(commit.connection())
        .await?;
    Ok(())
}
