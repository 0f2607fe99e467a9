//! `IN` and `EXISTS` with the meaning SQL gives them, before DataFusion turns them into joins.
//!
//! DataFusion's decorrelation knows two truth values where SQL has three, and forgets that an
//! aggregate without `GROUP BY` has a row even over no rows. Both give silent wrong answers. This
//! rule runs first and writes each predicate so that what is left is within what the joins mean:
//!
//! | predicate | written as |
//! |---|---|
//! | `IN`, `NOT IN` and `EXISTS` that DataFusion answers rightly | unchanged |
//! | `x IN (S)` where false and unknown differ | `CASE WHEN EXISTS (S, y = x) THEN true WHEN EXISTS (S, y IS NULL) OR x IS NULL AND EXISTS (S) THEN NULL ELSE false END` |
//! | correlated `WHERE x NOT IN (S)` | `NOT EXISTS (S, y = x) AND NOT EXISTS (S, y IS NULL) AND (x IS NOT NULL OR NOT EXISTS (S))` |
//! | `x IN (SELECT agg …)`, correlated | `x = (SELECT agg …)` |
//! | `EXISTS (SELECT agg … HAVING h)`, correlated | `(SELECT h …) IS TRUE` |
//! | `x < ANY (S)`, `x < ALL (S)` | as `IN` and, by `x >= ANY (S)`, as `NOT IN` |
//! | `EXISTS (S)` outside `WHERE` | `(SELECT count(*) > 0 FROM S)` |

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ExprSchema, Result, ScalarValue};
use datafusion::functions_aggregate::count::count;
use datafusion::logical_expr::expr::{BinaryExpr, Exists, InSubquery};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, merge_schema, split_conjunction_owned};
use datafusion::logical_expr::{
    Expr, ExprSchemable, Filter, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, lit, not,
    when,
};
use datafusion::optimizer::OptimizerConfig;

use super::correlation::{
    GlobalAggregate, check_correlation, check_one_row, is_correlated, without_order,
};
use super::node_rule::NodeRule;
use super::set_test::{SetTest, is_join_on_column, with_named_value};

/// The name of the boolean that stands for an `EXISTS` outside `WHERE`.
const FOUND: &str = "__subquery_found";

/// Gives `IN`, `EXISTS`, `ANY` and `ALL` three truth values and aggregates over no rows their row.
pub(super) const SUBQUERY_PREDICATES: NodeRule =
    NodeRule::top_down("subquery_predicates", rewrite_node);

fn rewrite_node(
    plan: LogicalPlan,
    _config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::Subquery(lateral) => {
            check_one_row(&lateral.subquery)?;
            Ok(Transformed::no(LogicalPlan::Subquery(lateral)))
        }
        // A join's ON condition stays: DataFusion makes it a filter first where that is right.
        LogicalPlan::Join(_) => Ok(Transformed::no(plan)),
        plan if !has_subquery(&plan)? => Ok(Transformed::no(plan)),
        LogicalPlan::Filter(filter) => rewrite_filter(filter),
        plan => {
            let schema = merge_schema(&plan.inputs());
            let rewriter = Rewriter {
                schema: &schema,
                in_filter: false,
            };
            let names = NamePreserver::new(&plan);
            plan.map_expressions(|expr| {
                let name = names.save(&expr);
                Ok(rewriter.value(expr)?.update_data(|expr| name.restore(expr)))
            })
        }
    }
}

fn rewrite_filter(filter: Filter) -> Result<Transformed<LogicalPlan>> {
    let rewriter = Rewriter {
        schema: filter.input.schema(),
        in_filter: true,
    };
    let mut changed = false;
    let mut conditions = Vec::new();
    for condition in split_conjunction_owned(filter.predicate) {
        let condition = rewriter.condition(condition, true)?;
        changed |= condition.transformed;
        conditions.push(condition.data);
    }
    let predicate = conjunction(conditions).unwrap_or_else(|| lit(true));
    let filter = LogicalPlan::Filter(Filter::try_new(predicate, filter.input)?);
    Ok(Transformed::new_transformed(filter, changed))
}

fn has_subquery(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_expressions(|expr| {
        found |= expr.exists(|e| {
            Ok(matches!(
                e,
                Expr::InSubquery(_)
                    | Expr::Exists(_)
                    | Expr::ScalarSubquery(_)
                    | Expr::SetComparison(_)
            ))
        })?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Rewrites the expressions of one operator.
struct Rewriter<'a> {
    /// The columns the expressions see.
    schema: &'a DFSchema,
    /// Whether `EXISTS` may stay: only filters can turn it into a join.
    in_filter: bool,
}

impl Rewriter<'_> {
    /// A condition that keeps rows, for which unknown is as good as false. `top` says that it is
    /// not part of an `OR`, so that DataFusion can make a semi or anti join of it.
    fn condition(&self, condition: Expr, top: bool) -> Result<Transformed<Expr>> {
        let condition = match condition {
            Expr::Not(inner) => match *inner {
                Expr::InSubquery(test) => Expr::InSubquery(InSubquery {
                    negated: !test.negated,
                    ..test
                }),
                inner => not(inner),
            },
            other => other,
        };
        match condition {
            Expr::InSubquery(test) if top && is_join_on_column(&test) => {
                Ok(Transformed::no(Expr::InSubquery(test)))
            }
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: op @ (Operator::And | Operator::Or),
                right,
            }) => {
                let left = self.condition(*left, false)?;
                let right = self.condition(*right, false)?;
                let changed = left.transformed || right.transformed;
                let (left, right) = (Box::new(left.data), Box::new(right.data));
                let both = Expr::BinaryExpr(BinaryExpr::new(left, op, right));
                Ok(Transformed::new_transformed(both, changed))
            }
            other => match SetTest::new(other) {
                Ok(test) => self.set_condition(test).map(Transformed::yes),
                Err(other) => self.value(other),
            },
        }
    }

    fn set_condition(&self, test: SetTest) -> Result<Expr> {
        if let Some(value) = self.aggregate_value(&test)? {
            return Ok(value);
        }
        let parts = self.membership(&test)?;
        if !test.negated {
            return Ok(parts.matched);
        }
        let unknown = [parts.null_in_set, parts.null_value].into_iter().flatten();
        Ok(unknown.fold(not(parts.matched), |all, part| all.and(not(part))))
    }

    /// An expression whose unknown must stay unknown.
    fn value(&self, expr: Expr) -> Result<Transformed<Expr>> {
        expr.transform_up(|e| match SetTest::new(e) {
            Ok(test) => self.set_value(&test).map(Transformed::yes),
            Err(Expr::Exists(test)) => self.exists_value(test),
            Err(Expr::ScalarSubquery(subquery)) => {
                check_one_row(&subquery.subquery)?;
                Ok(Transformed::no(Expr::ScalarSubquery(subquery)))
            }
            Err(other) => Ok(Transformed::no(other)),
        })
    }

    fn set_value(&self, test: &SetTest) -> Result<Expr> {
        if let Some(value) = self.aggregate_value(test)? {
            return Ok(value);
        }
        let parts = self.membership(test)?;
        let unknown = [parts.null_in_set, parts.null_value]
            .into_iter()
            .flatten()
            .reduce(Expr::or);
        match unknown {
            None if test.negated => Ok(not(parts.matched)),
            None => Ok(parts.matched),
            Some(unknown) => when(parts.matched, lit(!test.negated))
                .when(unknown, lit(ScalarValue::Boolean(None)))
                .otherwise(lit(test.negated)),
        }
    }

    /// The test against a correlated aggregate without `GROUP BY`: a set of one value, or of none
    /// when `HAVING` drops it.
    fn aggregate_value(&self, test: &SetTest) -> Result<Option<Expr>> {
        let plan = test.set.subquery.as_ref();
        let Some(aggregate) = GlobalAggregate::find(plan).filter(|_| is_correlated(plan)) else {
            return Ok(None);
        };
        check_one_row(plan)?;
        let compared = test.compared_with(scalar(plan.clone()), test.value.clone());
        let inside = match aggregate.having()? {
            Some(kept) => scalar(kept).is_true().and(compared),
            None => compared,
        };
        Ok(Some(if test.negated { not(inside) } else { inside }))
    }

    fn exists_value(&self, test: Exists) -> Result<Transformed<Expr>> {
        let whole = test.subquery.subquery.as_ref();
        let plan = without_order(whole)?;
        if is_correlated(plan) {
            if let Some(aggregate) = GlobalAggregate::find(plan) {
                check_one_row(plan)?;
                let found = match aggregate.having()? {
                    Some(kept) => scalar(kept).is_true(),
                    None => lit(true),
                };
                return Ok(Transformed::yes(if test.negated {
                    not(found)
                } else {
                    found
                }));
            }
            check_correlation(plan)?;
        }
        if self.in_filter && std::ptr::eq(whole, plan) {
            return Ok(Transformed::no(Expr::Exists(test)));
        }
        let found = self.exists(plan.clone())?;
        Ok(Transformed::yes(if test.negated {
            not(found)
        } else {
            found
        }))
    }

    fn membership(&self, test: &SetTest) -> Result<Membership> {
        check_correlation(&test.set.subquery)?;
        let set = with_named_value(test.set.subquery.as_ref())?;
        let (qualifier, field) = set.schema().qualified_field(0);
        let element = Expr::Column(Column::from((qualifier, field)));
        let matches = test.compared_with(element.clone(), self.as_outer(test.value.clone())?);

        let only = |condition: Expr| {
            LogicalPlanBuilder::from(set.clone())
                .filter(condition)?
                .build()
        };
        let null_in_set = match field.is_nullable() {
            true => Some(self.exists(only(element.is_null())?)?),
            false => None,
        };
        let null_value = match test.value.nullable(self.schema)? {
            true => Some(test.value.clone().is_null().and(self.exists(set.clone())?)),
            false => None,
        };
        Ok(Membership {
            matched: self.exists(only(matches)?)?,
            null_in_set,
            null_value,
        })
    }

    fn exists(&self, plan: LogicalPlan) -> Result<Expr> {
        if self.in_filter {
            return Ok(Expr::Exists(Exists {
                subquery: subquery(plan),
                negated: false,
            }));
        }
        let rows = count(lit(1_i64));
        let counted = LogicalPlanBuilder::from(plan).aggregate(Vec::<Expr>::new(), vec![rows])?;
        let (qualifier, field) = counted.schema().qualified_field(0);
        let rows = Expr::Column(Column::from((qualifier, field)));
        Ok(scalar(
            counted
                .project(vec![rows.gt(lit(0_i64)).alias(FOUND)])?
                .build()?,
        ))
    }

    /// The same expression as seen from inside a subquery.
    fn as_outer(&self, expr: Expr) -> Result<Expr> {
        let outer = expr.transform_up(|e| match e {
            Expr::Column(column) => {
                let field = Arc::clone(self.schema.field_from_column(&column)?);
                Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column)))
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(outer.data)
    }
}

/// What decides a [`SetTest`].
struct Membership {
    /// An element of the set compares as asked.
    matched: Expr,
    /// An element of the set is NULL; absent when none can be.
    null_in_set: Option<Expr>,
    /// The value is NULL and the set is not empty; absent when the value cannot be NULL.
    null_value: Option<Expr>,
}

fn scalar(plan: LogicalPlan) -> Expr {
    Expr::ScalarSubquery(subquery(plan))
}

fn subquery(plan: LogicalPlan) -> Subquery {
    let outer_ref_columns = plan.all_out_ref_exprs();
    Subquery {
        subquery: Arc::new(plan),
        outer_ref_columns,
        spans: Default::default(),
    }
}
