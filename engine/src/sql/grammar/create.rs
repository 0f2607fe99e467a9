//! `CREATE …`.

use datafusion::common::TableReference;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::clauses::Clauses;
use super::columns::declarations;
use super::{policies, roles, secrets, tokens, users};
use crate::Error;
use crate::sql::cursor::Cursor;
use crate::sql::ddl::{CreateExternalTable, CreateSchema, CreateTable, CreateView};
use crate::sql::fault::Parsed;
use crate::sql::refused::{REFUSED_OBJECTS, Refused};
use crate::sql::rights::ViewSecurity;
use crate::sql::statement::Statement;

pub(super) fn create(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let or_replace = cursor.eat(&["OR", "REPLACE"]);
    if let Some((_, names)) = REFUSED_OBJECTS.iter().find(|(words, _)| cursor.at(words)) {
        cursor.rest();
        return Ok(Statement::Refused(Refused::new(names[0])));
    }
    if cursor.eat(&["EXTERNAL", "TABLE"]) {
        return external_table(cursor, or_replace);
    }
    if cursor.eat(&["TABLE"]) {
        return table(cursor, or_replace);
    }
    if cursor.eat(&["VIEW"]) {
        return view(cursor, or_replace);
    }
    if cursor.eat(&["SECRET"]) {
        return secrets::create_secret(cursor, or_replace);
    }
    if or_replace {
        return cursor.expected("TABLE, EXTERNAL TABLE, VIEW or SECRET");
    }
    if cursor.eat_any(&["SCHEMA", "DATABASE"]) {
        return schema(cursor);
    }
    if cursor.eat(&["USER"]) {
        return users::create_user(cursor);
    }
    if cursor.eat(&["TOKEN"]) {
        return tokens::create_token(cursor);
    }
    if cursor.eat(&["ROLE"]) {
        return roles::create_role(cursor);
    }
    if cursor.eat(&["ROW", "FILTER"]) {
        return policies::create_row_filter(cursor);
    }
    if cursor.eat(&["COLUMN", "MASK"]) {
        return policies::create_column_mask(cursor);
    }
    cursor.expected(
        "TABLE, EXTERNAL TABLE, VIEW, SCHEMA, SECRET, USER, TOKEN, ROLE, ROW FILTER or COLUMN MASK",
    )
}

fn new_name(cursor: &mut Cursor<'_>, or_replace: bool) -> Parsed<(TableReference, bool)> {
    let if_not_exists = cursor.if_not_exists();
    if if_not_exists && or_replace {
        return Err(both().into());
    }
    Ok((cursor.new_table()?, if_not_exists))
}

/// The error of asking for both ways to treat a name that is taken.
pub(super) fn both() -> Error {
    Error::invalid("OR REPLACE and IF NOT EXISTS exclude each other: write one of them")
}

fn external_table(cursor: &mut Cursor<'_>, or_replace: bool) -> Parsed<Statement> {
    let (name, if_not_exists) = new_name(cursor, or_replace)?;
    let columns = declarations(cursor)?;
    let clauses = Clauses::read(cursor)?;
    if !cursor.at_end() {
        return cursor.expected(
            "STORED AS, PARTITIONED BY, LOCATION, OPTIONS, COMMENT, SECRET, WITH ORDER or the end \
             of the statement",
        );
    }
    let Some(format) = clauses.format else {
        return cursor.expected("STORED AS with PARQUET, CSV, JSON, AVRO or ARROW");
    };
    let Some(location) = clauses.location else {
        return cursor.expected("LOCATION with a path or URL");
    };
    Ok(Statement::CreateExternalTable(Box::new(
        CreateExternalTable {
            name,
            if_not_exists,
            or_replace,
            columns,
            format,
            partitioned_by: clauses.partitioned_by.unwrap_or_default(),
            location,
            options: clauses.options.unwrap_or_default(),
            comment: clauses.comment,
            secret: clauses.secret,
            order: clauses.order,
        },
    )))
}

fn table(cursor: &mut Cursor<'_>, or_replace: bool) -> Parsed<Statement> {
    let (name, if_not_exists) = new_name(cursor, or_replace)?;
    let columns = declarations(cursor)?;
    let clauses = Clauses::read(cursor)?;
    check_managed(&name, &clauses)?;
    let query = if cursor.eat(&["AS"]) || (columns.is_empty() && cursor.at(&["SELECT"])) {
        Some(cursor.query()?)
    } else {
        None
    };
    if query.is_none() && columns.is_empty() {
        return cursor.expected("columns in parentheses or AS and a query");
    }
    Ok(Statement::CreateTable(Box::new(CreateTable {
        name,
        if_not_exists,
        or_replace,
        columns,
        partitioned_by: clauses.partitioned_by.unwrap_or_default(),
        query,
        options: clauses.options.unwrap_or_default(),
        comment: clauses.comment,
    })))
}

fn check_managed(name: &TableReference, clauses: &Clauses) -> Result<(), Error> {
    if clauses.location.is_some() || clauses.secret.is_some() {
        return Err(Error::unsupported(format!(
            "table \"{name}\" cannot have a LOCATION of its own: \
             write CREATE EXTERNAL TABLE for files elsewhere"
        )));
    }
    match clauses.format.as_deref() {
        None | Some("PARQUET") => {}
        Some(format) => {
            return Err(Error::unsupported(format!(
                "table \"{name}\" cannot be stored as {format}: tables without a location are \
                 Parquet"
            )));
        }
    }
    if !clauses.order.is_empty() {
        return Err(Error::unsupported(format!(
            "WITH ORDER is not supported yet for table \"{name}\": only external tables have it"
        )));
    }
    Ok(())
}

fn view(cursor: &mut Cursor<'_>, or_replace: bool) -> Parsed<Statement> {
    let (name, if_not_exists) = new_name(cursor, or_replace)?;
    let columns = if cursor.at_token(&Token::LParen) {
        cursor.names()?
    } else {
        Vec::new()
    };
    let comment = if cursor.eat(&["COMMENT"]) {
        cursor.eat_token(&Token::Eq);
        Some(cursor.string()?)
    } else {
        None
    };
    let security = security(cursor)?;
    cursor.expect(&["AS"])?;
    let start = cursor.mark();
    let query = cursor.query()?;
    let query_sql = cursor.text_between(start).to_string();
    Ok(Statement::CreateView(Box::new(CreateView {
        name,
        or_replace,
        if_not_exists,
        columns,
        security,
        query_sql,
        query,
        comment,
    })))
}

/// `SECURITY DEFINER | INVOKER`, or nothing.
fn security(cursor: &mut Cursor<'_>) -> Parsed<ViewSecurity> {
    if !cursor.eat(&["SECURITY"]) {
        return Ok(ViewSecurity::default());
    }
    if cursor.eat(&["INVOKER"]) {
        return Ok(ViewSecurity::Invoker);
    }
    cursor.expect(&["DEFINER"])?;
    Ok(ViewSecurity::Definer)
}

fn schema(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let if_not_exists = cursor.if_not_exists();
    let name = cursor.schema()?;
    let comment = if cursor.eat(&["COMMENT"]) {
        cursor.eat_token(&Token::Eq);
        Some(cursor.string()?)
    } else {
        None
    };
    Ok(Statement::CreateSchema(CreateSchema {
        name,
        if_not_exists,
        comment,
    }))
}
