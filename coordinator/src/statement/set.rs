//! Statements that change the session, or stop a query.

use datafusion::common::SchemaReference;
use uuid::Uuid;
use waterbuck_catalog::Securable;
use waterbuck_engine::sql::Privilege;
use waterbuck_engine::{Error, Result};

use super::StatementContext;
use crate::session::Outcome;
use crate::system;
use crate::visible::{Visible, lacking};

/// `USE schema`.
pub(super) async fn use_schema(
    context: &StatementContext,
    schema: &SchemaReference,
) -> Result<Outcome> {
    let name = context.schema_name(schema)?;
    check_schema(context, &name).await?;
    context
        .session
        .change_settings(|settings| settings.set("schema", &name))?;
    Ok(context.done())
}

/// Fails unless the user sees the schema.
pub(super) async fn check_schema(context: &StatementContext, name: &str) -> Result<()> {
    if system::is_system(name) {
        return Ok(());
    }
    let rights = context.rights();
    let visible = Visible::new(&context.core().catalog, &rights);
    visible.check_schema(name).await
}

/// Fails unless the user may change the setting.
async fn check_setting(context: &StatementContext, name: &str) -> Result<()> {
    let setting = Securable::Setting(name.to_owned());
    if context.rights().may(Privilege::Set, &setting, None) {
        return Ok(());
    }
    Err(lacking(Privilege::Set, &setting))
}

/// `SET name = value`.
pub(super) async fn set(context: &StatementContext, name: &str, value: &str) -> Result<Outcome> {
    if name == "schema" {
        // As USE, which is nobody's privilege.
        check_schema(context, value).await?;
    } else {
        check_setting(context, name).await?;
    }
    context
        .session
        .change_settings(|settings| settings.set(name, value))?;
    Ok(context.done())
}

/// `RESET name`, `RESET ALL`.
pub(super) async fn reset(context: &StatementContext, name: Option<&str>) -> Result<Outcome> {
    if let Some(name) = name.filter(|name| *name != "schema") {
        check_setting(context, name).await?;
    }
    context.session.change_settings(|settings| match name {
        Some(name) => settings.reset(name),
        None => {
            settings.reset_all();
            Ok(())
        }
    })?;
    Ok(context.done())
}

/// `KILL QUERY id`.
pub(super) fn kill(context: &StatementContext, query_id: &str) -> Result<Outcome> {
    let id = Uuid::parse_str(query_id).map_err(|error| {
        Error::invalid(format!("\"{query_id}\" is no query id")).with_source(error)
    })?;
    let user = context.session.user();
    let admin = context.session.is_admin();
    context.core().queries.kill(id, &user.name, admin)?;
    Ok(context.done())
}
