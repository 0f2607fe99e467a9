//! Which correlated subqueries DataFusion's decorrelation answers rightly.
//!
//! Decorrelation pulls the conditions on outer columns up through the subquery and joins on them.
//! That is only right while nothing on the way looks at more than one row of its input or fills
//! in rows of its own. Every other shape is refused here in plain words, never answered wrongly.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::BinaryExpr;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, ExprSchemable, FetchType, JoinType, LogicalPlan, LogicalPlanBuilder,
    Operator, SkipType,
};

use crate::error::Error;

/// Whether `plan` refers to columns of the query around it.
pub(super) fn is_correlated(plan: &LogicalPlan) -> bool {
    !plan.all_out_ref_exprs().is_empty()
}

/// An error unless the conditions on outer columns in `plan`, the body of an `EXISTS` or `IN` or
/// the input of a scalar aggregate, may be pulled up to its top.
pub(super) fn check_correlation(plan: &LogicalPlan) -> Result<()> {
    if !is_correlated(plan) {
        return Ok(());
    }
    match plan {
        // A condition that an earlier pass pushed into the scan.
        LogicalPlan::TableScan(_) => Ok(()),
        LogicalPlan::Filter(filter) => check_correlation(&filter.input),
        LogicalPlan::SubqueryAlias(alias) => check_correlation(&alias.input),
        LogicalPlan::Sort(sort) => check_correlation(&sort.input),
        LogicalPlan::Distinct(Distinct::All(input)) => check_correlation(input),
        LogicalPlan::Projection(projection) => {
            refuse_if(contains_outer(&projection.expr), "in its SELECT list")?;
            check_correlation(&projection.input)
        }
        LogicalPlan::Limit(_) => refuse("below LIMIT"),
        LogicalPlan::Aggregate(aggregate) => {
            refuse_if(contains_outer(&aggregate.aggr_expr), "in an aggregate")?;
            refuse_if(contains_outer(&aggregate.group_expr), "in GROUP BY")?;
            refuse_if(
                is_correlated(&aggregate.input) && emits_without_rows(aggregate),
                "below an aggregate without GROUP BY",
            )?;
            check_correlation(&aggregate.input)
        }
        LogicalPlan::Join(join) => {
            let (left, right) = match join.join_type {
                JoinType::Inner => (true, true),
                JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
                    (true, false)
                }
                JoinType::Right
                | JoinType::RightSemi
                | JoinType::RightAnti
                | JoinType::RightMark => (false, true),
                JoinType::Full => (false, false),
            };
            refuse_if(
                !left && is_correlated(&join.left),
                "on the optional side of a join",
            )?;
            refuse_if(
                !right && is_correlated(&join.right),
                "on the optional side of a join",
            )?;
            refuse_if(
                join.filter.iter().any(Expr::contains_outer),
                "in a join condition",
            )?;
            check_correlation(&join.left)?;
            check_correlation(&join.right)
        }
        LogicalPlan::Window(_) => refuse("below a window function"),
        LogicalPlan::Union(_) => refuse("below UNION"),
        _ => refuse("in this place"),
    }
}

/// `plan` without the `ORDER BY` and `LIMIT` at its top that cannot change whether it has rows.
pub(super) fn without_order(plan: &LogicalPlan) -> Result<&LogicalPlan> {
    match plan {
        LogicalPlan::Sort(sort) if sort.fetch != Some(0) => without_order(&sort.input),
        LogicalPlan::Limit(limit) => {
            let keeps_a_row = matches!(limit.get_skip_type()?, SkipType::Literal(0))
                && matches!(limit.get_fetch_type()?, FetchType::Literal(f) if f != Some(0));
            if keeps_a_row {
                without_order(&limit.input)
            } else {
                Ok(plan)
            }
        }
        _ => Ok(plan),
    }
}

/// [`check_correlation`] for a subquery used as a value or in `LATERAL`: an aggregate without `GROUP BY` may be
/// at its top, where decorrelation gives it back the row it has over no rows.
pub(super) fn check_one_row(plan: &LogicalPlan) -> Result<()> {
    if is_correlated(plan)
        && let Some(aggregate) = GlobalAggregate::find(plan)
        && let LogicalPlan::Aggregate(aggregate) = aggregate.plan.as_ref()
    {
        return check_correlation(&aggregate.input);
    }
    check_correlation(plan)
}

/// Whether every aggregate in `plan` sees the outer query through equalities alone. Only then may
/// its rows be grouped by what they are compared with.
pub(super) fn groups_by_equality(plan: &LogicalPlan) -> bool {
    let other = plan.exists(|node| {
        Ok(match node {
            LogicalPlan::Aggregate(_) if node.contains_outer_reference() => true,
            LogicalPlan::Aggregate(aggregate) => !is_related_by_equality(&aggregate.input),
            LogicalPlan::Distinct(distinct) => !is_related_by_equality(distinct.input()),
            _ => false,
        })
    });
    other.is_ok_and(|other| !other)
}

fn is_related_by_equality(plan: &LogicalPlan) -> bool {
    let other =
        plan.exists(|node| {
            Ok(match node {
                LogicalPlan::Filter(filter) => split_conjunction(&filter.predicate)
                    .into_iter()
                    .any(|condition| {
                        condition.contains_outer() && !is_equality(condition, filter.input.schema())
                    }),
                node => node.contains_outer_reference(),
            })
        });
    other.is_ok_and(|other| !other)
}

/// Whether `condition` says what one column of the subquery is.
fn is_equality(condition: &Expr, schema: &DFSchema) -> bool {
    let Expr::BinaryExpr(BinaryExpr {
        left,
        op: Operator::Eq,
        right,
    }) = condition
    else {
        return false;
    };
    let sides = [(left, right), (right, left)];
    sides
        .iter()
        .any(|(inner, outer)| is_one_value(inner, schema) && !outer.any_column_refs())
}

/// Whether `side` is a column, or a cast of one that keeps its values apart: rows that are grouped
/// by the column must not be split by values that are equal once they are cast.
fn is_one_value(side: &Expr, schema: &DFSchema) -> bool {
    match side {
        Expr::Column(_) => true,
        Expr::Cast(cast) if matches!(cast.expr.as_ref(), Expr::Column(_)) => cast
            .expr
            .get_type(schema)
            .is_ok_and(|from| keeps_apart(&from, cast.field.data_type())),
        _ => false,
    }
}

fn keeps_apart(from: &DataType, to: &DataType) -> bool {
    let is_text = |data_type: &DataType| {
        matches!(
            data_type,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        )
    };
    match (from, to) {
        (from, to) if from == to || (is_text(from) && is_text(to)) => true,
        (DataType::Dictionary(_, from), to) => keeps_apart(from, to),
        (from, DataType::Dictionary(_, to)) => keeps_apart(from, to),
        (DataType::Float32, DataType::Float64) => true,
        (DataType::Date32, DataType::Timestamp(_, _) | DataType::Date64) => true,
        (DataType::Decimal128(_, from), DataType::Decimal128(_, to)) => from <= to,
        (from, DataType::Float64) => from.is_integer() && from.primitive_width() <= Some(4),
        (from, DataType::Decimal128(_, scale)) => from.is_integer() && *scale >= 0,
        (from, to) => from.is_integer() && to.is_integer(),
    }
}

/// An aggregate without `GROUP BY` at the top of a subquery: always one row, less a `HAVING`.
pub(super) struct GlobalAggregate {
    having: Option<Expr>,
    /// The aggregate itself.
    plan: Arc<LogicalPlan>,
}

impl GlobalAggregate {
    /// The aggregate at the top of `plan`, below projections and names.
    pub(super) fn find(plan: &LogicalPlan) -> Option<Self> {
        match plan {
            LogicalPlan::Projection(projection) => Self::find(&projection.input),
            LogicalPlan::SubqueryAlias(alias) => Self::find(&alias.input),
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => Self::find(&sort.input),
            LogicalPlan::Distinct(Distinct::All(input)) => Self::find(input),
            LogicalPlan::Filter(filter) => match filter.input.as_ref() {
                LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
                    Some(Self {
                        having: Some(filter.predicate.clone()),
                        plan: Arc::clone(&filter.input),
                    })
                }
                _ => None,
            },
            LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => Some(Self {
                having: None,
                plan: Arc::new(plan.clone()),
            }),
            _ => None,
        }
    }

    /// The subquery of one boolean that says whether the one row passes `HAVING`.
    pub(super) fn having(&self) -> Result<Option<LogicalPlan>> {
        let Some(having) = &self.having else {
            return Ok(None);
        };
        let plan = LogicalPlanBuilder::from(Arc::clone(&self.plan));
        plan.project(vec![having.clone().alias("__having")])?
            .build()
            .map(Some)
    }
}

/// Whether the aggregate gives a row over no rows at all.
fn emits_without_rows(aggregate: &Aggregate) -> bool {
    aggregate.group_expr.is_empty()
        || aggregate
            .group_expr
            .iter()
            .any(|group| matches!(group, Expr::GroupingSet(_)))
}

fn contains_outer(expressions: &[Expr]) -> bool {
    expressions.iter().any(Expr::contains_outer)
}

fn refuse_if(condition: bool, place: &str) -> Result<()> {
    if condition { refuse(place) } else { Ok(()) }
}

fn refuse(place: &str) -> Result<()> {
    let message = format!(
        "a subquery that refers to a column of the outer query {place} is not supported; \
         write it as a join"
    );
    Err(Error::unsupported(message).into())
}
