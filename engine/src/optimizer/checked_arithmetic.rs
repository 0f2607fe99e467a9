//! Arithmetic of integers and decimals that says when a result does not fit.
//!
//! DataFusion's `+`, `-` and `*` wrap integers around: the largest BIGINT plus one is the smallest.
//! The physical operator has a checked form, but no plan chooses it and its encoding forgets it. Of
//! decimals it lets results pass that have more digits than their type. Here the operators become
//! functions which fail instead. Constants come first, before they are folded; the rest last, when
//! no rule has anything left to learn from the operator.

use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Datum};
use arrow::compute::kernels::numeric::{add, mul, sub};
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type};
use arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DataFusionError, Result, internal_err};
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::expr::{BinaryExpr, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::{AnalyzerRule, OptimizerConfig};
use datafusion::scalar::ScalarValue;

use super::decimal_room::may_outgrow;
use super::node_rule::NodeRule;
use crate::Error;
use crate::sql::sql_type;

/// Makes the operators of an optimised plan fail on overflow.
pub(super) const CHECKED_ARITHMETIC: NodeRule =
    NodeRule::bottom_up("checked_arithmetic", rewrite_node);

/// The same for constants, before they are folded.
#[derive(Debug, Default)]
pub struct CheckedConstants;

/// The functions the plans of these rules call; every session must know them.
pub fn checked_functions() -> Vec<Arc<ScalarUDF>> {
    FUNCTIONS.iter().map(Arc::clone).collect()
}

static FUNCTIONS: LazyLock<[Arc<ScalarUDF>; 3]> = LazyLock::new(|| {
    [Operator::Plus, Operator::Minus, Operator::Multiply]
        .map(|operator| Arc::new(ScalarUDF::from(Checked::new(operator))))
});

fn rewrite_node(
    plan: LogicalPlan,
    _config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    check_node(plan, |_| true)
}

impl AnalyzerRule for CheckedConstants {
    fn name(&self) -> &str {
        "checked_constants"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let constant = |operands: &BinaryExpr| {
            [&operands.left, &operands.right]
                .iter()
                .all(|side| is_constant(side))
        };
        let checked = plan.transform_up_with_subqueries(|node| check_node(node, constant))?;
        Ok(checked.data)
    }
}

fn is_constant(expr: &Expr) -> bool {
    let varies = expr.exists(|part| {
        Ok(matches!(
            part,
            Expr::Column(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::Placeholder(_)
                | Expr::ScalarSubquery(_)
                | Expr::AggregateFunction(_)
                | Expr::WindowFunction(_)
        ))
    });
    varies.is_ok_and(|varies| !varies)
}

fn check_node(
    plan: LogicalPlan,
    wanted: impl Fn(&BinaryExpr) -> bool,
) -> Result<Transformed<LogicalPlan>> {
    let mut schema = merge_schema(&plan.inputs());
    if let LogicalPlan::TableScan(scan) = &plan {
        let whole = DFSchema::try_from_qualified_schema(
            scan.table_name.clone(),
            scan.source.schema().as_ref(),
        )?;
        schema.merge(&whole);
    }
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let checked = expr.transform_up(|part| check(part, &schema, &wanted))?;
        Ok(if checked.transformed {
            checked.update_data(|expr| name.restore(expr))
        } else {
            checked
        })
    })
}

fn check(
    expr: Expr,
    schema: &DFSchema,
    wanted: &impl Fn(&BinaryExpr) -> bool,
) -> Result<Transformed<Expr>> {
    let Expr::BinaryExpr(operation) = expr else {
        return Ok(Transformed::no(expr));
    };
    let function = match operation.op {
        Operator::Plus => &FUNCTIONS[0],
        Operator::Minus => &FUNCTIONS[1],
        Operator::Multiply => &FUNCTIONS[2],
        _ => return Ok(Transformed::no(Expr::BinaryExpr(operation))),
    };
    if !wanted(&operation) {
        return Ok(Transformed::no(Expr::BinaryExpr(operation)));
    }
    let (left, right) = (
        operation.left.get_type(schema),
        operation.right.get_type(schema),
    );
    // A part of a subquery that is not decorrelated yet has types this node does not know.
    let may_overflow = match (left, right) {
        (Ok(left), Ok(right)) => {
            (left == right && left.is_integer()) || may_outgrow(&operation, (&left, &right), schema)
        }
        _ => false,
    };
    if !may_overflow {
        return Ok(Transformed::no(Expr::BinaryExpr(operation)));
    }
    let BinaryExpr { left, right, .. } = operation;
    Ok(Transformed::yes(Expr::ScalarFunction(
        ScalarFunction::new_udf(Arc::clone(function), vec![*left, *right]),
    )))
}

/// One operator over two integers of one type, or two decimals.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    operator: Operator,
    signature: Signature,
}

impl Checked {
    fn new(operator: Operator) -> Self {
        Self {
            operator,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }

    fn infix(&self, [left, right]: [&dyn fmt::Display; 2]) -> String {
        format!("{left} {} {right}", self.operator)
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.operator {
            Operator::Plus => "checked_add",
            Operator::Minus => "checked_subtract",
            _ => "checked_multiply",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [left, right] if left == right && left.is_integer() => Ok(types.to_vec()),
            [DataType::Decimal128(..), DataType::Decimal128(..)]
            | [DataType::Decimal256(..), DataType::Decimal256(..)] => Ok(types.to_vec()),
            _ => Err(DataFusionError::Plan(format!(
                "{} takes two integers of one type or two decimals",
                self.name()
            ))),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [left, right] => BinaryTypeCoercer::new(left, &self.operator, right).get_result_type(),
            _ => internal_err!("{} takes two numbers", self.name()),
        }
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        match args {
            [left, right] => Ok(self.infix([left, right])),
            _ => internal_err!("{} takes two numbers", self.name()),
        }
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        match args {
            [left, right] => Ok(self.infix([&left.schema_name(), &right.schema_name()])),
            _ => internal_err!("{} takes two numbers", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return internal_err!("{} takes two numbers", self.name());
        };
        let (left_datum, right_datum) = (datum(left)?, datum(right)?);
        let result = match self.operator {
            Operator::Plus => add(left_datum.as_ref(), right_datum.as_ref()),
            Operator::Minus => sub(left_datum.as_ref(), right_datum.as_ref()),
            _ => mul(left_datum.as_ref(), right_datum.as_ref()),
        };
        let result = result
            .and_then(within_precision)
            .map_err(|error| self.overflow(error, args.return_type()))?;
        let scalars = [left, right]
            .iter()
            .all(|value| matches!(value, ColumnarValue::Scalar(_)));
        Ok(if scalars {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)
        } else {
            ColumnarValue::Array(result)
        })
    }
}

impl Checked {
    fn overflow(&self, error: ArrowError, data_type: &DataType) -> DataFusionError {
        if let DataType::Decimal128(precision, _) | DataType::Decimal256(precision, _) = data_type {
            return match error {
                ArrowError::ArithmeticOverflow(_) => Error::invalid(format!(
                    "a result of {} has more than {precision} digits and does not fit {}; cast an \
                     operand to DOUBLE or to a decimal of fewer digits",
                    self.operator,
                    sql_type(data_type)
                ))
                .into(),
                other => other.into(),
            };
        }
        let text = error.to_string();
        let operation = text.rsplit(": ").next().unwrap_or_default();
        Error::invalid(format!(
            "the result of {operation} does not fit its integer type; cast an operand to a larger \
             type, such as DECIMAL(38, 0)"
        ))
        .into()
    }
}

/// The same numbers, unless one has more digits than its type says.
fn within_precision(numbers: ArrayRef) -> std::result::Result<ArrayRef, ArrowError> {
    let checked = match numbers.data_type() {
        DataType::Decimal128(precision, _) => numbers
            .as_primitive::<Decimal128Type>()
            .validate_decimal_precision(*precision),
        DataType::Decimal256(precision, _) => numbers
            .as_primitive::<Decimal256Type>()
            .validate_decimal_precision(*precision),
        _ => Ok(()),
    };
    match checked {
        Ok(()) => Ok(numbers),
        Err(error) => Err(ArrowError::ArithmeticOverflow(error.to_string())),
    }
}

fn datum(value: &ColumnarValue) -> Result<Box<dyn Datum>> {
    Ok(match value {
        ColumnarValue::Array(array) => Box::new(Arc::clone(array)),
        ColumnarValue::Scalar(scalar) => Box::new(scalar.to_scalar()?),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{rows, session_after, try_rows};

    const SET_UP: &str = "CREATE TABLE t (a BIGINT, b BIGINT, c INT) AS VALUES \
                          (9223372036854775807, 1, 2147483647), (1, 2, 3), (NULL, 9223372036854775807, NULL)";

    #[tokio::test]
    async fn a_result_that_does_not_fit_is_an_error() {
        let session = session_after(SET_UP).await;
        for sql in [
            "SELECT a + b FROM t",
            "SELECT c + CAST(1 AS INT) FROM t",
            "SELECT 0 - a - 2 FROM t",
            "SELECT a * 2 FROM t",
            "SELECT 9223372036854775807 + 1",
            "SELECT count(*) FROM t WHERE a + 1 > 0",
            "SELECT sum(a * 3) FROM t GROUP BY b",
            "SELECT * FROM t x JOIN t y ON x.a + 1 = y.b",
        ] {
            let error = try_rows(&session, sql).await.expect_err(sql).to_string();
            assert!(
                error.contains("does not fit its integer type"),
                "{sql}: {error}"
            );
        }
    }

    #[tokio::test]
    async fn a_result_that_fits_is_what_it_was() {
        let session = session_after(SET_UP).await;
        let answer = rows(
            &session,
            "SELECT a - b, c * 2, b + 1 FROM t WHERE b < 3 AND a < 5",
        )
        .await;
        assert_eq!(answer, ["-1 6 3"]);
        assert_eq!(
            rows(&session, "SELECT a + 1 FROM t WHERE a IS NULL").await,
            ["NULL"]
        );
        assert_eq!(rows(&session, "SELECT 2 + 3 * 4 - 1").await, ["13"]);
        let named = "SELECT \"t.b + Int64(1)\" FROM (SELECT b + 1 FROM t WHERE b < 3) ORDER BY 1";
        assert_eq!(rows(&session, named).await, ["2", "3"]);
        let grouped = "SELECT b % 2 + 1, count(*) FROM t GROUP BY b % 2 + 1";
        assert_eq!(rows(&session, grouped).await, ["1 1", "2 2"]);
    }
}
