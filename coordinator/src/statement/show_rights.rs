//! `SHOW ROLES` and `SHOW GRANTS`: administrators see all of them, others what concerns them.

use waterbuck_catalog::{Granted, Membership, Rights, Securable};
use waterbuck_engine::Result;
use waterbuck_engine::sql::{GrantObject, Grantee};

use super::StatementContext;
use super::securables::grant_objects;

type Rows = Vec<Vec<Option<String>>>;

/// The columns of `SHOW ROLES`.
pub(super) const ROLES: &[&str] = &["name", "active"];

/// The columns of `SHOW GRANTS`.
pub(super) const GRANTS: &[&str] = &[
    "grantee_kind",
    "grantee",
    "privilege",
    "object_kind",
    "object",
    "column",
    "grantable",
    "granted_by",
];

/// The roles the user has; all of them for administrators.
pub(super) async fn roles(context: &StatementContext) -> Result<Rows> {
    let rights = context.rights();
    let known = context.core().catalog.roles().await?;
    let row = |role: String| {
        let active = rights.active_roles().contains(&role);
        vec![Some(role), Some(active.to_string())]
    };
    let shown = |role: &String| rights.is_admin() || rights.held_roles().contains(role);
    Ok(known.into_iter().filter(shown).map(row).collect())
}

/// Grants of roles and of privileges.
pub(super) async fn grants(
    context: &StatementContext,
    grantee: Option<&Grantee>,
    object: Option<&GrantObject>,
) -> Result<Rows> {
    let rights = context.rights();
    let catalog = &context.core().catalog;
    let wanted = |found: &Grantee| grantee.is_none_or(|grantee| grantee == found);
    let mut rows = Rows::new();
    let objects: Option<Vec<Securable>> = match object {
        None => None,
        Some(object) => {
            let objects = grant_objects(context, &rights, object).await?;
            Some(objects.into_iter().map(|(object, _)| object).collect())
        }
    };
    if objects.is_none() {
        let memberships = catalog.memberships().await?.into_iter();
        let shown = memberships
            .filter(|given| wanted(&given.member) && concerns(&rights, &given.member))
            .map(membership_row);
        rows.extend(shown);
    }
    let grants = catalog.grants().await?.into_iter();
    let shown = grants.filter(|granted| {
        let on = &granted.target.object;
        wanted(&granted.grantee)
            && objects.as_ref().is_none_or(|objects| objects.contains(on))
            && (concerns(&rights, &granted.grantee) || rights.owns(on))
    });
    rows.extend(shown.map(grant_row));
    Ok(rows)
}

/// Whether a grant to somebody is the user's own.
fn concerns(rights: &Rights, grantee: &Grantee) -> bool {
    rights.is_admin()
        || match grantee {
            Grantee::User(name) => name == rights.user(),
            Grantee::Role(role) => rights.held_roles().contains(role),
        }
}

fn membership_row(given: Membership) -> Vec<Option<String>> {
    vec![
        Some(given.member.noun().to_owned()),
        Some(given.member.name().to_owned()),
        Some("ROLE".to_owned()),
        Some("role".to_owned()),
        Some(given.role),
        None,
        Some(given.admin_option.to_string()),
        by(given.granted_by),
    ]
}

fn grant_row(granted: Granted) -> Vec<Option<String>> {
    let object = match &granted.target.object {
        Securable::Catalog => crate::plan::CATALOG_NAME.to_owned(),
        Securable::Relation { name, .. } => name.to_string(),
        Securable::Schema(name) | Securable::Function(name) | Securable::Setting(name) => {
            name.clone()
        }
    };
    vec![
        Some(granted.grantee.noun().to_owned()),
        Some(granted.grantee.name().to_owned()),
        Some(granted.target.privilege.to_string()),
        Some(granted.target.object.noun().to_owned()),
        Some(object),
        granted.target.column,
        Some(granted.grantable.to_string()),
        by(granted.granted_by),
    ]
}

/// What was there from the start was given by nobody.
fn by(name: String) -> Option<String> {
    Some(name).filter(|name| !name.is_empty())
}
