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
//! | `EXISTS (S)` outside `WHERE` | `(SELECT count(*) > 0 FROM S)` |

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::functions_aggregate::count::count;
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::utils::{conjunction, merge_schema, split_conjunction_owned};
use datafusion::logical_expr::{
    Expr, ExprSchemable, Filter, LogicalPlan, LogicalPlanBuilder, Subquery, lit, not, when,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::correlation::{GlobalAggregate, check_correlation, is_correlated};

/// The name of the one column of a rewritten subquery, unlike any column of a query.
const VALUE: &str = "__subquery_value";

/// Gives `IN` and `EXISTS` three truth values and aggregates over no rows their row.
#[derive(Debug, Default)]
pub struct SubqueryPredicates;

impl OptimizerRule for SubqueryPredicates {
    fn name(&self) -> &str {
        "subquery_predicates"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        // A join's ON condition stays: DataFusion moves it into a filter first where that is right.
        if matches!(plan, LogicalPlan::Join(_)) || !has_subquery_predicate(&plan)? {
            return Ok(Transformed::no(plan));
        }
        if let LogicalPlan::Filter(filter) = plan {
            let rewriter = Rewriter { schema: filter.input.schema(), in_filter: true };
            let rewritten = split_conjunction_owned(filter.predicate)
                .into_iter()
                .map(|condition| rewriter.condition(condition))
                .collect::<Result<Vec<_>>>()?;
            let changed = rewritten.iter().any(|condition| condition.transformed);
            let Some(predicate) = conjunction(rewritten.into_iter().map(|c| c.data)) else {
                return Ok(Transformed::no((*filter.input).clone()));
            };
            let filter = LogicalPlan::Filter(Filter::try_new(predicate, filter.input)?);
            return Ok(Transformed::new_transformed(filter, changed));
        }
        let schema = merge_schema(&plan.inputs());
        let rewriter = Rewriter { schema: &schema, in_filter: false };
        plan.map_expressions(|expr| rewriter.value(expr))
    }
}

fn has_subquery_predicate(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_expressions(|expr| {
        expr.apply(|e| {
            found |= matches!(e, Expr::InSubquery(_) | Expr::Exists(_));
            Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
        })
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
    /// A condition of a `WHERE`, where unknown counts as false.
    fn condition(&self, condition: Expr) -> Result<Transformed<Expr>> {
        match condition {
            Expr::InSubquery(test) => self.in_condition(test),
            Expr::Not(inner) => match *inner {
                Expr::InSubquery(test) => {
                    self.in_condition(InSubquery { negated: !test.negated, ..test })
                }
                inner => self.value(not(inner)),
            },
            other => self.value(other),
        }
    }

    fn in_condition(&self, test: InSubquery) -> Result<Transformed<Expr>> {
        let plan = test.subquery.subquery.as_ref();
        if !is_correlated(plan) || GlobalAggregate::find(plan).is_some() {
            return match is_correlated(plan) {
                true => self.value(Expr::InSubquery(test)),
                false => Ok(Transformed::no(Expr::InSubquery(test))),
            };
        }
        check_correlation(plan)?;
        let negated = test.negated;
        let parts = self.membership(&test)?;
        if !negated {
            return Ok(Transformed::yes(parts.equal));
        }
        let unknown = [parts.null_in_set, parts.null_value].into_iter().flatten();
        let unequal = unknown.fold(not(parts.equal), |all, part| all.and(not(part)));
        Ok(Transformed::yes(unequal))
    }

    /// An expression whose unknown must stay unknown.
    fn value(&self, expr: Expr) -> Result<Transformed<Expr>> {
        expr.transform_up(|e| match e {
            Expr::InSubquery(test) => self.in_value(test).map(Transformed::yes),
            Expr::Exists(test) => self.exists_value(test),
            other => Ok(Transformed::no(other)),
        })
    }

    fn in_value(&self, test: InSubquery) -> Result<Expr> {
        let plan = test.subquery.subquery.as_ref();
        if is_correlated(plan)
            && let Some(aggregate) = GlobalAggregate::find(plan)
        {
            let equal = (*test.expr).eq(scalar(plan.clone()));
            let inside = match aggregate.having(plan)? {
                Some(kept) => scalar(kept).is_true().and(equal),
                None => equal,
            };
            return Ok(if test.negated { not(inside) } else { inside });
        }
        check_correlation(plan)?;
        let negated = test.negated;
        let parts = self.membership(&test)?;
        let Some(unknown) = [parts.null_in_set, parts.null_value].into_iter().flatten().reduce(Expr::or)
        else {
            return Ok(if negated { not(parts.equal) } else { parts.equal });
        };
        when(parts.equal, lit(!negated))
            .when(unknown, lit(ScalarValue::Boolean(None)))
            .otherwise(lit(negated))
    }

    fn exists_value(&self, test: Exists) -> Result<Transformed<Expr>> {
        let plan = test.subquery.subquery.as_ref();
        if is_correlated(plan) {
            if let Some(aggregate) = GlobalAggregate::find(plan) {
                let found = match aggregate.having(plan)? {
                    Some(kept) => scalar(kept).is_true(),
                    None => lit(true),
                };
                return Ok(Transformed::yes(if test.negated { not(found) } else { found }));
            }
            check_correlation(plan)?;
        }
        if self.in_filter {
            return Ok(Transformed::no(Expr::Exists(test)));
        }
        let found = self.exists(plan.clone())?;
        Ok(Transformed::yes(if test.negated { not(found) } else { found }))
    }

    /// What decides `x IN (S)`.
    fn membership(&self, test: &InSubquery) -> Result<Membership> {
        let set = with_named_value(test.subquery.subquery.as_ref())?;
        let (qualifier, field) = set.schema().qualified_field(0);
        let element = Expr::Column(Column::from((qualifier, field)));
        let nullable_set = field.is_nullable();
        let value = test.expr.as_ref();
        let outer = self.as_outer(value.clone())?;

        let filtered = |condition: Expr| LogicalPlanBuilder::from(set.clone()).filter(condition)?.build();
        let equal = self.exists(filtered(element.clone().eq(outer))?)?;
        let null_in_set = match nullable_set {
            true => Some(self.exists(filtered(element.is_null())?)?),
            false => None,
        };
        let null_value = match value.nullable(self.schema)? {
            true => Some(value.clone().is_null().and(self.exists(set.clone())?)),
            false => None,
        };
        Ok(Membership { equal, null_in_set, null_value })
    }

    fn exists(&self, plan: LogicalPlan) -> Result<Expr> {
        if self.in_filter {
            return Ok(Expr::Exists(Exists { subquery: subquery(plan), negated: false }));
        }
        let rows = count(lit(1_i64));
        let counted = LogicalPlanBuilder::from(plan).aggregate(Vec::<Expr>::new(), vec![rows])?;
        let (qualifier, field) = counted.schema().qualified_field(0);
        let rows = Expr::Column(Column::from((qualifier, field)));
        Ok(scalar(counted.project(vec![rows.gt(lit(0_i64)).alias(VALUE)])?.build()?))
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

struct Membership {
    /// An element of the set equals the value.
    equal: Expr,
    /// An element of the set is NULL; absent when none can be.
    null_in_set: Option<Expr>,
    /// The value is NULL and the set is not empty; absent when the value cannot be NULL.
    null_value: Option<Expr>,
}

/// The set with its one column under a name of its own, so that a column pulled up beside it
/// cannot collide with it.
fn with_named_value(set: &LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Projection(projection) = set else { return Ok(set.clone()) };
    let [element] = projection.expr.as_slice() else { return Ok(set.clone()) };
    LogicalPlanBuilder::from((*projection.input).clone())
        .project(vec![element.clone().unalias().alias(VALUE)])?
        .build()
}

fn scalar(plan: LogicalPlan) -> Expr {
    Expr::ScalarSubquery(subquery(plan))
}

fn subquery(plan: LogicalPlan) -> Subquery {
    let outer_ref_columns = plan.all_out_ref_exprs();
    Subquery { subquery: Arc::new(plan), outer_ref_columns, spans: Default::default() }
}
