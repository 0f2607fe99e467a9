//! Whose schemas, tables and views are.
//!
//! Schemas and relations have their ids from one sequence, so an id alone says what is owned.

use std::collections::HashMap;

use sqlx::sqlite::SqliteConnection;
use waterbuck_engine::sql::Grantee;
use waterbuck_engine::{Error, ErrorKind};

use super::grantees::{check, from_row};
use crate::model::{TableDef, TableName};
use crate::rights::Securable;
use crate::sqlite::commit::Commit;
use crate::sqlite::fault::Outcome;
use crate::sqlite::lookup::{check_same, live_schema, missing_schema};

/// Every live schema and relation with what it is: `schema`, `table` or `view`.
const OBJECTS: &str = "
    SELECT schema_id, 'schema', schema_name, '' FROM ducklake_schema WHERE end_snapshot IS NULL
    UNION ALL
    SELECT table_id, 'table', schema_name, table_name
    FROM ducklake_table t JOIN ducklake_schema s USING (schema_id)
    WHERE t.end_snapshot IS NULL AND s.end_snapshot IS NULL
    UNION ALL
    SELECT table_id, 'table', schema_name, table_name
    FROM wb_external_table t JOIN ducklake_schema s USING (schema_id)
    WHERE t.end_snapshot IS NULL AND s.end_snapshot IS NULL
    UNION ALL
    SELECT view_id, 'view', schema_name, view_name
    FROM ducklake_view t JOIN ducklake_schema s USING (schema_id)
    WHERE t.end_snapshot IS NULL AND s.end_snapshot IS NULL
    ORDER BY 3, 4";

/// Every live schema and relation by id.
pub(super) async fn objects(connection: &mut SqliteConnection) -> Outcome<HashMap<i64, Securable>> {
    let rows = sqlx::query_as::<_, (i64, String, String, String)>(OBJECTS)
        .fetch_all(connection)
        .await?;
    let object = |(id, kind, schema, name): (i64, String, String, String)| {
        let object = match kind.as_str() {
            "schema" => Securable::Schema(schema),
            kind => Securable::Relation {
                id,
                name: TableName { schema, name },
                view: kind == "view",
            },
        };
        (id, object)
    };
    Ok(rows.into_iter().map(object).collect())
}

/// Owners by the id of what they own.
pub(in crate::sqlite) async fn all(
    connection: &mut SqliteConnection,
) -> Outcome<HashMap<i64, Grantee>> {
    let rows = sqlx::query_as::<_, (i64, String, String)>(
        "SELECT object_id, owner_kind, owner FROM wb_owner",
    )
    .fetch_all(connection)
    .await?;
    let owner = |(id, kind, name): (i64, String, String)| (id, from_row(&kind, name));
    Ok(rows.into_iter().map(owner).collect())
}

/// Puts the owners into definitions; `few` when these are one or none.
pub(in crate::sqlite) async fn attach(
    connection: &mut SqliteConnection,
    tables: &mut [TableDef],
    few: bool,
) -> Outcome<()> {
    if !few {
        let mut owners = all(connection).await?;
        for table in tables {
            table.owner = owners.remove(&table.id);
        }
        return Ok(());
    }
    for table in tables {
        let row = sqlx::query_as::<_, (String, String)>(
            "SELECT owner_kind, owner FROM wb_owner WHERE object_id = ?",
        )
        .bind(table.id)
        .fetch_optional(&mut *connection)
        .await?;
        table.owner = row.map(|(kind, name)| from_row(&kind, name));
    }
    Ok(())
}

/// Notes the owner of what is being made. A user the catalog does not know, as that of an embedded
/// engine, leaves it to the administrators.
pub(in crate::sqlite) async fn insert_owner(
    connection: &mut SqliteConnection,
    object_id: i64,
    owner: Option<&Grantee>,
) -> Outcome<()> {
    let Some(owner) = owner else {
        return Ok(());
    };
    let known: bool = sqlx::query_scalar(match owner {
        Grantee::User(_) => "SELECT EXISTS (SELECT 1 FROM wb_user WHERE name = ?)",
        Grantee::Role(_) => "SELECT EXISTS (SELECT 1 FROM wb_role WHERE name = ?)",
    })
    .bind(owner.name())
    .fetch_one(&mut *connection)
    .await?;
    if known {
        store(connection, object_id, owner).await?;
    }
    Ok(())
}

async fn store(connection: &mut SqliteConnection, object_id: i64, owner: &Grantee) -> Outcome<()> {
    sqlx::query("INSERT OR REPLACE INTO wb_owner VALUES (?, ?, ?)")
        .bind(object_id)
        .bind(owner.noun())
        .bind(owner.name())
        .execute(connection)
        .await?;
    Ok(())
}

/// Gives an object to another owner, a schema only if it has the id `only`. It adds a snapshot:
/// definitions hold their owner.
pub(super) async fn set(
    mut commit: Commit,
    object: &Securable,
    only: Option<i64>,
    owner: &Grantee,
) -> Outcome<()> {
    check(commit.connection(), owner).await?;
    let id = match object {
        Securable::Schema(name) => {
            let data_path = commit.data_path();
            let Some((id, _)) = live_schema(commit.connection(), &data_path, name).await? else {
                return Err(missing_schema(commit.connection(), name).await?.into());
            };
            check_same(name, id, only)?;
            id
        }
        Securable::Relation { id, .. } => {
            check_live(commit.connection(), object, *id).await?;
            *id
        }
        other => return Err(Error::invalid(format!("{other} has no owner")).into()),
    };
    store(commit.connection(), id, owner).await?;
    commit.changed_own(format!("owner_changed:{id}"));
    commit.finish().await?;
    Ok(())
}

/// Fails when another session has dropped the relation.
pub(super) async fn check_live(
    connection: &mut SqliteConnection,
    object: &Securable,
    id: i64,
) -> Outcome<()> {
    let live: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM ducklake_table WHERE table_id = ?1 AND end_snapshot IS NULL)
           OR EXISTS (SELECT 1 FROM ducklake_view WHERE view_id = ?1 AND end_snapshot IS NULL)
           OR EXISTS (SELECT 1 FROM wb_external_table WHERE table_id = ?1 AND end_snapshot IS NULL)",
    )
    .bind(id)
    .fetch_one(connection)
    .await?;
    if live {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Conflict,
        format!("{object} was dropped by another session; try again"),
    )
    .into())
}

/// What a user or role owns, as messages name it.
pub(super) async fn owned_names(
    connection: &mut SqliteConnection,
    owner: &Grantee,
) -> Outcome<Vec<String>> {
    let owners = all(connection).await?;
    if !owners.values().any(|known| known == owner) {
        return Ok(Vec::new());
    }
    let objects = objects(connection).await?;
    let mut owned: Vec<&Securable> = objects
        .iter()
        .filter(|(id, _)| owners.get(id) == Some(owner))
        .map(|(_, object)| object)
        .collect();
    owned.sort();
    Ok(owned.into_iter().map(ToString::to_string).collect())
}

/// Removes all that hangs on a schema or relation that is being dropped.
pub(in crate::sqlite) async fn forget_object(
    connection: &mut SqliteConnection,
    id: i64,
) -> Outcome<()> {
    for sql in [
        "DELETE FROM wb_owner WHERE object_id = ?",
        "DELETE FROM wb_grant WHERE object_id = ?",
        "DELETE FROM wb_policy WHERE table_id = ?",
        "DELETE FROM wb_invoker_view WHERE view_id = ?",
    ] {
        sqlx::query(sql).bind(id).execute(&mut *connection).await?;
    }
    Ok(())
}
