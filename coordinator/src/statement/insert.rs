//! `INSERT`, `INSERT OVERWRITE`, `CREATE TABLE` and `CREATE TABLE AS`.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, cast, lit};
use datafusion::scalar::ScalarValue;
use uuid::Uuid;
use waterbuck_catalog::{ColumnDef, ManagedTable, NewTable, OnExisting, TableDef, TableKind};
use waterbuck_connectors::files::Format;
use waterbuck_connectors::files::write::{PartitionValues, WriteTarget};
use waterbuck_engine::functions::fit_column;
use waterbuck_engine::sql::{CreateTable, Insert, Statement};
use waterbuck_engine::{Error, Result};

use super::columns::{catalog_columns, partition_columns, plain_columns};
use super::ddl::{on_existing_table, refuse_system};
use super::overwrite::{managed_change, overwrite_scope, table_base};
use super::query::LogicalQuery;
use super::write::write_aside;
use super::{StatementContext, insertable, permitted};
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
    let checked = permitted::making(context, &name, create.or_replace).await?;
    let catalog = &context.core().catalog;
    let mode = on_existing_table(create.or_replace, create.if_not_exists, checked);
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
            OnExisting::Replace | OnExisting::ReplaceOnly(_) => {}
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
    let managed = ManagedTable {
        path: new_table_path(context),
        partition_columns: partitions,
    };
    let table = NewTable {
        name,
        kind: TableKind::Managed(managed.clone()),
        columns,
        comment: create.comment.clone(),
        owner: Some(context.owner()),
    };
    let Some(source) = source else {
        catalog.create_table(table, mode).await?;
        return Ok(context.done());
    };
    create_with_rows(context, (table, &managed), mode, source).await
}

/// The directory of a managed table that is to be made.
pub(super) fn new_table_path(context: &StatementContext) -> String {
    let root = context.core().data_url.trim_end_matches('/');
    format!("{root}/{}/", Uuid::now_v7())
}

/// Makes a managed table with the rows of `source`, whose columns are the table's by position, so
/// that nobody sees it empty.
pub(super) async fn create_with_rows(
    context: &StatementContext,
    (table, managed): (NewTable, &ManagedTable),
    mode: OnExisting,
    source: LogicalQuery,
) -> Result<Outcome> {
    let given: Vec<&ColumnDef> = table.columns.iter().collect();
    let source = fit(context, source, &table.columns, &given, &[])?;
    let target = managed_target(managed, &table.columns)?;
    let (aside, files) = write_aside(context, source, target).await?;
    let rows = files.iter().map(|file| file.rows).sum();
    let files = tables::new_data_files(files);
    let catalog = Arc::clone(&context.core().catalog);
    let commit = async move {
        let made = catalog.create_table_with_files(table, mode, files).await?;
        Ok(made.is_some())
    };
    aside.commit(commit).await?;
    Ok(context.wrote(rows))
}

/// `INSERT INTO`, `INSERT OVERWRITE`.
pub(super) async fn execute(context: &StatementContext, insert: &Insert) -> Result<Outcome> {
    let rows: usize = context.parameters.iter().map(RecordBatch::num_rows).sum();
    if insert.overwrite && rows > 1 {
        return Err(Error::unsupported(format!(
            "INSERT OVERWRITE takes one row of parameters, not {rows}: each row would replace what \
             the one before has written"
        )));
    }
    // Before the source is bound: what others commit after that is not read, and so is a conflict.
    let snapshot = context.core().catalog.current_snapshot().await?;
    let table = target_table(context, insert).await?;
    let base = table_base(context, insert, &table).await?;
    let PlannedInsert {
        table,
        source,
        named,
    } = plan_into(context, insert, table).await?;
    match &table.kind {
        TableKind::Managed(managed) => {
            let target = managed_target(managed, &table.columns)?;
            let (aside, files) = write_aside(context, source, target).await?;
            let rows = files.iter().map(|file| file.rows).sum();
            let change = managed_change(insert, &managed.partition_columns, &files, named);
            let files = tables::new_data_files(files);
            let catalog = Arc::clone(&context.core().catalog);
            let commit = async move {
                catalog
                    .commit_files(table.id, snapshot, change, files)
                    .await?;
                Ok(true)
            };
            aside.commit(commit).await?;
            Ok(context.wrote(rows))
        }
        TableKind::External(external) => {
            let target = tables::external_target(context, external, &table.columns)?;
            let (aside, files) = write_aside(context, source, target).await?;
            let rows = files.iter().map(|file| file.rows).sum();
            let replaced = base.map(|base| {
                let scope = overwrite_scope(insert, &external.partition_columns, &files, named);
                (scope, base)
            });
            aside.publish(files, replaced).await?;
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
    let planned = plan(context, insert).await?;
    let parameters = super::parameters::parameter_schema(&planned.source.logical)?;
    Ok(PreparedStatement {
        schema: None,
        parameters,
    })
}

/// An `INSERT` that is planned.
pub(super) struct PlannedInsert {
    table: TableDef,
    pub(super) source: LogicalQuery,
    /// The partition it names in full.
    named: Option<PartitionValues>,
}

pub(super) async fn plan(context: &StatementContext, insert: &Insert) -> Result<PlannedInsert> {
    let table = target_table(context, insert).await?;
    plan_into(context, insert, table).await
}

async fn target_table(context: &StatementContext, insert: &Insert) -> Result<TableDef> {
    let name = context.table_name(&insert.table)?;
    refuse_system(&name.schema)?;
    let table = permitted::seen(context, "table", &name).await?;
    let rights = context.rights();
    insertable::check(&rights, insert, &table)?;
    Ok(table)
}

async fn plan_into(
    context: &StatementContext,
    insert: &Insert,
    table: TableDef,
) -> Result<PlannedInsert> {
    let Statement::Query(query) = Statement::from_query(insert.source.clone()) else {
        return Err(Error::internal("the source is no query"));
    };
    let source = super::query::plan(context, &query).await?;
    let constants = constant_partitions(context, insert, &table)?;
    let given = given_columns(insert, &table, &constants)?;
    let rights = context.rights();
    insertable::check_rest(&rights, &table, &given, &constants)?;
    let source = fit(context, source, &table.columns, &given, &constants)?;
    let named = named_partition(context, &table, &constants)?;
    Ok(PlannedInsert {
        table,
        source,
        named,
    })
}

/// The values of the partition that a statement names in full, as they stand in directory names.
fn named_partition(
    context: &StatementContext,
    table: &TableDef,
    constants: &[(String, Expr)],
) -> Result<Option<PartitionValues>> {
    let columns = tables::partition_columns(table);
    if columns.is_empty() || constants.len() < columns.len() {
        return Ok(None);
    }
    let mut values = PartitionValues::new();
    for name in columns {
        let constant = constants.iter().find(|(column, _)| *column == name);
        let column = table.columns.iter().find(|column| column.name == name);
        let (Some((_, expr)), Some(column)) = (constant, column) else {
            return Ok(None);
        };
        let typed = cast(expr.clone(), column.data_type.clone());
        let value =
            constant_text(context, typed).map_err(|error| plan_error(&context.sql, error))?;
        values.push((name, value));
    }
    Ok(Some(values))
}

/// The value of a constant expression as text.
fn constant_text(
    context: &StatementContext,
    expr: Expr,
) -> std::result::Result<Option<String>, DataFusionError> {
    let base = context.core().planner.base();
    let physical = base.create_physical_expr(expr, &DFSchema::empty())?;
    let row = RecordBatch::try_new_with_options(
        Arc::new(Schema::empty()),
        vec![],
        &RecordBatchOptions::new().with_row_count(Some(1)),
    )?;
    let value = physical.evaluate(&row)?.into_array(1)?;
    let text = arrow::compute::cast(&value, &DataType::Utf8)?;
    Ok(match ScalarValue::try_from_array(&text, 0)? {
        ScalarValue::Utf8(text) => text,
        _ => None,
    })
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
        // `PARTITION (day)`: partition columns without a value come last, as they are listed.
        let listed = |name: &str| insert.partition.iter().any(|part| part.column == name);
        let (mut given, rest): (Vec<_>, Vec<_>) = table
            .columns
            .iter()
            .filter(|column| !constant(&column.name))
            .partition(|column| !listed(&column.name));
        let in_order = insert
            .partition
            .iter()
            .filter_map(|part| rest.iter().find(|column| column.name == part.column));
        given.extend(in_order);
        return Ok(given);
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
pub(super) fn fit(
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
        // A default that is not planned yet may have no type: it is cast as it is.
        let schema: &DFSchema = source.logical.schema();
        let from = value.get_type(schema).unwrap_or(DataType::Null);
        let typed =
            fit_column(value, &from, (column.name.as_str(), &column.data_type)).map_err(fail)?;
        exprs.push(typed.alias(column.name.clone()));
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

/// Where rows inserted into a managed table go.
pub(super) fn managed_target(managed: &ManagedTable, columns: &[ColumnDef]) -> Result<WriteTarget> {
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
