//! `CREATE ROLE`, `ALTER ROLE`, `DROP ROLE`, `SET ROLE`.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::limits;
use crate::sql::cursor::{Cursor, is_word};
use crate::sql::fault::Parsed;
use crate::sql::rights::{ActiveRoles, CreateRole, DropRole, Grantee, RightsStatement};
use crate::sql::statement::Statement;

pub(super) fn create_role(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let if_not_exists = cursor.if_not_exists();
    let name = cursor.name()?;
    Ok(rights(RightsStatement::CreateRole(CreateRole {
        name,
        if_not_exists,
    })))
}

/// What can be altered of a role is its limits.
pub(super) fn alter_role(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let name = cursor.name()?;
    if !limits::at_limit(cursor) {
        return cursor.expected("SET LIMIT or RESET LIMIT");
    }
    limits::alter_limit(cursor, Grantee::Role(name))
}

pub(super) fn drop_role(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let if_exists = cursor.if_exists();
    let name = cursor.name()?;
    Ok(rights(RightsStatement::DropRole(DropRole {
        name,
        if_exists,
    })))
}

/// Whether `ROLE` and a name follow, and not a setting called `role`.
pub(super) fn at_set_role(cursor: &Cursor<'_>) -> bool {
    let next = &cursor.parser.peek_nth_token_ref(1).token;
    cursor.at(&["ROLE"]) && !matches!(next, Token::Eq | Token::Period) && !is_word(next, "TO")
}

/// `SET ROLE r | ALL | NONE`.
pub(super) fn set_role(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    cursor.expect(&["ROLE"])?;
    let roles = if cursor.eat(&["ALL"]) {
        ActiveRoles::All
    } else if cursor.eat(&["NONE"]) {
        ActiveRoles::None
    } else if cursor.at_end() {
        return cursor.expected("the name of a role, ALL or NONE");
    } else {
        ActiveRoles::One(cursor.name()?)
    };
    Ok(rights(RightsStatement::SetRole(roles)))
}

fn rights(statement: RightsStatement) -> Statement {
    Statement::Rights(Box::new(statement))
}
