//! `SET LIMIT` and `RESET LIMIT` of `ALTER USER` and `ALTER ROLE`, `SHOW LIMITS`.

use waterbuck_catalog::Limit;
use waterbuck_engine::Result;
use waterbuck_engine::sql::{AlterLimit, Grantee};

use super::StatementContext;
use crate::quota::{check_limit, check_limit_name};
use crate::session::Outcome;

/// The columns of `SHOW LIMITS`.
pub(super) const LISTED: &[&str] = &["grantee_kind", "grantee", "name", "value"];

/// Sets or takes away one limit of a user or role; the next statements of open sessions know it.
pub(super) async fn alter(context: &StatementContext, alter: &AlterLimit) -> Result<Outcome> {
    context.admin_only(match alter.of {
        Grantee::User(_) => "limit users",
        Grantee::Role(_) => "limit roles",
    })?;
    match &alter.value {
        Some(value) => check_limit(&Limit {
            of: alter.of.clone(),
            name: alter.name.clone(),
            value: value.clone(),
        })?,
        None => check_limit_name(&alter.name)?,
    }
    let catalog = &context.core().catalog;
    catalog
        .set_limit(&alter.of, &alter.name, alter.value.as_deref())
        .await?;
    Ok(context.done())
}

/// The rows of `SHOW LIMITS`: one's own and those of one's roles, and all of them to administrators.
pub(super) async fn rows(context: &StatementContext) -> Result<Vec<Vec<Option<String>>>> {
    let rights = context.rights();
    let shown = |of: &Grantee| match of {
        Grantee::User(user) => user == rights.user(),
        Grantee::Role(role) => rights.held_roles().contains(role),
    };
    let limits = context.core().catalog.limits().await?.into_iter();
    let row = |limit: Limit| {
        let Limit { of, name, value } = limit;
        let cells = [of.noun(), of.name(), name.as_str(), value.as_str()];
        cells.map(|cell| Some(cell.to_owned())).to_vec()
    };
    Ok(limits
        .filter(|limit| context.session.is_admin() || shown(&limit.of))
        .map(row)
        .collect())
}
