//! Sums of BIGINT over windows that say when a total does not fit.
//!
//! As for plain sums (`checked_sums.rs`), the window adds decimals, and a projection above it
//! casts each total back, which fails when one does not fit.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Window, WindowFunctionDefinition,
};
use datafusion::optimizer::OptimizerConfig;

use super::checked_sums::{is_small, sums_of_decimals, totals_cast_back};
use super::node_rule::NodeRule;
use crate::error::Error;

/// Makes window sums of 64-bit integers fail on overflow.
pub(super) const CHECKED_WINDOW_SUMS: NodeRule =
    NodeRule::bottom_up("checked_window_sums", rewrite_node);

fn rewrite_node(
    plan: LogicalPlan,
    _config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Window(window) = plan else {
        return Ok(Transformed::no(plan));
    };
    let input = window.input.schema();
    let wide: Vec<Option<DataType>> = window
        .window_expr
        .iter()
        .map(|expr| wide_sum(expr, input))
        .collect::<Result<_>>()?;
    if wide.iter().all(Option::is_none) {
        return Ok(Transformed::no(LogicalPlan::Window(window)));
    }
    widen(window, &wide).map(Transformed::yes)
}

/// The type of a sum that may overflow.
fn wide_sum(expr: &Expr, input: &DFSchema) -> Result<Option<DataType>> {
    let function = match expr {
        Expr::WindowFunction(function) => function,
        Expr::Alias(alias) => match alias.expr.as_ref() {
            Expr::WindowFunction(function) => function,
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    let WindowFunctionDefinition::AggregateUDF(aggregate) = &function.fun else {
        return Ok(None);
    };
    let [term] = function.params.args.as_slice() else {
        return Ok(None);
    };
    if aggregate.name() != "sum" || is_small(term, input) {
        return Ok(None);
    }
    let data_type = term.get_type(input)?;
    if !matches!(data_type, DataType::Int64 | DataType::UInt64) {
        return Ok(None);
    }
    refuse_sliding_distinct(function)?;
    Ok(Some(data_type))
}

/// DataFusion adds the distinct values of a frame that moves only as 64-bit integers.
fn refuse_sliding_distinct(function: &WindowFunction) -> Result<()> {
    let params = &function.params;
    if params.distinct && !params.window_frame.start_bound.is_unbounded() {
        return Err(Error::unsupported(
            "sum(DISTINCT …) of BIGINT over a frame that does not begin with its partition is not \
             supported; cast its argument to INTEGER where the values fit",
        )
        .into());
    }
    Ok(())
}

fn widen(window: Window, wide: &[Option<DataType>]) -> Result<LogicalPlan> {
    let schema = Arc::clone(&window.schema);
    let inputs = schema.fields().len() - window.window_expr.len();
    let sums = sums_of_decimals(window.window_expr, (schema.as_ref(), inputs), wide);
    let window = Window::try_new(sums, window.input)?;
    LogicalPlanBuilder::from(LogicalPlan::Window(window))
        .project(totals_cast_back((schema.as_ref(), inputs), wide))?
        .build()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{plan_text, rows, session_after, try_rows};

    const SET_UP: &str = "CREATE TABLE t (k INT, o INT, a BIGINT, c INT) AS VALUES \
                          (1, 1, 9223372036854775807, 1), (1, 2, 1, 2147483647), \
                          (1, 3, -5, 1), (2, 1, 5, 2147483647), (2, 2, NULL, 1)";

    #[tokio::test]
    async fn a_total_that_does_not_fit_is_an_error() {
        let session = session_after(SET_UP).await;
        for over in [
            "sum(a) OVER (ORDER BY k, o)",
            "sum(a) OVER (PARTITION BY k ORDER BY o)",
            "sum(a) OVER (PARTITION BY k ORDER BY o ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
            "sum(a) FILTER (WHERE a > 0) OVER ()",
            "sum(DISTINCT a) OVER (PARTITION BY k ORDER BY o)",
            "rank() OVER (ORDER BY o), sum(a) OVER (PARTITION BY o % 2, k ORDER BY o DESC) - 1, \
             sum(a) OVER (PARTITION BY k ORDER BY o)",
        ] {
            let sql = format!("SELECT {over} FROM t");
            let error = try_rows(&session, &sql).await.expect_err(over).to_string();
            assert!(error.contains("out of range"), "{sql}: {error}");
        }
    }

    #[tokio::test]
    async fn a_total_that_fits_is_what_it_was() {
        let session = session_after(SET_UP).await;
        let whole = "SELECT k, o, sum(a) OVER (PARTITION BY k) FROM t";
        let total = "9223372036854775803";
        assert_eq!(
            rows(&session, whole).await,
            [
                format!("1 1 {total}"),
                format!("1 2 {total}"),
                format!("1 3 {total}"),
                "2 1 5".to_owned(),
                "2 2 5".to_owned()
            ]
        );
        let moving = "SELECT o, arrow_typeof(s), s, n FROM (SELECT o, row_number() OVER (ORDER BY o) AS n, \
                      sum(a) OVER (ORDER BY o ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s \
                      FROM t WHERE k = 1 AND o > 1) AS w WHERE s < 1 OR n = 1";
        assert_eq!(
            rows(&session, moving).await,
            ["2 Int64 1 1", "3 Int64 -4 2"]
        );
        let sorted = "SELECT o FROM t WHERE k = 2 ORDER BY sum(a) OVER (ORDER BY o), o";
        assert_eq!(rows(&session, sorted).await, ["1", "2"]);
        let of_sums = "SELECT k, sum(sum(a)) OVER () FROM t WHERE o > 1 GROUP BY k";
        assert_eq!(rows(&session, of_sums).await, ["1 -4", "2 -4"]);
    }

    #[tokio::test]
    async fn small_terms_are_summed_as_they_are() {
        let session = session_after(SET_UP).await;
        let sql = "SELECT sum(c) OVER (), sum(1) OVER (ORDER BY o) FROM t";
        assert!(!plan_text(&session, sql).await.contains("Decimal"));
        let distinct = "sum(DISTINCT c) OVER (ORDER BY o ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)";
        let sql = format!("SELECT {distinct} FROM t WHERE k = 2");
        assert_eq!(rows(&session, &sql).await, ["2147483647", "2147483648"]);
    }

    #[tokio::test]
    async fn distinct_values_of_moving_frames_are_refused() {
        let session = session_after(SET_UP).await;
        let sql = "SELECT sum(DISTINCT a) OVER (ORDER BY o ROWS 1 PRECEDING) FROM t";
        let error = try_rows(&session, sql).await.expect_err(sql).to_string();
        assert!(error.contains("cast its argument to INTEGER"), "{error}");
    }
}
