//! Conditions that say a column equals an expression of itself.
//!
//! From `abs(x) = x` the physical planner learns that both sides are equal and may use one for the
//! other; the one then contains the other, and a window or sort over `x` above it fails to find
//! its order ("Expects PARTITION BY expression to be ordered"). Written as `NOT (abs(x) <> x)` the
//! condition keeps the same rows and teaches nothing.

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr::BinaryExpr;
use datafusion::logical_expr::{Expr, LogicalPlan, Operator, not};
use datafusion::optimizer::OptimizerConfig;

use super::node_rule::NodeRule;

/// Hides equalities of a column with an expression of itself from the physical planner.
pub(super) const SELF_EQUALITY: NodeRule = NodeRule::bottom_up("self_equality", rewrite_node);

fn rewrite_node(
    plan: LogicalPlan,
    _config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    if !matches!(plan, LogicalPlan::Filter(_) | LogicalPlan::TableScan(_)) {
        return Ok(Transformed::no(plan));
    }
    plan.map_expressions(|condition| condition.transform_up(|e| Ok(hide(e))))
}

fn hide(expr: Expr) -> Transformed<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) if contains_other(&left, &right) || contains_other(&right, &left) => {
            let differs = BinaryExpr::new(left, Operator::NotEq, right);
            Transformed::yes(not(Expr::BinaryExpr(differs)))
        }
        other => Transformed::no(other),
    }
}

/// Whether `column` is a column and `expression` is not, but refers to it.
fn contains_other(column: &Expr, expression: &Expr) -> bool {
    match column {
        Expr::Column(column) => {
            expression.try_as_col().is_none() && expression.column_refs().contains(column)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::optimizer::testing::{rows, session_after};

    #[tokio::test]
    async fn a_window_over_a_column_equal_to_its_own_expression_runs() {
        let session = session_after(
            "CREATE TABLE t(k INT, b BOOLEAN) AS VALUES (1, true), (2, false), (3, true)",
        )
        .await;
        let sql = "SELECT k, rank() OVER (PARTITION BY b ORDER BY k) FROM t \
                   WHERE (b IS NOT NULL AND b OR b IS NULL) = b";
        assert_eq!(rows(&session, sql).await, ["1 1", "2 1", "3 2"]);
    }
}
