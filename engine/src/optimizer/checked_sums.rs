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
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use datafusion::scalar::ScalarValue;

/// Digits of the largest 64-bit integer; a sum has ten more.
pub(super) const TERM: DataType = DataType::Decimal128(20, 0);

/// Makes sums of 64-bit integers fail on overflow.
#[derive(Debug, Default)]
pub struct CheckedSums;

impl OptimizerRule for CheckedSums {
    fn name(&self) -> &str {
        "checked_sums"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(
        &self,
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
    let mut widened = Vec::with_capacity(aggregate.aggr_expr.len());
    for (position, (expr, wide)) in aggregate.aggr_expr.into_iter().zip(wide).enumerate() {
        let (qualifier, field) = schema.qualified_field(groups + position);
        widened.push(match wide {
            Some(_) => over_decimals(expr).alias_qualified(qualifier.cloned(), field.name()),
            None => expr,
        });
    }
    let columns = schema
        .iter()
        .enumerate()
        .map(|(position, (qualifier, field))| {
            let column = Expr::Column((qualifier, field).into());
            let sum = position
                .checked_sub(groups)
                .and_then(|sum| wide[sum].as_ref());
            match sum {
                Some(data_type) => cast(column, data_type.clone())
                    .alias_qualified(qualifier.cloned(), field.name()),
                None => column,
            }
        });
    let columns: Vec<Expr> = columns.collect();
    let aggregate = Aggregate::try_new(aggregate.input, aggregate.group_expr, widened)?;
    LogicalPlanBuilder::from(LogicalPlan::Aggregate(aggregate))
        .project(columns)?
        .build()
}

fn over_decimals(expr: Expr) -> Expr {
    match expr {
        Expr::Alias(alias) => over_decimals(*alias.expr),
        Expr::AggregateFunction(mut function) => {
            for term in &mut function.params.args {
                *term = cast(std::mem::take(term), TERM);
            }
            Expr::AggregateFunction(function)
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
