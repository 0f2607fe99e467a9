//! `DROP …`.

use super::{policies, roles, secrets, tokens, users};
use crate::sql::cursor::Cursor;
use crate::sql::ddl::{Drop, DropTarget};
use crate::sql::fault::Parsed;
use crate::sql::refused::{REFUSED_OBJECTS, Refused};
use crate::sql::statement::Statement;

pub(super) fn drop(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    if let Some((_, names)) = REFUSED_OBJECTS.iter().find(|(words, _)| cursor.at(words)) {
        cursor.rest();
        return Ok(Statement::Refused(Refused::new(names[1])));
    }
    if cursor.eat(&["SECRET"]) {
        return secrets::drop_secret(cursor);
    }
    if cursor.eat(&["USER"]) {
        return users::drop_user(cursor);
    }
    if cursor.eat(&["TOKEN"]) {
        return tokens::drop_token(cursor);
    }
    if cursor.eat(&["ROLE"]) {
        return roles::drop_role(cursor);
    }
    if cursor.eat(&["ROW", "FILTER"]) {
        return policies::drop_row_filter(cursor);
    }
    if cursor.eat(&["COLUMN", "MASK"]) {
        return policies::drop_column_mask(cursor);
    }
    let target: fn(&mut Cursor<'_>) -> Parsed<DropTarget> = if cursor.eat(&["EXTERNAL", "TABLE"])
        || cursor.eat(&["TABLE"])
    {
        |cursor| Ok(DropTarget::Table(cursor.new_table()?))
    } else if cursor.eat(&["VIEW"]) {
        |cursor| Ok(DropTarget::View(cursor.new_table()?))
    } else if cursor.eat_any(&["SCHEMA", "DATABASE"]) {
        |cursor| Ok(DropTarget::Schema(cursor.schema()?))
    } else {
        return cursor
            .expected("TABLE, VIEW, SCHEMA, SECRET, USER, TOKEN, ROLE, ROW FILTER or COLUMN MASK");
    };
    let if_exists = cursor.if_exists();
    let targets = cursor.comma_separated(target)?;
    let cascade = cursor.eat(&["CASCADE"]);
    if !cascade {
        cursor.eat_any(&["RESTRICT", "PURGE"]);
    }
    Ok(Statement::Drop(Drop {
        targets,
        if_exists,
        cascade,
    }))
}
