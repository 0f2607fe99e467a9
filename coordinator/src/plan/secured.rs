//! Tables as one user sees them.
//!
//! ```text
//!   seal           nothing of the statement gets below it, nothing of what is below is shown
//!    └ projection  the granted columns, masked where a mask binds
//!       └ filter   the row filters that bind, over the columns as they are
//!          └ scan
//! ```
//!
//! A table of which the user reads all columns, and that no policy binds to, stays as it is.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::catalog::view::ViewTable;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DataFusionError, TableReference};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};
use waterbuck_catalog::{Policy, Rights, Securable, TableDef};
use waterbuck_engine::seal::seal;
use waterbuck_engine::sql::Privilege;
use waterbuck_engine::{Error, Result};

use super::bind::CATALOG_NAME;

/// What of a table is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// What is granted, through the policies that bind.
    Granted,
    /// All of it, for figures that the user is not shown.
    Whole,
}

/// `provider`, which holds all of `table`, as `rights` let it be seen.
///
/// # Errors
/// When a policy does not fit its table any more.
pub(super) fn secured(
    base: &SessionState,
    rights: &Rights,
    (table, provider): (&TableDef, Arc<dyn TableProvider>),
    extent: Extent,
) -> Result<Arc<dyn TableProvider>> {
    let object = Securable::of(table);
    let schema = provider.schema();
    let granted = |column: &str| {
        extent == Extent::Whole || rights.may(Privilege::Select, &object, Some(column))
    };
    let all = schema.fields().iter().all(|field| granted(field.name()));
    let bound = rights.is_bound(table.id);
    if all && !bound {
        return Ok(provider);
    }
    let name = &table.name;
    let reference = TableReference::full(CATALOG_NAME, name.schema.as_str(), name.name.as_str());
    let failed = |error: DataFusionError| {
        Error::internal(format!("table \"{name}\" cannot be bound")).with_source(error)
    };
    let mut plan = LogicalPlanBuilder::scan(reference.clone(), provider_as_source(provider), None)
        .map_err(failed)?;
    let columns = Arc::clone(plan.schema());
    let policy = |policy: &Policy| {
        expression(base, rights, &columns, policy)
            .map_err(|_told_to_its_owner| unfit(table, policy))
    };
    let columns_as_they_are = columns.columns();
    let policies = extent == Extent::Granted;
    for filter in rights.row_filters(table.id).filter(|_| policies) {
        let condition = policy(filter)?;
        plan = plan
            .filter(condition)
            .map_err(|_told_to_its_owner| unfit(table, filter))?;
    }
    let mut shown = vec![];
    for (index, field) in schema.fields().iter().enumerate() {
        if !granted(field.name()) {
            continue;
        }
        let mask = rights.mask(table.id, field.name()).filter(|_| policies);
        shown.push(match mask {
            None => Expr::Column(columns_as_they_are[index].clone()),
            Some(mask) => cast(policy(mask)?, field.data_type().clone())
                .alias_qualified(Some(reference.clone()), field.name().as_str()),
        });
    }
    let mut plan = plan
        .project(shown)
        .and_then(LogicalPlanBuilder::build)
        .map_err(failed)?;
    if bound {
        plan = seal(name.to_string(), plan);
    }
    Ok(as_table(plan))
}

/// A plan in the place of a table.
pub(super) fn as_table(plan: LogicalPlan) -> Arc<dyn TableProvider> {
    Arc::new(ViewTable::new(plan, None))
}

/// The expression of a policy over the columns of its table.
fn expression(
    base: &SessionState,
    rights: &Rights,
    columns: &DFSchema,
    policy: &Policy,
) -> datafusion::common::Result<Expr> {
    let expr = base.create_logical_expr(&policy.expression, columns)?;
    let named = expr.transform(|expr| match &expr {
        // The user it is about is the one it binds, also below a view that another user reads.
        Expr::ScalarFunction(call) if call.func.name() == "current_user" => {
            Ok(Transformed::yes(lit(rights.user())))
        }
        _ => Ok(Transformed::no(expr)),
    })?;
    Ok(named.data)
}

/// A table whose policy cannot be applied is closed; the policy's text is its owner's business.
fn unfit(table: &TableDef, policy: &Policy) -> Error {
    Error::invalid(format!(
        "table \"{}\" cannot be read: its {} \"{}\" does not fit it any more, and its owner must make \
         it again",
        table.name,
        policy.kind.noun(),
        policy.name
    ))
}
