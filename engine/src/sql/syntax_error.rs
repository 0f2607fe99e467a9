//! A parser's message with the place and a caret.

use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Location, TokenizerError};

use super::caret::caret;
use super::limits::ParseLimits;
use super::source::absolute;
use crate::Error;

/// Longest token shown whole, in characters.
const FOUND_MAX: usize = 40;

/// How much of a text is searched for statements that hold passwords, in bytes.
const SEARCHED_MAX: usize = 1 << 20;

/// The error of a text that cannot be cut into tokens.
pub(super) fn token_error(sql: &str, error: &TokenizerError) -> Error {
    syntax_error(sql, error.location, &lower_first(&error.message))
}

/// The error of a statement of `sql` that is not in the grammar. `origin` is where it starts in
/// `sql`, `end` where it ends.
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

/// Errors are logged and listed: where the text holds passwords or keys, neither the text nor what
/// was found is shown.
fn syntax_error(sql: &str, place: Location, message: &str) -> Error {
    let Location { line, column } = place;
    let placed = |message: &str| format!("syntax error at line {line}, column {column}: {message}");
    if holds_secret(sql) {
        return Error::invalid(placed(message.split(", found ").next().unwrap_or_default()));
    }
    Error::invalid(caret(sql, line, column, &placed(message)))
}

/// Whether a user or a secret is made or changed somewhere in the text.
fn holds_secret(sql: &str) -> bool {
    let searched = (0..=SEARCHED_MAX.min(sql.len()))
        .rev()
        .find_map(|end| sql.get(..end));
    let words: Vec<&str> = searched
        .unwrap_or_default()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let is_one_of =
        |word: &str, wanted: &[&str]| wanted.iter().any(|other| word.eq_ignore_ascii_case(other));
    words.iter().enumerate().any(|(at, word)| {
        is_one_of(word, &["create", "alter"])
            && words[at + 1..]
                .iter()
                .take(3)
                .any(|word| is_one_of(word, &["user", "secret"]))
    })
}

/// Takes ` at Line: 1, Column: 7` off the end of a message.
fn split_place(message: &str) -> (&str, Option<Location>) {
    let parse = || {
        let (text, place) = message.rsplit_once(" at Line: ")?;
        let (line, column) = place.split_once(", Column: ")?;
        let place = Location {
            line: line.trim().parse().ok()?,
            column: column.trim().parse().ok()?,
        };
        Some((text, Some(place)))
    };
    parse().unwrap_or((message, None))
}

/// `Expected: x, found: y` in our own words.
fn plain(message: &str) -> String {
    let Some(rest) = message.strip_prefix("Expected: ") else {
        return lower_first(message);
    };
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
