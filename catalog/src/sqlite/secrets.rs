//! Credentials under a name, sealed with it.

use serde_json::{from_str, json};
use sqlx::sqlite::SqliteConnection;
use waterbuck_engine::Error;

use super::cipher::{Cipher, is_sealed};
use super::database::Database;
use super::fault::Outcome;
use crate::missing::missing_named;
use crate::model::{OnExisting, Secret};

type Row = (String, String, Option<String>, String);

pub(super) async fn all(database: &Database) -> Outcome<Vec<Secret>> {
    let mut read = database.read().await?;
    let rows = sqlx::query_as::<_, Row>(
        "SELECT name, kind, \"scope\", options FROM wb_secret ORDER BY name",
    );
    rows.fetch_all(&mut *read)
        .await?
        .into_iter()
        .map(|row| secret(database.cipher(), row))
        .collect()
}

pub(super) async fn one(database: &Database, name: &str) -> Outcome<Option<Secret>> {
    let mut read = database.read().await?;
    let row = sqlx::query_as::<_, Row>(
        "SELECT name, kind, \"scope\", options FROM wb_secret WHERE name = ?",
    );
    row.bind(name)
        .fetch_optional(&mut *read)
        .await?
        .map(|row| secret(database.cipher(), row))
        .transpose()
}

/// Stores a secret; false when the name is taken and may be.
pub(super) async fn create(
    database: &Database,
    secret: Secret,
    on_existing: OnExisting,
) -> Outcome<bool> {
    if secret.name.is_empty() {
        return Err(Error::invalid("a secret needs a name").into());
    }
    let mut write = database.write().await?;
    let names = names(&mut write).await?;
    match on_existing {
        OnExisting::Skip if names.contains(&secret.name) => return Ok(false),
        OnExisting::Fail if names.contains(&secret.name) => {
            let message = format!("secret \"{}\" already exists", secret.name);
            return Err(Error::already_exists(message).into());
        }
        _ => {}
    }
    let options = json!(secret.options).to_string();
    let options = database.cipher().seal(&secret.name, &options)?;
    sqlx::query("INSERT OR REPLACE INTO wb_secret VALUES (?, ?, ?, ?)")
        .bind(&secret.name)
        .bind(&secret.kind)
        .bind(&secret.scope)
        .bind(options)
        .execute(&mut *write)
        .await?;
    write.commit().await?;
    Ok(true)
}

/// Forgets a secret; false when it is absent and may be.
pub(super) async fn remove(database: &Database, name: &str, if_exists: bool) -> Outcome<bool> {
    let mut write = database.write().await?;
    let removed = sqlx::query("DELETE FROM wb_secret WHERE name = ?")
        .bind(name)
        .execute(&mut *write)
        .await?
        .rows_affected();
    if removed == 0 && !if_exists {
        let names = names(&mut write).await?;
        return Err(missing_named("secret", name, names).into());
    }
    write.commit().await?;
    Ok(removed > 0)
}

/// Seals what an earlier version kept in clear, and finds out whether the key fits the rest.
pub(super) async fn settle(connection: &mut SqliteConnection, cipher: &Cipher) -> Outcome<()> {
    let rows = sqlx::query_as::<_, (String, String)>("SELECT name, options FROM wb_secret");
    for (name, options) in rows.fetch_all(&mut *connection).await? {
        let clear = cipher.open(&name, &options)?;
        if is_sealed(&options) {
            continue;
        }
        sqlx::query("UPDATE wb_secret SET options = ? WHERE name = ?")
            .bind(cipher.seal(&name, &clear)?)
            .bind(&name)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn names(connection: &mut SqliteConnection) -> Outcome<Vec<String>> {
    Ok(sqlx::query_scalar("SELECT name FROM wb_secret")
        .fetch_all(connection)
        .await?)
}

fn secret(cipher: &Cipher, (name, kind, scope, options): Row) -> Outcome<Secret> {
    let options = cipher.open(&name, &options)?;
    let damaged = || Error::data(format!("the catalog holds a damaged secret \"{name}\""));
    // The cause is left out: it may quote the options.
    let options = from_str(&options).map_err(|_| damaged())?;
    Ok(Secret {
        name,
        kind,
        scope,
        options,
    })
}
