//! `CREATE USER`, `ALTER USER`, `DROP USER`.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::session::value;
use crate::Error;
use crate::sql::cursor::Cursor;
use crate::sql::fault::Parsed;
use crate::sql::security::{AlterLimit, AlterUser, CreateUser, DropUser, Hidden};
use crate::sql::statement::Statement;

pub(super) fn create_user(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let if_not_exists = cursor.if_not_exists();
    let name = user_name(cursor)?;
    let (password, admin) = attributes(cursor)?;
    let Some(password) = password else {
        return cursor.expected("PASSWORD and a text in single quotes");
    };
    let admin = admin.unwrap_or(false);
    Ok(Statement::CreateUser(CreateUser {
        name,
        if_not_exists,
        password,
        admin,
    }))
}

pub(super) fn alter_user(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let name = user_name(cursor)?;
    if cursor.eat(&["SET", "LIMIT"]) {
        let (limit, value) = limit(cursor)?;
        return Ok(alter_limit(name, limit, Some(value)));
    }
    if cursor.eat(&["RESET", "LIMIT"]) {
        return Ok(alter_limit(name, cursor.name()?, None));
    }
    let (password, admin) = attributes(cursor)?;
    if password.is_none() && admin.is_none() {
        return cursor.expected("PASSWORD, ADMIN or NOT ADMIN");
    }
    Ok(Statement::AlterUser(AlterUser {
        name,
        password,
        admin,
    }))
}

/// `name = value`.
fn limit(cursor: &mut Cursor<'_>) -> Parsed<(String, String)> {
    let name = cursor.name()?;
    if !cursor.eat_token(&Token::Eq) && !cursor.eat(&["TO"]) {
        return cursor.expected("\"=\" and a value");
    }
    if cursor.at_end() {
        return cursor.expected("a value");
    }
    Ok((name, value(cursor)?))
}

fn alter_limit(user: String, name: String, value: Option<String>) -> Statement {
    Statement::AlterLimit(AlterLimit { user, name, value })
}

pub(super) fn drop_user(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let if_exists = cursor.if_exists();
    Ok(Statement::DropUser(DropUser {
        name: user_name(cursor)?,
        if_exists,
    }))
}

/// A user's name may also be a text: `'anna@example.org'`.
pub(super) fn user_name(cursor: &mut Cursor<'_>) -> Parsed<String> {
    if matches!(
        cursor.parser.peek_token_ref().token,
        Token::SingleQuotedString(_)
    ) {
        return cursor.string();
    }
    cursor.name()
}

fn attributes(cursor: &mut Cursor<'_>) -> Parsed<(Option<Hidden>, Option<bool>)> {
    let mut password = None;
    let mut admin = None;
    cursor.eat_any(&["WITH", "SET"]);
    loop {
        if cursor.eat(&["PASSWORD"]) {
            cursor.eat_token(&Token::Eq);
            let text = cursor.string()?;
            if text.is_empty() {
                return Err(Error::invalid("a password may not be empty").into());
            }
            password = Some(Hidden::new(text));
        } else if cursor.eat(&["IDENTIFIED", "BY"]) {
            password = Some(Hidden::new(cursor.string()?));
        } else if cursor.eat(&["NOT", "ADMIN"]) || cursor.eat(&["NOADMIN"]) {
            admin = Some(false);
        } else if cursor.eat(&["ADMIN"]) {
            admin = Some(true);
        } else {
            return Ok((password, admin));
        }
    }
}
