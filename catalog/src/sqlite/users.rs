//! Who may log in. There is always an admin once there was one: a user with the role `admin`.

use std::collections::BTreeSet;

use serde_json::json;
use sqlx::sqlite::SqliteConnection;
use waterbuck_engine::Error;
use waterbuck_engine::sql::Grantee;

use super::database::Database;
use super::fault::Outcome;
use super::rights::{admins, forget_grantee, keep_an_admin, make_admin, unmake_admin};
use crate::missing::missing_named;
use crate::model::User;

type Row = (String, String, Option<String>);

pub(super) async fn all(database: &Database) -> Outcome<Vec<User>> {
    let mut read = database.read().await?;
    let admins = admins(&mut read).await?;
    let rows = sqlx::query_as::<_, Row>(
        "SELECT name, password_hash, subject FROM wb_user
         LEFT JOIN wb_certificate ON user_name = name ORDER BY name",
    );
    let rows = rows.fetch_all(&mut *read).await?.into_iter();
    Ok(rows.map(|row| user(row, &admins)).collect())
}

pub(super) async fn one(database: &Database, name: &str) -> Outcome<Option<User>> {
    let mut read = database.read().await?;
    find(&mut read, name).await
}

/// The one user whose certificate one of these names is.
pub(super) async fn of_certificate(database: &Database, names: &[String]) -> Outcome<Option<User>> {
    let mut read = database.read().await?;
    let users: Vec<String> = sqlx::query_scalar(
        "SELECT user_name FROM wb_certificate WHERE subject IN (SELECT value FROM json_each(?))",
    )
    .bind(json!(names).to_string())
    .fetch_all(&mut *read)
    .await?;
    match users.as_slice() {
        [user] => find(&mut read, user).await,
        _ => Ok(None),
    }
}

/// Adds a user whose name is free.
pub(super) async fn create(database: &Database, user: User) -> Outcome<()> {
    check(&user)?;
    let mut write = database.write().await?;
    if find(&mut write, &user.name).await?.is_some() {
        return Err(Error::already_exists(format!("user \"{}\" already exists", user.name)).into());
    }
    store(&mut write, &user).await?;
    Ok(write.commit().await?)
}

/// Adds or changes a user.
pub(super) async fn put(database: &Database, user: User) -> Outcome<()> {
    check(&user)?;
    let mut write = database.write().await?;
    let before = admins(&mut write).await?;
    store(&mut write, &user).await?;
    if before.contains(&user.name) && !user.admin {
        unmake_admin(&mut write, &user.name).await?;
        refuse_admin_by_role(&mut write, &user.name).await?;
    }
    keep_an_admin(&mut write, &before).await?;
    Ok(write.commit().await?)
}

/// Removes a user; false when absent and may be.
pub(super) async fn remove(database: &Database, name: &str, if_exists: bool) -> Outcome<bool> {
    let mut write = database.write().await?;
    if find(&mut write, name).await?.is_none() {
        if if_exists {
            return Ok(false);
        }
        let names = sqlx::query_scalar("SELECT name FROM wb_user")
            .fetch_all(&mut *write)
            .await?;
        return Err(missing_named("user", name, names).into());
    }
    let before = admins(&mut write).await?;
    forget_grantee(&mut write, &Grantee::User(name.to_owned())).await?;
    // Whoever takes the name next does not take tokens, limits and certificate with it.
    for query in [
        "DELETE FROM wb_token WHERE user_name = ?",
        "DELETE FROM wb_limit WHERE user_name = ?",
        "DELETE FROM wb_certificate WHERE user_name = ?",
        "DELETE FROM wb_user WHERE name = ?",
    ] {
        sqlx::query(query).bind(name).execute(&mut *write).await?;
    }
    keep_an_admin(&mut write, &before).await?;
    write.commit().await?;
    Ok(true)
}

fn check(user: &User) -> Result<(), Error> {
    if user.name.is_empty() {
        return Err(Error::invalid("a user needs a name"));
    }
    Ok(())
}

/// Being an admin through another role does not end with the user's own ADMIN.
async fn refuse_admin_by_role(connection: &mut SqliteConnection, name: &str) -> Outcome<()> {
    if admins(connection).await?.contains(name) {
        return Err(Error::invalid(format!(
            "user \"{name}\" is an admin through another role: take that role away instead"
        ))
        .into());
    }
    Ok(())
}

async fn find(connection: &mut SqliteConnection, name: &str) -> Outcome<Option<User>> {
    let row = sqlx::query_as::<_, Row>(
        "SELECT name, password_hash, subject FROM wb_user
         LEFT JOIN wb_certificate ON user_name = name WHERE name = ?",
    );
    let Some(row) = row.bind(name).fetch_optional(&mut *connection).await? else {
        return Ok(None);
    };
    let admins = admins(connection).await?;
    Ok(Some(user(row, &admins)))
}

async fn store(connection: &mut SqliteConnection, user: &User) -> Outcome<()> {
    sqlx::query("INSERT OR REPLACE INTO wb_user (name, password_hash) VALUES (?, ?)")
        .bind(&user.name)
        .bind(&user.password_hash)
        .execute(&mut *connection)
        .await?;
    store_certificate(connection, user).await?;
    if user.admin && !admins(connection).await?.contains(&user.name) {
        make_admin(connection, &user.name).await?;
    }
    Ok(())
}

/// Puts the user's certificate, which is nobody else's, in the place of the one before.
async fn store_certificate(connection: &mut SqliteConnection, user: &User) -> Outcome<()> {
    sqlx::query("DELETE FROM wb_certificate WHERE user_name = ?")
        .bind(&user.name)
        .execute(&mut *connection)
        .await?;
    let Some(certificate) = &user.certificate else {
        return Ok(());
    };
    let of: Option<String> =
        sqlx::query_scalar("SELECT user_name FROM wb_certificate WHERE subject = ?")
            .bind(certificate)
            .fetch_optional(&mut *connection)
            .await?;
    if let Some(of) = of {
        let message = format!("the certificate \"{certificate}\" is that of user \"{of}\"");
        return Err(Error::already_exists(message).into());
    }
    sqlx::query("INSERT INTO wb_certificate VALUES (?, ?)")
        .bind(certificate)
        .bind(&user.name)
        .execute(connection)
        .await?;
    Ok(())
}

fn user((name, password_hash, certificate): Row, admins: &BTreeSet<String>) -> User {
    User {
        admin: admins.contains(&name),
        name,
        password_hash,
        certificate,
    }
}
