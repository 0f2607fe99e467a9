//! Renaming tables, views and external tables, also into another schema.
//!
//! The row of the old name ends and a copy with the new name begins: what an older snapshot shows
//! keeps its name.

use waterbuck_engine::Error;

use super::commit::Commit;
use super::fault::Outcome;
use super::lookup::{check_same, live_schema, missing_object, missing_schema};
use super::read::definition;
use crate::location::stored;
use crate::model::{ManagedTable, TableKind, TableName};

/// Gives an object another name.
pub(super) async fn table(
    mut commit: Commit,
    (name, only): (&TableName, Option<i64>),
    to: &TableName,
) -> Outcome<()> {
    let data_path = commit.data_path();
    let Some(table) = definition(commit.connection(), &data_path, name).await? else {
        return Err(missing_object(commit.connection(), "table", name)
            .await?
            .into());
    };
    check_same(name, table.id, only)?;
    if to.name.is_empty() {
        return Err(Error::invalid(format!("the new name of \"{name}\" is empty")).into());
    }
    let Some((schema_id, schema_path)) =
        live_schema(commit.connection(), &data_path, &to.schema).await?
    else {
        return Err(missing_schema(commit.connection(), &to.schema)
            .await?
            .into());
    };
    if let Some(taken) = definition(commit.connection(), &data_path, to).await? {
        return Err(already_exists(taken.kind.noun(), to).into());
    }
    match &table.kind {
        TableKind::Managed(managed) => {
            let place = Place {
                schema_id,
                name: &to.name,
            };
            rename_managed(&mut commit, table.id, managed, place, &schema_path).await?;
            commit.changed_definition(format!("altered_table:{}", table.id));
            commit.altered_table(table.id);
        }
        TableKind::View(_) => {
            rename_view(
                &mut commit,
                table.id,
                Place {
                    schema_id,
                    name: &to.name,
                },
            )
            .await?;
            commit.changed_definition(format!("altered_view:{}", table.id));
        }
        TableKind::External(_) => {
            reversion_external(&mut commit, table.id).await?;
            sqlx::query(
                "UPDATE wb_external_table SET schema_id = ?, table_name = ?
                 WHERE table_id = ? AND end_snapshot IS NULL",
            )
            .bind(schema_id)
            .bind(&to.name)
            .bind(table.id)
            .execute(commit.connection())
            .await?;
            commit.changed_own(format!("altered_external:{}", table.id));
        }
    }
    commit.finish().await?;
    Ok(())
}

/// The error of whoever comes second to a name.
pub(super) fn already_exists(noun: &str, name: &TableName) -> Error {
    Error::already_exists(format!(
        "{noun} \"{}\" already exists in schema \"{}\"",
        name.name, name.schema
    ))
}

struct Place<'a> {
    schema_id: i64,
    name: &'a str,
}

async fn rename_managed(
    commit: &mut Commit,
    id: i64,
    managed: &ManagedTable,
    place: Place<'_>,
    schema_path: &str,
) -> Outcome<()> {
    let snapshot = commit.snapshot();
    sqlx::query(
        "UPDATE ducklake_table SET end_snapshot = ? WHERE table_id = ? AND end_snapshot IS NULL",
    )
    .bind(snapshot)
    .bind(id)
    .execute(commit.connection())
    .await?;
    // The files stay where they are, so what is relative to the schema is seen anew from there.
    let (path, relative) = stored(&managed.path, schema_path);
    sqlx::query(
        "INSERT INTO ducklake_table
         SELECT table_id, table_uuid, ?1, NULL, ?3, ?4, ?5, ?6 FROM ducklake_table
         WHERE table_id = ?2 AND end_snapshot = ?1",
    )
    .bind(snapshot)
    .bind(id)
    .bind(place.schema_id)
    .bind(place.name)
    .bind(path)
    .bind(relative)
    .execute(commit.connection())
    .await?;
    Ok(())
}

async fn rename_view(commit: &mut Commit, id: i64, place: Place<'_>) -> Outcome<()> {
    let snapshot = commit.snapshot();
    sqlx::query(
        "UPDATE ducklake_view SET end_snapshot = ? WHERE view_id = ? AND end_snapshot IS NULL",
    )
    .bind(snapshot)
    .bind(id)
    .execute(commit.connection())
    .await?;
    sqlx::query(
        "INSERT INTO ducklake_view
         SELECT view_id, view_uuid, ?1, NULL, ?3, ?4, dialect, \"sql\", column_aliases
         FROM ducklake_view WHERE view_id = ?2 AND end_snapshot = ?1",
    )
    .bind(snapshot)
    .bind(id)
    .bind(place.schema_id)
    .bind(place.name)
    .execute(commit.connection())
    .await?;
    Ok(())
}

/// Ends an external table's row and begins an equal one, to be changed in this snapshot.
pub(super) async fn reversion_external(commit: &mut Commit, id: i64) -> Outcome<()> {
    let snapshot = commit.snapshot();
    for sql in [
        "UPDATE wb_external_table SET end_snapshot = ?1
         WHERE table_id = ?2 AND end_snapshot IS NULL",
        "INSERT INTO wb_external_table
         SELECT table_id, table_uuid, ?1, NULL, schema_id, table_name, format, location,
           partition_columns, options, secret, explicit_columns, comment
         FROM wb_external_table WHERE table_id = ?2 AND end_snapshot = ?1",
    ] {
        sqlx::query(sql)
            .bind(snapshot)
            .bind(id)
            .execute(commit.connection())
            .await?;
    }
    Ok(())
}
