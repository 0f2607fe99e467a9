//! `IS [NOT] TRUE` and `IS [NOT] FALSE` as values.
//!
//! They are never NULL, and the logical plan says so; the physical expression DataFusion makes of
//! them (`x IS NOT DISTINCT FROM true`) claims to be as nullable as `x`, and planning an aggregate
//! above it ends in an internal error about differing schemas. Written as `CASE WHEN x THEN true
//! ELSE false END` both plans agree. Conditions keep the short form: their type is in no schema,
//! and pruning knows it.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::BinaryExpr;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator, lit, not, when};
use datafusion::optimizer::OptimizerConfig;

use super::node_rule::NodeRule;

/// Writes truth tests of nullable values so that their nullability is seen by both planners.
pub(super) const TRUTH_TESTS: NodeRule = NodeRule::bottom_up("truth_tests", rewrite_node);

fn rewrite_node(
    plan: LogicalPlan,
    _config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    let has_values = matches!(
        plan,
        LogicalPlan::Projection(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Sort(_)
    );
    if !has_values {
        return Ok(Transformed::no(plan));
    }
    let schema = merge_schema(&plan.inputs());
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let rewritten = expr.transform_up(|e| rewrite_test(e, &schema))?;
        match rewritten.transformed {
            true => Ok(rewritten.update_data(|e| name.restore(e))),
            false => Ok(rewritten),
        }
    })
}

fn rewrite_test(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Some(test) = TruthTest::of(&expr) else {
        return Ok(Transformed::no(expr));
    };
    if !test.tested.nullable(schema)? {
        return Ok(Transformed::no(expr));
    }
    let tested = test.tested.clone();
    let condition = if test.truth { tested } else { not(tested) };
    Ok(Transformed::yes(
        when(condition, lit(!test.negated)).otherwise(lit(test.negated))?,
    ))
}

/// `tested IS [NOT] truth`.
struct TruthTest<'a> {
    tested: &'a Expr,
    truth: bool,
    negated: bool,
}

impl<'a> TruthTest<'a> {
    /// Also knows the form `x IS [NOT] DISTINCT FROM true`, which simplification makes of `CASE`.
    fn of(expr: &'a Expr) -> Option<Self> {
        let (tested, truth, negated) = match expr {
            Expr::IsTrue(e) => (e, true, false),
            Expr::IsNotTrue(e) => (e, true, true),
            Expr::IsFalse(e) => (e, false, false),
            Expr::IsNotFalse(e) => (e, false, true),
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let Expr::Literal(ScalarValue::Boolean(Some(truth)), _) = right.as_ref() else {
                    return None;
                };
                match op {
                    Operator::IsNotDistinctFrom => (left, *truth, false),
                    Operator::IsDistinctFrom => (left, *truth, true),
                    _ => return None,
                }
            }
            _ => return None,
        };
        Some(Self {
            tested,
            truth,
            negated,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::optimizer::testing::{rows, session_after};

    #[tokio::test]
    async fn truth_tests_can_be_aggregated() {
        let session =
            session_after("CREATE TABLE l(id INT, b BOOLEAN) AS VALUES (1, true), (2, NULL)").await;
        for (sql, answer) in [
            (
                "SELECT sum(CASE WHEN q THEN 1 ELSE 0 END) FROM (SELECT (b IS TRUE) AS q FROM l) z",
                vec!["1"],
            ),
            (
                "SELECT q, count(*) FROM (SELECT b IS NOT TRUE AS q FROM l) z GROUP BY q",
                vec!["false 1", "true 1"],
            ),
            (
                "SELECT DISTINCT CASE WHEN b THEN false ELSE true END FROM l",
                vec!["false", "true"],
            ),
            (
                "SELECT b IS FALSE FROM l UNION SELECT id > 5 FROM l",
                vec!["false"],
            ),
        ] {
            assert_eq!(rows(&session, sql).await, answer, "{sql}");
        }
    }
}
