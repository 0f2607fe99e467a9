//! `SHOW …` and `DESCRIBE …`.

use datafusion::common::SchemaReference;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::grants::{grantee, object};
use super::session::setting_name;
use crate::sql::cursor::Cursor;
use crate::sql::fault::Parsed;
use crate::sql::show::{Describe, Show};
use crate::sql::statement::{Statement, query_statement};

pub(super) fn show(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    Ok(Statement::Show(what(cursor)?))
}

fn what(cursor: &mut Cursor<'_>) -> Parsed<Show> {
    if let Some(show) = lists(cursor)? {
        return Ok(show);
    }
    if let Some(show) = of_table(cursor)? {
        return Ok(show);
    }
    if cursor.eat(&["TIME", "ZONE"]) {
        return Ok(Show::Setting("timezone".to_string()));
    }
    if cursor.at_end() {
        return cursor.expected(
            "TABLES, VIEWS, SCHEMAS, COLUMNS, PARTITIONS, FILES, STATS, CREATE TABLE, FUNCTIONS, \
             QUERIES, EXECUTORS, SETTINGS, SECRETS, USERS, ROLES, GRANTS, LIMITS, TOKENS or the name \
             of a setting",
        );
    }
    Ok(Show::Setting(setting_name(cursor)?))
}

/// What is listed as a whole. A word is only taken as such when no `.` makes it part of a name.
fn lists(cursor: &mut Cursor<'_>) -> Parsed<Option<Show>> {
    if matches!(cursor.parser.peek_nth_token_ref(1).token, Token::Period) {
        return Ok(None);
    }
    let show = if cursor.eat(&["TABLES"]) {
        let schema = in_schema(cursor)?;
        Show::Tables {
            schema,
            like: like(cursor)?,
        }
    } else if cursor.eat(&["VIEWS"]) {
        let schema = in_schema(cursor)?;
        Show::Views {
            schema,
            like: like(cursor)?,
        }
    } else if cursor.eat_any(&["SCHEMAS", "DATABASES"]) {
        Show::Schemas {
            like: like(cursor)?,
        }
    } else if cursor.eat(&["FUNCTIONS"]) {
        Show::Functions {
            like: like(cursor)?,
        }
    } else if cursor.eat_any(&["SETTINGS", "ALL", "VARIABLES"]) {
        Show::Settings {
            like: like(cursor)?,
        }
    } else if cursor.eat_any(&["QUERIES", "PROCESSLIST"]) {
        Show::Queries
    } else if cursor.eat(&["EXECUTORS"]) {
        Show::Executors
    } else if cursor.eat(&["SECRETS"]) {
        Show::Secrets
    } else if cursor.eat(&["USERS"]) {
        Show::Users
    } else if cursor.eat(&["ROLES"]) {
        Show::Roles
    } else if cursor.eat(&["GRANTS"]) {
        grants(cursor)?
    } else if cursor.eat(&["LIMITS"]) {
        Show::Limits
    } else if cursor.eat(&["TOKENS"]) {
        Show::Tokens
    } else {
        return Ok(None);
    };
    Ok(Some(show))
}

/// `SHOW GRANTS` has been read.
fn grants(cursor: &mut Cursor<'_>) -> Parsed<Show> {
    let mut show = (None, None);
    if cursor.eat(&["FOR"]) {
        show.0 = Some(grantee(cursor)?);
    } else if cursor.eat(&["ON"]) {
        show.1 = Some(object(cursor)?);
    }
    let (grantee, object) = show;
    Ok(Show::Grants { grantee, object })
}

/// What is shown of one table.
fn of_table(cursor: &mut Cursor<'_>) -> Parsed<Option<Show>> {
    if matches!(cursor.parser.peek_nth_token_ref(1).token, Token::Period) {
        return Ok(None);
    }
    let show = if cursor.eat(&["COLUMNS"]) {
        cursor.eat_any(&["FROM", "IN"]);
        Show::Columns {
            table: cursor.table()?,
            like: like(cursor)?,
        }
    } else if cursor.eat(&["PARTITIONS"]) {
        cursor.eat_any(&["FROM", "IN"]);
        Show::Partitions {
            table: cursor.table()?,
        }
    } else if cursor.eat(&["FILES"]) {
        cursor.eat_any(&["FROM", "IN"]);
        files(cursor)?
    } else if cursor.eat(&["CREATE"]) {
        if !cursor.eat(&["EXTERNAL", "TABLE"]) && !cursor.eat_any(&["TABLE", "VIEW"]) {
            return cursor.expected("TABLE or VIEW");
        }
        Show::CreateTable {
            table: cursor.table()?,
        }
    } else if cursor.eat(&["TABLE", "STATS"]) || cursor.eat(&["COLUMN", "STATS"]) {
        Show::Stats {
            table: cursor.table()?,
        }
    } else if cursor.eat(&["STATS"]) {
        cursor.eat_any(&["FOR", "FROM", "ON", "IN"]);
        Show::Stats {
            table: cursor.table()?,
        }
    } else {
        return Ok(None);
    };
    Ok(Some(show))
}

/// A name is a table's; a text in single quotes is a location.
fn files(cursor: &mut Cursor<'_>) -> Parsed<Show> {
    if at_text(cursor) {
        return Ok(Show::FilesAt {
            location: cursor.string()?,
        });
    }
    Ok(Show::Files {
        table: cursor.table()?,
    })
}

/// `FROM schema` or `IN schema`.
fn in_schema(cursor: &mut Cursor<'_>) -> Parsed<Option<SchemaReference>> {
    if cursor.eat_any(&["FROM", "IN"]) {
        return Ok(Some(cursor.schema()?));
    }
    Ok(None)
}

/// `LIKE 'pattern'`, or the pattern alone. Impala's `*` stands for any text as `%` does.
fn like(cursor: &mut Cursor<'_>) -> Parsed<Option<String>> {
    if cursor.eat(&["LIKE"]) || at_text(cursor) {
        return Ok(Some(cursor.string()?.replace('*', "%")));
    }
    Ok(None)
}

fn at_text(cursor: &Cursor<'_>) -> bool {
    matches!(
        cursor.parser.peek_token_ref().token,
        Token::SingleQuotedString(_)
    )
}

pub(super) fn describe(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let of_query = ["SELECT", "WITH", "VALUES"]
        .iter()
        .any(|word| cursor.at(&[word]))
        || cursor.at_token(&Token::LParen);
    if of_query {
        let query = query_statement(cursor.query()?);
        return Ok(Statement::DescribeQuery(Box::new(query)));
    }
    let qualified = matches!(
        cursor.parser.peek_nth_token_ref(1).token,
        Token::EOF | Token::Period
    );
    let formatted = !qualified && cursor.eat_any(&["FORMATTED", "EXTENDED"]);
    if !qualified {
        cursor.eat_any(&["TABLE", "VIEW"]);
    }
    Ok(Statement::Describe(Describe {
        table: cursor.table()?,
        formatted,
    }))
}
