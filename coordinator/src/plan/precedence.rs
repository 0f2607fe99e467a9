//! Corrects what the parser makes of `IS DISTINCT FROM` before a statement is planned.

use datafusion::sql::parser::Statement as DFStatement;
use waterbuck_engine::optimizer::restore_distinct_precedence;

/// A copy of a statement in which `IS [NOT] DISTINCT FROM` binds as the standard says.
pub(crate) fn with_precedence(statement: &DFStatement) -> DFStatement {
    let mut statement = statement.clone();
    if let DFStatement::Statement(inner) = &mut statement {
        restore_distinct_precedence(inner.as_mut());
    }
    statement
}
