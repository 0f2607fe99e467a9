//! `CREATE TOKEN`, `DROP TOKEN`.

use super::users::user_name;
use crate::Error;
use crate::settings::parse_duration;
use crate::sql::cursor::Cursor;
use crate::sql::fault::Parsed;
use crate::sql::security::{CreateToken, DropToken, TokenLife};
use crate::sql::statement::Statement;

pub(super) fn create_token(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let name = cursor.name()?;
    let user = for_user(cursor)?;
    let life = if cursor.eat(&["EXPIRES"]) {
        cursor.eat_any(&["IN", "AFTER"]);
        life_of(&cursor.string()?)?
    } else {
        TokenLife::Default
    };
    Ok(Statement::CreateToken(CreateToken { name, user, life }))
}

pub(super) fn drop_token(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let if_exists = cursor.if_exists();
    let name = cursor.name()?;
    let user = for_user(cursor)?;
    Ok(Statement::DropToken(DropToken {
        name,
        user,
        if_exists,
    }))
}

fn for_user(cursor: &mut Cursor<'_>) -> Parsed<Option<String>> {
    if !cursor.eat(&["FOR"]) {
        return Ok(None);
    }
    cursor.expect(&["USER"])?;
    user_name(cursor).map(Some)
}

fn life_of(text: &str) -> Result<TokenLife, Error> {
    if text.eq_ignore_ascii_case("never") {
        return Ok(TokenLife::Endless);
    }
    match parse_duration(text) {
        Ok(life) if life.as_secs() > 0 => Ok(TokenLife::For(life)),
        _ => Err(Error::invalid(format!(
            "\"{text}\" is not how long a token lasts; write it as '90d', '12h' or 'never'"
        ))),
    }
}
