//! `CREATE` and `DROP` of `ROW FILTER` and `COLUMN MASK`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Query as SqlQuery, Visit, Visitor};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::grants::grantees;
use crate::Error;
use crate::sql::cursor::Cursor;
use crate::sql::fault::Parsed;
use crate::sql::rights::{
    CreatePolicy, DropPolicy, Grantee, PUBLIC_ROLE, PolicyKind, RightsStatement,
};
use crate::sql::statement::Statement;

/// `CREATE ROW FILTER` has been read: `name ON t USING (expr) [TO grantees]`.
pub(super) fn create_row_filter(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    create(cursor, false)
}

/// `CREATE COLUMN MASK` has been read: `name ON t (column) USING (expr) [TO grantees]`.
pub(super) fn create_column_mask(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    create(cursor, true)
}

fn create(cursor: &mut Cursor<'_>, mask: bool) -> Parsed<Statement> {
    let name = cursor.name()?;
    cursor.expect(&["ON"])?;
    cursor.eat(&["TABLE"]);
    let table = cursor.new_table()?;
    let kind = if mask {
        cursor.expect_token(&Token::LParen)?;
        let column = cursor.name()?;
        cursor.expect_token(&Token::RParen)?;
        PolicyKind::ColumnMask { column }
    } else {
        PolicyKind::RowFilter
    };
    cursor.expect(&["USING"])?;
    cursor.expect_token(&Token::LParen)?;
    let start = cursor.mark();
    let expr = cursor.expr()?;
    let expression = cursor.text_between(start).to_string();
    cursor.expect_token(&Token::RParen)?;
    refuse_subqueries(&expr, &name, &kind)?;
    let grantees = if cursor.eat(&["TO"]) {
        grantees(cursor)?
    } else {
        vec![Grantee::Role(PUBLIC_ROLE.to_string())]
    };
    Ok(rights(RightsStatement::CreatePolicy(CreatePolicy {
        name,
        table,
        kind,
        expression,
        grantees,
    })))
}

/// A subquery would read other tables in the name of whoever reads this one.
fn refuse_subqueries(expr: &Expr, name: &str, kind: &PolicyKind) -> Result<(), Error> {
    struct Subqueries;
    impl Visitor for Subqueries {
        type Break = ();

        fn pre_visit_query(&mut self, _query: &SqlQuery) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    if expr.visit(&mut Subqueries).is_break() {
        return Err(Error::unsupported(format!(
            "{} \"{name}\" has a subquery: it may use the table's own columns and functions only",
            kind.noun()
        )));
    }
    Ok(())
}

/// `DROP ROW FILTER` has been read.
pub(super) fn drop_row_filter(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    drop(cursor, false)
}

/// `DROP COLUMN MASK` has been read.
pub(super) fn drop_column_mask(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    drop(cursor, true)
}

fn drop(cursor: &mut Cursor<'_>, mask: bool) -> Parsed<Statement> {
    let if_exists = cursor.if_exists();
    let name = cursor.name()?;
    cursor.expect(&["ON"])?;
    cursor.eat(&["TABLE"]);
    let table = cursor.new_table()?;
    Ok(rights(RightsStatement::DropPolicy(DropPolicy {
        name,
        table,
        mask,
        if_exists,
    })))
}

fn rights(statement: RightsStatement) -> Statement {
    Statement::Rights(Box::new(statement))
}
