//! Expressions that the planner would refuse by printing their syntax tree, or that would fail far
//! from where they are written: they are refused here in words.

use std::ops::ControlFlow;
use std::str::FromStr;

use arrow::array::timezone::Tz;
use datafusion::sql::sqlparser::ast::{Expr, Value, ValueWithSpan, Visit, Visitor};

use crate::{Error, Result};

/// Refuses such expressions inside `tree`.
///
/// # Errors
/// `Unsupported` for what is not served, `InvalidQuery` for time zones that do not exist.
pub(super) fn refuse_exprs<T: Visit>(tree: &T) -> Result<()> {
    match tree.visit(&mut Refuse) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Refuse;

impl Visitor for Refuse {
    type Break = Box<Error>;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        let checked = match expr {
            Expr::Collate { .. } => Err(Error::unsupported(
                "COLLATE is not supported: texts are compared byte by byte; write lower(x) to compare \
                 without regard to case",
            )),
            Expr::AtTimeZone { time_zone, .. } => check_zone(time_zone),
            _ => Ok(()),
        };
        match checked {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

fn check_zone(zone: &Expr) -> Result<()> {
    let Expr::Value(ValueWithSpan {
        value: Value::SingleQuotedString(name),
        ..
    }) = zone
    else {
        return Err(Error::unsupported(format!(
            "AT TIME ZONE takes a text in single quotes, not {zone}"
        )));
    };
    match Tz::from_str(name) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::invalid(format!(
            "\"{name}\" is no time zone; write a name such as 'Europe/Berlin' or an offset such as \
             '+02:00'"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use crate::ErrorKind;
    use crate::sql::{ParseLimits, parse_one};

    #[test]
    fn what_is_refused_is_named() {
        for (expr, kind, words) in [
            (
                "a COLLATE \"de_DE\"",
                ErrorKind::Unsupported,
                "COLLATE is not supported",
            ),
            (
                "t AT TIME ZONE 'Middle-earth'",
                ErrorKind::InvalidQuery,
                "\"Middle-earth\" is no time zone",
            ),
            (
                "t AT TIME ZONE zone",
                ErrorKind::Unsupported,
                "single quotes, not zone",
            ),
        ] {
            let sql = format!("SELECT {expr} FROM x");
            let error = parse_one(&sql, &ParseLimits::default()).expect_err(expr);
            assert_eq!(error.kind(), kind, "{expr}: {error}");
            assert!(error.message().contains(words), "{expr}: {error}");
        }
        for zone in ["UTC", "+02:00", "Europe/Berlin"] {
            let sql = format!("SELECT t AT TIME ZONE '{zone}' FROM x");
            parse_one(&sql, &ParseLimits::default()).expect(zone);
        }
    }
}
