//! The precedence of `IS [NOT] DISTINCT FROM`.
//!
//! The SQL parser reads everything after `FROM` as its right side, so that
//! `a IS DISTINCT FROM b AND c` means `a IS DISTINCT FROM (b AND c)`: over booleans a silent wrong
//! answer. SQL gives the operator the precedence of `IS`. The parser keeps written parentheses as
//! nodes of their own, so the intended grouping can be restored in the syntax tree:
//!
//! ```text
//!   DISTINCT            AND
//!    a   AND     ──►   DISTINCT  c
//!       b   c           a  b
//! ```
//!
//! A loose operator that is lifted so may have to be lifted again, above a `NOT` or `AND` around
//! it, because those too bind tighter than an `OR`.

use std::convert::Infallible;
use std::mem;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, UnaryOperator, Value, VisitMut, VisitorMut,
};

/// Gives `IS [NOT] DISTINCT FROM` its precedence in all expressions of a parsed statement.
pub fn restore_distinct_precedence(statement: &mut impl VisitMut) {
    // The visitor has no way to fail.
    let ControlFlow::Continue(()) = statement.visit(&mut Regroup);
}

struct Regroup;

impl VisitorMut for Regroup {
    type Break = Infallible;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Infallible> {
        match expr {
            Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right)
                if binding(right) <= Binding::Is =>
            {
                lift(expr, Binding::Is);
            }
            Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr: operand,
            } if binding(operand) <= Binding::And => {
                lift(expr, Binding::And);
            }
            Expr::BinaryOp {
                op: BinaryOperator::And,
                right,
                ..
            } if binding(right) <= Binding::Or => {
                lift(expr, Binding::Or);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// How tightly the outermost operator of an expression binds, loosest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Is,
    Tighter,
}

fn binding(expr: &Expr) -> Binding {
    match expr {
        Expr::BinaryOp {
            op: BinaryOperator::Or,
            ..
        } => Binding::Or,
        Expr::BinaryOp {
            op: BinaryOperator::And,
            ..
        } => Binding::And,
        Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotUnknown(_)
        | Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..) => Binding::Is,
        _ => Binding::Tighter,
    }
}

/// Turns `tight ⊙ (x ○ …)` into `(tight ⊙ x) ○ …`, where `○` binds no tighter than `loosest`.
fn lift(expr: &mut Expr, loosest: Binding) {
    let Some(last) = last_operand(expr) else {
        return;
    };
    let mut lifted = mem::replace(last, placeholder());
    let first = first_operand(&mut lifted, loosest);
    let operand = mem::replace(first, placeholder());
    if let Some(last) = last_operand(expr) {
        *last = operand;
    }
    mem::swap(first, expr);
    *expr = lifted;
}

fn last_operand(expr: &mut Expr) -> Option<&mut Expr> {
    match expr {
        Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) => Some(right),
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => Some(expr),
        Expr::BinaryOp { right, .. } => Some(right),
        _ => None,
    }
}

/// The leftmost operand below the operators that bind no tighter than `loosest`.
fn first_operand(expr: &mut Expr, loosest: Binding) -> &mut Expr {
    if binding(expr) > loosest {
        return expr;
    }
    match expr {
        Expr::BinaryOp { left: first, .. }
        | Expr::IsNull(first)
        | Expr::IsNotNull(first)
        | Expr::IsTrue(first)
        | Expr::IsNotTrue(first)
        | Expr::IsFalse(first)
        | Expr::IsNotFalse(first)
        | Expr::IsUnknown(first)
        | Expr::IsNotUnknown(first)
        | Expr::IsDistinctFrom(first, _)
        | Expr::IsNotDistinctFrom(first, _) => first_operand(first, loosest),
        other => other,
    }
}

fn placeholder() -> Expr {
    Expr::Value(Value::Null.into())
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::ast::Expr;
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::restore_distinct_precedence;

    #[test]
    fn distinct_from_binds_tighter_than_and_or_not() {
        for (loose, grouped) in [
            ("a IS DISTINCT FROM b AND c", "((a != b) AND c)"),
            (
                "a IS NOT DISTINCT FROM b OR c AND d",
                "((a == b) OR (c AND d))",
            ),
            ("NOT a IS DISTINCT FROM b AND c", "((NOT (a != b)) AND c)"),
            ("x AND a IS DISTINCT FROM b OR c", "((x AND (a != b)) OR c)"),
            ("x OR a IS DISTINCT FROM b AND c", "(x OR ((a != b) AND c))"),
            (
                "x AND NOT a IS DISTINCT FROM b OR c",
                "((x AND (NOT (a != b))) OR c)",
            ),
            ("NOT a IS DISTINCT FROM b IS NULL", "(NOT ((a != b) NULL))"),
            (
                "a IS DISTINCT FROM b AND c IS DISTINCT FROM d OR e",
                "(((a != b) AND (c != d)) OR e)",
            ),
        ] {
            assert_eq!(regrouped(loose), grouped, "{loose}");
        }
    }

    #[test]
    fn parentheses_and_tighter_operators_stay() {
        for (condition, grouped) in [
            ("a IS DISTINCT FROM (b AND c)", "(a != (b AND c))"),
            ("x AND (a OR b)", "(x AND (a OR b))"),
            ("NOT (a OR b)", "(NOT (a OR b))"),
            ("NOT a IS NULL AND b", "((NOT (a NULL)) AND b)"),
        ] {
            assert_eq!(regrouped(condition), grouped, "{condition}");
        }
    }

    fn regrouped(condition: &str) -> String {
        let parser = Parser::new(&GenericDialect {}).try_with_sql(condition);
        let mut expr = parser.and_then(|mut parser| parser.parse_expr()).unwrap();
        restore_distinct_precedence(&mut expr);
        grouping(&expr)
    }

    /// The tree with every operator in brackets of its own.
    fn grouping(expr: &Expr) -> String {
        match expr {
            Expr::Nested(inner) => grouping(inner),
            Expr::BinaryOp { left, op, right } => {
                format!("({} {op} {})", grouping(left), grouping(right))
            }
            Expr::UnaryOp { op, expr } => format!("({op} {})", grouping(expr)),
            Expr::IsDistinctFrom(left, right) => {
                format!("({} != {})", grouping(left), grouping(right))
            }
            Expr::IsNotDistinctFrom(left, right) => {
                format!("({} == {})", grouping(left), grouping(right))
            }
            Expr::IsNull(inner) => format!("({} NULL)", grouping(inner)),
            other => other.to_string(),
        }
    }
}
