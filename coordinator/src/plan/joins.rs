//! A join DataFusion answers wrongly: refused until it is answered right.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast::{
    JoinConstraint, JoinOperator, Select, SetExpr, Visit, Visitor,
};
use waterbuck_engine::{Error, Result};

/// Refuses `FULL JOIN … USING` and `NATURAL FULL JOIN`: the base gives the left side's value where
/// the standard wants the one of either side that is there.
///
/// # Errors
/// `Unsupported`, saying what to write instead.
pub(crate) fn refuse_full_join_using(statement: &DFStatement) -> Result<()> {
    let DFStatement::Statement(statement) = statement else {
        return Ok(());
    };
    if statement.visit(&mut FullJoins).is_continue() {
        return Ok(());
    }
    Err(Error::unsupported(
        "FULL JOIN … USING and NATURAL FULL JOIN are not supported: write FULL JOIN … ON and \
         coalesce(l.key, r.key)",
    ))
}

struct FullJoins;

impl Visitor for FullJoins {
    type Break = ();

    fn pre_visit_query(
        &mut self,
        query: &datafusion::sql::sqlparser::ast::Query,
    ) -> ControlFlow<()> {
        in_body(&query.body)
    }
}

fn in_body(body: &SetExpr) -> ControlFlow<()> {
    match body {
        SetExpr::Select(select) => in_select(select),
        SetExpr::SetOperation { left, right, .. } => {
            in_body(left)?;
            in_body(right)
        }
        _ => ControlFlow::Continue(()),
    }
}

fn in_select(select: &Select) -> ControlFlow<()> {
    let joins = select.from.iter().flat_map(|table| &table.joins);
    for join in joins {
        if let JoinOperator::FullOuter(JoinConstraint::Using(_) | JoinConstraint::Natural) =
            &join.join_operator
        {
            return ControlFlow::Break(());
        }
    }
    ControlFlow::Continue(())
}
