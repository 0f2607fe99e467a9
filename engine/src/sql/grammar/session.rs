//! Statements about the session: `SET`, `RESET`, `USE`, transactions.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::clauses::word_or_string;
use super::roles::{at_set_role, set_role};
use crate::sql::cursor::Cursor;
use crate::sql::fault::Parsed;
use crate::sql::statement::Statement;

pub(super) fn use_schema(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    if !matches!(
        cursor.parser.peek_nth_token_ref(1).token,
        Token::EOF | Token::Period
    ) {
        cursor.eat_any(&["SCHEMA", "DATABASE"]);
    }
    Ok(Statement::Use(cursor.schema()?))
}

pub(super) fn set(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    if at_set_role(cursor) {
        return set_role(cursor);
    }
    if !matches!(
        cursor.parser.peek_nth_token_ref(1).token,
        Token::Eq | Token::Period
    ) && !cursor.at(&["SESSION", "TO"])
    {
        cursor.eat_any(&["SESSION", "LOCAL"]);
    }
    let name = if cursor.eat(&["TIME", "ZONE"]) {
        cursor.eat_token(&Token::Eq);
        "timezone".to_string()
    } else {
        let name = setting_name(cursor)?;
        if !cursor.eat_token(&Token::Eq) && !cursor.eat(&["TO"]) {
            return cursor.expected("\"=\" and a value");
        }
        name
    };
    if cursor.at_end() {
        return cursor.expected("a value");
    }
    if cursor.eat(&["DEFAULT"]) {
        return Ok(Statement::Reset(Some(name)));
    }
    Ok(Statement::Set {
        name,
        value: value(cursor)?,
    })
}

/// One text literal or quoted name, or whatever is written up to the end: `64MiB`, `-1`, `+02:00`.
pub(super) fn value(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let quoted = match &cursor.parser.peek_token_ref().token {
        Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::DollarQuotedString(_) => true,
        Token::Word(word) => word.quote_style.is_some(),
        _ => false,
    };
    if quoted {
        word_or_string(cursor)
    } else {
        Ok(cursor.rest().to_string())
    }
}

pub(super) fn reset(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    if cursor.eat(&["ALL"]) {
        return Ok(Statement::Reset(None));
    }
    if cursor.eat(&["TIME", "ZONE"]) {
        return Ok(Statement::Reset(Some("timezone".to_string())));
    }
    Ok(Statement::Reset(Some(setting_name(cursor)?)))
}

/// A dotted name, in lower case.
pub(super) fn setting_name(cursor: &mut Cursor<'_>) -> Parsed<String> {
    if !matches!(cursor.parser.peek_token_ref().token, Token::Word(_)) {
        return cursor.expected("the name of a setting");
    }
    let mut name = word_or_string(cursor)?;
    while cursor.eat_token(&Token::Period) {
        name.push('.');
        name.push_str(&word_or_string(cursor)?);
    }
    Ok(name.to_lowercase())
}

pub(super) fn begin(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    cursor.eat_any(&["TRANSACTION", "WORK"]);
    Ok(Statement::Begin)
}

pub(super) fn commit(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    cursor.eat_any(&["TRANSACTION", "WORK"]);
    Ok(Statement::Commit)
}

pub(super) fn rollback(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    cursor.eat_any(&["TRANSACTION", "WORK"]);
    Ok(Statement::Rollback)
}
