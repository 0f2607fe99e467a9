//! Schemas and names that are there, and the errors for those that are not.

use std::fmt;

use sqlx::sqlite::SqliteConnection;
use waterbuck_engine::{Error, ErrorKind};

use super::fault::Outcome;
use crate::location::joined;
use crate::missing::{missing_named, missing_table};
use crate::model::TableName;

/// All schema names, or the names of the objects in one schema, for hints.
pub(super) async fn names(
    connection: &mut SqliteConnection,
    schema: Option<&str>,
) -> Outcome<Vec<String>> {
    let sql = if schema.is_none() {
        "SELECT schema_name FROM ducklake_schema WHERE end_snapshot IS NULL ORDER BY 1"
    } else {
        "WITH s AS (SELECT schema_id FROM ducklake_schema
           WHERE schema_name = ?1 AND end_snapshot IS NULL)
         SELECT table_name FROM ducklake_table JOIN s USING (schema_id) WHERE end_snapshot IS NULL
         UNION ALL
         SELECT view_name FROM ducklake_view JOIN s USING (schema_id) WHERE end_snapshot IS NULL
         UNION ALL
         SELECT table_name FROM wb_external_table JOIN s USING (schema_id)
           WHERE end_snapshot IS NULL ORDER BY 1"
    };
    Ok(sqlx::query_scalar(sql)
        .bind(schema)
        .fetch_all(connection)
        .await?)
}

/// The live schema of a name: its id and its directory.
pub(super) async fn live_schema(
    connection: &mut SqliteConnection,
    data_path: &str,
    name: &str,
) -> Outcome<Option<(i64, String)>> {
    let row = sqlx::query_as::<_, (i64, String, bool)>(
        "SELECT schema_id, path, path_is_relative FROM ducklake_schema
         WHERE schema_name = ?1 AND end_snapshot IS NULL",
    )
    .bind(name)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(id, path, relative)| (id, joined(&path, relative, data_path))))
}

/// The error for a schema that is not there.
pub(super) async fn missing_schema(
    connection: &mut SqliteConnection,
    name: &str,
) -> Outcome<Error> {
    Ok(missing_named(
        "schema",
        name,
        names(connection, None).await?,
    ))
}

/// The error for a name that is not there.
pub(super) async fn missing_object(
    connection: &mut SqliteConnection,
    noun: &str,
    name: &TableName,
) -> Outcome<Error> {
    let schema = live_schema(connection, "", &name.schema).await?;
    if schema.is_none() {
        return missing_schema(connection, &name.schema).await;
    }
    Ok(missing_table(
        noun,
        name,
        names(connection, Some(&name.schema)).await?,
    ))
}

/// Fails when what has a name is not what the caller has checked.
pub(super) fn check_same(
    name: &(impl fmt::Display + ?Sized),
    id: i64,
    only: Option<i64>,
) -> Result<(), Error> {
    if only.is_none_or(|only| only == id) {
        return Ok(());
    }
    Err(replaced(name))
}

/// The error of whoever has checked something else than what has the name.
pub(super) fn replaced(name: &(impl fmt::Display + ?Sized)) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!("\"{name}\" was replaced by another session; try again"),
    )
}
