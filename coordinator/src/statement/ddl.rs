//! Statements that make, rename, describe and remove names.

use std::collections::HashSet;

use waterbuck_catalog::{
    DropKind, ExternalTable, NewTable, OnExisting, Securable, TableKind, ViewDef,
};
use waterbuck_engine::sql::{
    AlterTableRename, CommentOn, CommentTarget, CreateExternalTable, CreateSchema, CreateView,
    Drop, DropTarget, Privilege, Statement,
};
use waterbuck_engine::{Error, ErrorKind, Result};

use super::StatementContext;
use super::columns::{catalog_columns, partition_columns, plain_columns};
use super::permitted;
use crate::names::did_you_mean;
use crate::session::Outcome;
use crate::visible::{Visible, lacking};
use crate::{system, tables};

/// What happens when the name is taken.
pub(super) fn on_existing(or_replace: bool, if_not_exists: bool) -> OnExisting {
    match (or_replace, if_not_exists) {
        (true, _) => OnExisting::Replace,
        (false, true) => OnExisting::Skip,
        (false, false) => OnExisting::Fail,
    }
}

/// The same for tables and views: nothing is replaced but what was there, by its id, when the user's
/// rights were checked.
pub(super) fn on_existing_table(
    or_replace: bool,
    if_not_exists: bool,
    checked: Option<i64>,
) -> OnExisting {
    match on_existing(or_replace, if_not_exists) {
        OnExisting::Replace => OnExisting::ReplaceOnly(checked),
        other => other,
    }
}

/// `CREATE EXTERNAL TABLE`.
pub(super) async fn create_external(
    context: &StatementContext,
    create: &CreateExternalTable,
) -> Result<Outcome> {
    let name = context.table_name(&create.name)?;
    refuse_system(&name.schema)?;
    if !create.order.is_empty() {
        return Err(Error::unsupported(
            "WITH ORDER is not supported: nothing holds files to a declared order, and where one has \
             another the answers would be wrong; leave it out, sorted files are read as well",
        ));
    }
    if create.secret.is_some() {
        return Err(Error::unsupported(
            "a table names no secret: the one whose SCOPE covers the location is used",
        ));
    }
    let [location] = create.location.as_slice() else {
        return Err(Error::unsupported("a table has one LOCATION"));
    };
    let checked = permitted::making(context, &name, create.or_replace).await?;
    let mode = on_existing_table(create.or_replace, create.if_not_exists, checked);
    if mode == OnExisting::Skip && context.core().catalog.table(&name).await?.is_some() {
        return Ok(context.done());
    }
    let declared = catalog_columns(context, &create.columns)?;
    let partitions = partition_columns(context, &create.partitioned_by, &declared)?;
    let external = ExternalTable {
        format: create.format.to_lowercase(),
        location: location.clone(),
        partition_columns: vec![],
        options: create.options.clone(),
        secret: create.secret.clone(),
        explicit_columns: !declared.is_empty(),
    };
    let (external, columns) =
        tables::describe_external(context, &name.name, external, declared, partitions).await?;
    let table = NewTable {
        name,
        kind: TableKind::External(external),
        columns,
        comment: create.comment.clone(),
        owner: Some(context.owner()),
    };
    context.core().catalog.create_table(table, mode).await?;
    Ok(context.done())
}

/// `CREATE VIEW`.
pub(super) async fn create_view(
    context: &StatementContext,
    create: &CreateView,
) -> Result<Outcome> {
    let name = context.table_name(&create.name)?;
    refuse_system(&name.schema)?;
    let checked = permitted::making(context, &name, create.or_replace).await?;
    let Statement::Query(query) = Statement::from_query(create.query.clone()) else {
        return Err(Error::internal("a view's query is no query"));
    };
    let base = context.core().planner.base();
    let references = base
        .resolve_table_references(&query)
        .map_err(|error| crate::plan::plan_error(&context.sql, error))?;
    for reference in &references {
        if context.table_name(reference)? == name {
            return Err(Error::invalid(format!(
                "view \"{}\" cannot read itself",
                name.name
            )));
        }
    }
    let planned = super::query::plan(context, &query).await?;
    if !planned
        .logical
        .get_parameter_names()
        .unwrap_or_default()
        .is_empty()
    {
        return Err(Error::invalid("a view cannot have parameters"));
    }
    let mut columns = plain_columns(planned.logical.schema().as_arrow());
    if !create.columns.is_empty() {
        if create.columns.len() != columns.len() {
            return Err(Error::invalid(format!(
                "the view names {} columns, its query gives {}",
                create.columns.len(),
                columns.len()
            )));
        }
        for (column, alias) in columns.iter_mut().zip(&create.columns) {
            column.name.clone_from(alias);
        }
    }
    let view = ViewDef {
        sql: create.query_sql.clone(),
        column_aliases: create.columns.clone(),
        security: create.security,
    };
    let table = NewTable {
        name,
        kind: TableKind::View(view),
        columns,
        comment: create.comment.clone(),
        owner: Some(context.owner()),
    };
    let mode = on_existing_table(create.or_replace, create.if_not_exists, checked);
    context.core().catalog.create_table(table, mode).await?;
    Ok(context.done())
}

/// `CREATE SCHEMA`.
pub(super) async fn create_schema(
    context: &StatementContext,
    create: &CreateSchema,
) -> Result<Outcome> {
    let name = context.schema_name(&create.name)?;
    refuse_system(&name)?;
    if !context
        .rights()
        .may(Privilege::Create, &Securable::Catalog, None)
    {
        return Err(lacking(Privilege::Create, &Securable::Catalog));
    }
    context
        .core()
        .catalog
        .create_schema(&name, create.if_not_exists, Some(&context.owner()))
        .await?;
    Ok(context.done())
}

/// `DROP TABLE`, `DROP VIEW`, `DROP SCHEMA`.
pub(super) async fn drop_objects(context: &StatementContext, drop: &Drop) -> Result<Outcome> {
    let catalog = &context.core().catalog;
    for target in &drop.targets {
        match target {
            DropTarget::Schema(schema) => {
                let name = context.schema_name(schema)?;
                refuse_system(&name)?;
                drop_schema(context, &name, drop).await?;
            }
            DropTarget::Table(table) | DropTarget::View(table) => {
                let name = context.table_name(table)?;
                refuse_system(&name.schema)?;
                let (kind, noun) = match target {
                    DropTarget::View(_) => (DropKind::View, "view"),
                    _ => (DropKind::Table, "table"),
                };
                let needed = (Privilege::Drop, drop.if_exists);
                let found = permitted::relation_if_exists(context, noun, &name, needed).await?;
                let Some(found) = found else {
                    continue;
                };
                let dropped = catalog.drop_table(&name, Some(found.id), kind, drop.if_exists);
                if let Some(dropped) = dropped.await? {
                    tables::remove_data(context, &dropped).await;
                }
            }
        }
    }
    Ok(context.done())
}

async fn drop_schema(context: &StatementContext, name: &str, drop: &Drop) -> Result<()> {
    let only = match permitted::schema(context, name, Privilege::Drop).await {
        Err(error) if error.kind() == ErrorKind::NotFound && drop.if_exists => return Ok(()),
        permitted => permitted?,
    };
    let catalog = &context.core().catalog;
    let owned = match catalog.tables(Some(name)).await {
        Err(error) if error.kind() == ErrorKind::NotFound && drop.if_exists => return Ok(()),
        owned if drop.cascade => owned?,
        _ => vec![],
    };
    if !catalog
        .drop_schema(name, only, drop.if_exists, drop.cascade)
        .await?
    {
        return Ok(());
    }
    // A table may have been moved to another schema in between.
    let alive: HashSet<_> = catalog
        .tables(None)
        .await?
        .iter()
        .map(|table| table.id)
        .collect();
    for table in owned.iter().filter(|table| !alive.contains(&table.id)) {
        tables::remove_data(context, table).await;
    }
    Ok(())
}

/// `ALTER TABLE … RENAME TO`.
pub(super) async fn rename(
    context: &StatementContext,
    alter: &AlterTableRename,
) -> Result<Outcome> {
    let name = context.table_name(&alter.name)?;
    let mut to = context.table_name(&alter.to)?;
    if alter.to.schema().is_none() {
        to.schema.clone_from(&name.schema);
    }
    refuse_system(&name.schema)?;
    refuse_system(&to.schema)?;
    let needed = (Privilege::Alter, alter.if_exists);
    let Some(found) = permitted::relation_if_exists(context, "table", &name, needed).await? else {
        return Ok(context.done());
    };
    if to.schema != name.schema {
        permitted::schema(context, &to.schema, Privilege::Create).await?;
    }
    let catalog = &context.core().catalog;
    catalog.rename_table(&name, Some(found.id), &to).await?;
    Ok(context.done())
}

/// `COMMENT ON …`.
pub(super) async fn comment(context: &StatementContext, comment: &CommentOn) -> Result<Outcome> {
    let catalog = &context.core().catalog;
    let text = comment.comment.as_deref();
    match &comment.target {
        CommentTarget::Table(table) | CommentTarget::View(table) => {
            let name = context.table_name(table)?;
            let found = permitted::relation(context, "table", &name, Privilege::Alter).await?;
            catalog
                .set_comment(&name, Some(found.id), None, text)
                .await?;
        }
        CommentTarget::Column { table, column } => {
            let name = context.table_name(table)?;
            let found = permitted::relation(context, "table", &name, Privilege::Alter).await?;
            let (id, rights) = (found.id, context.rights());
            let known = Visible::new(catalog, &rights).narrowed(found).columns;
            if !known.iter().any(|known| known.name == *column) {
                let names = known.iter().map(|known| known.name.as_str());
                let hint = did_you_mean(column, names);
                return Err(Error::not_found(format!(
                    "column \"{column}\" does not exist in \"{name}\"{hint}"
                )));
            }
            catalog
                .set_comment(&name, Some(id), Some(column), text)
                .await?;
        }
        CommentTarget::Schema(_) => {
            return Err(Error::unsupported("COMMENT ON SCHEMA is not supported"));
        }
    }
    Ok(context.done())
}

/// The schemas Waterbuck fills itself cannot be changed.
pub(super) fn refuse_system(schema: &str) -> Result<()> {
    if system::is_system(schema) {
        return Err(Error::invalid(format!("schema \"{schema}\" is read-only")));
    }
    Ok(())
}
