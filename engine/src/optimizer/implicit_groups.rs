//! Grouping columns that the SQL planner adds on its own.
//!
//! Where a grouping column is believed to be a key of the `FROM` clause, the planner adds all columns
//! it determines to the `GROUP BY`, so that they may be selected. When the key does not hold (see
//! [`super::aggregate_keys`]) the additions split groups. This rule runs first and takes such
//! additions back, as far as nothing above the aggregate refers to them.

use std::collections::HashSet;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result, get_target_functional_dependencies};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

use super::aggregate_keys::state_keys;

/// Takes back grouping columns that were added for keys that do not hold.
#[derive(Debug, Default)]
pub struct ImplicitGroups;

impl AnalyzerRule for ImplicitGroups {
    fn name(&self) -> &str {
        "implicit_groups"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(take_back(plan, None)?.data)
    }
}

/// The columns that the nodes above refer to; `None` when that may be any.
type Referenced = Option<HashSet<Column>>;

fn take_back(plan: LogicalPlan, above: Referenced) -> Result<Transformed<LogicalPlan>> {
    let explicit = match &plan {
        LogicalPlan::Aggregate(aggregate) => explicit_groups(aggregate, above.as_ref()),
        _ => 0,
    };
    let below = referenced_below(&plan, above)?;
    let plan = plan.map_subqueries(|subquery| take_back(subquery, None))?;
    let changed_subqueries = plan.transformed;
    let plan = plan
        .data
        .map_children(|child| take_back(child, below.clone()))?;
    let changed_children = plan.transformed;
    let plan = match changed_children {
        true => plan.data.recompute_schema()?,
        false => plan.data,
    };
    let (plan, shortened) = match plan {
        LogicalPlan::Aggregate(aggregate) => shorten(aggregate, explicit)?,
        plan => (plan, false),
    };
    let stated = state_keys(plan)?;
    let changed = changed_subqueries || changed_children || shortened || stated.transformed;
    Ok(Transformed::new_transformed(stated.data, changed))
}

fn referenced_below(plan: &LogicalPlan, above: Referenced) -> Result<Referenced> {
    let mut columns = match plan {
        LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) => HashSet::new(),
        LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Limit(_) => match above {
            Some(columns) => columns,
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    plan.apply_expressions(|expr| {
        columns.extend(expr.column_refs().into_iter().cloned());
        // A subquery may refer to the columns here too.
        expr.apply(|e| {
            if let Expr::OuterReferenceColumn(_, column) = e {
                columns.insert(column.clone());
            }
            if let Expr::ScalarSubquery(subquery)
            | Expr::Exists(Exists { subquery, .. })
            | Expr::InSubquery(InSubquery { subquery, .. }) = e
            {
                columns.extend(subquery.outer_ref_columns.iter().filter_map(outer_column));
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(Some(columns))
}

fn outer_column(expr: &Expr) -> Option<Column> {
    match expr {
        Expr::OuterReferenceColumn(_, column) => Some(column.clone()),
        _ => None,
    }
}

/// How many of the grouping expressions, from the first, bring about all of them and include
/// every one that is referred to.
fn explicit_groups(aggregate: &Aggregate, above: Option<&HashSet<Column>>) -> usize {
    let groups = &aggregate.group_expr;
    let Some(above) = above else {
        return groups.len();
    };
    let is_referenced = |group: &Expr| group.try_as_col().is_none_or(|c| above.contains(c));
    let least = groups
        .iter()
        .rposition(is_referenced)
        .map_or(1, |last| last + 1);
    (least..groups.len())
        .find(|count| is_completed_to(aggregate.input.schema(), groups, *count))
        .unwrap_or(groups.len())
}

/// Whether by the keys of `schema` the first `count` grouping expressions determine the others.
fn is_completed_to(schema: &DFSchema, groups: &[Expr], count: usize) -> bool {
    let names: Vec<String> = groups.iter().map(|e| e.schema_name().to_string()).collect();
    let determined = get_target_functional_dependencies(schema, &names[..count]);
    let determined: Vec<String> = determined
        .into_iter()
        .flatten()
        .map(|index| {
            Expr::from(schema.qualified_field(index))
                .schema_name()
                .to_string()
        })
        .filter(|name| !names[..count].contains(name))
        .collect();
    determined == names[count..]
}

fn shorten(aggregate: Aggregate, explicit: usize) -> Result<(LogicalPlan, bool)> {
    let added = aggregate.group_expr.len() > explicit;
    if !added || is_completed_to(aggregate.input.schema(), &aggregate.group_expr, explicit) {
        return Ok((LogicalPlan::Aggregate(aggregate), false));
    }
    let Aggregate {
        input,
        mut group_expr,
        aggr_expr,
        ..
    } = aggregate;
    group_expr.truncate(explicit);
    let shortened = Aggregate::try_new(input, group_expr, aggr_expr)?;
    Ok((LogicalPlan::Aggregate(shortened), true))
}

#[cfg(test)]
mod tests {
    use crate::optimizer::testing::{rows, session_after};

    #[tokio::test]
    async fn columns_determined_by_a_true_key_may_still_be_selected() {
        let session = session_after("CREATE TABLE t(k INT, b INT) AS VALUES (1, 1), (1, 2)").await;
        let sql = "SELECT k, m FROM (SELECT k, max(b) AS m FROM t GROUP BY k) AS x GROUP BY k";
        assert_eq!(rows(&session, sql).await, ["1 2"]);
    }
}
