//! `TRUNCATE [TABLE] [IF EXISTS] table`.

use crate::sql::cursor::Cursor;
use crate::sql::fault::Parsed;
use crate::sql::statement::Statement;
use crate::sql::write::Truncate;

pub(super) fn truncate(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    cursor.eat(&["TABLE"]);
    let if_exists = cursor.if_exists();
    let table = cursor.new_table()?;
    Ok(Statement::Truncate(Truncate { table, if_exists }))
}
