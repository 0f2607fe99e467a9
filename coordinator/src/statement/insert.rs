//! `INSERT`, `INSERT OVERWRITE`, `CREATE TABLE` and `CREATE TABLE AS`.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};
use datafusion::scalar::ScalarValue;
use uuid::Uuid;
use waterbuck_catalog::{
    ColumnDef, FileChange, ManagedTable, NewTable, OnExisting, TableDef, TableKind,
};
use waterbuck_connectors::files::Format;
use waterbuck_connectors::files::write::{
    OverwriteScope, PartitionValues, WriteTarget, WrittenFile,
};
use waterbuck_engine::sql::{CreateTable, Insert, Statement};
use waterbuck_engine::{Error, Result};

use super::StatementContext;
use super::columns::{catalog_columns, partition_columns, plain_columns};
use super::ddl::{on_existing, refuse_system};
use super::query::LogicalQuery;
use super::write::write_aside;
use crate::plan::{arrow_schema, plan_error};
use crate::session::{Outcome, PreparedStatement};
use crate::tables;

/// `CREATE TABLE`, with or without `AS query`.
pub(super) async fn create_table(
    context: &StatementContext,
    create: &CreateTable,
) -> Result<Outcome> {
    let name = context.table_name(&create.name)?;
    refuse_system(&name.schema)?;
    let catalog = &context.core().catalog;
    let mode = on_existing(create.or_replace, create.if_not_exists);
    if let Some(existing) = catalog.table(&name).await? {
        match mode {
            OnExisting::Skip => return Ok(context.done()),
            OnExisting::Fail => {
                let noun = existing.kind.noun();
                return Err(Error::already_exists(format!(
                    "{noun} \"{}\" already exists",
                    name.name
                )));
            }
            OnExisting::Replace => {}
        }
    }
    if let Some(option) = create.options.keys().next() {
        return Err(Error::unsupported(format!(
            "option \"{option}\" is not known for tables"
        )));
    }
    let mut columns = catalog_columns(context, &create.columns)?;
    let source = match &create.query {
        Some(query) => {
            let Statement::Query(query) = Statement::from_query(query.clone()) else {
                return Err(Error::internal("the source is no query"));
            };
            Some(super::query::plan(context, &query).await?)
        }
        None => None,
    };
    if columns.is_empty()
        && let Some(source) = &source
    {
        columns = plain_columns(source.logical.schema().as_arrow());
    }
    let mut partitions = vec![];
    for (partition, declared) in partition_columns(context, &create.partitioned_by, &columns)? {
        if !columns.iter().any(|column| column.name == partition) {
            let missing =
                || Error::not_found(format!("partition column \"{partition}\" is not declared"));
            columns.push(declared.ok_or_else(missing)?);
        }
        partitions.push(partition);
    }
    let path = format!(
        "{}/{}/",
        context.core().data_url.trim_end_matches('/'),
        Uuid::now_v7()
    );
    let managed = ManagedTable {
        path: path.clone(),
        partition_columns: partitions,
    };
    let table = NewTable {
        name,
        kind: TableKind::Managed(managed.clone()),
        columns: columns.clone(),
        comment: create.comment.clone(),
    };
    let Some(source) = source else {
        catalog.create_table(table, mode).await?;
        return Ok(context.done());
    };
    let given: Vec<&ColumnDef> = columns.iter().collect();
    let source = fit(context, source, &columns, &given, &[])?;
    let target = managed_target(&managed, &columns)?;
    let (mut aside, files) = write_aside(context, source, target).await?;
    let rows = files.iter().map(|file| file.rows).sum();
    let made = catalog
        .create_table_with_files(table, mode, tables::new_data_files(files))
        .await?;
    if made.is_some() {
        aside.keep();
    }
    Ok(context.wrote(rows))
}

/// `INSERT INTO`, `INSERT OVERWRITE`.
pub(super) async fn execute(context: &StatementContext, insert: &Insert) -> Result<Outcome> {
    let (table, source) = plan(context, insert).await?;
    let snapshot = context.core().catalog.current_snapshot().await?;
    match &table.kind {
        TableKind::Managed(managed) => {
            let target = managed_target(managed, &table.columns)?;
            let (mut aside, files) = write_aside(context, source, target).await?;
            let rows = files.iter().map(|file| file.rows).sum();
            let change = managed_change(insert, &managed.partition_columns, &files)?;
            let files = tables::new_data_files(files);
            context
                .core()
                .catalog
                .commit_files(table.id, snapshot, change, files)
                .await?;
            aside.keep();
            Ok(context.wrote(rows))
        }
        TableKind::External(external) => {
            let target = tables::external_target(context, external, &table.columns)?;
            let (aside, files) = write_aside(context, source, target).await?;
            let rows = files.iter().map(|file| file.rows).sum();
            let scope = overwrite_scope(insert, &external.partition_columns, &files)?;
            aside.publish(files, scope).await?;
            Ok(context.wrote(rows))
        }
        TableKind::View(_) => Err(Error::invalid(format!(
            "\"{}\" is a view: rows go into tables",
            table.name
        ))),
    }
}

/// Plans an `INSERT` without running it.
pub(super) async fn prepare(
    context: &StatementContext,
    insert: &Insert,
) -> Result<PreparedStatement> {
    let (_, source) = plan(context, insert).await?;
    let parameters = super::query::parameter_schema(&source.logical)?;
    Ok(PreparedStatement {
        schema: None,
        parameters,
    })
}

pub(super) async fn plan(
    context: &StatementContext,
    insert: &Insert,
) -> Result<(TableDef, LogicalQuery)> {
    let name = context.table_name(&insert.table)?;
    refuse_system(&name.schema)?;
    let catalog = &context.core().catalog;
    let Some(table) = catalog.table(&name).await? else {
        return Err(catalog.missing(&name).await);
    };
    let Statement::Query(query) = Statement::from_query(insert.source.clone()) else {
        return Err(Error::internal("the source is no query"));
    };
    let source = super::query::plan(context, &query).await?;
    let constants = constant_partitions(context, insert, &table)?;
    let given = given_columns(insert, &table, &constants)?;
    let source = fit(context, source, &table.columns, &given, &constants)?;
    Ok((table, source))
}

/// `PARTITION (year = 2024)`: the columns whose value the statement gives.
fn constant_partitions(
    context: &StatementContext,
    insert: &Insert,
    table: &TableDef,
) -> Result<Vec<(String, Expr)>> {
    let partitions = tables::partition_columns(table);
    let mut constants = vec![];
    for part in &insert.partition {
        if !partitions.contains(&part.column) {
            let hint =
                crate::names::did_you_mean(&part.column, partitions.iter().map(String::as_str));
            return Err(Error::not_found(format!(
                "table \"{}\" has no partition column \"{}\"{hint}",
                table.name, part.column
            )));
        }
        if let Some(value) = &part.value {
            let expr = context
                .core()
                .planner
                .base()
                .create_logical_expr(&value.to_string(), &DFSchema::empty())
                .map_err(|error| plan_error(&context.sql, error))?;
            constants.push((part.column.clone(), expr));
        }
    }
    Ok(constants)
}

/// The table's columns that the source's columns are for, in the source's order.
fn given_columns<'a>(
    insert: &Insert,
    table: &'a TableDef,
    constants: &[(String, Expr)],
) -> Result<Vec<&'a ColumnDef>> {
    let constant = |name: &str| constants.iter().any(|(column, _)| column == name);
    if insert.columns.is_empty() {
        return Ok(table
            .columns
            .iter()
            .filter(|column| !constant(&column.name))
            .collect());
    }
    let mut given: Vec<&ColumnDef> = vec![];
    for name in &insert.columns {
        let Some(column) = table.columns.iter().find(|column| column.name == *name) else {
            let names = table.columns.iter().map(|column| column.name.as_str());
            let hint = crate::names::did_you_mean(name, names);
            return Err(Error::not_found(format!(
                "table \"{}\" has no column \"{name}\"{hint}",
                table.name
            )));
        };
        if given.iter().any(|known| known.name == *name) || constant(name) {
            return Err(Error::invalid(format!("column \"{name}\" is named twice")));
        }
        given.push(column);
    }
    Ok(given)
}

/// Gives `source` exactly the table's columns: cast, in order, with defaults for those not given.
fn fit(
    context: &StatementContext,
    mut source: LogicalQuery,
    columns: &[ColumnDef],
    given: &[&ColumnDef],
    constants: &[(String, Expr)],
) -> Result<LogicalQuery> {
    let produced = source.logical.schema().columns();
    if produced.len() != given.len() {
        return Err(Error::invalid(format!(
            "the table takes {} columns, the query gives {}",
            given.len(),
            produced.len()
        )));
    }
    let base = context.core().planner.base();
    let fail = |error| plan_error(&context.sql, error);
    source.logical = type_parameters(source.logical, given).map_err(fail)?;
    let mut exprs = Vec::with_capacity(columns.len());
    for column in columns {
        let position = given.iter().position(|known| known.name == column.name);
        let constant = constants.iter().find(|(name, _)| *name == column.name);
        let value = match (position, constant, &column.default) {
            (Some(position), ..) => Expr::Column(produced[position].clone()),
            (None, Some((_, constant)), _) => constant.clone(),
            (None, None, Some(default)) => base
                .create_logical_expr(default, &DFSchema::empty())
                .map_err(fail)?,
            (None, None, None) if column.nullable => lit(ScalarValue::Null),
            (None, None, None) => {
                return Err(Error::invalid(format!(
                    "column \"{}\" must be given: it is NOT NULL and has no default",
                    column.name
                )));
            }
        };
        exprs.push(cast(value, column.data_type.clone()).alias(column.name.clone()));
    }
    source.logical = LogicalPlanBuilder::from(source.logical)
        .project(exprs)
        .and_then(LogicalPlanBuilder::build)
        .map_err(fail)?;
    Ok(source)
}

/// Gives each parameter that stands alone in a row of `VALUES` the type of its column: drivers send
/// what the parameter is declared to be.
fn type_parameters(
    source: LogicalPlan,
    given: &[&ColumnDef],
) -> std::result::Result<LogicalPlan, DataFusionError> {
    let LogicalPlan::Values(mut values) = source else {
        return Ok(source);
    };
    let mut typed = false;
    for (expr, column) in values
        .values
        .iter_mut()
        .flat_map(|row| row.iter_mut().zip(given))
    {
        if let Expr::Placeholder(parameter) = expr {
            let field = Field::new(&parameter.id, column.data_type.clone(), true);
            parameter.field = Some(Arc::new(field));
            typed = true;
        }
    }
    if !typed {
        return Ok(LogicalPlan::Values(values));
    }
    LogicalPlanBuilder::values(values.values)?.build()
}

fn managed_target(managed: &ManagedTable, columns: &[ColumnDef]) -> Result<WriteTarget> {
    let location = tables::location_url(&managed.path)?;
    let mut target = WriteTarget::new(location, Format::Parquet, field_ids(columns));
    target
        .partition_columns
        .clone_from(&managed.partition_columns);
    target.staging = false;
    Ok(target)
}

/// DuckLake finds columns in files by field id, counted from 1.
fn field_ids(columns: &[ColumnDef]) -> SchemaRef {
    let schema = arrow_schema(columns);
    let fields = schema.fields().iter().enumerate().map(|(index, field)| {
        let id = [("PARQUET:field_id".to_owned(), (index + 1).to_string())];
        Field::clone(field).with_metadata(id.into())
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn managed_change(
    insert: &Insert,
    partition_columns: &[String],
    files: &[WrittenFile],
) -> Result<FileChange> {
    if !insert.overwrite {
        return Ok(FileChange::Append);
    }
    if partition_columns.is_empty() || insert.partition.is_empty() {
        return Ok(FileChange::Overwrite);
    }
    Ok(FileChange::OverwritePartitions(overwritten(
        insert,
        partition_columns,
        files,
    )?))
}

/// What an `INSERT OVERWRITE` into files takes the place of; `None` for an `INSERT INTO`.
fn overwrite_scope(
    insert: &Insert,
    partition_columns: &[String],
    files: &[WrittenFile],
) -> Result<Option<OverwriteScope>> {
    if !insert.overwrite {
        return Ok(None);
    }
    if partition_columns.is_empty() || insert.partition.is_empty() {
        return Ok(Some(OverwriteScope::All));
    }
    Ok(Some(OverwriteScope::Partitions(overwritten(
        insert,
        partition_columns,
        files,
    )?)))
}

/// The partitions an `INSERT OVERWRITE` takes the place of: those written, and the one that is
/// named in full even when no row was written to it.
fn overwritten(
    insert: &Insert,
    partition_columns: &[String],
    files: &[WrittenFile],
) -> Result<Vec<PartitionValues>> {
    let mut partitions: Vec<PartitionValues> = vec![];
    for file in files {
        if !partitions.contains(&file.partition_values) {
            partitions.push(file.partition_values.clone());
        }
    }
    let all_named = !insert.partition.is_empty()
        && insert.partition.len() == partition_columns.len()
        && insert.partition.iter().all(|part| part.value.is_some());
    if all_named && partitions.is_empty() {
        let value_of = |name: &String| {
            let part = insert.partition.iter().find(|part| part.column == *name);
            let text = part
                .and_then(|part| part.value.as_ref())
                .map(ToString::to_string);
            let text = text.map(|text| text.trim_matches('\'').to_owned());
            (
                name.clone(),
                text.filter(|text| !text.eq_ignore_ascii_case("null")),
            )
        };
        partitions.push(partition_columns.iter().map(value_of).collect());
    }
    Ok(partitions)
}
