//! What statements that name a table, view or schema need to be permitted.

use datafusion::common::TableReference;
use waterbuck_catalog::{Rights, Securable, TableDef, TableKind, TableName};
use waterbuck_engine::sql::Privilege;
use waterbuck_engine::{Error, ErrorKind, Result};

use super::StatementContext;
use super::rights::denied;
use crate::system;
use crate::visible::{Visible, lacking};

/// The table or view of that name, which the user sees; `noun` is what was asked for.
///
/// # Errors
/// `NotFound` when the user sees none, with the nearest name that the user sees.
pub(super) async fn seen(
    context: &StatementContext,
    noun: &str,
    name: &TableName,
) -> Result<TableDef> {
    let rights = context.rights();
    let visible = Visible::new(&context.core().catalog, &rights);
    visible.relation(noun, name).await
}

/// As [`seen`], with a privilege on all of it.
///
/// # Errors
/// Besides, `PermissionDenied` naming the privilege.
pub(super) async fn relation(
    context: &StatementContext,
    noun: &str,
    name: &TableName,
    privilege: Privilege,
) -> Result<TableDef> {
    let table = seen(context, noun, name).await?;
    let rights = context.rights();
    let object = Securable::of(&table);
    if rights.may(privilege, &object, None) {
        return Ok(table);
    }
    Err(lacking(privilege, &object))
}

/// As [`relation`]; `None` when there is none and `if_exists` is set.
///
/// # Errors
/// As [`relation`].
pub(super) async fn relation_if_exists(
    context: &StatementContext,
    noun: &str,
    name: &TableName,
    (privilege, if_exists): (Privilege, bool),
) -> Result<Option<TableDef>> {
    match relation(context, noun, name, privilege).await {
        Err(error) if error.kind() == ErrorKind::NotFound && if_exists => Ok(None),
        found => found.map(Some),
    }
}

/// The schema of that name, on which the user has a privilege: its id, unless it is newer than the
/// user's rights, which then hold for every schema.
///
/// # Errors
/// `NotFound` when the user sees none of that name, `PermissionDenied` naming the privilege.
pub(super) async fn schema(
    context: &StatementContext,
    name: &str,
    privilege: Privilege,
) -> Result<Option<i64>> {
    let rights = context.rights();
    let object = Securable::Schema(name.to_owned());
    let visible = Visible::new(&context.core().catalog, &rights);
    visible.check_schema(name).await?;
    if rights.may(privilege, &object, None) {
        return Ok(rights.schema_id(name));
    }
    Err(lacking(privilege, &object))
}

/// Fails unless the user may make `name`, and take away what is there where that is to be replaced:
/// the id of that is returned.
///
/// # Errors
/// Those of [`schema`]; `PermissionDenied` when what is there is not the user's to drop.
pub(super) async fn making(
    context: &StatementContext,
    name: &TableName,
    or_replace: bool,
) -> Result<Option<i64>> {
    schema(context, &name.schema, Privilege::Create).await?;
    if !or_replace {
        return Ok(None);
    }
    let Some(existing) = context.core().catalog.table(name).await? else {
        return Ok(None);
    };
    let rights = context.rights();
    let object = Securable::of(&existing);
    if rights.may(Privilege::Drop, &object, None) {
        return Ok(Some(existing.id));
    }
    if rights.sees(&object) {
        return Err(lacking(Privilege::Drop, &object));
    }
    Err(denied(format!(
        "the name \"{name}\" is taken, by something that is not yours to replace"
    )))
}

/// Whether the user may know where a table is kept: those may who put rows there or change the table.
pub(super) fn knows_place(rights: &Rights, table: &TableDef) -> bool {
    let object = Securable::of(table);
    [Privilege::Alter, Privilege::Insert]
        .into_iter()
        .any(|privilege| rights.may(privilege, &object, None))
}

/// A table whose files the user may be told of: files and their directories tell of all rows.
///
/// # Errors
/// Those of [`relation`] with SELECT; `PermissionDenied` when a policy hides a part from the user.
pub(super) async fn with_files(
    context: &StatementContext,
    table: &TableReference,
) -> Result<TableDef> {
    let name = context.table_name(table)?;
    refuse_system(&name.schema, table)?;
    let table = relation(context, "table", &name, Privilege::Select).await?;
    let rights = context.rights();
    if matches!(table.kind, TableKind::View(_)) || !rights.is_bound(table.id) {
        return Ok(table);
    }
    Err(denied(format!(
        "you may not list what table \"{name}\" is kept in: a part of it is hidden from you"
    )))
}

/// Fails for the schemas that Waterbuck fills.
///
/// # Errors
/// `InvalidQuery`.
pub(super) fn refuse_system(schema: &str, table: &TableReference) -> Result<()> {
    if system::is_system(schema) {
        return Err(Error::invalid(format!("\"{table}\" is a system table")));
    }
    Ok(())
}
