//! Conditions that DataFusion makes deep again, however shallow they are written.
//!
//! A filter is taken apart into the terms of its AND and put together again as a tree as deep as
//! there are terms, several times while it is planned. The terms of an OR behind a NOT end up the
//! same way.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, JoinConstraint, JoinOperator, Select, UnaryOperator,
};

/// Shorter chains are no danger, in whatever number.
const SHORT: usize = 64;

/// The terms of the long conjunctions that filter a query's rows.
pub(super) fn long_conjunctions(select: &Select) -> usize {
    let joined = select.from.iter().flat_map(|from| &from.joins);
    [&select.selection, &select.having, &select.qualify]
        .into_iter()
        .flatten()
        .chain(joined.filter_map(|join| condition_of(&join.join_operator)))
        .map(long_conjunction)
        .sum()
}

fn condition_of(join: &JoinOperator) -> Option<&Expr> {
    match join {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::Semi(constraint)
        | JoinOperator::LeftSemi(constraint)
        | JoinOperator::RightSemi(constraint)
        | JoinOperator::Anti(constraint)
        | JoinOperator::LeftAnti(constraint)
        | JoinOperator::RightAnti(constraint) => match constraint {
            JoinConstraint::On(condition) => Some(condition),
            _ => None,
        },
        _ => None,
    }
}

/// The terms of the conjunction `condition` is or becomes, when they are many; otherwise zero.
fn long_conjunction(condition: &Expr) -> usize {
    let terms = match condition {
        Expr::Nested(inner) => return long_conjunction(inner),
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => terms(expr, &BinaryOperator::Or),
        other => terms(other, &BinaryOperator::And),
    };
    if terms > SHORT { terms } else { 0 }
}

/// The terms of a chain, through parentheses.
fn terms(expr: &Expr, chain_op: &BinaryOperator) -> usize {
    let mut pending = vec![expr];
    let mut terms = 0;
    while let Some(expr) = pending.pop() {
        match expr {
            Expr::BinaryOp { left, op, right } if op == chain_op => {
                pending.extend([left.as_ref(), right.as_ref()]);
            }
            Expr::Nested(inner) => pending.push(inner),
            _ => terms += 1,
        }
    }
    terms
}
