//! `CREATE USER`, `ALTER USER`, `DROP USER`.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::limits;
use crate::Error;
use crate::client_certificate::KINDS;
use crate::sql::cursor::Cursor;
use crate::sql::fault::Parsed;
use crate::sql::rights::Grantee;
use crate::sql::security::{AlterUser, CertificateChange, CreateUser, DropUser, Hidden};
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
    if limits::at_limit(cursor) {
        return limits::alter_limit(cursor, Grantee::User(name));
    }
    let certificate = certificate(cursor)?;
    let (password, admin) = match certificate {
        Some(_) => (None, None),
        None => attributes(cursor)?,
    };
    if password.is_none() && admin.is_none() && certificate.is_none() {
        return cursor.expected("PASSWORD, ADMIN or NOT ADMIN");
    }
    Ok(Statement::AlterUser(AlterUser {
        name,
        password,
        admin,
        certificate,
    }))
}

/// `SET CERTIFICATE '…'`, `RESET CERTIFICATE`.
fn certificate(cursor: &mut Cursor<'_>) -> Parsed<Option<CertificateChange>> {
    if cursor.eat(&["RESET", "CERTIFICATE"]) {
        return Ok(Some(CertificateChange::Reset));
    }
    if !cursor.eat(&["SET", "CERTIFICATE"]) {
        return Ok(None);
    }
    cursor.eat_token(&Token::Eq);
    let name = cursor.string()?;
    let is_whole = |kind: &str| name.len() > kind.len() && name.starts_with(kind);
    if KINDS.into_iter().any(is_whole) {
        return Ok(Some(CertificateChange::Set(name)));
    }
    Err(Error::invalid(format!(
        "\"{name}\" is no name in a certificate: write it as 'CN=ann', 'DNS:ann.example.org', \
         'EMAIL:ann@example.org' or 'URI:spiffe://example.org/ann'"
    ))
    .into())
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
