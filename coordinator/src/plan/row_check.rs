//! Plans that must stay in one process: recursive queries, and scalar subqueries that may give more
//! than one row, which is an error and not a second row.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use waterbuck_engine::Result;
use waterbuck_engine::plain_errors::plan_error;

/// Whether a plan is recursive or has an uncorrelated scalar subquery not certain to give one row.
///
/// The join that the distributed planner makes of a scalar subquery does not check; the operator
/// that does cannot be sent to executors.
///
/// # Errors
/// Never at present: the visitor does not fail.
pub(crate) fn needs_row_check(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        // Its working table is one memory, which tasks cannot share.
        found |= matches!(node, LogicalPlan::RecursiveQuery(_));
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::ScalarSubquery(subquery) = expr
                    && subquery.outer_ref_columns.is_empty()
                    && subquery.subquery.max_rows() != Some(1)
                {
                    found = true;
                    return Ok(TreeNodeRecursion::Stop);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })
    .map_err(|error| plan_error("", error))?;
    Ok(found)
}
