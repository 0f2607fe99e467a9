//! Who may log in. There is always an admin once there was one.

use sqlx::sqlite::SqliteConnection;
use waterbuck_engine::Error;

use super::database::Database;
use super::fault::Outcome;
use crate::missing::missing_named;
use crate::model::User;

type Row = (String, String, bool);

pub(super) async fn all(database: &Database) -> Outcome<Vec<User>> {
    let mut read = database.read().await?;
    let rows =
        sqlx::query_as::<_, Row>("SELECT name, password_hash, admin FROM wb_user ORDER BY name");
    Ok(rows
        .fetch_all(&mut *read)
        .await?
        .into_iter()
        .map(user)
        .collect())
}

pub(super) async fn one(database: &Database, name: &str) -> Outcome<Option<User>> {
    let mut read = database.read().await?;
    find(&mut read, name).await
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
    if !user.admin {
        keep_an_admin(&mut write, &user.name).await?;
    }
    store(&mut write, &user).await?;
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
    keep_an_admin(&mut write, name).await?;
    // Whoever takes the name next does not take tokens and limits with it.
    for query in [
        "DELETE FROM wb_token WHERE user_name = ?",
        "DELETE FROM wb_limit WHERE user_name = ?",
        "DELETE FROM wb_user WHERE name = ?",
    ] {
        sqlx::query(query).bind(name).execute(&mut *write).await?;
    }
    write.commit().await?;
    Ok(true)
}

fn check(user: &User) -> Result<(), Error> {
    if user.name.is_empty() {
        return Err(Error::invalid("a user needs a name"));
    }
    Ok(())
}

/// Refuses to take the last admin away.
async fn keep_an_admin(connection: &mut SqliteConnection, name: &str) -> Outcome<()> {
    let admins: Vec<String> = sqlx::query_scalar("SELECT name FROM wb_user WHERE admin")
        .fetch_all(connection)
        .await?;
    if admins == [name] {
        return Err(Error::invalid(format!("user \"{name}\" is the last admin")).into());
    }
    Ok(())
}

async fn find(connection: &mut SqliteConnection, name: &str) -> Outcome<Option<User>> {
    let row =
        sqlx::query_as::<_, Row>("SELECT name, password_hash, admin FROM wb_user WHERE name = ?");
    Ok(row.bind(name).fetch_optional(connection).await?.map(user))
}

async fn store(connection: &mut SqliteConnection, user: &User) -> Outcome<()> {
    sqlx::query("INSERT OR REPLACE INTO wb_user VALUES (?, ?, ?)")
        .bind(&user.name)
        .bind(&user.password_hash)
        .bind(user.admin)
        .execute(connection)
        .await?;
    Ok(())
}

fn user((name, password_hash, admin): Row) -> User {
    User {
        name,
        password_hash,
        admin,
    }
}
