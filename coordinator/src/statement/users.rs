//! `CREATE USER`, `ALTER USER`, `DROP USER`.

use waterbuck_catalog::User;
use waterbuck_engine::sql::{AlterUser, CertificateChange, CreateUser, DropUser};
use waterbuck_engine::{Error, Result};

use super::StatementContext;
use crate::login::hash_password;
use crate::session::Outcome;

/// `CREATE USER name PASSWORD '…'`.
pub(super) async fn create(context: &StatementContext, create: &CreateUser) -> Result<Outcome> {
    context.admin_only("create users")?;
    let catalog = &context.core().catalog;
    if catalog.user(&create.name).await?.is_some() {
        if create.if_not_exists {
            return Ok(context.done());
        }
        return Err(Error::already_exists(format!(
            "user \"{}\" already exists",
            create.name
        )));
    }
    let password_hash = hash_password(create.password.reveal()).await?;
    let user = User {
        name: create.name.clone(),
        password_hash,
        admin: create.admin,
        certificate: None,
    };
    catalog.put_user(user).await?;
    Ok(context.done())
}

/// `ALTER USER name …`. Users may change their own password.
pub(super) async fn alter(context: &StatementContext, alter: &AlterUser) -> Result<Outcome> {
    let own = alter.name == context.session.user().name
        && alter.admin.is_none()
        && alter.certificate.is_none();
    if !own {
        context.admin_only("alter users")?;
    }
    let catalog = &context.core().catalog;
    let Some(mut user) = catalog.user(&alter.name).await? else {
        return Err(Error::not_found(format!(
            "user \"{}\" does not exist",
            alter.name
        )));
    };
    if let Some(password) = &alter.password {
        user.password_hash = hash_password(password.reveal()).await?;
    }
    user.admin = alter.admin.unwrap_or(user.admin);
    match &alter.certificate {
        None => {}
        Some(CertificateChange::Set(name)) => user.certificate = Some(name.clone()),
        Some(CertificateChange::Reset) => user.certificate = None,
    }
    catalog.put_user(user).await?;
    context.session.revoke(&alter.name);
    super::rights::renew(context).await?;
    Ok(context.done())
}

/// `DROP USER name`.
pub(super) async fn remove(context: &StatementContext, drop: &DropUser) -> Result<Outcome> {
    context.admin_only("drop users")?;
    if drop.name == context.session.user().name {
        return Err(Error::invalid("you cannot drop yourself"));
    }
    context
        .core()
        .catalog
        .drop_user(&drop.name, drop.if_exists)
        .await?;
    context.session.revoke(&drop.name);
    Ok(context.done())
}
