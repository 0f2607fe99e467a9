//! `PREPARE`, `EXECUTE`, `DEALLOCATE`, which DataFusion plans.

use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast::{Expr, Ident, ObjectName, Statement as SqlStatement};
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::Error;
use crate::sql::cursor::Cursor;
use crate::sql::fault::Parsed;
use crate::sql::statement::{Prepared, PreparedAction, Statement};

pub(super) fn prepare(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let name = cursor.name()?;
    let mut data_types = Vec::new();
    if cursor.eat_token(&Token::LParen) {
        data_types = cursor.comma_separated(Cursor::data_type)?;
        cursor.expect_token(&Token::RParen)?;
    }
    cursor.expect(&["AS"])?;
    if !cursor.at_query() {
        return Err(
            Error::unsupported("PREPARE of anything but a query is not supported yet").into(),
        );
    }
    let query = cursor.query()?;
    let statement = SqlStatement::Prepare {
        name: ident(&name),
        data_types,
        statement: Box::new(SqlStatement::Query(query)),
    };
    Ok(prepared(PreparedAction::Prepare, name, statement))
}

pub(super) fn execute(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let name = cursor.name()?;
    let mut parameters: Vec<Expr> = Vec::new();
    let has_parentheses = cursor.eat_token(&Token::LParen);
    if has_parentheses && !cursor.eat_token(&Token::RParen) {
        parameters = cursor.comma_separated(Cursor::expr)?;
        cursor.expect_token(&Token::RParen)?;
    }
    let statement = SqlStatement::Execute {
        name: Some(ObjectName::from(vec![ident(&name)])),
        parameters,
        has_parentheses,
        immediate: false,
        into: Vec::new(),
        using: Vec::new(),
        output: false,
        default: false,
    };
    Ok(prepared(PreparedAction::Execute, name, statement))
}

pub(super) fn deallocate(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let prepare = cursor.eat(&["PREPARE"]);
    let name = cursor.name()?;
    let statement = SqlStatement::Deallocate {
        name: ident(&name),
        prepare,
    };
    Ok(prepared(PreparedAction::Deallocate, name, statement))
}

fn prepared(action: PreparedAction, name: String, statement: SqlStatement) -> Statement {
    let statement = Box::new(DFStatement::Statement(Box::new(statement)));
    Statement::Prepared(Prepared {
        action,
        name,
        statement,
    })
}

/// The name is in its final case already.
fn ident(name: &str) -> Ident {
    Ident::with_quote('"', name)
}
