//! Small values kept for the cluster, sealed under their keys: those that sign logins are among them.

use super::database::Database;
use super::fault::Outcome;

pub(super) async fn get(database: &Database, key: &str) -> Outcome<Option<String>> {
    let mut read = database.read().await?;
    let value = sqlx::query_scalar("SELECT \"value\" FROM wb_setting WHERE \"key\" = ?");
    let kept: Option<String> = value.bind(key).fetch_optional(&mut *read).await?;
    let opened = kept.map(|kept| database.cipher().open(key, &kept));
    Ok(opened.transpose()?)
}

pub(super) async fn set(database: &Database, key: &str, value: &str) -> Outcome<()> {
    let sealed = database.cipher().seal(key, value)?;
    let mut write = database.write().await?;
    sqlx::query("INSERT OR REPLACE INTO wb_setting VALUES (?, ?)")
        .bind(key)
        .bind(sealed)
        .execute(&mut *write)
        .await?;
    Ok(write.commit().await?)
}

/// The stored value, which is `value` unless there was one.
pub(super) async fn get_or_insert(database: &Database, key: &str, value: &str) -> Outcome<String> {
    let sealed = database.cipher().seal(key, value)?;
    let mut write = database.write().await?;
    sqlx::query("INSERT OR IGNORE INTO wb_setting VALUES (?, ?)")
        .bind(key)
        .bind(sealed)
        .execute(&mut *write)
        .await?;
    let stored: String = sqlx::query_scalar("SELECT \"value\" FROM wb_setting WHERE \"key\" = ?")
        .bind(key)
        .fetch_one(&mut *write)
        .await?;
    write.commit().await?;
    Ok(database.cipher().open(key, &stored)?)
}

/// Forgets the keys from `from` up to but without `to`.
pub(super) async fn remove(database: &Database, from: &str, to: &str) -> Outcome<()> {
    let mut write = database.write().await?;
    sqlx::query("DELETE FROM wb_setting WHERE \"key\" >= ? AND \"key\" < ?")
        .bind(from)
        .bind(to)
        .execute(&mut *write)
        .await?;
    Ok(write.commit().await?)
}
