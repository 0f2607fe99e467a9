//! What users and roles may have of the server, as text by the limit's name.

use sqlx::sqlite::SqliteConnection;
use waterbuck_engine::sql::Grantee;

use super::database::Database;
use super::fault::Outcome;
use super::rights::{check_grantee, grantee_from_row};
use crate::rights::Limit;

type Row = (String, String, String, String);

/// All limits, those of roles first.
pub(super) async fn all(database: &Database) -> Outcome<Vec<Limit>> {
    let mut read = database.read().await?;
    let rows = sqlx::query_as::<_, Row>(
        "SELECT 'role', role, name, \"value\" FROM wb_role_limit
         UNION ALL SELECT 'user', user_name, name, \"value\" FROM wb_limit ORDER BY 1, 2, 3",
    );
    Ok(limits(rows.fetch_all(&mut *read).await?))
}

/// The limits of a user and of roles, which are given as a JSON list.
pub(super) async fn binding(
    connection: &mut SqliteConnection,
    user: &str,
    roles: &str,
) -> Outcome<Vec<Limit>> {
    let rows = sqlx::query_as::<_, Row>(
        "SELECT 'role', role, name, \"value\" FROM wb_role_limit
         WHERE role IN (SELECT value FROM json_each(?2))
         UNION ALL SELECT 'user', user_name, name, \"value\" FROM wb_limit WHERE user_name = ?1",
    );
    let rows = rows.bind(user).bind(roles).fetch_all(connection).await?;
    Ok(limits(rows))
}

/// Sets a limit of a user or role that exists, or takes it away.
pub(super) async fn set(
    database: &Database,
    of: &Grantee,
    name: &str,
    value: Option<&str>,
) -> Outcome<()> {
    let mut write = database.write().await?;
    check_grantee(&mut write, of).await?;
    let (forget, keep) = match of {
        Grantee::User(_) => (
            "DELETE FROM wb_limit WHERE user_name = ? AND name = ?",
            "INSERT INTO wb_limit(user_name, name, \"value\") VALUES (?, ?, ?)",
        ),
        Grantee::Role(_) => (
            "DELETE FROM wb_role_limit WHERE role = ? AND name = ?",
            "INSERT INTO wb_role_limit(role, name, \"value\") VALUES (?, ?, ?)",
        ),
    };
    let forget = sqlx::query(forget).bind(of.name()).bind(name);
    forget.execute(&mut *write).await?;
    if let Some(value) = value {
        let keep = sqlx::query(keep).bind(of.name()).bind(name).bind(value);
        keep.execute(&mut *write).await?;
    }
    Ok(write.commit().await?)
}

fn limits(rows: Vec<Row>) -> Vec<Limit> {
    let limit = |(kind, of, name, value): Row| Limit {
        of: grantee_from_row(&kind, of),
        name,
        value,
    };
    rows.into_iter().map(limit).collect()
}
