//! The rights of one user or role, read in one transaction.

use std::collections::HashMap;

use serde_json::json;
use sqlx::sqlite::SqliteConnection;
use waterbuck_engine::sql::{ActiveRoles, Grantee};

use super::roles::memberships;
use super::{grants, owners, policies};
use crate::model::TableName;
use crate::rights::{Facts, Rights, Securable, roles_of};
use crate::sqlite::database::Database;
use crate::sqlite::fault::Outcome;
use crate::sqlite::limits;

/// What `user` may do now with the roles `active`.
pub(super) async fn rights(
    database: &Database,
    user: &str,
    active: &ActiveRoles,
) -> Outcome<Rights> {
    let facts = facts(database, &Grantee::User(user.to_owned())).await?;
    Ok(Rights::new(user, active, facts))
}

/// What whoever has `role` may do.
pub(super) async fn role_rights(database: &Database, role: &str) -> Outcome<Rights> {
    let facts = facts(database, &Grantee::Role(role.to_owned())).await?;
    Ok(Rights::of_role(role, facts))
}

/// What the catalog holds about the rights of `who`.
async fn facts(database: &Database, who: &Grantee) -> Outcome<Facts> {
    let mut read = database.read().await?;
    let memberships = memberships(&mut read).await?;
    let roles = roles_of(&memberships, who);
    let roles = json!(roles).to_string();
    // Nobody has the empty name.
    let user = match who {
        Grantee::User(name) => name.as_str(),
        Grantee::Role(_) => "",
    };
    let schemas = schemas(&mut read).await?;
    // Of a relation its id alone counts.
    let relation = |id| Securable::Relation {
        id,
        name: TableName::new("", ""),
        view: false,
    };
    let schema = |id| schemas.get(&id).cloned().map(Securable::Schema);
    let rows = sqlx::query_as::<_, grants::Row>(
        "SELECT * FROM wb_grant WHERE (grantee_kind = 'user' AND grantee = ?1)
           OR (grantee_kind = 'role' AND grantee IN (SELECT value FROM json_each(?2)))",
    );
    let rows = rows.bind(user).bind(&roles).fetch_all(&mut *read).await?;
    let mut grants = Vec::with_capacity(rows.len());
    for row in rows {
        let object = |kind: &str, id| match kind {
            "schema" => schema(id),
            _ => Some(relation(id)),
        };
        grants.extend(grants::granted(row, object)?);
    }
    let owners = owners::all(&mut read).await?;
    let owners = owners
        .into_iter()
        .map(|(id, owner)| (schema(id).unwrap_or_else(|| relation(id)), owner))
        .collect();
    let rows = sqlx::query_as::<_, policies::Row>(
        "SELECT table_id, kind, name, column_name, expression, grantee_kind, grantee FROM wb_policy
         WHERE (grantee_kind = 'user' AND grantee = ?1)
           OR (grantee_kind = 'role' AND grantee IN (SELECT value FROM json_each(?2)))
         ORDER BY table_id, kind, name, grantee_kind, grantee",
    );
    let rows = rows.bind(user).bind(&roles).fetch_all(&mut *read).await?;
    let limits = limits::binding(&mut read, user, &roles).await?;
    Ok(Facts {
        memberships,
        grants,
        owners,
        policies: policies::policies(rows),
        schemas,
        limits,
    })
}

/// The names of live schemas by id.
async fn schemas(connection: &mut SqliteConnection) -> Outcome<HashMap<i64, String>> {
    let rows = sqlx::query_as::<_, (i64, String)>(
        "SELECT schema_id, schema_name FROM ducklake_schema WHERE end_snapshot IS NULL",
    );
    Ok(rows.fetch_all(connection).await?.into_iter().collect())
}
