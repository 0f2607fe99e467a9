//! Creating tables, views and external tables.

use std::collections::HashSet;

use serde_json::json;
use uuid::Uuid;
use waterbuck_engine::Error;
use waterbuck_engine::sql::{ViewSecurity, sql_type};

use super::bulk::insert_rows;
use super::columns::{OwnColumns, insert_lake, insert_own};
use super::comment::insert_tag;
use super::commit::Commit;
use super::drop::end_object;
use super::fault::Outcome;
use super::insert_files::insert_files;
use super::lookup::{live_schema, missing_schema, replaced};
use super::quote::{quoted, quoted_list};
use super::read::definition;
use super::rename::already_exists;
use super::rights::insert_owner;
use crate::location::{directory, stored};
use crate::missing::missing_column;
use crate::model::{
    ColumnDef, ExternalTable, ManagedTable, NewDataFile, NewTable, OnExisting, TableDef, TableKind,
    ViewDef,
};
use crate::types::LakeColumns;

/// Creates an object and its first files; `None` when the name is taken and may be.
pub(super) async fn table(
    mut commit: Commit,
    table: NewTable,
    on_existing: OnExisting,
    files: Vec<NewDataFile>,
) -> Outcome<Option<TableDef>> {
    check(&table, &files)?;
    let data_path = commit.data_path();
    let schema = live_schema(commit.connection(), &data_path, &table.name.schema).await?;
    let Some((schema_id, schema_path)) = schema else {
        return Err(missing_schema(commit.connection(), &table.name.schema)
            .await?
            .into());
    };
    if let Some(existing) = definition(commit.connection(), &data_path, &table.name).await? {
        if let OnExisting::ReplaceOnly(only) = on_existing
            && only != Some(existing.id)
        {
            return Err(replaced(&table.name).into());
        }
        match on_existing {
            OnExisting::Fail => {
                return Err(already_exists(existing.kind.noun(), &table.name).into());
            }
            OnExisting::Skip => return Ok(None),
            OnExisting::Replace | OnExisting::ReplaceOnly(_)
                if existing.kind.noun() != table.kind.noun() =>
            {
                let (is, wanted) = (existing.kind.noun(), table.kind.noun());
                let message = format!(
                    "\"{}\" is a {is}, not a {wanted}: drop it first",
                    table.name
                );
                return Err(Error::invalid(message).into());
            }
            OnExisting::Replace | OnExisting::ReplaceOnly(_) => {
                end_object(&mut commit, &existing).await?;
            }
        }
    }
    let new = Place {
        id: commit.next_catalog_id(),
        uuid: Uuid::now_v7(),
        schema_id,
    };
    match &table.kind {
        TableKind::Managed(managed) => {
            insert_managed(&mut commit, &new, &table, managed, &schema_path).await?;
        }
        TableKind::View(view) => insert_view(&mut commit, &new, &table, view).await?,
        TableKind::External(external) => {
            insert_external(&mut commit, &new, &table, external).await?;
        }
    }
    insert_owner(commit.connection(), new.id, table.owner.as_ref()).await?;
    if !files.is_empty() {
        insert_files(&mut commit, new.id, &files).await?;
    }
    let created = definition(commit.connection(), &data_path, &table.name).await?;
    commit.finish().await?;
    Ok(created)
}

struct Place {
    id: i64,
    uuid: Uuid,
    schema_id: i64,
}

fn check(table: &NewTable, files: &[NewDataFile]) -> Result<(), Error> {
    let name = &table.name;
    if name.name.is_empty() {
        return Err(Error::invalid(format!(
            "a {} needs a name",
            table.kind.noun()
        )));
    }
    check_columns(&table.columns)?;
    let TableKind::Managed(managed) = &table.kind else {
        if files.is_empty() {
            return Ok(());
        }
        return Err(Error::internal(format!(
            "\"{name}\" is not managed and cannot own files"
        )));
    };
    for partition in &managed.partition_columns {
        let column = table
            .columns
            .iter()
            .find(|column| column.name == *partition);
        let names = || table.columns.iter().map(|column| column.name.clone());
        let column = column.ok_or_else(|| missing_column(partition, name, names()))?;
        if column.data_type.is_nested() {
            return Err(Error::invalid(format!(
                "\"{name}\" cannot be partitioned by \"{partition}\" of type {}",
                sql_type(&column.data_type)
            )));
        }
    }
    if managed.partition_columns.len() >= table.columns.len() {
        return Err(Error::invalid(format!(
            "table \"{name}\" needs at least one column that is not a partition column"
        )));
    }
    Ok(())
}

/// Every column has a name, and no two have the same.
pub(super) fn check_columns(columns: &[ColumnDef]) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for column in columns {
        if column.name.is_empty() {
            return Err(Error::invalid("a column needs a name"));
        }
        if !seen.insert(&column.name) {
            return Err(Error::invalid(format!(
                "column \"{}\" appears twice",
                column.name
            )));
        }
    }
    Ok(())
}

async fn insert_managed(
    commit: &mut Commit,
    new: &Place,
    table: &NewTable,
    managed: &ManagedTable,
    schema_path: &str,
) -> Outcome<()> {
    let path = directory(&managed.path)?;
    let (path, relative) = stored(&path, schema_path);
    sqlx::query("INSERT INTO ducklake_table VALUES (?, ?, ?, NULL, ?, ?, ?, ?)")
        .bind(new.id)
        .bind(new.uuid.to_string())
        .bind(commit.snapshot())
        .bind(new.schema_id)
        .bind(&table.name.name)
        .bind(path)
        .bind(relative)
        .execute(commit.connection())
        .await?;
    let lake = insert_lake(commit, new.id, &table.columns).await?;
    let is_partition = |name: &str| {
        managed
            .partition_columns
            .iter()
            .position(|column| column == name)
    };
    insert_name_mapping(commit, new.id, &lake, |name| is_partition(name).is_some()).await?;
    if !managed.partition_columns.is_empty() {
        let mut keys: Vec<(usize, i64)> = table
            .columns
            .iter()
            .zip(&lake.top_ids)
            .filter_map(|(column, id)| Some((is_partition(&column.name)?, *id)))
            .collect();
        keys.sort_unstable();
        insert_partitioning(commit, new.id, &keys).await?;
    }
    if let Some(comment) = &table.comment {
        insert_tag(commit, new.id, comment).await?;
    }
    let (schema, name) = (quoted(&table.name.schema), quoted(&table.name.name));
    commit.changed_definition(format!("created_table:{schema}.{name}"));
    commit.altered_table(new.id);
    Ok(())
}

/// Tells other readers to find columns in files by name, and the values of partition columns in the
/// names of directories.
async fn insert_name_mapping(
    commit: &mut Commit,
    table_id: i64,
    lake: &LakeColumns,
    is_partition: impl Fn(&str) -> bool + Sync,
) -> Outcome<()> {
    let mapping_id = commit.next_file_id();
    sqlx::query("INSERT INTO ducklake_column_mapping VALUES (?, ?, 'map_by_name')")
        .bind(mapping_id)
        .bind(table_id)
        .execute(commit.connection())
        .await?;
    let rows: Vec<_> = lake.rows.iter().zip(&lake.names_in_files).collect();
    insert_rows(
        commit.connection(),
        "ducklake_name_mapping",
        &rows,
        |mut values, (row, name)| {
            let partition = row.parent.is_none() && is_partition(&row.name);
            values
                .push_bind(mapping_id)
                .push_bind(row.id - 1)
                .push_bind(*name)
                .push_bind(row.id);
            values
                .push_bind(row.parent.map(|parent| parent - 1))
                .push_bind(partition);
        },
    )
    .await
}

async fn insert_partitioning(
    commit: &mut Commit,
    table_id: i64,
    keys: &[(usize, i64)],
) -> Outcome<()> {
    let partition_id = commit.next_catalog_id();
    sqlx::query("INSERT INTO ducklake_partition_info VALUES (?, ?, ?, NULL)")
        .bind(partition_id)
        .bind(table_id)
        .bind(commit.snapshot())
        .execute(commit.connection())
        .await?;
    for (index, column_id) in keys {
        sqlx::query("INSERT INTO ducklake_partition_column VALUES (?, ?, ?, ?, 'identity')")
            .bind(partition_id)
            .bind(table_id)
            .bind(*index as i64)
            .bind(column_id)
            .execute(commit.connection())
            .await?;
    }
    Ok(())
}

async fn insert_view(
    commit: &mut Commit,
    new: &Place,
    table: &NewTable,
    view: &ViewDef,
) -> Outcome<()> {
    sqlx::query("INSERT INTO ducklake_view VALUES (?, ?, ?, NULL, ?, ?, 'waterbuck', ?, ?)")
        .bind(new.id)
        .bind(new.uuid.to_string())
        .bind(commit.snapshot())
        .bind(new.schema_id)
        .bind(&table.name.name)
        .bind(&view.sql)
        .bind(quoted_list(&view.column_aliases))
        .execute(commit.connection())
        .await?;
    if view.security == ViewSecurity::Invoker {
        sqlx::query("INSERT INTO wb_invoker_view VALUES (?)")
            .bind(new.id)
            .execute(commit.connection())
            .await?;
    }
    insert_own(commit, OwnColumns::View, new.id, &table.columns).await?;
    if let Some(comment) = &table.comment {
        insert_tag(commit, new.id, comment).await?;
    }
    let (schema, name) = (quoted(&table.name.schema), quoted(&table.name.name));
    commit.changed_definition(format!("created_view:{schema}.{name}"));
    Ok(())
}

async fn insert_external(
    commit: &mut Commit,
    new: &Place,
    table: &NewTable,
    external: &ExternalTable,
) -> Outcome<()> {
    sqlx::query("INSERT INTO wb_external_table VALUES (?, ?, ?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(new.id)
        .bind(new.uuid.to_string())
        .bind(commit.snapshot())
        .bind(new.schema_id)
        .bind(&table.name.name)
        .bind(&external.format)
        .bind(&external.location)
        .bind(json!(external.partition_columns).to_string())
        .bind(json!(external.options).to_string())
        .bind(&external.secret)
        .bind(external.explicit_columns)
        .bind(&table.comment)
        .execute(commit.connection())
        .await?;
    insert_own(commit, OwnColumns::External, new.id, &table.columns).await?;
    let (schema, name) = (quoted(&table.name.schema), quoted(&table.name.name));
    commit.changed_own(format!("created_external:{schema}.{name}"));
    Ok(())
}
