//! What users may have of the server, as text by the limit's name.

use std::collections::BTreeMap;

use super::database::Database;
use super::fault::Outcome;
use crate::missing::missing_named;

pub(super) async fn all(database: &Database) -> Outcome<Vec<(String, String, String)>> {
    let mut read = database.read().await?;
    let rows = sqlx::query_as::<_, (String, String, String)>(
        "SELECT user_name, name, \"value\" FROM wb_limit ORDER BY user_name, name",
    );
    Ok(rows.fetch_all(&mut *read).await?)
}

pub(super) async fn of(database: &Database, user: &str) -> Outcome<BTreeMap<String, String>> {
    let mut read = database.read().await?;
    let rows = sqlx::query_as::<_, (String, String)>(
        "SELECT name, \"value\" FROM wb_limit WHERE user_name = ?",
    );
    let rows = rows.bind(user).fetch_all(&mut *read).await?;
    Ok(rows.into_iter().collect())
}

/// Sets a limit of a user who exists, or takes it away.
pub(super) async fn set(
    database: &Database,
    user: &str,
    name: &str,
    value: Option<&str>,
) -> Outcome<()> {
    let mut write = database.write().await?;
    let users: Vec<String> = sqlx::query_scalar("SELECT name FROM wb_user")
        .fetch_all(&mut *write)
        .await?;
    if !users.iter().any(|known| known == user) {
        return Err(missing_named("user", user, users).into());
    }
    sqlx::query("DELETE FROM wb_limit WHERE user_name = ? AND name = ?")
        .bind(user)
        .bind(name)
        .execute(&mut *write)
        .await?;
    if let Some(value) = value {
        sqlx::query("INSERT INTO wb_limit(user_name, name, \"value\") VALUES (?, ?, ?)")
            .bind(user)
            .bind(name)
            .bind(value)
            .execute(&mut *write)
            .await?;
    }
    Ok(write.commit().await?)
}
