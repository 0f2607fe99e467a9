//! Long conditions as shallow trees.
//!
//! A parser reads `a OR b OR c OR …` into a tree as deep as the condition is long. AND and OR are
//! associative, so a long chain may as well be a balanced tree with the same terms in the same
//! order, whose depth is the logarithm of its length.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Value, VisitMut, VisitorMut,
};

/// Chains up to this many terms stay as written.
const SHORT: usize = 64;

/// Balances all long chains of AND and of OR inside `tree`.
pub(super) fn balance_conditions<T: VisitMut>(tree: &mut T) {
    let ControlFlow::Continue(()) = tree.visit(&mut Balance);
}

struct Balance;

impl VisitorMut for Balance {
    type Break = std::convert::Infallible;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        if let Expr::BinaryOp { op, .. } = expr
            && matches!(op, BinaryOperator::And | BinaryOperator::Or)
        {
            let op = op.clone();
            if chain_length(expr, &op) > SHORT {
                let chain = std::mem::replace(expr, nothing());
                *expr = join(&mut take_terms(chain, &op), &op);
            }
        }
        ControlFlow::Continue(())
    }
}

fn chain_length(mut expr: &Expr, chain_op: &BinaryOperator) -> usize {
    let mut terms = 1;
    while let Expr::BinaryOp { left, op, .. } = expr
        && op == chain_op
    {
        terms += 1;
        expr = left;
    }
    terms
}

/// The terms of a chain, last first.
fn take_terms(mut expr: Expr, chain_op: &BinaryOperator) -> Vec<Expr> {
    let mut terms = Vec::new();
    loop {
        match expr {
            Expr::BinaryOp { left, op, right } if op == *chain_op => {
                terms.push(*right);
                expr = *left;
            }
            first => {
                terms.push(first);
                return terms;
            }
        }
    }
}

/// Joins terms that stand last first.
fn join(terms: &mut Vec<Expr>, op: &BinaryOperator) -> Expr {
    if terms.len() <= 1 {
        return terms.pop().unwrap_or_else(nothing);
    }
    let mut left = terms.split_off(terms.len() / 2);
    Expr::BinaryOp {
        left: Box::new(join(&mut left, op)),
        op: op.clone(),
        right: Box::new(join(terms, op)),
    }
}

fn nothing() -> Expr {
    Expr::Value(Value::Null.with_empty_span())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::source::DIALECT;
    use datafusion::sql::sqlparser::parser::Parser;

    fn parse(sql: &str) -> Expr {
        Parser::new(&DIALECT).try_with_sql(sql).unwrap().parse_expr().unwrap()
    }

    fn depth(expr: &Expr) -> usize {
        match expr {
            Expr::BinaryOp { left, right, .. } => 1 + depth(left).max(depth(right)),
            _ => 0,
        }
    }

    #[test]
    fn long_chains_become_shallow_and_keep_their_order() {
        let terms: Vec<String> = (0..500).map(|i| format!("a = {i}")).collect();
        for word in ["AND", "OR"] {
            let sql = terms.join(&format!(" {word} "));
            let mut expr = parse(&sql);
            balance_conditions(&mut expr);
            assert!(depth(&expr) < 12);
            assert_eq!(expr.to_string(), sql);
        }
    }

    #[test]
    fn chains_inside_chains_are_balanced_and_short_ones_left_alone() {
        let inner: Vec<String> = (0..200).map(|i| format!("b = {i}")).collect();
        let sql = vec![inner.join(" AND "); 100].join(" OR ");
        let mut expr = parse(&sql);
        balance_conditions(&mut expr);
        assert!(depth(&expr) < 20);
        assert_eq!(expr.to_string(), sql);
        let short = parse("a AND b AND c OR d");
        let mut same = short.clone();
        balance_conditions(&mut same);
        assert_eq!(short, same);
    }
}
