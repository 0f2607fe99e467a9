//! A parser's message with the place and a caret.

use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Location, TokenizerError};

use super::caret::caret;
use super::limits::ParseLimits;
use super::source::absolute;
use crate::Error;

/// Longest token shown whole, in characters.
const FOUND_MAX: usize = 40;

/// The error of a text that cannot be cut into tokens.
pub(super) fn token_error(sql: &str, error: &TokenizerError) -> Error {
    syntax_error(sql, error.location, &lower_first(&error.message))
}

/// The error of a statement that is not in the grammar. `origin` is where it starts in `sql`, `end`
/// where it ends.
pub(super) fn parser_error(
    sql: &str,
    error: ParserError,
    origin: Location,
    end: Location,
    limits: &ParseLimits,
) -> Error {
    let message = match error {
        ParserError::ParserError(message) | ParserError::TokenizerError(message) => message,
        ParserError::RecursionLimitExceeded => return limits.too_deep(),
    };
    let (message, place) = split_place(&message);
    let place = place.map_or(end, |place| absolute(place, origin));
    syntax_error(sql, place, &plain(message))
}

fn syntax_error(sql: &str, place: Location, message: &str) -> Error {
    let Location { line, column } = place;
    let message = format!("syntax error at line {line}, column {column}: {message}");
    Error::invalid(caret(sql, line, column, &message))
}

/// Takes ` at Line: 1, Column: 7` off the end of a message.
fn split_place(message: &str) -> (&str, Option<Location>) {
    let parse = || {
        let (text, place) = message.rsplit_once(" at Line: ")?;
        let (line, column) = place.split_once(", Column: ")?;
        let place =
            Location { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? };
        Some((text, Some(place)))
    };
    parse().unwrap_or((message, None))
}

/// `Expected: x, found: y` in our own words.
fn plain(message: &str) -> String {
    let Some(rest) = message.strip_prefix("Expected: ") else { return lower_first(message) };
    match rest.rsplit_once(", found: ") {
        Some((expected, "EOF")) => format!("expected {expected}, found the end of the statement"),
        Some((expected, found)) => format!("expected {expected}, found \"{}\"", shorten(found)),
        None => format!("expected {rest}"),
    }
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= FOUND_MAX {
        return text.to_string();
    }
    text.chars().take(FOUND_MAX).chain(['…']).collect()
}

fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    match (chars.next(), chars.clone().next()) {
        // Two capitals begin a keyword.
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => message.to_string(),
    }
}
