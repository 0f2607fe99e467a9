//! `CREATE SECRET`, `DROP SECRET`.

use std::collections::BTreeMap;

use waterbuck_catalog::{OnExisting, Secret};
use waterbuck_engine::Result;
use waterbuck_engine::sql::{CreateSecret, DropSecret};

use super::StatementContext;
use super::ddl::on_existing;
use crate::session::Outcome;

/// `CREATE SECRET name (…)`.
pub(super) async fn create(context: &StatementContext, create: &CreateSecret) -> Result<Outcome> {
    context.admin_only("create secrets")?;
    let options: BTreeMap<String, String> = create
        .options
        .iter()
        .map(|(name, value)| (name.clone(), value.reveal().to_owned()))
        .collect();
    let secret = Secret {
        name: create.name.clone(),
        kind: create.kind.clone(),
        scope: create.scope.clone(),
        options,
    };
    crate::tables::check_secret(&secret)?;
    for (name, value) in &secret.options {
        if names_a_host(name) || value.contains("://") {
            context.core().places.check_endpoint(value)?;
        }
    }
    let mode: OnExisting = on_existing(create.or_replace, create.if_not_exists);
    context.core().catalog.create_secret(secret, mode).await?;
    Ok(context.done())
}

/// Whether an option of a secret says where to call.
fn names_a_host(option: &str) -> bool {
    ["endpoint", "host", "url"]
        .iter()
        .any(|word| option.ends_with(word))
}

/// `DROP SECRET name`.
pub(super) async fn remove(context: &StatementContext, drop: &DropSecret) -> Result<Outcome> {
    context.admin_only("drop secrets")?;
    context
        .core()
        .catalog
        .drop_secret(&drop.name, drop.if_exists)
        .await?;
    Ok(context.done())
}
