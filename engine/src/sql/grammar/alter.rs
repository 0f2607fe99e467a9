//! `ALTER …` and `COMMENT ON …`.

use datafusion::common::TableReference;
use datafusion::sql::sqlparser::ast::ObjectName;

use super::grants::grantee;
use super::{roles, users};
use crate::sql::cursor::{Cursor, lower_unless_quoted, table_reference};
use crate::sql::ddl::{AlterSchemaRename, AlterTableRename, CommentOn, CommentTarget};
use crate::sql::fault::Parsed;
use crate::sql::refused::{REFUSED_OBJECTS, Refused};
use crate::sql::rights::{AlterOwner, OwnedObject, RightsStatement};
use crate::sql::statement::Statement;

pub(super) fn alter(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    if let Some((_, names)) = REFUSED_OBJECTS.iter().find(|(words, _)| cursor.at(words)) {
        cursor.rest();
        return Ok(Statement::Refused(Refused::new(names[2])));
    }
    if cursor.eat(&["USER"]) {
        return users::alter_user(cursor);
    }
    if cursor.eat(&["ROLE"]) {
        return roles::alter_role(cursor);
    }
    if cursor.eat_any(&["SCHEMA", "DATABASE"]) {
        let name = cursor.schema()?;
        if cursor.eat(&["OWNER", "TO"]) {
            return owner(cursor, OwnedObject::Schema(name), false);
        }
        if !cursor.eat(&["RENAME", "TO"]) {
            return cursor.expected("RENAME TO or OWNER TO");
        }
        let to = cursor.name()?;
        return Ok(Statement::AlterSchemaRename(AlterSchemaRename { name, to }));
    }
    let view = cursor.eat(&["VIEW"]);
    if !view && !cursor.eat(&["EXTERNAL", "TABLE"]) && !cursor.eat(&["TABLE"]) {
        return cursor.expected("TABLE, VIEW, SCHEMA, USER or ROLE");
    }
    let if_exists = cursor.if_exists();
    let name = cursor.new_table()?;
    if cursor.eat(&["OWNER", "TO"]) {
        let object = if view {
            OwnedObject::View(name)
        } else {
            OwnedObject::Table(name)
        };
        return owner(cursor, object, if_exists);
    }
    if !cursor.eat(&["RENAME", "TO"]) {
        if cursor.at_end() {
            return cursor.expected("RENAME TO or OWNER TO");
        }
        cursor.rest();
        return Ok(Statement::Refused(Refused::new("ALTER TABLE")));
    }
    let to = cursor.new_table()?;
    Ok(Statement::AlterTableRename(AlterTableRename {
        name,
        to,
        if_exists,
        view,
    }))
}

/// `OWNER TO` has been read.
fn owner(cursor: &mut Cursor<'_>, object: OwnedObject, if_exists: bool) -> Parsed<Statement> {
    let to = grantee(cursor)?;
    let alter = RightsStatement::AlterOwner(AlterOwner {
        object,
        if_exists,
        to,
    });
    Ok(Statement::Rights(Box::new(alter)))
}

/// `COMMENT ON` has been read.
pub(super) fn comment_on(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let target = if cursor.eat(&["TABLE"]) {
        CommentTarget::Table(cursor.new_table()?)
    } else if cursor.eat(&["VIEW"]) {
        CommentTarget::View(cursor.new_table()?)
    } else if cursor.eat_any(&["SCHEMA", "DATABASE"]) {
        CommentTarget::Schema(cursor.schema()?)
    } else if cursor.eat(&["COLUMN"]) {
        let (table, column) = column(cursor)?;
        CommentTarget::Column { table, column }
    } else {
        return cursor.expected("TABLE, VIEW, SCHEMA or COLUMN");
    };
    cursor.expect(&["IS"])?;
    let comment = if cursor.eat(&["NULL"]) {
        None
    } else {
        Some(cursor.string()?)
    };
    Ok(Statement::CommentOn(CommentOn { target, comment }))
}

/// `[schema.]table.column`.
fn column(cursor: &mut Cursor<'_>) -> Parsed<(TableReference, String)> {
    let ObjectName(mut parts) = cursor.parser.parse_object_name(false)?;
    let column = parts.pop().and_then(|part| part.as_ident().cloned());
    match column {
        Some(column) if !parts.is_empty() => Ok((
            table_reference(ObjectName(parts))?,
            lower_unless_quoted(column),
        )),
        _ => cursor.expected("a name such as table.column"),
    }
}
