//! Clauses that the base reads and then answers wrongly or forgets: refused, since an answer that
//! leaves a condition out is a wrong one.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast::{Query, Select, SetExpr, TableFactor, Visit, Visitor};
use waterbuck_engine::{Error, Result};

const PREWHERE: &str = "PREWHERE is not supported: write WHERE";
const CONNECT_BY: &str = "CONNECT BY is not supported: write WITH RECURSIVE";
const CLUSTERING: &str = "CLUSTER BY, DISTRIBUTE BY and SORT BY are not supported: write ORDER BY";
const TABLESAMPLE: &str = "TABLESAMPLE is not supported: write WHERE random() < …";
const TIME_TRAVEL: &str = "a table as of another time or version is not supported";
const PARTITION: &str = "PARTITION after a table's name is not supported: write WHERE";
const LOCKS: &str = "FOR UPDATE and FOR SHARE are not supported: a query locks nothing";

/// Refuses a statement with such a clause, wherever it stands.
///
/// # Errors
/// `Unsupported`, saying what to write instead.
pub(crate) fn refuse_forgotten_clauses(statement: &DFStatement) -> Result<()> {
    let DFStatement::Statement(statement) = statement else {
        return Ok(());
    };
    match statement.visit(&mut Clauses) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(why) => Err(Error::unsupported(why)),
    }
}

struct Clauses;

impl Visitor for Clauses {
    type Break = &'static str;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        if !query.locks.is_empty() {
            return ControlFlow::Break(LOCKS);
        }
        in_body(&query.body)
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<Self::Break> {
        let sample = match table {
            TableFactor::Table {
                version: Some(_), ..
            } => return ControlFlow::Break(TIME_TRAVEL),
            TableFactor::Table { partitions, .. } if !partitions.is_empty() => {
                return ControlFlow::Break(PARTITION);
            }
            TableFactor::Table { sample, .. } | TableFactor::Derived { sample, .. } => sample,
            _ => &None,
        };
        if sample.is_some() {
            return ControlFlow::Break(TABLESAMPLE);
        }
        ControlFlow::Continue(())
    }
}

fn in_body(body: &SetExpr) -> ControlFlow<&'static str> {
    match body {
        SetExpr::Select(select) => in_select(select),
        SetExpr::SetOperation { left, right, .. } => {
            in_body(left)?;
            in_body(right)
        }
        _ => ControlFlow::Continue(()),
    }
}

fn in_select(select: &Select) -> ControlFlow<&'static str> {
    if select.prewhere.is_some() {
        return ControlFlow::Break(PREWHERE);
    }
    if !select.connect_by.is_empty() {
        return ControlFlow::Break(CONNECT_BY);
    }
    let clustered = [&select.cluster_by, &select.distribute_by];
    if clustered.iter().any(|clause| !clause.is_empty()) || !select.sort_by.is_empty() {
        return ControlFlow::Break(CLUSTERING);
    }
    ControlFlow::Continue(())
}
