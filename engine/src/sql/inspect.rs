//! What must hold of a parsed query before DataFusion plans it: it is not deeper or longer than the
//! limits, and it does nothing but read.
//!
//! The bounds that are no settings are where planning or running on a stack of 2 MiB overflows, or
//! takes minutes, with room to spare; `limit_tests.rs` holds them to it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, ObjectName, Query as SqlQuery, Select, SetExpr, Visit, Visitor,
};

use super::cte_scopes::CteScopes;
use super::inspect_conditions::long_conjunctions;
use super::limits::{ParseLimits, exhausted};
use super::refused::Refused;
use crate::Error;

/// Levels of expressions that one level of the text may take: operators need no parentheses.
const EXPR_LEVELS: usize = 4;
/// Queries inside queries.
const QUERIES_MAX: usize = 32;
/// Subqueries of expressions inside one another: planning time doubles with each.
const SUBQUERIES_MAX: usize = 12;
/// Joins along one path of the plan.
const JOINS_MAX: usize = 150;
/// Set operations inside one another; long unions have been balanced.
const SET_LEVELS_MAX: usize = 48;
/// Queries that one chain of set operations combines.
const UNITED_MAX: usize = 2000;
/// Groupings of one GROUP BY, of which CUBE makes two to the power of its columns.
const GROUPINGS_MAX: usize = 4096;
/// Terms of the long conjunctions of a query and of those it is inside of, which are merged.
const CONJUNCTS_MAX: usize = 1000;
/// Common table expressions of one query: each may name the one before.
const CTES_MAX: usize = 200;
/// Tables a query may expand to by naming common table expressions repeatedly.
const EXPANSION_MAX: u64 = 5000;

/// Checks a query or expression that is about to leave the parser.
pub(super) fn inspect<T: Visit>(tree: &T, limits: &ParseLimits) -> Result<(), Error> {
    let mut inspector = Inspector {
        limits,
        exprs: 0,
        queries: 0,
        subqueries: 0,
        joins: 0,
        set_levels: Vec::new(),
        conjuncts: 0,
        scopes: CteScopes::default(),
    };
    match tree.visit(&mut inspector) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Inspector<'a> {
    limits: &'a ParseLimits,
    exprs: usize,
    queries: usize,
    subqueries: usize,
    joins: usize,
    /// Levels of set operations of each query on the path.
    set_levels: Vec<usize>,
    conjuncts: usize,
    scopes: CteScopes,
}

type Flow = ControlFlow<Box<Error>>;

fn refuse_if(beyond: bool, error: impl FnOnce() -> Error) -> Flow {
    if beyond {
        ControlFlow::Break(Box::new(error()))
    } else {
        ControlFlow::Continue(())
    }
}

fn beyond(what: &str, limit: usize) -> Error {
    exhausted(format!("the statement has more than {limit} {what}"))
}

impl Inspector<'_> {
    /// Set operations and what they combine, without recursing: a chain may be thousands long.
    fn check_body(&mut self, body: &SetExpr) -> Flow {
        let mut pending = vec![(body, 0)];
        let mut height = 0;
        let mut united = 0;
        while let Some((body, level)) = pending.pop() {
            height = height.max(level);
            united += 1;
            let what = match body {
                SetExpr::SetOperation { left, right, .. } => {
                    pending.extend([(left.as_ref(), level + 1), (right.as_ref(), level + 1)]);
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
        self.set_levels.push(height);
        refuse_if(
            self.set_levels.iter().sum::<usize>() > SET_LEVELS_MAX,
            || beyond("levels of EXCEPT, INTERSECT and UNION", SET_LEVELS_MAX),
        )?;
        // Half of what was seen are the operations themselves.
        refuse_if(united / 2 >= UNITED_MAX, || {
            beyond("queries in one UNION", UNITED_MAX)
        })
    }

    fn check_expr_levels(&self, further: usize) -> Flow {
        let levels = self.limits.depth * EXPR_LEVELS;
        refuse_if(self.exprs + further > levels, || {
            self.limits.chain_too_long(levels)
        })
    }
}

/// Every table of a FROM clause lies below the joins of those before it.
fn joins_of(select: &Select) -> usize {
    let tables: usize = select.from.iter().map(|from| from.joins.len() + 1).sum();
    tables.saturating_sub(1)
}

/// Levels an expression becomes that is flat in the text: each access is a function of the last.
fn hidden_levels(expr: &Expr) -> usize {
    match expr {
        Expr::CompoundFieldAccess { access_chain, .. } => access_chain.len(),
        Expr::JsonAccess { path, .. } => path.path.len(),
        Expr::CompoundIdentifier(parts) => parts.len(),
        _ => 0,
    }
}

/// The grouping sets of a GROUP BY: every part is combined with every other.
fn groupings_of(group_by: &GroupByExpr) -> usize {
    let GroupByExpr::Expressions(parts, _) = group_by else {
        return 1;
    };
    let groupings = parts.iter().map(|part| match part {
        Expr::Cube(columns) => 1_usize
            .checked_shl(u32::try_from(columns.len()).unwrap_or(u32::MAX))
            .unwrap_or(usize::MAX),
        Expr::Rollup(columns) => columns.len() + 1,
        Expr::GroupingSets(sets) => sets.len(),
        _ => 1,
    });
    groupings.fold(1, usize::saturating_mul)
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. }
    )
}

impl Visitor for Inspector<'_> {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &SqlQuery) -> Flow {
        self.queries += 1;
        refuse_if(self.queries > QUERIES_MAX, || {
            beyond("levels of queries inside queries", QUERIES_MAX)
        })?;
        let ctes = query.with.as_ref().map_or(0, |with| with.cte_tables.len());
        refuse_if(ctes > CTES_MAX, || {
            beyond("expressions in one WITH", CTES_MAX)
        })?;
        self.scopes.enter(query);
        self.check_body(&query.body)
    }

    fn post_visit_query(&mut self, _: &SqlQuery) -> Flow {
        self.queries -= 1;
        self.set_levels.pop();
        let size = self.scopes.leave();
        refuse_if(size > EXPANSION_MAX, || {
            exhausted(format!(
                "the statement expands to more than {EXPANSION_MAX} tables, since its expressions \
                 in WITH name one another repeatedly"
            ))
        })
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> Flow {
        self.scopes.refer(name);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> Flow {
        self.joins += joins_of(select);
        refuse_if(self.joins > JOINS_MAX, || beyond("joins", JOINS_MAX))?;
        refuse_if(groupings_of(&select.group_by) > GROUPINGS_MAX, || {
            beyond(
                "groupings, since CUBE makes them of all combinations",
                GROUPINGS_MAX,
            )
        })?;
        self.conjuncts += long_conjunctions(select);
        refuse_if(self.conjuncts > CONJUNCTS_MAX, || {
            beyond("conditions joined by AND", CONJUNCTS_MAX)
        })
    }

    fn post_visit_select(&mut self, select: &Select) -> Flow {
        self.joins -= joins_of(select);
        self.conjuncts -= long_conjunctions(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Flow {
        self.exprs += 1;
        self.check_expr_levels(hidden_levels(expr))?;
        self.subqueries += usize::from(is_subquery(expr));
        refuse_if(self.subqueries > SUBQUERIES_MAX, || {
            beyond("levels of subqueries inside expressions", SUBQUERIES_MAX)
        })?;
        match expr {
            Expr::InList { list, .. } => refuse_if(list.len() > self.limits.in_list, || {
                self.limits.list_too_long(list.len())
            }),
            _ => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> Flow {
        self.exprs -= 1;
        self.subqueries -= usize::from(is_subquery(expr));
        ControlFlow::Continue(())
    }
}
