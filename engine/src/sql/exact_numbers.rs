//! Numbers with more digits than a float keeps, as decimals.
//!
//! The planner reads a number with a fraction as a 64-bit float, which is right to 15 digits. Whoever
//! writes more digits means all of them: such a number becomes a decimal of just its digits.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, ExactNumberInfo, Expr, Value, VisitMut, VisitorMut,
};

/// Digits that every float keeps.
const FLOAT_DIGITS: usize = 15;
/// Digits of the largest decimal.
const DECIMAL_DIGITS_MAX: usize = 76;

/// Makes decimals of the long numbers inside `tree`.
pub(super) fn keep_digits<T: VisitMut>(tree: &mut T) {
    let ControlFlow::Continue(()) = tree.visit(&mut KeepDigits);
}

struct KeepDigits;

impl VisitorMut for KeepDigits {
    type Break = std::convert::Infallible;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        if let Expr::Value(value) = expr
            && let Value::Number(digits, _) = &value.value
            && let Some(info) = decimal_of(digits)
        {
            let mut text = value.clone();
            text.value = Value::SingleQuotedString(digits.replace('_', ""));
            *expr = Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(Expr::Value(text)),
                data_type: DataType::Decimal(info),
                array: false,
                format: None,
            };
        }
        ControlFlow::Continue(())
    }
}

/// The type that holds just the digits of `number`, unless another type holds them as well.
fn decimal_of(number: &str) -> Option<ExactNumberInfo> {
    let plain = number.replace('_', "");
    if plain.contains(['e', 'E', 'x', 'X']) {
        return None;
    }
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let whole = whole.trim_start_matches('0');
    let digits = whole.len() + fraction.len();
    let integer = fraction.is_empty() && plain.parse::<u64>().is_ok();
    if integer || digits <= FLOAT_DIGITS || digits > DECIMAL_DIGITS_MAX {
        return None;
    }
    let scale = i64::try_from(fraction.len()).ok()?;
    Some(ExactNumberInfo::PrecisionAndScale(digits as u64, scale))
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;
    use datafusion::sql::parser::Statement;

    use super::*;

    async fn value(sql: &str) -> String {
        let context = SessionContext::new();
        let state = context.state();
        let Ok(Statement::Statement(mut statement)) =
            state.sql_to_statement(sql, &datafusion::config::Dialect::Generic)
        else {
            unreachable!("{sql} is a query");
        };
        keep_digits(statement.as_mut());
        let plan = state
            .statement_to_plan(Statement::Statement(statement))
            .await;
        let frame = context
            .execute_logical_plan(plan.expect("it is planned"))
            .await;
        let rows = frame.expect("it starts").collect().await.expect("it runs");
        let text = arrow::util::display::array_value_to_string(rows[0].column(0), 0);
        text.expect("a value")
    }

    #[tokio::test]
    async fn long_numbers_keep_their_digits() {
        assert_eq!(
            value("SELECT -99999999999999.9999").await,
            "-99999999999999.9999"
        );
        assert_eq!(
            value("SELECT 123456789012345678901234567890").await,
            "123456789012345678901234567890"
        );
        assert_eq!(
            value("SELECT 0.12345678901234567890").await,
            "0.12345678901234567890"
        );
    }

    #[tokio::test]
    async fn other_numbers_stay_what_they_were() {
        assert_eq!(value("SELECT arrow_typeof(1.5)").await, "Float64");
        assert_eq!(
            value("SELECT arrow_typeof(9223372036854775807)").await,
            "Int64"
        );
        assert_eq!(
            value("SELECT arrow_typeof(18446744073709551615)").await,
            "UInt64"
        );
        assert_eq!(
            value("SELECT arrow_typeof(1.2345678901234567e300)").await,
            "Float64"
        );
    }
}
