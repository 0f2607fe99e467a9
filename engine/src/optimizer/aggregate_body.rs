//! A correlated subquery of one aggregate row, taken apart.
//!
//! ```text
//! value, kept        what the subquery gives, and whether HAVING lets it through
//!   aggregate        its functions, over …
//!     arguments      … these expressions, one for each column of its input, over …
//!       conditions   … the rows of which all of these are true
//!         rows       that know nothing of the outer query
//! ```

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, Filter, LogicalPlan, LogicalPlanBuilder,
};

use super::correlation::{is_correlated, without_order};

/// The parts of a subquery; its columns stand where the module's drawing says.
pub(super) struct AggregateBody<'a> {
    pub(super) aggregate: &'a Aggregate,
    pub(super) value: Expr,
    pub(super) kept: Option<Expr>,
    pub(super) source: Source,
}

/// What an aggregate reads.
pub(super) struct Source {
    pub(super) rows: LogicalPlan,
    pub(super) conditions: Vec<Expr>,
    pub(super) arguments: Vec<Expr>,
}

impl<'a> AggregateBody<'a> {
    /// The parts of `plan`; `None` when it has others.
    ///
    /// # Errors
    /// When a column is not where the plan says.
    pub(super) fn of(plan: &'a LogicalPlan) -> Result<Option<Self>> {
        let Some(row) = Row::of(plan)? else {
            return Ok(None);
        };
        let Some(source) = Source::of(&row.aggregate.input)? else {
            return Ok(None);
        };
        let [value] = row.columns.as_slice() else {
            return Ok(None);
        };
        let body = Self {
            aggregate: row.aggregate,
            value: value.clone(),
            kept: row.kept,
            source,
        };
        let understood = !body.expressions().any(holds_subquery);
        Ok(understood.then_some(body))
    }

    fn expressions(&self) -> impl Iterator<Item = &Expr> {
        let functions = self.aggregate.aggr_expr.iter();
        functions
            .chain([&self.value])
            .chain(&self.kept)
            .chain(&self.source.conditions)
            .chain(&self.source.arguments)
    }
}

/// The one row of an aggregate, as what stands above the aggregate makes it.
struct Row<'a> {
    aggregate: &'a Aggregate,
    columns: Vec<Expr>,
    kept: Option<Expr>,
}

impl<'a> Row<'a> {
    fn of(plan: &'a LogicalPlan) -> Result<Option<Self>> {
        match plan {
            LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
                Ok(Some(Self {
                    aggregate,
                    columns: columns_of(&aggregate.schema),
                    kept: None,
                }))
            }
            LogicalPlan::Projection(projection) if is_stable(&projection.expr) => {
                let Some(mut row) = Self::of(&projection.input)? else {
                    return Ok(None);
                };
                row.columns =
                    substitute_all(&projection.expr, projection.input.schema(), &row.columns)?;
                Ok(Some(row))
            }
            LogicalPlan::Filter(filter) => {
                let Some(mut row) = Self::of(&filter.input)? else {
                    return Ok(None);
                };
                let having = substitute(&filter.predicate, filter.input.schema(), &row.columns)?;
                row.kept = Some(match row.kept {
                    Some(kept) => kept.and(having),
                    None => having,
                });
                Ok(Some(row))
            }
            LogicalPlan::SubqueryAlias(alias) => Self::of(&alias.input),
            LogicalPlan::Distinct(Distinct::All(input)) => Self::of(input),
            LogicalPlan::Sort(_) | LogicalPlan::Limit(_) => {
                let inner = without_order(plan)?;
                match std::ptr::eq(inner, plan) {
                    true => Ok(None),
                    false => Self::of(inner),
                }
            }
            _ => Ok(None),
        }
    }
}

impl Source {
    fn of(plan: &LogicalPlan) -> Result<Option<Self>> {
        if !is_correlated(plan) {
            return Ok(Some(Self::all(plan.clone())));
        }
        match plan {
            LogicalPlan::Filter(filter) if !is_correlated(&filter.input) => {
                Self::filtered(filter).map(Some)
            }
            LogicalPlan::Filter(filter) => {
                let Some(mut source) = Self::of(&filter.input)? else {
                    return Ok(None);
                };
                for condition in split_conjunction(&filter.predicate) {
                    let condition =
                        substitute(condition, filter.input.schema(), &source.arguments)?;
                    source.conditions.push(condition);
                }
                Ok(Some(source))
            }
            LogicalPlan::Projection(projection) if is_stable(&projection.expr) => {
                let Some(mut source) = Self::of(&projection.input)? else {
                    return Ok(None);
                };
                let input = projection.input.schema();
                source.arguments = substitute_all(&projection.expr, input, &source.arguments)?;
                Ok(Some(source))
            }
            LogicalPlan::SubqueryAlias(alias) => Self::of(&alias.input),
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => Self::of(&sort.input),
            _ => Ok(None),
        }
    }
}

impl Source {
    fn all(rows: LogicalPlan) -> Self {
        let arguments = columns_of(rows.schema());
        Self {
            rows,
            conditions: Vec::new(),
            arguments,
        }
    }

    /// Conditions that know nothing of the outer query stay with the rows.
    fn filtered(filter: &Filter) -> Result<Self> {
        let schema = filter.input.schema();
        let (related, own): (Vec<&Expr>, Vec<&Expr>) = split_conjunction(&filter.predicate)
            .into_iter()
            .partition(|condition| !keeps_to(condition, schema));
        let mut rows = LogicalPlanBuilder::from(Arc::clone(&filter.input));
        if let Some(own) = conjunction(own.into_iter().cloned()) {
            rows = rows.filter(own)?;
        }
        let mut source = Self::all(rows.build()?);
        source.conditions = related.into_iter().cloned().collect();
        Ok(source)
    }
}

/// Whether `expr` and the subqueries in it know no other columns than those of `schema`.
fn keeps_to(expr: &Expr, schema: &DFSchema) -> bool {
    let outside = expr.exists(|part| {
        let subquery = match part {
            Expr::OuterReferenceColumn(..) => return Ok(true),
            Expr::ScalarSubquery(subquery) => subquery,
            Expr::Exists(test) => &test.subquery,
            Expr::InSubquery(test) => &test.subquery,
            Expr::SetComparison(test) => &test.subquery,
            _ => return Ok(false),
        };
        Ok(subquery
            .outer_ref_columns
            .iter()
            .any(|column| match column {
                Expr::OuterReferenceColumn(_, column) => {
                    schema.maybe_index_of_column(column).is_none()
                }
                _ => true,
            }))
    });
    outside.is_ok_and(|outside| !outside)
}

/// `expr` over `schema`, with the expression in place of each column.
///
/// # Errors
/// When `schema` lacks a column.
pub(super) fn substitute(expr: &Expr, schema: &DFSchema, columns: &[Expr]) -> Result<Expr> {
    let substituted = expr.clone().transform_up(|part| match &part {
        Expr::Column(column) => {
            let position = schema.index_of_column(column)?;
            Ok(Transformed::yes(columns[position].clone()))
        }
        _ => Ok(Transformed::no(part)),
    })?;
    Ok(substituted.data)
}

fn substitute_all(exprs: &[Expr], schema: &DFSchema, columns: &[Expr]) -> Result<Vec<Expr>> {
    let bare = exprs.iter().map(|expr| expr.clone().unalias());
    bare.map(|expr| substitute(&expr, schema, columns))
        .collect()
}

fn columns_of(schema: &DFSchema) -> Vec<Expr> {
    schema.columns().into_iter().map(Expr::Column).collect()
}

/// An expression may be put in several places only if it is the same in all of them.
fn is_stable(exprs: &[Expr]) -> bool {
    !exprs.iter().any(Expr::is_volatile)
}

fn holds_subquery(expr: &Expr) -> bool {
    let found = expr.exists(|part| {
        Ok(matches!(
            part,
            Expr::ScalarSubquery(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
        ))
    });
    found.unwrap_or(true)
}
