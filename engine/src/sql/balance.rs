//! Long conditions and unions as shallow trees.
//!
//! A parser reads `a OR b OR c OR …` into a tree as deep as the condition is long. AND, OR and UNION
//! are associative, so a long chain may as well be a balanced tree with the same terms in the same
//! order, whose depth is the logarithm of its length.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Query as SqlQuery, SetExpr, SetOperator, SetQuantifier, Value, Values,
    VisitMut, VisitorMut,
};

/// Chains up to this many terms stay as written.
const SHORT: usize = 64;

/// Balances all long chains of AND, of OR and of UNION inside `tree`.
pub(super) fn balance_chains<T: VisitMut>(tree: &mut T) {
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

    fn pre_visit_query(&mut self, query: &mut SqlQuery) -> ControlFlow<Self::Break> {
        balance_unions(&mut query.body);
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

/// The kind of a union whose chains are associative.
fn union_of(body: &SetExpr) -> Option<SetQuantifier> {
    match body {
        SetExpr::SetOperation {
            op: SetOperator::Union,
            set_quantifier,
            ..
        } => matches!(
            set_quantifier,
            SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None
        )
        .then_some(*set_quantifier),
        _ => None,
    }
}

fn balance_unions(body: &mut SetExpr) {
    let mut bodies = vec![body];
    while let Some(body) = bodies.pop() {
        if let Some(quantifier) = union_of(body)
            && union_length(body, quantifier) > SHORT
        {
            let chain = std::mem::replace(body, no_rows());
            *body = unite(&mut take_united(chain, quantifier), quantifier);
        }
        if let SetExpr::SetOperation { left, right, .. } = body {
            bodies.extend([left.as_mut(), right.as_mut()]);
        }
    }
}

fn union_length(mut body: &SetExpr, quantifier: SetQuantifier) -> usize {
    let mut queries = 1;
    while let SetExpr::SetOperation { left, .. } = body
        && union_of(body) == Some(quantifier)
    {
        queries += 1;
        body = left;
    }
    queries
}

/// The queries of a chain, last first.
fn take_united(mut body: SetExpr, quantifier: SetQuantifier) -> Vec<SetExpr> {
    let mut queries = Vec::new();
    loop {
        let chained = union_of(&body) == Some(quantifier);
        match body {
            SetExpr::SetOperation { left, right, .. } if chained => {
                queries.push(*right);
                body = *left;
            }
            first => {
                queries.push(first);
                return queries;
            }
        }
    }
}

/// Unites queries that stand last first.
fn unite(queries: &mut Vec<SetExpr>, set_quantifier: SetQuantifier) -> SetExpr {
    if queries.len() <= 1 {
        return queries.pop().unwrap_or_else(no_rows);
    }
    let mut left = queries.split_off(queries.len() / 2);
    SetExpr::SetOperation {
        left: Box::new(unite(&mut left, set_quantifier)),
        op: SetOperator::Union,
        set_quantifier,
        right: Box::new(unite(queries, set_quantifier)),
    }
}

fn no_rows() -> SetExpr {
    SetExpr::Values(Values {
        explicit_row: false,
        value_keyword: false,
        rows: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::source::DIALECT;
    use datafusion::sql::sqlparser::parser::Parser;

    fn parse(sql: &str) -> Expr {
        Parser::new(&DIALECT)
            .try_with_sql(sql)
            .unwrap()
            .parse_expr()
            .unwrap()
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
            balance_chains(&mut expr);
            assert!(depth(&expr) < 12);
            assert_eq!(expr.to_string(), sql);
        }
    }

    #[test]
    fn chains_inside_chains_are_balanced_and_short_ones_left_alone() {
        let inner: Vec<String> = (0..200).map(|i| format!("b = {i}")).collect();
        let sql = vec![inner.join(" AND "); 100].join(" OR ");
        let mut expr = parse(&sql);
        balance_chains(&mut expr);
        assert!(depth(&expr) < 20);
        assert_eq!(expr.to_string(), sql);
        let short = parse("a AND b AND c OR d");
        let mut same = short.clone();
        balance_chains(&mut same);
        assert_eq!(short, same);
    }

    #[test]
    fn long_unions_become_shallow_and_keep_their_order() {
        let parse = |sql: &str| {
            Parser::new(&DIALECT)
                .try_with_sql(sql)
                .unwrap()
                .parse_query()
                .unwrap()
        };
        fn height(body: &SetExpr) -> usize {
            match body {
                SetExpr::SetOperation { left, right, .. } => 1 + height(left).max(height(right)),
                _ => 0,
            }
        }
        let selects: Vec<String> = (0..300).map(|i| format!("SELECT {i}")).collect();
        for word in ["UNION ALL", "UNION", "UNION DISTINCT"] {
            let sql = selects.join(&format!(" {word} "));
            let mut query = parse(&sql);
            balance_chains(query.as_mut());
            assert!(height(&query.body) < 12);
            assert_eq!(query.to_string(), sql);
        }
        let mixed = "SELECT 1 UNION SELECT 2 UNION ALL SELECT 3 EXCEPT SELECT 4";
        let mut query = parse(mixed);
        balance_chains(query.as_mut());
        assert_eq!(*query, *parse(mixed));
    }
}
