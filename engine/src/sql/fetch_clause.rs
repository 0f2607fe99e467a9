//! `FETCH FIRST … ROWS ONLY`, which the planner does not know, as the `LIMIT` that says the same.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Fetch, LimitClause, Query as SqlQuery, Value, VisitMut, VisitorMut,
};

use crate::{Error, Result};

/// Writes the FETCH clauses of every query inside `tree` as LIMIT.
///
/// # Errors
/// `Unsupported` for WITH TIES and PERCENT; where a query has both clauses.
pub(super) fn fetch_as_limit<T: VisitMut>(tree: &mut T) -> Result<()> {
    match tree.visit(&mut FetchAsLimit) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct FetchAsLimit;

impl VisitorMut for FetchAsLimit {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &mut SqlQuery) -> ControlFlow<Self::Break> {
        let Some(fetch) = query.fetch.take() else {
            return ControlFlow::Continue(());
        };
        match limit_of(fetch, query.limit_clause.take()) {
            Ok(limit) => {
                query.limit_clause = Some(limit);
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

fn limit_of(fetch: Fetch, clause: Option<LimitClause>) -> Result<LimitClause> {
    if fetch.with_ties {
        return Err(Error::unsupported(
            "FETCH FIRST … WITH TIES is not supported: write ONLY, or keep the rows whose rank() is \
             small enough",
        ));
    }
    if fetch.percent {
        return Err(Error::unsupported(
            "FETCH FIRST … PERCENT is not supported: write a number of rows",
        ));
    }
    let offset = match clause {
        None => None,
        Some(LimitClause::LimitOffset {
            limit: None,
            offset,
            limit_by,
        }) if limit_by.is_empty() => offset,
        Some(_) => {
            return Err(Error::invalid(
                "LIMIT and FETCH FIRST both say how many rows: write one of them",
            ));
        }
    };
    let one_row = || Expr::value(Value::Number("1".to_owned(), false));
    Ok(LimitClause::LimitOffset {
        limit: Some(fetch.quantity.unwrap_or_else(one_row)),
        offset,
        limit_by: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use crate::ErrorKind;
    use crate::sql::{ParseLimits, Statement, parse_one};

    #[test]
    fn the_first_rows_are_a_limit() {
        for (written, expected) in [
            ("FETCH FIRST 3 ROWS ONLY", "LIMIT 3"),
            ("FETCH NEXT ROW ONLY", "LIMIT 1"),
            ("FETCH FIRST $1 ROWS ONLY", "LIMIT $1"),
            (
                "OFFSET 2 ROWS FETCH NEXT 3 ROWS ONLY",
                "LIMIT 3 OFFSET 2 ROWS",
            ),
        ] {
            let sql = format!("SELECT a FROM (SELECT a FROM t {written}) ORDER BY a {written}");
            let parsed = parse_one(&sql, &ParseLimits::default()).expect(written);
            let Statement::Query(query) = parsed.statement else {
                panic!("{written} is a query");
            };
            let wanted =
                format!("SELECT a FROM (SELECT a FROM t {expected}) ORDER BY a {expected}");
            assert_eq!(query.to_string(), wanted);
        }
    }

    #[test]
    fn what_a_limit_cannot_say_is_refused() {
        for (written, kind) in [
            ("FETCH FIRST 3 ROWS WITH TIES", ErrorKind::Unsupported),
            ("FETCH FIRST 10 PERCENT ROWS ONLY", ErrorKind::Unsupported),
            ("LIMIT 2 FETCH FIRST 3 ROWS ONLY", ErrorKind::InvalidQuery),
        ] {
            let sql = format!("SELECT a FROM t {written}");
            let error = parse_one(&sql, &ParseLimits::default()).expect_err(written);
            assert_eq!(error.kind(), kind, "{written}: {error}");
        }
    }
}
