//! `INTERVAL 30 DAY` as `INTERVAL '30' DAY`: where a window's frame has one, the planner knows texts
//! only.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Interval, UnaryOperator, Value, VisitMut, VisitorMut};

use crate::{Error, Result};

/// Writes the numbers of the intervals inside `tree` as texts.
///
/// # Errors
/// Intervals of something that is neither a number nor a text.
pub(super) fn quote_intervals<T: VisitMut>(tree: &mut T) -> Result<()> {
    match tree.visit(&mut QuoteIntervals) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct QuoteIntervals;

impl VisitorMut for QuoteIntervals {
    type Break = Box<Error>;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        if let Expr::Interval(interval) = expr
            && !quote(&mut interval.value)
        {
            return ControlFlow::Break(Box::new(no_constant(interval)));
        }
        ControlFlow::Continue(())
    }
}

/// Makes a number a text; whether `value` is a constant, with or without a sign.
fn quote(value: &mut Expr) -> bool {
    match value {
        Expr::UnaryOp {
            op: UnaryOperator::Plus | UnaryOperator::Minus,
            expr,
        } => quote(expr),
        Expr::Value(constant) => match &constant.value {
            Value::Number(digits, _) => {
                constant.value = Value::SingleQuotedString(digits.clone());
                true
            }
            Value::SingleQuotedString(_) | Value::DoubleQuotedString(_) => true,
            _ => false,
        },
        _ => false,
    }
}

fn no_constant(interval: &Interval) -> Error {
    let unit = match &interval.leading_field {
        Some(unit) => unit.to_string(),
        None => "DAY".to_owned(),
    };
    Error::unsupported(format!(
        "INTERVAL takes a number or a text, not {}: write {} * INTERVAL '1' {unit}",
        interval.value, interval.value
    ))
}

#[cfg(test)]
mod tests {
    use crate::ErrorKind;
    use crate::sql::{ParseLimits, Statement, parse_one};

    #[test]
    fn numbers_of_intervals_are_texts() {
        for (written, expected) in [
            ("INTERVAL 30 DAY", "INTERVAL '30' DAY"),
            ("INTERVAL 1.5 HOUR", "INTERVAL '1.5' HOUR"),
            ("INTERVAL -2 WEEK", "INTERVAL -'2' WEEK"),
            ("INTERVAL '1 day'", "INTERVAL '1 day'"),
            (
                "sum(a) OVER (ORDER BY b RANGE BETWEEN INTERVAL 30 DAY PRECEDING AND CURRENT ROW)",
                "sum(a) OVER (ORDER BY b RANGE BETWEEN INTERVAL '30' DAY PRECEDING AND CURRENT ROW)",
            ),
        ] {
            let sql = format!("SELECT {written} FROM t");
            let parsed = parse_one(&sql, &ParseLimits::default()).expect(written);
            let Statement::Query(query) = parsed.statement else {
                panic!("{written} is a query");
            };
            assert_eq!(query.to_string(), format!("SELECT {expected} FROM t"));
        }
    }

    #[test]
    fn an_interval_of_a_column_says_what_to_write() {
        let error = parse_one("SELECT INTERVAL a DAY FROM t", &ParseLimits::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("a * INTERVAL '1' DAY"), "{error}");
    }
}
