//! Statements that change the session, or stop a query.

use datafusion::common::SchemaReference;
use uuid::Uuid;
use waterbuck_engine::{Error, Result};

use super::StatementContext;
use crate::names::did_you_mean;
use crate::session::Outcome;

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

async fn check_schema(context: &StatementContext, name: &str) -> Result<()> {
    let schemas = context.core().catalog.schemas().await?;
    if schemas.iter().any(|known| known.name == name) || crate::system::is_system(name) {
        return Ok(());
    }
    let hint = did_you_mean(name, schemas.iter().map(|known| known.name.as_str()));
    Err(Error::not_found(format!(
        "schema \"{name}\" does not exist{hint}"
    )))
}

/// `SET name = value`.
pub(super) async fn set(context: &StatementContext, name: &str, value: &str) -> Result<Outcome> {
    if name == "schema" {
        check_schema(context, value).await?;
    }
    context
        .session
        .change_settings(|settings| settings.set(name, value))?;
    Ok(context.done())
}

/// `RESET name`, `RESET ALL`.
pub(super) fn reset(context: &StatementContext, name: Option<&str>) -> Result<Outcome> {
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
