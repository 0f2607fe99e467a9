//! `CREATE` and `DROP` of row filters and column masks, by the table's owner.

use arrow::compute::can_cast_types;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::{Expr, ExprSchemable};
use waterbuck_catalog::{Policy, Securable, TableDef};
use waterbuck_engine::sql::{CreatePolicy, DropPolicy, PolicyKind, sql_type};
use waterbuck_engine::{Error, ErrorKind, Result};

use super::StatementContext;
use super::rights::denied;
use super::securables::relation;
use crate::plan::plan_error;
use crate::visible::Visible;

/// `CREATE ROW FILTER`, `CREATE COLUMN MASK`.
pub(super) async fn create(context: &StatementContext, create: &CreatePolicy) -> Result<()> {
    let rights = context.rights();
    let object = relation(context, &rights, &create.table, false).await?;
    let noun = create.kind.noun();
    if !rights.owns(&object) {
        return Err(denied(format!(
            "you may not put a {noun} on {object}: only its owner may"
        )));
    }
    let catalog = &context.core().catalog;
    let name = context.table_name(&create.table)?;
    let Some(table) = catalog.table(&name).await? else {
        return Err(Visible::new(catalog, &rights).missing("table", &name).await);
    };
    if Securable::of(&table) != object {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("{object} was replaced by another session; try again"),
        ));
    }
    check(context, create, &table)?;
    catalog
        .create_policy(&Policy {
            table_id: table.id,
            name: create.name.clone(),
            kind: create.kind.clone(),
            expression: create.expression.clone(),
            grantees: create.grantees.clone(),
        })
        .await
}

/// `DROP ROW FILTER`, `DROP COLUMN MASK`.
pub(super) async fn remove(context: &StatementContext, drop: &DropPolicy) -> Result<()> {
    let rights = context.rights();
    let object = match relation(context, &rights, &drop.table, false).await {
        Err(error) if error.kind() == ErrorKind::NotFound && drop.if_exists => return Ok(()),
        found => found?,
    };
    let Securable::Relation { id, .. } = &object else {
        return Err(Error::internal("a table is no table"));
    };
    if !rights.owns(&object) {
        return Err(denied(format!(
            "you may not change what {object} shows: only its owner may"
        )));
    }
    let catalog = &context.core().catalog;
    catalog
        .drop_policy(*id, &drop.name, drop.mask, drop.if_exists)
        .await?;
    Ok(())
}

/// Fails unless the expression can be computed from one row and has the type that is needed: a
/// policy that failed later would close the table to everybody.
fn check(context: &StatementContext, create: &CreatePolicy, table: &TableDef) -> Result<()> {
    let fields = table
        .columns
        .iter()
        .map(|column| Field::new(&column.name, column.data_type.clone(), column.nullable));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    // Places in the expression are not places in the statement.
    let fail = |error| plan_error("", error);
    let schema = DFSchema::try_from(schema).map_err(fail)?;
    let base = context.core().planner.base();
    let expr = base
        .create_logical_expr(&create.expression, &schema)
        .map_err(fail)?;
    let what = format!("{} \"{}\"", create.kind.noun(), create.name);
    let over_rows = |expr: &Expr| {
        Ok(matches!(
            expr,
            Expr::AggregateFunction(_) | Expr::WindowFunction(_) | Expr::Placeholder(_)
        ))
    };
    if expr.exists(over_rows).map_err(fail)? {
        return Err(Error::invalid(format!(
            "{what} has an aggregate, a window function or a parameter: it is computed from one row"
        )));
    }
    let is = expr.get_type(&schema).map_err(fail)?;
    let wanted = match &create.kind {
        PolicyKind::RowFilter => DataType::Boolean,
        PolicyKind::ColumnMask { column } => {
            let found = table.columns.iter().find(|known| known.name == *column);
            // The catalog refuses a column that is not there.
            found.map_or_else(|| is.clone(), |column| column.data_type.clone())
        }
    };
    let fits = match &create.kind {
        PolicyKind::RowFilter => is == wanted,
        PolicyKind::ColumnMask { .. } => can_cast_types(&is, &wanted),
    };
    if fits {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{what} is {}, and must be {}",
        sql_type(&is),
        sql_type(&wanted)
    )))
}
