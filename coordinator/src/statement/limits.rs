//! `ALTER USER … SET LIMIT`, `ALTER USER … RESET LIMIT`, `SHOW LIMITS`.

use waterbuck_engine::Result;
use waterbuck_engine::sql::AlterLimit;

use super::StatementContext;
use crate::quota::{check_limit, check_limit_name};
use crate::session::Outcome;

/// The columns of `SHOW LIMITS`.
pub(super) const LISTED: &[&str] = &["user", "name", "value"];

/// Sets or takes away one limit of a user, in their open sessions too.
pub(super) async fn alter(context: &StatementContext, alter: &AlterLimit) -> Result<Outcome> {
    context.admin_only("limit users")?;
    match &alter.value {
        Some(value) => check_limit(&alter.name, value)?,
        None => check_limit_name(&alter.name)?,
    }
    let core = context.core();
    core.catalog
        .set_limit(&alter.user, &alter.name, alter.value.as_deref())
        .await?;
    core.quotas.read(&alter.user).await?;
    Ok(context.done())
}

/// The rows of `SHOW LIMITS`: one's own, and all of them to administrators.
pub(super) async fn rows(context: &StatementContext) -> Result<Vec<Vec<Option<String>>>> {
    let (user, admin) = (context.session.user(), context.session.is_admin());
    let limits = context.core().catalog.all_limits().await?;
    Ok(limits
        .into_iter()
        .filter(|(limited, _, _)| admin || *limited == user.name)
        .map(|(limited, name, value)| vec![Some(limited), Some(name), Some(value)])
        .collect())
}
