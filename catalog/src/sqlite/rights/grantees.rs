//! Users and roles as those whom rights are given to.

use std::collections::BTreeSet;

use sqlx::sqlite::SqliteConnection;
use waterbuck_engine::Error;
use waterbuck_engine::sql::{ADMIN_ROLE, Grantee, PUBLIC_ROLE};

use super::owners::owned_names;
use super::roles::memberships;
use crate::missing::missing_named;
use crate::rights::members_of;
use crate::sqlite::fault::Outcome;

/// As the tables name the kinds.
pub(in crate::sqlite) fn from_row(kind: &str, name: String) -> Grantee {
    match kind {
        "user" => Grantee::User(name),
        _ => Grantee::Role(name),
    }
}

/// Fails unless the user or role is there.
pub(in crate::sqlite) async fn check(
    connection: &mut SqliteConnection,
    grantee: &Grantee,
) -> Outcome<()> {
    let names: Vec<String> = sqlx::query_scalar(match grantee {
        Grantee::User(_) => "SELECT name FROM wb_user",
        Grantee::Role(_) => "SELECT name FROM wb_role",
    })
    .fetch_all(connection)
    .await?;
    if names.iter().any(|name| name == grantee.name()) {
        return Ok(());
    }
    Err(missing_named(grantee.noun(), grantee.name(), names).into())
}

/// Removes what a user or role was given; refused while something is theirs.
pub(in crate::sqlite) async fn forget_grantee(
    connection: &mut SqliteConnection,
    grantee: &Grantee,
) -> Outcome<()> {
    let owned = owned_names(connection, grantee).await?;
    if let Some(first) = owned.first() {
        let others = match owned.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        return Err(Error::invalid(format!(
            "{grantee} owns {first}{others}: drop what is theirs or give it away with ALTER … OWNER \
             TO first"
        ))
        .into());
    }
    for sql in [
        "DELETE FROM wb_grant WHERE grantee_kind = ? AND grantee = ?",
        "DELETE FROM wb_role_member WHERE member_kind = ? AND member = ?",
        "DELETE FROM wb_policy WHERE grantee_kind = ? AND grantee = ?",
    ] {
        sqlx::query(sql)
            .bind(grantee.noun())
            .bind(grantee.name())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// The users who have the role `admin`, directly or through other roles.
pub(in crate::sqlite) async fn admins(
    connection: &mut SqliteConnection,
) -> Outcome<BTreeSet<String>> {
    let memberships = memberships(connection).await?;
    let members = members_of(&memberships, ADMIN_ROLE);
    let users = members.into_iter().filter_map(|member| match member {
        Grantee::User(name) => Some(name),
        Grantee::Role(_) => None,
    });
    Ok(users.collect())
}

/// Refuses a change after which nobody, or everybody, is an administrator; `before` are those who
/// were before it.
pub(in crate::sqlite) async fn keep_an_admin(
    connection: &mut SqliteConnection,
    before: &BTreeSet<String>,
) -> Outcome<()> {
    let memberships = memberships(connection).await?;
    let members = members_of(&memberships, ADMIN_ROLE);
    if members.contains(&Grantee::Role(PUBLIC_ROLE.to_owned())) {
        return Err(Error::invalid(format!(
            "role \"{ADMIN_ROLE}\" cannot be given to \"{PUBLIC_ROLE}\": everybody would be an \
             administrator"
        ))
        .into());
    }
    let left = members
        .iter()
        .any(|member| matches!(member, Grantee::User(_)));
    if left || before.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = before.iter().map(|name| format!("\"{name}\"")).collect();
    Err(Error::invalid(format!(
        "no administrator would be left after {}: make another user one first",
        names.join(", ")
    ))
    .into())
}

/// Gives a user the role `admin`.
pub(in crate::sqlite) async fn make_admin(
    connection: &mut SqliteConnection,
    user: &str,
) -> Outcome<()> {
    sqlx::query("INSERT OR IGNORE INTO wb_role_member VALUES (?, 'user', ?, 0, '')")
        .bind(ADMIN_ROLE)
        .bind(user)
        .execute(connection)
        .await?;
    Ok(())
}

/// Takes the role `admin` from a user.
pub(in crate::sqlite) async fn unmake_admin(
    connection: &mut SqliteConnection,
    user: &str,
) -> Outcome<()> {
    sqlx::query(
        "DELETE FROM wb_role_member WHERE role = ? AND member_kind = 'user' AND member = ?",
    )
    .bind(ADMIN_ROLE)
    .bind(user)
    .execute(connection)
    .await?;
    Ok(())
}
