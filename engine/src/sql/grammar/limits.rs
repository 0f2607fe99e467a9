//! `ALTER USER … SET LIMIT`, `ALTER ROLE … SET LIMIT`, and `RESET LIMIT` of both.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::session::value;
use crate::sql::cursor::Cursor;
use crate::sql::fault::Parsed;
use crate::sql::rights::Grantee;
use crate::sql::security::AlterLimit;
use crate::sql::statement::Statement;

/// Whether a limit is to be set or taken away.
pub(super) fn at_limit(cursor: &Cursor<'_>) -> bool {
    cursor.at(&["SET", "LIMIT"]) || cursor.at(&["RESET", "LIMIT"])
}

/// `SET LIMIT name = value`, `RESET LIMIT name`.
pub(super) fn alter_limit(cursor: &mut Cursor<'_>, of: Grantee) -> Parsed<Statement> {
    if cursor.eat(&["RESET"]) {
        cursor.expect(&["LIMIT"])?;
        let name = cursor.name()?;
        let value = None;
        return Ok(Statement::AlterLimit(AlterLimit { of, name, value }));
    }
    cursor.expect(&["SET", "LIMIT"])?;
    let name = cursor.name()?;
    if !cursor.eat_token(&Token::Eq) && !cursor.eat(&["TO"]) {
        return cursor.expected("\"=\" and a value");
    }
    if cursor.at_end() {
        return cursor.expected("a value");
    }
    let value = Some(value(cursor)?);
    Ok(Statement::AlterLimit(AlterLimit { of, name, value }))
}
