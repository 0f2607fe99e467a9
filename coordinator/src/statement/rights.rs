//! `GRANT`, `REVOKE`, roles and owners: who may say so is decided here, from the rights of whoever
//! does; what is said is kept by the catalog.

use std::collections::BTreeSet;

use waterbuck_catalog::{GrantChange, GrantTarget, Rights, RoleChange, Securable};
use waterbuck_engine::sql::{
    ADMIN_ROLE, ActiveRoles, AlterOwner, Grant, GrantRole, OwnedObject, RightsStatement,
};
use waterbuck_engine::{Error, ErrorKind, Result};

use super::securables::{grant_objects, relation, schema};
use super::{StatementContext, policies};
use crate::session::Outcome;

/// Runs a statement about rights.
pub(super) async fn execute(
    context: &StatementContext,
    statement: &RightsStatement,
) -> Result<Outcome> {
    let catalog = &context.core().catalog;
    match statement {
        RightsStatement::Grant(grant) => change_grants(context, grant).await?,
        RightsStatement::GrantRole(grant) => change_roles(context, grant).await?,
        RightsStatement::CreateRole(create) => {
            context.admin_only("create roles")?;
            catalog
                .create_role(&create.name, create.if_not_exists)
                .await?;
        }
        RightsStatement::DropRole(drop) => {
            context.admin_only("drop roles")?;
            let before = admins(context).await?;
            catalog.drop_role(&drop.name, drop.if_exists).await?;
            end_sessions(context, &before).await?;
        }
        RightsStatement::SetRole(roles) => set_role(context, roles).await?,
        RightsStatement::AlterOwner(alter) => change_owner(context, alter).await?,
        RightsStatement::CreatePolicy(create) => policies::create(context, create).await?,
        RightsStatement::DropPolicy(drop) => policies::remove(context, drop).await?,
    }
    Ok(context.done())
}

async fn change_grants(context: &StatementContext, grant: &Grant) -> Result<()> {
    let rights = context.rights();
    let targets = targets(context, &rights, grant).await?;
    for target in &targets {
        let column = target.column.as_deref();
        if !rights.may_grant(target.privilege, &target.object, column) {
            return Err(denied(format!(
                "you may not give or take {privilege} on {}: its owner may, and those who have \
                 {privilege} on it WITH GRANT OPTION",
                target.object,
                privilege = target.privilege
            )));
        }
    }
    let schema_id = targets
        .iter()
        .find_map(|target| checked_schema(&rights, &target.object));
    let change = GrantChange {
        targets,
        schema_id,
        grantees: grant.grantees.clone(),
        option: grant.grant_option,
        by: context.session.user().name.clone(),
    };
    let catalog = &context.core().catalog;
    if grant.revoke {
        catalog.revoke(&change).await
    } else {
        catalog.grant(&change).await
    }
}

/// Each privilege on each object and column. Where all tables of a schema are meant, a view gets the
/// privileges that views have.
async fn targets(
    context: &StatementContext,
    rights: &Rights,
    grant: &Grant,
) -> Result<Vec<GrantTarget>> {
    let mut targets = Vec::new();
    for (object, takes) in grant_objects(context, rights, &grant.object).await? {
        for named in &grant.privileges {
            if !takes.contains(&named.privilege) {
                continue;
            }
            let target = |column| GrantTarget {
                privilege: named.privilege,
                object: object.clone(),
                column,
            };
            if named.columns.is_empty() {
                targets.push(target(None));
            }
            targets.extend(named.columns.iter().cloned().map(Some).map(target));
        }
    }
    Ok(targets)
}

async fn change_roles(context: &StatementContext, grant: &GrantRole) -> Result<()> {
    let rights = context.rights();
    for role in &grant.roles {
        if !rights.may_give_role(role) {
            return Err(denied(format!(
                "you may not give or take role \"{role}\": administrators may, and those who have it \
                 WITH ADMIN OPTION"
            )));
        }
    }
    let before = admins(context).await?;
    let change = RoleChange {
        roles: grant.roles.clone(),
        members: grant.grantees.clone(),
        option: grant.admin_option,
        by: context.session.user().name.clone(),
    };
    let catalog = &context.core().catalog;
    if grant.revoke {
        catalog.revoke_roles(&change).await?;
    } else {
        catalog.grant_roles(&change).await?;
    }
    end_sessions(context, &before).await
}

async fn admins(context: &StatementContext) -> Result<BTreeSet<String>> {
    let users = context.core().catalog.users().await?;
    let admins = users.into_iter().filter(|user| user.admin);
    Ok(admins.map(|user| user.name).collect())
}

/// Ends the sessions of those who have become administrators or are none any more; the session that
/// did it stays and knows.
async fn end_sessions(context: &StatementContext, before: &BTreeSet<String>) -> Result<()> {
    let after = admins(context).await?;
    for user in before.symmetric_difference(&after) {
        context.session.revoke(user);
    }
    renew(context).await
}

/// Looks up again whether the session is an administrator's.
pub(super) async fn renew(context: &StatementContext) -> Result<()> {
    let (roles, _) = context.session.roles();
    let admin = is_admin(context, &roles).await?;
    context.session.set_roles(roles, admin);
    Ok(())
}

async fn set_role(context: &StatementContext, roles: &ActiveRoles) -> Result<()> {
    let admin = is_admin(context, roles).await?;
    if let ActiveRoles::One(role) = roles {
        let catalog = &context.core().catalog;
        let user = &context.session.user().name;
        let rights = catalog.rights(user, roles).await?;
        if !admin && !rights.held_roles().contains(role) {
            return Err(denied(format!(
                "role \"{role}\" is not one of yours: SHOW ROLES lists those that are"
            )));
        }
    }
    context.session.set_roles(roles.clone(), admin);
    Ok(())
}

/// Whether the session's user is an administrator with these roles. The user of an embedded engine
/// is one whom the catalog need not know.
async fn is_admin(context: &StatementContext, roles: &ActiveRoles) -> Result<bool> {
    let catalog = &context.core().catalog;
    let user = context.session.user();
    if catalog.user(&user.name).await?.is_some() {
        return Ok(catalog.rights(&user.name, roles).await?.is_admin());
    }
    let with_role = match roles {
        ActiveRoles::All => true,
        ActiveRoles::None => false,
        ActiveRoles::One(role) => role == ADMIN_ROLE,
    };
    Ok(user.admin && with_role)
}

async fn change_owner(context: &StatementContext, alter: &AlterOwner) -> Result<()> {
    let rights = context.rights();
    let found = match &alter.object {
        OwnedObject::Schema(name) => schema(context, &rights, name).await,
        OwnedObject::Table(name) => relation(context, &rights, name, false).await,
        OwnedObject::View(name) => relation(context, &rights, name, true).await,
    };
    let object: Securable = match found {
        Err(error) if error.kind() == ErrorKind::NotFound && alter.if_exists => return Ok(()),
        found => found?,
    };
    if !rights.owns(&object) {
        return Err(denied(format!(
            "you may not give {object} to another owner: it is not yours"
        )));
    }
    if !rights.may_make_owner(&alter.to) {
        return Err(denied(format!(
            "you may not give {object} to {}: only administrators give to others, you may give to \
             yourself and to roles of yours",
            alter.to
        )));
    }
    let only = checked_schema(&rights, &object);
    let catalog = &context.core().catalog;
    catalog.set_owner(&object, only, &alter.to).await
}

/// The id of the schema that the rights speak of by this name.
fn checked_schema(rights: &Rights, object: &Securable) -> Option<i64> {
    match object {
        Securable::Schema(name) => rights.schema_id(name),
        _ => None,
    }
}

/// The error of who lacks a right.
pub(super) fn denied(message: String) -> Error {
    Error::new(ErrorKind::PermissionDenied, message)
}
