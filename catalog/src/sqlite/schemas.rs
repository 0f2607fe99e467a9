//! Schemas: listing, making, commenting.

use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;
use waterbuck_engine::Error;
use waterbuck_engine::sql::Grantee;

use super::comment::{end_tag, insert_tag};
use super::commit::Commit;
use super::database::Database;
use super::fault::Outcome;
use super::lookup::{live_schema, missing_schema};
use super::quote::quoted;
use super::read::read_comments;
use super::rights::{insert_owner, owners_by_id};
use crate::location::schema_directory;
use crate::model::SchemaDef;

/// All schemas by name.
pub(super) async fn all(database: &Database) -> Outcome<Vec<SchemaDef>> {
    let mut read = database.read().await?;
    let mut comments = read_comments(&mut read, None).await?;
    let mut owners = owners_by_id(&mut read).await?;
    let rows = sqlx::query_as::<_, (i64, String)>(
        "SELECT schema_id, schema_name FROM ducklake_schema WHERE end_snapshot IS NULL
         ORDER BY schema_name",
    )
    .fetch_all(&mut *read)
    .await?;
    let schema = |(id, name)| SchemaDef {
        name,
        comment: comments.remove(&id),
        owner: owners.remove(&id),
    };
    Ok(rows.into_iter().map(schema).collect())
}

/// Makes a schema; false when it is there and may be.
pub(super) async fn create(
    mut commit: Commit,
    name: &str,
    if_not_exists: bool,
    owner: Option<&Grantee>,
) -> Outcome<bool> {
    if name.is_empty() {
        return Err(Error::invalid("a schema needs a name").into());
    }
    let data_path = commit.data_path();
    if live_schema(commit.connection(), &data_path, name)
        .await?
        .is_some()
    {
        if if_not_exists {
            return Ok(false);
        }
        return Err(Error::already_exists(format!("schema \"{name}\" already exists")).into());
    }
    let id = commit.next_catalog_id();
    sqlx::query("INSERT INTO ducklake_schema VALUES (?, ?, ?, NULL, ?, ?, 1)")
        .bind(id)
        .bind(Uuid::now_v7().to_string())
        .bind(commit.snapshot())
        .bind(name)
        .bind(schema_directory(name, id))
        .execute(commit.connection())
        .await?;
    insert_owner(commit.connection(), id, owner).await?;
    commit.changed_definition(format!("created_schema:{}", quoted(name)));
    commit.finish().await?;
    Ok(true)
}

/// Sets or removes the comment on a schema.
pub(super) async fn set_comment(
    mut commit: Commit,
    name: &str,
    comment: Option<&str>,
) -> Outcome<()> {
    let data_path = commit.data_path();
    let connection: &mut SqliteConnection = commit.connection();
    let Some((id, _)) = live_schema(connection, &data_path, name).await? else {
        return Err(missing_schema(connection, name).await?.into());
    };
    let present = read_comments(connection, Some(id)).await?.remove(&id);
    if present.as_deref() == comment {
        return Ok(());
    }
    end_tag(&mut commit, id).await?;
    if let Some(comment) = comment {
        insert_tag(&mut commit, id, comment).await?;
    }
    commit.changed_own(format!("commented_schema:{}", quoted(name)));
    commit.finish().await?;
    Ok(())
}
