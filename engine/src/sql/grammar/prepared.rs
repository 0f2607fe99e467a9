//! `PREPARE`, `EXECUTE`, `DEALLOCATE`.

use datafusion::sql::sqlparser::tokenizer::Token;

use crate::Error;
use crate::sql::cursor::Cursor;
use crate::sql::fault::Parsed;
use crate::sql::prepared::{Prepared, PreparedQuery};
use crate::sql::statement::Statement;

pub(super) fn prepare(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let name = cursor.name()?;
    let mut types = Vec::new();
    if cursor.eat_token(&Token::LParen) {
        types = cursor.comma_separated(Cursor::data_type)?;
        cursor.expect_token(&Token::RParen)?;
    }
    cursor.expect(&["AS"])?;
    if !cursor.at_query() {
        return Err(
            Error::unsupported("PREPARE of anything but a query is not supported yet").into(),
        );
    }
    let query = Box::new(PreparedQuery::new(cursor.query()?, types)?);
    Ok(Statement::Prepared(Prepared::Prepare { name, query }))
}

pub(super) fn execute(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let name = cursor.name()?;
    let mut arguments = Vec::new();
    if cursor.eat_token(&Token::LParen) && !cursor.eat_token(&Token::RParen) {
        arguments = cursor.comma_separated(Cursor::expr)?;
        cursor.expect_token(&Token::RParen)?;
    }
    Ok(Statement::Prepared(Prepared::Execute { name, arguments }))
}

pub(super) fn deallocate(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    cursor.eat(&["PREPARE"]);
    let name = if cursor.eat(&["ALL"]) {
        None
    } else {
        Some(cursor.name()?)
    };
    Ok(Statement::Prepared(Prepared::Deallocate { name }))
}
