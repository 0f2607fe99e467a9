//! Aggregates over the rows that any condition relates to a row of the outer query.
//!
//! DataFusion groups such a subquery by its columns and joins the groups: that is right where the
//! conditions are equalities, and it gives up on all others. Those are answered here row by row:
//!
//! ```text
//! SELECT (SELECT max(i.y) FROM i WHERE i.x < o.x) FROM o
//!
//! Projection           o's columns and the value
//!   Aggregate          max(y) FILTER (WHERE found), grouped by o's columns and the number
//!     Left Join        on x < o.x
//!       Window         o, with a number for each row, so that equal rows stay apart
//!       Projection     i, with "found", which is NULL where nothing was joined
//! ```
//! What has another shape is refused.

use std::sync::Arc;

use datafusion::common::alias::AliasGenerator;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchemaRef, Result};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Aggregate, Expr, Filter, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, lit, when,
};
use datafusion::optimizer::OptimizerConfig;

use super::aggregate_body::{AggregateBody, substitute};
use super::correlation::{groups_by_equality, is_correlated};
use super::node_rule::NodeRule;
use crate::error::Error;

/// Answers correlated scalar aggregates whose conditions are more than equalities.
// Subqueries inside a subquery become part of its rows before it is looked at.
pub(super) const CORRELATED_AGGREGATES: NodeRule =
    NodeRule::bottom_up("correlated_aggregates", rewrite_node);

fn rewrite_node(
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::Join(join) if lateral(&join.right).is_some_and(is_split) => refuse(),
        LogicalPlan::Filter(filter) if is_concerned(&filter.predicate) => {
            answer_filter(filter, config).map(Transformed::yes)
        }
        LogicalPlan::Projection(projection) if projection.expr.iter().any(is_concerned) => {
            answer_projection(projection, config).map(Transformed::yes)
        }
        plan => Ok(Transformed::no(plan)),
    }
}

/// The query behind `LATERAL`.
fn lateral(side: &LogicalPlan) -> Option<&LogicalPlan> {
    match side {
        LogicalPlan::Subquery(lateral) => Some(&lateral.subquery),
        LogicalPlan::SubqueryAlias(alias) => lateral(&alias.input),
        _ => None,
    }
}

/// Whether grouping by the columns of its conditions would split the groups of `plan`.
fn is_split(plan: &LogicalPlan) -> bool {
    !groups_by_equality(plan)
}

/// Whether `expr` holds a subquery that is answered here.
fn is_concerned(expr: &Expr) -> bool {
    let found = expr.exists(|part| Ok(as_concerned(part).is_some()));
    found.unwrap_or(false)
}

fn as_concerned(expr: &Expr) -> Option<&LogicalPlan> {
    let Expr::ScalarSubquery(subquery) = expr else {
        return None;
    };
    let plan = subquery.subquery.as_ref();
    let left_to_base = groups_by_equality(plan) && !is_correlated_above_aggregate(plan);
    (!left_to_base).then_some(plan)
}

/// Whether what is done with the row of an aggregate depends on the outer query.
fn is_correlated_above_aggregate(plan: &LogicalPlan) -> bool {
    let mut node = plan;
    let mut found = false;
    while !matches!(node, LogicalPlan::Aggregate(_)) {
        found |= node.contains_outer_reference();
        match node.inputs().as_slice() {
            [input] => node = *input,
            _ => return false,
        }
    }
    found
}

fn answer_filter(filter: Filter, config: &dyn OptimizerConfig) -> Result<LogicalPlan> {
    let columns = filter.input.schema().columns();
    let (before, after): (Vec<Expr>, Vec<Expr>) = split_conjunction_owned(filter.predicate)
        .into_iter()
        .partition(|condition| !is_concerned(condition) && !condition.contains_outer());
    let mut input = LogicalPlanBuilder::from(filter.input);
    if let Some(before) = conjunction(before) {
        input = input.filter(before)?;
    }
    let mut answers = Answers::over(input.build()?, config)?;
    let after = after
        .into_iter()
        .map(|condition| answers.put_into(condition))
        .collect::<Result<Vec<_>>>()?;
    let answered = LogicalPlanBuilder::from(answers.plan);
    let kept = answered.filter(conjunction(after).unwrap_or_else(|| lit(true)))?;
    kept.project(columns.into_iter().map(Expr::Column))?.build()
}

fn answer_projection(projection: Projection, config: &dyn OptimizerConfig) -> Result<LogicalPlan> {
    let plan = LogicalPlan::Projection(projection);
    let names = NamePreserver::new(&plan);
    let LogicalPlan::Projection(projection) = plan else {
        return refuse();
    };
    let mut answers = Answers::over(Arc::unwrap_or_clone(projection.input), config)?;
    let mut exprs = Vec::with_capacity(projection.expr.len());
    for expr in projection.expr {
        let name = names.save(&expr);
        exprs.push(name.restore(answers.put_into(expr)?));
    }
    let answered = Projection::try_new(exprs, Arc::new(answers.plan))?;
    Ok(LogicalPlan::Projection(answered))
}

/// A plan to which the values of subqueries are added as columns.
struct Answers {
    plan: LogicalPlan,
    names: Arc<AliasGenerator>,
}

impl Answers {
    /// Fails when the rows depend on a query further out: they would be numbered for all of its
    /// rows at once.
    fn over(plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Self> {
        if is_correlated(&plan) {
            return refuse();
        }
        let names = Arc::clone(config.alias_generator());
        Ok(Self { plan, names })
    }

    /// `expr` with columns in place of the subqueries.
    fn put_into(&mut self, expr: Expr) -> Result<Expr> {
        let answered = expr.transform_up(|part| {
            let Some(subquery) = as_concerned(&part) else {
                return Ok(Transformed::no(part));
            };
            match AggregateBody::of(subquery)? {
                Some(body) => self.add(&body).map(Transformed::yes),
                None => refuse(),
            }
        })?;
        Ok(answered.data)
    }

    /// Adds the value of a subquery for each row and returns its column.
    fn add(&mut self, body: &AggregateBody<'_>) -> Result<Expr> {
        let name = self.names.next("__correlated");
        let joining = Joining::new(body, &name, std::mem::take(&mut self.plan));
        let columns = joining.columns.clone();
        let value_name = format!("{name}_value");
        let value = joining.value(body)?.alias(&value_name);
        let aggregated = joining.aggregated(body)?;
        self.plan = LogicalPlanBuilder::from(aggregated)
            .project(columns.into_iter().chain([value]))?
            .build()?;
        Ok(Expr::Column(Column::new_unqualified(value_name)))
    }
}

/// One subquery on its way to become a join.
struct Joining<'a> {
    name: &'a str,
    outer: LogicalPlan,
    /// The columns of the outer rows.
    columns: Vec<Expr>,
    schema: DFSchemaRef,
    /// The columns of the subquery's rows, under names that the outer query cannot have.
    inner: Vec<Expr>,
}

impl<'a> Joining<'a> {
    fn new(body: &AggregateBody<'_>, name: &'a str, outer: LogicalPlan) -> Self {
        let columns = outer.schema().columns().into_iter().map(Expr::Column);
        let columns = columns.collect();
        let inner = (0..body.source.rows.schema().fields().len())
            .map(|position| joined(name, &position.to_string()))
            .collect();
        let schema = Arc::clone(outer.schema());
        Self {
            name,
            outer,
            columns,
            schema,
            inner,
        }
    }

    /// The outer rows joined with those of the subquery, aggregated for each outer row.
    fn aggregated(self, body: &AggregateBody<'_>) -> Result<LogicalPlan> {
        let number = format!("{}_row", self.name);
        let mut on = Vec::with_capacity(body.source.conditions.len());
        for condition in &body.source.conditions {
            on.push(self.over_rows(condition, body)?);
        }
        let mut functions = Vec::with_capacity(body.aggregate.aggr_expr.len());
        for (position, function) in body.aggregate.aggr_expr.iter().enumerate() {
            let function = self.function(function, body)?;
            functions.push(function.alias(self.result_name(position)));
        }
        let mut groups = self.columns;
        groups.push(Expr::Column(Column::new_unqualified(&number)));
        let inner = named_rows(&body.source.rows, self.name)?;
        let on = conjunction(on).unwrap_or_else(|| lit(true));
        let joined = LogicalPlanBuilder::from(self.outer)
            .window([row_number().alias(number)])?
            .join_on(inner, JoinType::Left, [on])?
            .build()?;
        let aggregate = Aggregate::try_new(Arc::new(joined), groups, functions)?;
        Ok(LogicalPlan::Aggregate(aggregate))
    }

    /// An aggregate function over the joined rows: those of the outer query that found none of the
    /// subquery's are not seen by it.
    fn function(&self, expr: &Expr, body: &AggregateBody<'_>) -> Result<Expr> {
        let input = body.aggregate.input.schema();
        // Over outer columns alone it would be an aggregate of the outer query.
        if expr.contains_outer() && !expr.any_column_refs() {
            return refuse();
        }
        let over_source = substitute(&expr.clone().unalias(), input, &body.source.arguments)?;
        let Expr::AggregateFunction(mut function) = self.over_rows(&over_source, body)? else {
            return refuse();
        };
        let found = joined(self.name, FOUND).is_true();
        function.params.filter = Some(Box::new(match function.params.filter.take() {
            Some(filter) => found.and(*filter),
            None => found,
        }));
        Ok(Expr::AggregateFunction(function))
    }

    /// What the subquery gives, over the results of its functions: NULL where HAVING drops the row.
    fn value(&self, body: &AggregateBody<'_>) -> Result<Expr> {
        let results = (0..body.aggregate.aggr_expr.len()).map(|position| {
            let name = self.result_name(position);
            Expr::Column(Column::new_unqualified(name))
        });
        let results: Vec<Expr> = results.collect();
        let schema = &body.aggregate.schema;
        let value = self.as_inner(substitute(&body.value, schema, &results)?)?;
        match &body.kept {
            None => Ok(value),
            Some(kept) => {
                let kept = self.as_inner(substitute(kept, schema, &results)?)?;
                when(kept, value).end()
            }
        }
    }

    fn result_name(&self, position: usize) -> String {
        format!("{}_result_{position}", self.name)
    }

    fn over_rows(&self, expr: &Expr, body: &AggregateBody<'_>) -> Result<Expr> {
        let renamed = substitute(expr, body.source.rows.schema(), &self.inner)?;
        self.as_inner(renamed)
    }

    /// `expr` with the columns of the outer query as columns of the join.
    fn as_inner(&self, expr: Expr) -> Result<Expr> {
        let inner = expr.transform_up(|part| match part {
            Expr::OuterReferenceColumn(_, column) => {
                match self.schema.maybe_index_of_column(&column) {
                    Some(position) => Ok(Transformed::yes(self.columns[position].clone())),
                    // It belongs to a query further out.
                    None => refuse(),
                }
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(inner.data)
    }
}

/// The column that is true for every row of a subquery.
const FOUND: &str = "found";

fn joined(relation: &str, column: &str) -> Expr {
    Expr::Column(Column::new(Some(relation), format!("{relation}_{column}")))
}

fn named_rows(rows: &LogicalPlan, name: &str) -> Result<LogicalPlan> {
    let columns = rows.schema().columns().into_iter().enumerate();
    let columns = columns
        .map(|(position, column)| Expr::Column(column).alias(format!("{name}_{position}")))
        .chain([lit(true).alias(format!("{name}_{FOUND}"))]);
    LogicalPlanBuilder::from(rows.clone())
        .project(columns.collect::<Vec<_>>())?
        .alias(name)?
        .build()
}

fn refuse<T>() -> Result<T> {
    Err(Error::unsupported(
        "an aggregate in a subquery over rows that are related to the outer query by more than \
         equality is not supported in this form; write it as a join and GROUP BY",
    )
    .into())
}
