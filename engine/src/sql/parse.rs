//! SQL text to statements.
//!
//! ```text
//! text ─ tokens ─ cut at ";" ─┬─ nesting counted ─ grammar ─ long conditions balanced ─ inspected
//!                             └─ … for each statement
//! ```
//! Whatever leaves here is shallow enough to be planned, copied and dropped on an ordinary stack.

use datafusion::sql::sqlparser::tokenizer::Location;

use super::cursor::Cursor;
use super::fault::Fault;
use super::grammar;
use super::limits::ParseLimits;
use super::nesting;
use super::source::{SourceStatement, absolute, estimate_tokens, split, tokenize};
use super::statement::{ParsedStatement, Statement};
use super::syntax_error::{parser_error, token_error};
use crate::{Error, Result};

/// Runs up to this length are parsed on the caller's stack.
const SHORT_RUN: usize = 500;
/// Stack for one token of a longer run: the parser's tree may be one level deeper for each, and is
/// walked and dropped recursively until its conditions are balanced.
const STACK_PER_TOKEN: usize = 1024;
const STACK_MIN: usize = 4 << 20;

/// Parses a text of any number of statements separated by semicolons.
///
/// # Errors
/// Syntax errors name line and column and show the place; limits name the setting that holds them.
pub fn parse(sql: &str, limits: &ParseLimits) -> Result<Vec<ParsedStatement>> {
    if sql.len() > limits.sql_length {
        return Err(limits.too_long(sql.len()));
    }
    if sql.len() > limits.tokens && estimate_tokens(sql) > limits.tokens {
        return Err(limits.too_many_tokens());
    }
    let tokens = tokenize(sql).map_err(|error| token_error(sql, &error))?;
    let sources = split(sql, tokens, limits.statements);
    if sources.len() > limits.statements {
        return Err(limits.too_many_statements());
    }
    sources
        .into_iter()
        .map(|source| parse_source(sql, source, limits))
        .collect()
}

/// Parses a text that holds exactly one statement.
///
/// # Errors
/// As [`parse`], and when there is no statement or more than one.
pub fn parse_one(sql: &str, limits: &ParseLimits) -> Result<ParsedStatement> {
    let mut statements = parse(sql, limits)?;
    match (statements.pop(), statements.len()) {
        (Some(statement), 0) => Ok(statement),
        (None, _) => Err(Error::invalid("the SQL text holds no statement")),
        (Some(_), others) => Err(Error::invalid(format!(
            "the SQL text holds {} statements: send them one at a time",
            others + 1
        ))),
    }
}

fn parse_source(
    sql: &str,
    source: SourceStatement,
    limits: &ParseLimits,
) -> Result<ParsedStatement> {
    let SourceStatement {
        tokens,
        start,
        end,
        origin,
    } = source;
    let text = &sql[start..end];
    let run = nesting::check(&tokens, limits)?;
    let end_place = tokens
        .last()
        .map_or(origin, |token| absolute(token.span.end, origin));
    let work = || {
        let mut cursor = Cursor::new(tokens, text, limits);
        let statement = grammar::statement(&mut cursor)?;
        cursor.end()?;
        Ok(statement)
    };
    let parsed: Result<Statement, Fault> = if run > SHORT_RUN {
        stacker::grow(STACK_MIN + run * STACK_PER_TOKEN, work)
    } else {
        work()
    };
    let statement = parsed.map_err(|fault| match fault {
        Fault::Syntax(error) => parser_error(sql, error, origin, end_place, limits),
        Fault::Ours(error) => error,
    })?;
    let Location { line, column } = origin;
    Ok(ParsedStatement {
        statement,
        text: text.to_string(),
        offset: start,
        line,
        column,
    })
}
