//! `SHOW …` and `DESCRIBE …`.

use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast::{DescribeAlias, Statement as SqlStatement};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::session::setting_name;
use crate::sql::cursor::Cursor;
use crate::sql::fault::Parsed;
use crate::sql::show::{Describe, Show};
use crate::sql::statement::Statement;

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
            "TABLES, SCHEMAS, COLUMNS, PARTITIONS, FILES, STATS, CREATE TABLE, FUNCTIONS, QUERIES, \
             EXECUTORS, SETTINGS, SECRETS, USERS or the name of a setting",
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
        let schema = if cursor.eat_any(&["FROM", "IN"]) {
            Some(cursor.schema()?)
        } else {
            None
        };
        Show::Tables {
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
    } else {
        return Ok(None);
    };
    Ok(Some(show))
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
        }
    } else if cursor.eat(&["PARTITIONS"]) {
        cursor.eat_any(&["FROM", "IN"]);
        Show::Partitions {
            table: cursor.table()?,
        }
    } else if cursor.eat(&["FILES"]) {
        cursor.eat_any(&["FROM", "IN"]);
        Show::Files {
            table: cursor.table()?,
        }
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

/// `LIKE 'pattern'`, or the pattern alone.
fn like(cursor: &mut Cursor<'_>) -> Parsed<Option<String>> {
    if cursor.eat(&["LIKE"]) {
        return Ok(Some(cursor.string()?));
    }
    if matches!(
        cursor.parser.peek_token_ref().token,
        Token::SingleQuotedString(_)
    ) {
        return Ok(Some(cursor.string()?));
    }
    Ok(None)
}

pub(super) fn describe(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let of_query = cursor.at(&["SELECT"]) || cursor.at(&["WITH"]) || cursor.at(&["VALUES"]);
    if of_query {
        return describe_query(cursor);
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

/// The columns a query would return: DataFusion plans that into rows.
fn describe_query(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let query = cursor.query()?;
    let statement = SqlStatement::Explain {
        describe_alias: DescribeAlias::Describe,
        analyze: false,
        verbose: false,
        query_plan: false,
        estimate: false,
        statement: Box::new(SqlStatement::Query(query)),
        format: None,
        options: None,
    };
    Ok(Statement::Query(Box::new(DFStatement::Statement(
        Box::new(statement),
    ))))
}
