//! Dropping tables, views, external tables and schemas.
//!
//! Rows end, they are not removed: older snapshots still show them, and a managed table's files
//! stay.

use waterbuck_engine::Error;

use super::comment::end_tag;
use super::commit::Commit;
use super::fault::Outcome;
use super::lookup::{check_same, live_schema, missing_object, missing_schema};
use super::quote::quoted;
use super::read::{Scope, definition, definitions};
use super::rights::forget_object;
use super::statistics;
use crate::DEFAULT_SCHEMA;
use crate::model::{DropKind, TableDef, TableKind, TableName};

/// Drops what stands behind a name.
pub(super) async fn table(
    mut commit: Commit,
    (name, only): (&TableName, Option<i64>),
    expected: DropKind,
    if_exists: bool,
) -> Outcome<Option<TableDef>> {
    let expected = match expected {
        DropKind::Table => "table",
        DropKind::View => "view",
    };
    let data_path = commit.data_path();
    let Some(table) = definition(commit.connection(), &data_path, name).await? else {
        if if_exists {
            return Ok(None);
        }
        return Err(missing_object(commit.connection(), expected, name)
            .await?
            .into());
    };
    check_same(name, table.id, only)?;
    let is = table.kind.noun();
    if is != expected {
        let statement = is.to_uppercase();
        return Err(Error::invalid(format!("\"{name}\" is a {is}: use DROP {statement}")).into());
    }
    end_object(&mut commit, &table).await?;
    commit.finish().await?;
    Ok(Some(table))
}

/// Drops a schema; false when it is absent and may be.
pub(super) async fn schema(
    mut commit: Commit,
    (name, only): (&str, Option<i64>),
    if_exists: bool,
    cascade: bool,
) -> Outcome<bool> {
    let data_path = commit.data_path();
    let Some((id, _)) = live_schema(commit.connection(), &data_path, name).await? else {
        if if_exists {
            return Ok(false);
        }
        return Err(missing_schema(commit.connection(), name).await?.into());
    };
    check_same(name, id, only)?;
    if name == DEFAULT_SCHEMA {
        return Err(Error::invalid(format!("schema \"{name}\" cannot be dropped")).into());
    }
    let objects = definitions(commit.connection(), &data_path, Scope::Schema(name)).await?;
    if let (Some(first), false) = (objects.first(), cascade) {
        let message = format!(
            "schema \"{name}\" is not empty: it has {} \"{}\"{}; drop it first or use CASCADE",
            first.kind.noun(),
            first.name.name,
            if objects.len() > 1 { " and others" } else { "" },
        );
        return Err(Error::invalid(message).into());
    }
    for object in &objects {
        end_object(&mut commit, object).await?;
    }
    end_tag(&mut commit, id).await?;
    forget_object(commit.connection(), id).await?;
    sqlx::query("UPDATE ducklake_schema SET end_snapshot = ? WHERE schema_id = ?")
        .bind(commit.snapshot())
        .bind(id)
        .execute(commit.connection())
        .await?;
    commit.changed_definition(format!("dropped_schema:{id}"));
    commit.finish().await?;
    Ok(true)
}

const MANAGED: [&str; 7] = [
    "UPDATE ducklake_table SET end_snapshot = ? WHERE table_id = ? AND end_snapshot IS NULL",
    "UPDATE ducklake_column SET end_snapshot = ? WHERE table_id = ? AND end_snapshot IS NULL",
    "UPDATE ducklake_column_tag SET end_snapshot = ? WHERE table_id = ? AND end_snapshot IS NULL",
    "UPDATE ducklake_tag SET end_snapshot = ? WHERE object_id = ? AND end_snapshot IS NULL",
    "UPDATE ducklake_partition_info SET end_snapshot = ?
     WHERE table_id = ? AND end_snapshot IS NULL",
    "UPDATE ducklake_data_file SET end_snapshot = ? WHERE table_id = ? AND end_snapshot IS NULL",
    "UPDATE ducklake_delete_file SET end_snapshot = ? WHERE table_id = ? AND end_snapshot IS NULL",
];

const VIEW: [&str; 3] = [
    "UPDATE ducklake_view SET end_snapshot = ? WHERE view_id = ? AND end_snapshot IS NULL",
    "UPDATE ducklake_tag SET end_snapshot = ? WHERE object_id = ? AND end_snapshot IS NULL",
    "UPDATE wb_view_column SET end_snapshot = ? WHERE table_id = ? AND end_snapshot IS NULL",
];

const EXTERNAL: [&str; 2] = [
    "UPDATE wb_external_table SET end_snapshot = ? WHERE table_id = ? AND end_snapshot IS NULL",
    "UPDATE wb_external_column SET end_snapshot = ? WHERE table_id = ? AND end_snapshot IS NULL",
];

/// Ends an object with all that belongs to it.
pub(super) async fn end_object(commit: &mut Commit, table: &TableDef) -> Outcome<()> {
    let statements: &[&'static str] = match &table.kind {
        TableKind::Managed(_) => &MANAGED,
        TableKind::View(_) => &VIEW,
        TableKind::External(_) => &EXTERNAL,
    };
    let snapshot = commit.snapshot();
    for sql in statements {
        sqlx::query(*sql)
            .bind(snapshot)
            .bind(table.id)
            .execute(commit.connection())
            .await?;
    }
    statistics::delete(commit.connection(), table.id).await?;
    forget_object(commit.connection(), table.id).await?;
    match &table.kind {
        TableKind::Managed(_) => commit.changed_definition(format!("dropped_table:{}", table.id)),
        TableKind::View(_) => commit.changed_definition(format!("dropped_view:{}", table.id)),
        TableKind::External(_) => {
            let (schema, name) = (quoted(&table.name.schema), quoted(&table.name.name));
            commit.changed_own(format!("dropped_external:{schema}.{name}"));
        }
    }
    Ok(())
}
