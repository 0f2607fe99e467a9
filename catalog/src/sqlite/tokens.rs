//! Tokens with which programs log in as a user.

use sqlx::sqlite::SqliteConnection;
use waterbuck_engine::Error;

use super::database::Database;
use super::fault::Outcome;
use crate::missing::missing_named;
use crate::model::ApiToken;

type Row = (String, String, String, i64, Option<i64>);

pub(super) async fn all(database: &Database) -> Outcome<Vec<ApiToken>> {
    let mut read = database.read().await?;
    let rows = sqlx::query_as::<_, Row>(
        "SELECT name, user_name, hash, created_at, expires_at FROM wb_token
         ORDER BY user_name, name",
    );
    Ok(rows
        .fetch_all(&mut *read)
        .await?
        .into_iter()
        .map(token)
        .collect())
}

pub(super) async fn one(database: &Database, hash: &str) -> Outcome<Option<ApiToken>> {
    let mut read = database.read().await?;
    let row = sqlx::query_as::<_, Row>(
        "SELECT name, user_name, hash, created_at, expires_at FROM wb_token WHERE hash = ?",
    );
    Ok(row.bind(hash).fetch_optional(&mut *read).await?.map(token))
}

/// Adds a token of a user who exists and has none of that name.
pub(super) async fn create(database: &Database, token: ApiToken) -> Outcome<()> {
    if token.name.is_empty() {
        return Err(Error::invalid("a token needs a name").into());
    }
    let mut write = database.write().await?;
    let users: Vec<String> = sqlx::query_scalar("SELECT name FROM wb_user")
        .fetch_all(&mut *write)
        .await?;
    if !users.contains(&token.user) {
        return Err(missing_named("user", &token.user, users).into());
    }
    if names(&mut write, &token.user).await?.contains(&token.name) {
        let message = format!(
            "token \"{}\" of user \"{}\" already exists",
            token.name, token.user
        );
        return Err(Error::already_exists(message).into());
    }
    sqlx::query(
        "INSERT INTO wb_token(hash, user_name, name, created_at, expires_at)
         VALUES (?, ?, ?, ?, ?)",
    )
    .bind(&token.hash)
    .bind(&token.user)
    .bind(&token.name)
    .bind(token.created_at)
    .bind(token.expires_at)
    .execute(&mut *write)
    .await?;
    Ok(write.commit().await?)
}

/// Removes a token and gives what it was; nothing when it is absent and may be.
pub(super) async fn remove(
    database: &Database,
    user: &str,
    name: &str,
    if_exists: bool,
) -> Outcome<Option<ApiToken>> {
    let mut write = database.write().await?;
    let row = sqlx::query_as::<_, Row>(
        "SELECT name, user_name, hash, created_at, expires_at FROM wb_token
         WHERE user_name = ? AND name = ?",
    );
    let found = row
        .bind(user)
        .bind(name)
        .fetch_optional(&mut *write)
        .await?
        .map(token);
    let Some(found) = found else {
        if if_exists {
            return Ok(None);
        }
        let names = names(&mut write, user).await?;
        return Err(missing_named("token", name, names).into());
    };
    sqlx::query("DELETE FROM wb_token WHERE hash = ?")
        .bind(&found.hash)
        .execute(&mut *write)
        .await?;
    write.commit().await?;
    Ok(Some(found))
}

async fn names(connection: &mut SqliteConnection, user: &str) -> Outcome<Vec<String>> {
    let names = sqlx::query_scalar("SELECT name FROM wb_token WHERE user_name = ?");
    Ok(names.bind(user).fetch_all(connection).await?)
}

fn token((name, user, hash, created_at, expires_at): Row) -> ApiToken {
    ApiToken {
        name,
        user,
        hash,
        created_at,
        expires_at,
    }
}
