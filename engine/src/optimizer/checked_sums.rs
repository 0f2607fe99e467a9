//! Sums of BIGINT that say when the total does not fit.
//!
//! DataFusion adds 64-bit integers with wrap-around. Here such a sum is taken over decimals, which
//! have room for the sum of as many of them as there can be rows, and the total is cast back: that
//! fails when it does not fit. Sums of what cannot come near the bound stay as they are.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    Aggregate, Case, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, cast,
};
use datafusion::optimizer::OptimizerConfig;
use datafusion::scalar::ScalarValue;

use super::node_rule::NodeRule;

/// Digits of the largest 64-bit integer; a sum has ten more.
const TERM: DataType = DataType::Decimal128(20, 0);

/// Makes sums of 64-bit integers fail on overflow.
pub(super) const CHECKED_SUMS: NodeRule = NodeRule::bottom_up("checked_sums", rewrite_node);

fn rewrite_node(
    plan: LogicalPlan,
    _config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Aggregate(aggregate) = plan else {
        return Ok(Transformed::no(plan));
    };
    let input = aggregate.input.schema();
    let wide: Vec<Option<DataType>> = aggregate
        .aggr_expr
        .iter()
        .map(|expr| wide_sum(expr, input))
        .collect();
    if wide.iter().all(Option::is_none) {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    widen(aggregate, &wide).map(Transformed::yes)
}

/// The type of a sum that may overflow.
fn wide_sum(expr: &Expr, input: &DFSchema) -> Option<DataType> {
    let Expr::AggregateFunction(AggregateFunction { func, params }) = unaliased(expr) else {
        return None;
    };
    let [term] = params.args.as_slice() else {
        return None;
    };
    if func.name() != "sum" || is_small(term, input) {
        return None;
    }
    let data_type = term.get_type(input).ok()?;
    matches!(data_type, DataType::Int64 | DataType::UInt64).then_some(data_type)
}

fn unaliased(mut expr: &Expr) -> &Expr {
    while let Expr::Alias(alias) = expr {
        expr = &alias.expr;
    }
    expr
}

/// Whether all values fit into 32 bits: there are never rows enough for their sum to overflow.
pub(super) fn is_small(term: &Expr, input: &DFSchema) -> bool {
    match term {
        Expr::Literal(value, _) => match value {
            ScalarValue::Int64(Some(number)) => i32::try_from(*number).is_ok(),
            ScalarValue::UInt64(Some(number)) => u32::try_from(*number).is_ok(),
            value => value.is_null(),
        },
        Expr::Cast(cast) => cast
            .expr
            .get_type(input)
            .is_ok_and(|from| from.is_integer() && from.primitive_width() <= Some(4)),
        Expr::Case(Case {
            when_then_expr,
            else_expr,
            ..
        }) => {
            let mut values = when_then_expr.iter().map(|(_, then)| then).chain(else_expr);
            values.all(|value| is_small(value, input))
        }
        _ => false,
    }
}

fn widen(aggregate: Aggregate, wide: &[Option<DataType>]) -> Result<LogicalPlan> {
    let schema = Arc::clone(&aggregate.schema);
    let groups = schema.fields().len() - aggregate.aggr_expr.len();
    let sums = sums_of_decimals(aggregate.aggr_expr, (schema.as_ref(), groups), wide);
    let aggregate = Aggregate::try_new(aggregate.input, aggregate.group_expr, sums)?;
    LogicalPlanBuilder::from(LogicalPlan::Aggregate(aggregate))
        .project(totals_cast_back((schema.as_ref(), groups), wide))?
        .build()
}

/// `exprs`, which stand behind `before` other columns of `schema`, with decimals in place of the
/// terms of those sums that are `wide`.
pub(super) fn sums_of_decimals(
    exprs: Vec<Expr>,
    (schema, before): (&DFSchema, usize),
    wide: &[Option<DataType>],
) -> Vec<Expr> {
    let exprs = exprs.into_iter().zip(wide).enumerate();
    let sums = exprs.map(|(position, (expr, wide))| match wide {
        Some(_) => {
            let (qualifier, field) = schema.qualified_field(before + position);
            over_decimals(expr).alias_qualified(qualifier.cloned(), field.name())
        }
        None => expr,
    });
    sums.collect()
}

/// The columns of `schema` with the totals of those sums, which stand behind `before` others, as
/// the types that they should have.
pub(super) fn totals_cast_back(
    (schema, before): (&DFSchema, usize),
    wide: &[Option<DataType>],
) -> Vec<Expr> {
    let columns = schema.iter().enumerate();
    let columns = columns.map(|(position, (qualifier, field))| {
        let column = Expr::Column((qualifier, field).into());
        let sum = position
            .checked_sub(before)
            .and_then(|sum| wide[sum].as_ref());
        match sum {
            Some(data_type) => {
                cast(column, data_type.clone()).alias_qualified(qualifier.cloned(), field.name())
            }
            None => column,
        }
    });
    columns.collect()
}

/// The bare function: other rules know a window expression with one name around it, not with two.
fn over_decimals(expr: Expr) -> Expr {
    let widen = |terms: &mut Vec<Expr>| {
        for term in terms {
            *term = cast(std::mem::take(term), TERM);
        }
    };
    match expr {
        Expr::Alias(alias) => over_decimals(*alias.expr),
        Expr::AggregateFunction(mut function) => {
            widen(&mut function.params.args);
            Expr::AggregateFunction(function)
        }
        Expr::WindowFunction(mut function) => {
            widen(&mut function.params.args);
            Expr::WindowFunction(function)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{plan_text, rows, session_after, try_rows};

    const SET_UP: &str = "CREATE TABLE t (k INT, a BIGINT, c INT) AS VALUES \
                          (1, 9223372036854775807, 1), (1, 1, 2147483647), (2, 5, 2147483647), (2, NULL, 1)";

    #[tokio::test]
    async fn a_total_that_does_not_fit_is_an_error() {
        let session = session_after(SET_UP).await;
        for sql in [
            "SELECT sum(a) FROM t",
            "SELECT k, sum(a) AS total FROM t GROUP BY k",
            "SELECT sum(DISTINCT a) FROM t",
        ] {
            let error = try_rows(&session, sql).await.expect_err(sql).to_string();
            assert!(error.contains("out of range"), "{sql}: {error}");
        }
    }

    #[tokio::test]
    async fn a_total_that_fits_is_what_it_was() {
        let session = session_after(SET_UP).await;
        let grouped =
            "SELECT k, sum(a), count(a), sum(c) FROM t WHERE a < 9 OR a IS NULL GROUP BY k";
        assert_eq!(
            rows(&session, grouped).await,
            ["1 1 1 2147483647", "2 5 1 2147483648"]
        );
        let typed = "SELECT arrow_typeof(sum(a)), sum(a) + 1 FROM t WHERE k = 2";
        assert_eq!(rows(&session, typed).await, ["Int64 6"]);
        let named = "SELECT \"sum(t.a)\" FROM (SELECT sum(a) FROM t WHERE k = 2)";
        assert_eq!(rows(&session, named).await, ["5"]);
        assert_eq!(
            rows(&session, "SELECT sum(a) FROM t WHERE k > 2").await,
            ["NULL"]
        );
        let having = "SELECT k FROM t WHERE k = 2 GROUP BY k HAVING sum(a) > 4 ORDER BY sum(a)";
        assert_eq!(rows(&session, having).await, ["2"]);
    }

    #[tokio::test]
    async fn small_terms_are_summed_as_they_are() {
        let session = session_after(SET_UP).await;
        let sql = "SELECT sum(c), sum(CASE WHEN k = 1 THEN 1 ELSE 0 END), sum(1) FROM t";
        assert!(!plan_text(&session, sql).await.contains("Decimal"));
    }
}
