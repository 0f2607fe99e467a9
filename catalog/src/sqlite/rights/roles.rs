//! Roles and who has them.

use sqlx::sqlite::SqliteConnection;
use waterbuck_engine::Error;
use waterbuck_engine::sql::{ADMIN_ROLE, Grantee, PUBLIC_ROLE};

use super::grantees::{admins, check, forget_grantee, from_row, keep_an_admin};
use crate::missing::missing_named;
use crate::rights::{Membership, RoleChange, members_of};
use crate::sqlite::database::Database;
use crate::sqlite::fault::Outcome;

/// Words of `SET ROLE`, which a role of that name could not be told from.
const WORDS: [&str; 2] = ["all", "none"];

/// All roles by name.
pub(super) async fn all(connection: &mut SqliteConnection) -> Outcome<Vec<String>> {
    let names = sqlx::query_scalar("SELECT name FROM wb_role ORDER BY name");
    Ok(names.fetch_all(connection).await?)
}

/// Who was given which role.
pub(super) async fn memberships(connection: &mut SqliteConnection) -> Outcome<Vec<Membership>> {
    let rows = sqlx::query_as::<_, (String, String, String, bool, String)>(
        "SELECT role, member_kind, member, admin_option, granted_by FROM wb_role_member
         ORDER BY role, member_kind, member",
    )
    .fetch_all(connection)
    .await?;
    let membership =
        |(role, kind, member, admin_option, granted_by): (_, String, _, _, _)| Membership {
            role,
            member: from_row(&kind, member),
            admin_option,
            granted_by,
        };
    Ok(rows.into_iter().map(membership).collect())
}

/// Makes a role; false when it is there and may be.
pub(super) async fn create(database: &Database, name: &str, if_not_exists: bool) -> Outcome<bool> {
    if name.is_empty() {
        return Err(Error::invalid("a role needs a name").into());
    }
    if WORDS.contains(&name) {
        return Err(Error::invalid(format!(
            "a role cannot be called \"{name}\": SET ROLE {} means something else",
            name.to_uppercase()
        ))
        .into());
    }
    let mut write = database.write().await?;
    if all(&mut write).await?.iter().any(|known| known == name) {
        if if_not_exists {
            return Ok(false);
        }
        return Err(Error::already_exists(format!("role \"{name}\" already exists")).into());
    }
    sqlx::query("INSERT INTO wb_role VALUES (?)")
        .bind(name)
        .execute(&mut *write)
        .await?;
    write.commit().await?;
    Ok(true)
}

/// Removes a role; false when it is absent and may be.
pub(super) async fn remove(database: &Database, name: &str, if_exists: bool) -> Outcome<bool> {
    if [ADMIN_ROLE, PUBLIC_ROLE].contains(&name) {
        return Err(Error::invalid(format!("role \"{name}\" cannot be dropped")).into());
    }
    let mut write = database.write().await?;
    let known = all(&mut write).await?;
    if !known.iter().any(|known| known == name) {
        if if_exists {
            return Ok(false);
        }
        return Err(missing_named("role", name, known).into());
    }
    let before = admins(&mut write).await?;
    forget_grantee(&mut write, &Grantee::Role(name.to_owned())).await?;
    for sql in [
        "DELETE FROM wb_role_member WHERE role = ?",
        "DELETE FROM wb_role_limit WHERE role = ?",
        "DELETE FROM wb_role WHERE name = ?",
    ] {
        sqlx::query(sql).bind(name).execute(&mut *write).await?;
    }
    keep_an_admin(&mut write, &before).await?;
    write.commit().await?;
    Ok(true)
}

/// Gives roles.
pub(super) async fn grant(database: &Database, change: &RoleChange) -> Outcome<()> {
    let mut write = database.write().await?;
    let before = admins(&mut write).await?;
    check_all(&mut write, change).await?;
    for role in &change.roles {
        if role == PUBLIC_ROLE {
            let message = format!("everybody has the role \"{PUBLIC_ROLE}\" already");
            return Err(Error::invalid(message).into());
        }
        for member in &change.members {
            refuse_circle(&mut write, role, member).await?;
            sqlx::query(
                "INSERT INTO wb_role_member VALUES (?, ?, ?, ?, ?)
                 ON CONFLICT (role, member_kind, member) DO UPDATE
                 SET admin_option = max(admin_option, excluded.admin_option),
                   granted_by = excluded.granted_by",
            )
            .bind(role)
            .bind(member.noun())
            .bind(member.name())
            .bind(change.option)
            .bind(&change.by)
            .execute(&mut *write)
            .await?;
        }
    }
    keep_an_admin(&mut write, &before).await?;
    Ok(write.commit().await?)
}

/// Takes roles away, or the right to give them on.
pub(super) async fn revoke(database: &Database, change: &RoleChange) -> Outcome<()> {
    let mut write = database.write().await?;
    let before = admins(&mut write).await?;
    check_all(&mut write, change).await?;
    let sql = if change.option {
        "UPDATE wb_role_member SET admin_option = 0
         WHERE role = ? AND member_kind = ? AND member = ?"
    } else {
        "DELETE FROM wb_role_member WHERE role = ? AND member_kind = ? AND member = ?"
    };
    for role in &change.roles {
        for member in &change.members {
            sqlx::query(sql)
                .bind(role)
                .bind(member.noun())
                .bind(member.name())
                .execute(&mut *write)
                .await?;
        }
    }
    keep_an_admin(&mut write, &before).await?;
    Ok(write.commit().await?)
}

async fn check_all(connection: &mut SqliteConnection, change: &RoleChange) -> Outcome<()> {
    for role in &change.roles {
        check(connection, &Grantee::Role(role.clone())).await?;
    }
    for member in &change.members {
        check(connection, member).await?;
    }
    Ok(())
}

/// A role that had itself would have no end.
async fn refuse_circle(
    connection: &mut SqliteConnection,
    role: &str,
    member: &Grantee,
) -> Outcome<()> {
    let Grantee::Role(other) = member else {
        return Ok(());
    };
    let memberships = memberships(connection).await?;
    let itself = Grantee::Role(role.to_owned());
    if role == other || members_of(&memberships, other).contains(&itself) {
        let message =
            format!("role \"{role}\" cannot be given to role \"{other}\": it would have itself");
        return Err(Error::invalid(message).into());
    }
    Ok(())
}
