//! What must hold of a parsed query before DataFusion plans it: it is not deeper or longer than the
//! limits, and it does nothing but read.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Query as SqlQuery, Select, SetExpr, TableFactor, Visit, Visitor,
};

use super::limits::ParseLimits;
use super::refused::Refused;
use crate::Error;

/// Levels of the syntax tree that one level of the text may take: a subquery in an expression is an
/// expression, a query, a table and the query behind it.
const TREE_LEVELS: usize = 4;

/// Checks a query or expression that is about to leave the parser.
pub(super) fn inspect<T: Visit>(tree: &T, limits: &ParseLimits) -> Result<(), Error> {
    let mut inspector = Inspector { limits, depth: 0 };
    match tree.visit(&mut inspector) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Inspector<'a> {
    limits: &'a ParseLimits,
    depth: usize,
}

type Flow = ControlFlow<Box<Error>>;

impl Inspector<'_> {
    fn enter(&mut self) -> Flow {
        self.depth += 1;
        self.check(self.depth)
    }

    fn leave(&mut self) -> Flow {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn check(&self, depth: usize) -> Flow {
        if depth > self.limits.depth * TREE_LEVELS {
            return ControlFlow::Break(Box::new(self.limits.too_deep()));
        }
        ControlFlow::Continue(())
    }

    /// Set operations and what they combine, without recursing: a chain may be thousands long.
    fn check_body(&self, body: &SetExpr) -> Flow {
        let mut pending = vec![(body, self.depth)];
        while let Some((body, depth)) = pending.pop() {
            self.check(depth)?;
            let what = match body {
                SetExpr::SetOperation { left, right, .. } => {
                    pending.push((left, depth + 1));
                    pending.push((right, depth + 1));
                    continue;
                }
                SetExpr::Insert(_) => "INSERT in a query",
                SetExpr::Update(_) => "UPDATE",
                SetExpr::Delete(_) => "DELETE",
                SetExpr::Merge(_) => "MERGE",
                SetExpr::Select(select) if select.into.is_some() => "SELECT INTO",
                _ => continue,
            };
            return ControlFlow::Break(Box::new(Refused::new(what).error()));
        }
        ControlFlow::Continue(())
    }
}

impl Visitor for Inspector<'_> {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &SqlQuery) -> Flow {
        self.enter()?;
        self.check_body(&query.body)
    }

    fn post_visit_query(&mut self, _: &SqlQuery) -> Flow {
        self.leave()
    }

    fn pre_visit_select(&mut self, select: &Select) -> Flow {
        // Every join of a FROM clause lies inside the next one.
        let joins: usize = select.from.iter().map(|from| from.joins.len() + 1).sum();
        self.check(self.depth + joins)
    }

    fn pre_visit_table_factor(&mut self, _: &TableFactor) -> Flow {
        self.enter()
    }

    fn post_visit_table_factor(&mut self, _: &TableFactor) -> Flow {
        self.leave()
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Flow {
        self.enter()?;
        match expr {
            Expr::InList { list, .. } if list.len() > self.limits.in_list => {
                ControlFlow::Break(Box::new(self.limits.list_too_long(list.len())))
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, _: &Expr) -> Flow {
        self.leave()
    }
}
