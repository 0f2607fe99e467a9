//! Whether the type of a decimal's sum, difference or product has room for it.
//!
//! Such a type has as many digits as the result can need, but never more than the widest decimal
//! has. Where the operands' types ask for more than that, the operands themselves often do not: the
//! 1 of `1 - discount` is a decimal of twenty digits by its type and of one by its value.

use datafusion::arrow::datatypes::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType};
use datafusion::common::DFSchema;
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::expr::BinaryExpr;
use datafusion::logical_expr::{Expr, ExprSchemable, Operator};
use datafusion::scalar::ScalarValue;

/// Whether `operation`, whose operands have the types `left` and `right`, is one of decimals with a
/// result that may have more digits than its type.
pub(super) fn may_outgrow(
    operation: &BinaryExpr,
    (left, right): (&DataType, &DataType),
    schema: &DFSchema,
) -> bool {
    let same_width = matches!(
        (left, right),
        (DataType::Decimal128(..), DataType::Decimal128(..))
            | (DataType::Decimal256(..), DataType::Decimal256(..))
    );
    if !same_width {
        return false;
    }
    let widest = match BinaryTypeCoercer::new(left, &operation.op, right).get_result_type() {
        Ok(DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale)) => {
            i32::from(DECIMAL128_MAX_PRECISION) - i32::from(scale)
        }
        Ok(DataType::Decimal256(DECIMAL256_MAX_PRECISION, scale)) => {
            i32::from(DECIMAL256_MAX_PRECISION) - i32::from(scale)
        }
        _ => return false,
    };
    whole_digits_of(operation, schema).is_none_or(|digits| digits > widest)
}

fn whole_digits_of(operation: &BinaryExpr, schema: &DFSchema) -> Option<i32> {
    let left = whole_digits(&operation.left, schema)?;
    let right = whole_digits(&operation.right, schema)?;
    match operation.op {
        Operator::Plus | Operator::Minus => Some(left.max(right) + 1),
        Operator::Multiply => Some(left + right),
        _ => None,
    }
}

/// The most digits that the values of `expr` have before the point, when that is known.
fn whole_digits(expr: &Expr, schema: &DFSchema) -> Option<i32> {
    match expr {
        Expr::Alias(alias) => whole_digits(&alias.expr, schema),
        Expr::Literal(ScalarValue::Decimal128(Some(value), _, scale), _) => {
            let digits = value
                .unsigned_abs()
                .checked_ilog10()
                .map_or(0, |log| log + 1);
            Some((i32::try_from(digits).ok()? - i32::from(*scale)).max(0))
        }
        Expr::BinaryExpr(operation) => {
            whole_digits_of(operation, schema).or_else(|| digits_of_type(expr, schema))
        }
        Expr::Cast(cast) => {
            digits_of_integer(&cast.expr, schema).or_else(|| digits_of_type(expr, schema))
        }
        _ => digits_of_type(expr, schema),
    }
}

fn digits_of_integer(expr: &Expr, schema: &DFSchema) -> Option<i32> {
    match expr.get_type(schema).ok()? {
        DataType::Int8 | DataType::UInt8 => Some(3),
        DataType::Int16 | DataType::UInt16 => Some(5),
        DataType::Int32 | DataType::UInt32 => Some(10),
        DataType::Int64 => Some(19),
        DataType::UInt64 => Some(20),
        _ => None,
    }
}

fn digits_of_type(expr: &Expr, schema: &DFSchema) -> Option<i32> {
    match expr.get_type(schema).ok()? {
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            Some(i32::from(precision) - i32::from(scale))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{plan_text, rows, session_after, try_rows};

    const SET_UP: &str = "CREATE TABLE t (d DECIMAL(38, 0), m DECIMAL(15, 2)) AS VALUES \
                          (CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)), CAST(2 AS DECIMAL(15, 2))), \
                          (NULL, CAST(-3.5 AS DECIMAL(15, 2)))";

    #[tokio::test]
    async fn a_result_of_too_many_digits_is_an_error() {
        let session = session_after(SET_UP).await;
        for sql in [
            "SELECT d + 1 FROM t",
            "SELECT -1 - d FROM t",
            "SELECT d * 10 FROM t",
            "SELECT d * m FROM t",
            "SELECT count(*) FROM t WHERE d + 1 > 0",
            "SELECT CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) + 1",
        ] {
            let error = try_rows(&session, sql).await.expect_err(sql).to_string();
            assert!(error.contains("more than 38 digits"), "{sql}: {error}");
        }
    }

    #[tokio::test]
    async fn a_result_that_fits_is_what_it_was() {
        let session = session_after(SET_UP).await;
        assert_eq!(
            rows(&session, "SELECT d - 1, m * m FROM t").await,
            [
                "99999999999999999999999999999999999998 4.0000",
                "NULL 12.2500"
            ]
        );
    }

    #[tokio::test]
    async fn results_with_room_are_computed_as_they_were() {
        let session = session_after(SET_UP).await;
        for sql in ["SELECT m * (1 - m) FROM t", "SELECT m + m * 2 FROM t"] {
            assert!(
                !plan_text(&session, sql).await.contains("checked_"),
                "{sql}"
            );
        }
        let sql = "SELECT m * (1 - m) * (1 + m) FROM t";
        assert!(plan_text(&session, sql).await.contains("checked_multiply"));
    }
}
