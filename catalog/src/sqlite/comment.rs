//! Comments on tables, views and their columns.

use sqlx::AssertSqlSafe;

use super::columns::{OwnColumns, insert_lake_comment, read_rows};
use super::commit::Commit;
use super::fault::Outcome;
use super::lookup::{check_same, missing_object};
use super::read::definition;
use super::rename::reversion_external;
use crate::missing::missing_column;
use crate::model::{TableDef, TableKind, TableName};

/// Sets or removes a comment; without a change of it there is no snapshot.
pub(super) async fn set(
    mut commit: Commit,
    (name, only): (&TableName, Option<i64>),
    column: Option<&str>,
    comment: Option<&str>,
) -> Outcome<()> {
    let data_path = commit.data_path();
    let Some(table) = definition(commit.connection(), &data_path, name).await? else {
        return Err(missing_object(commit.connection(), "table", name)
            .await?
            .into());
    };
    check_same(name, table.id, only)?;
    let present = match column {
        None => &table.comment,
        Some(column) => {
            let found = table.columns.iter().find(|c| c.name == column);
            let names = || table.columns.iter().map(|c| c.name.clone());
            &found
                .ok_or_else(|| missing_column(column, name, names()))?
                .comment
        }
    };
    if present.as_deref() == comment {
        return Ok(());
    }
    match column {
        None => set_on_table(&mut commit, &table, comment).await?,
        Some(column) => set_on_column(&mut commit, &table, column, comment).await?,
    }
    match &table.kind {
        TableKind::Managed(_) => commit.changed_definition(format!("altered_table:{}", table.id)),
        TableKind::View(_) => commit.changed_definition(format!("altered_view:{}", table.id)),
        TableKind::External(_) => commit.changed_own(format!("altered_external:{}", table.id)),
    }
    commit.finish().await?;
    Ok(())
}

async fn set_on_table(commit: &mut Commit, table: &TableDef, comment: Option<&str>) -> Outcome<()> {
    if matches!(table.kind, TableKind::External(_)) {
        reversion_external(commit, table.id).await?;
        sqlx::query(
            "UPDATE wb_external_table SET comment = ? WHERE table_id = ? AND end_snapshot IS NULL",
        )
        .bind(comment)
        .bind(table.id)
        .execute(commit.connection())
        .await?;
        return Ok(());
    }
    end_tag(commit, table.id).await?;
    match comment {
        Some(comment) => insert_tag(commit, table.id, comment).await,
        None => Ok(()),
    }
}

async fn set_on_column(
    commit: &mut Commit,
    table: &TableDef,
    column: &str,
    comment: Option<&str>,
) -> Outcome<()> {
    let own = match &table.kind {
        TableKind::Managed(_) => {
            return set_on_lake_column(commit, table.id, column, comment).await;
        }
        TableKind::External(_) => OwnColumns::External,
        TableKind::View(_) => OwnColumns::View,
    };
    let snapshot = commit.snapshot();
    let end = format!(
        "UPDATE {} SET end_snapshot = ?1
         WHERE table_id = ?2 AND column_name = ?3 AND end_snapshot IS NULL",
        own.table()
    );
    let begin = format!(
        "INSERT INTO {0}
         SELECT table_id, ?1, NULL, column_order, column_name, column_type, nulls_allowed,
           default_value, ?4
         FROM {0} WHERE table_id = ?2 AND column_name = ?3 AND end_snapshot = ?1",
        own.table()
    );
    for sql in [end, begin] {
        sqlx::query(AssertSqlSafe(sql))
            .bind(snapshot)
            .bind(table.id)
            .bind(column)
            .bind(comment)
            .execute(commit.connection())
            .await?;
    }
    Ok(())
}

async fn set_on_lake_column(
    commit: &mut Commit,
    table_id: i64,
    column: &str,
    comment: Option<&str>,
) -> Outcome<()> {
    let rows = read_rows(commit.connection(), Some(table_id))
        .await?
        .remove(&table_id);
    let is_it = |row: &&crate::types::LakeColumn| row.parent.is_none() && row.name == column;
    let Some(id) = rows
        .unwrap_or_default()
        .iter()
        .find(is_it)
        .map(|row| row.id)
    else {
        return Ok(());
    };
    sqlx::query(
        "UPDATE ducklake_column_tag SET end_snapshot = ?
         WHERE table_id = ? AND column_id = ? AND \"key\" = 'comment' AND end_snapshot IS NULL",
    )
    .bind(commit.snapshot())
    .bind(table_id)
    .bind(id)
    .execute(commit.connection())
    .await?;
    match comment {
        Some(comment) => insert_lake_comment(commit, table_id, id, comment).await,
        None => Ok(()),
    }
}

/// Ends the comment on a schema, managed table or view.
pub(super) async fn end_tag(commit: &mut Commit, object_id: i64) -> Outcome<()> {
    sqlx::query(
        "UPDATE ducklake_tag SET end_snapshot = ?
         WHERE object_id = ? AND \"key\" = 'comment' AND end_snapshot IS NULL",
    )
    .bind(commit.snapshot())
    .bind(object_id)
    .execute(commit.connection())
    .await?;
    Ok(())
}

/// Begins the comment on a schema, managed table or view.
pub(super) async fn insert_tag(commit: &mut Commit, object_id: i64, comment: &str) -> Outcome<()> {
    sqlx::query("INSERT INTO ducklake_tag VALUES (?, ?, NULL, 'comment', ?)")
        .bind(object_id)
        .bind(commit.snapshot())
        .bind(comment)
        .execute(commit.connection())
        .await?;
    Ok(())
}
