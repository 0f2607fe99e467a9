//! Tests of a value against the rows of a subquery.

use datafusion::common::Result;
use datafusion::logical_expr::expr::{BinaryExpr, InSubquery, SetQuantifier};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Operator, Subquery};

use super::correlation::is_correlated;

/// The name of the one column of a rewritten subquery, unlike any column of a query.
const VALUE: &str = "__subquery_value";

/// `value operator ANY (set)`, or its negation: what `IN`, `NOT IN`, `ANY` and `ALL` all are.
pub(super) struct SetTest {
    pub(super) value: Expr,
    pub(super) operator: Operator,
    pub(super) set: Subquery,
    pub(super) negated: bool,
}

impl SetTest {
    fn of_in(test: InSubquery) -> Self {
        let InSubquery {
            expr,
            subquery,
            negated,
        } = test;
        Self {
            value: *expr,
            operator: Operator::Eq,
            set: subquery,
            negated,
        }
    }

    /// The test, or the expression itself when it is none.
    pub(super) fn new(expr: Expr) -> Result<Self, Expr> {
        match expr {
            Expr::InSubquery(test) => Ok(Self::of_in(test)),
            Expr::SetComparison(test) => {
                let negated = test.quantifier == SetQuantifier::All;
                let operator = if negated {
                    test.op.negate()
                } else {
                    Some(test.op)
                };
                match operator {
                    Some(operator) => Ok(Self {
                        value: *test.expr,
                        operator,
                        set: test.subquery,
                        negated,
                    }),
                    None => Err(Expr::SetComparison(test)),
                }
            }
            other => Err(other),
        }
    }

    /// The comparison of `value` with one `element` of the set.
    pub(super) fn compared_with(&self, element: Expr, value: Expr) -> Expr {
        Expr::BinaryExpr(BinaryExpr::new(
            Box::new(value),
            self.operator,
            Box::new(element),
        ))
    }
}

/// Whether DataFusion makes the right semi or anti join of a test. Of a tested constant it makes a
/// filter of the set, which loses the NULLs that `NOT IN` has to see.
pub(super) fn is_join_on_column(test: &InSubquery) -> bool {
    !is_correlated(&test.subquery.subquery) && test.expr.any_column_refs()
}

/// The set with its one column under a name of its own, so that a column pulled up beside it
/// cannot collide with it.
pub(super) fn with_named_value(set: &LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Projection(projection) = set else {
        return Ok(set.clone());
    };
    let [element] = projection.expr.as_slice() else {
        return Ok(set.clone());
    };
    LogicalPlanBuilder::from((*projection.input).clone())
        .project(vec![element.clone().unalias().alias(VALUE)])?
        .build()
}
