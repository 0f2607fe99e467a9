//! `ANALYZE`, `COMPUTE STATS` and `KILL QUERY`.

use datafusion::sql::sqlparser::tokenizer::Token;

use crate::sql::cursor::Cursor;
use crate::sql::fault::Parsed;
use crate::sql::statement::{Analyze, Statement};

pub(super) fn analyze(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    cursor.eat(&["TABLE"]);
    let table = cursor.new_table()?;
    let mut columns = listed_columns(cursor)?;
    if columns.is_none() && cursor.eat(&["COMPUTE", "STATISTICS"]) && cursor.eat(&["FOR"]) {
        if cursor.eat(&["ALL", "COLUMNS"]) {
            return Ok(Statement::Analyze(Analyze {
                table,
                columns: None,
            }));
        }
        cursor.expect(&["COLUMNS"])?;
        columns = listed_columns(cursor)?;
        if columns.is_none() && !cursor.at_end() {
            columns = Some(cursor.comma_separated(Cursor::name)?);
        }
    }
    Ok(Statement::Analyze(Analyze { table, columns }))
}

/// Impala's spelling.
pub(super) fn compute_stats(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let table = cursor.new_table()?;
    let columns = listed_columns(cursor)?;
    Ok(Statement::Analyze(Analyze { table, columns }))
}

fn listed_columns(cursor: &mut Cursor<'_>) -> Parsed<Option<Vec<String>>> {
    if cursor.at_token(&Token::LParen) {
        Ok(Some(cursor.names()?))
    } else {
        Ok(None)
    }
}

pub(super) fn kill(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    cursor.eat(&["QUERY"]);
    if cursor.at_end() {
        return cursor.expected("the id of a query");
    }
    let quoted = matches!(
        cursor.parser.peek_token_ref().token,
        Token::SingleQuotedString(_)
    );
    // An id without quotes is several tokens: 0193-ab12.
    let query_id = if quoted {
        cursor.string()?
    } else {
        cursor.rest().trim().to_string()
    };
    Ok(Statement::Kill { query_id })
}
