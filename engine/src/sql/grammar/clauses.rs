//! The clauses behind `CREATE TABLE` and `COPY`, which may come in any order.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::tokenizer::Token;

use super::columns::partition_columns;
use crate::Error;
use crate::sql::cursor::{Cursor, syntax};
use crate::sql::ddl::{PartitionColumn, SortColumn};
use crate::sql::fault::{Fault, Parsed};

/// What the clauses said; each at most once.
#[derive(Default)]
pub(super) struct Clauses {
    /// `STORED AS`, in upper case.
    pub(super) format: Option<String>,
    /// `PARTITIONED BY`.
    pub(super) partitioned_by: Option<Vec<PartitionColumn>>,
    /// `LOCATION` or `TO`.
    pub(super) location: Option<Vec<String>>,
    /// `OPTIONS`.
    pub(super) options: Option<BTreeMap<String, String>>,
    /// `COMMENT`.
    pub(super) comment: Option<String>,
    /// `SECRET`.
    pub(super) secret: Option<String>,
    /// `WITH ORDER`, which may stand several times.
    pub(super) order: Vec<Vec<SortColumn>>,
}

impl Clauses {
    /// Reads clauses until something else comes.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Parsed<Self> {
        let mut clauses = Self::default();
        while clauses.read_one(cursor)? {}
        Ok(clauses)
    }

    fn read_one(&mut self, cursor: &mut Cursor<'_>) -> Parsed<bool> {
        if cursor.eat(&["STORED", "AS"]) {
            put(
                &mut self.format,
                "STORED AS",
                word_or_string(cursor)?.to_ascii_uppercase(),
            )?;
        } else if cursor.eat(&["PARTITIONED", "BY"]) {
            put(
                &mut self.partitioned_by,
                "PARTITIONED BY",
                partition_columns(cursor)?,
            )?;
        } else if cursor.eat(&["LOCATION"]) || cursor.eat(&["TO"]) {
            put(&mut self.location, "LOCATION", locations(cursor)?)?;
        } else if cursor.eat(&["OPTIONS"]) {
            put(&mut self.options, "OPTIONS", options(cursor)?)?;
        } else if cursor.eat(&["COMMENT"]) {
            cursor.eat_token(&Token::Eq);
            put(&mut self.comment, "COMMENT", cursor.string()?)?;
        } else if cursor.eat(&["WITH", "SECRET"]) || cursor.eat(&["SECRET"]) {
            put(&mut self.secret, "SECRET", cursor.name()?)?;
        } else if cursor.eat(&["WITH", "ORDER"]) {
            self.order.push(order(cursor)?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }
}

fn put<T>(slot: &mut Option<T>, clause: &str, value: T) -> Parsed<()> {
    if slot.replace(value).is_some() {
        return syntax(format!("{clause} is written twice"));
    }
    Ok(())
}

fn locations(cursor: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    if !cursor.eat_token(&Token::LParen) {
        return Ok(vec![location(cursor)?]);
    }
    let locations = cursor.comma_separated(location)?;
    cursor.expect_token(&Token::RParen)?;
    Ok(locations)
}

fn location(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let location = cursor.string()?;
    if location.trim().is_empty() {
        return Err(Error::invalid("a location may not be empty").into());
    }
    Ok(location)
}

fn order(cursor: &mut Cursor<'_>) -> Parsed<Vec<SortColumn>> {
    cursor.expect_token(&Token::LParen)?;
    let columns = cursor.comma_separated(|cursor| {
        let column = cursor.name()?;
        let descending = !cursor.eat(&["ASC"]) && cursor.eat(&["DESC"]);
        let nulls_first = if cursor.eat(&["NULLS", "FIRST"]) {
            true
        } else {
            !cursor.eat(&["NULLS", "LAST"]) && descending
        };
        Ok(SortColumn {
            column,
            descending,
            nulls_first,
        })
    })?;
    cursor.expect_token(&Token::RParen)?;
    Ok(columns)
}

/// `(key value, key = value, …)`; keys in lower case.
pub(super) fn options(cursor: &mut Cursor<'_>) -> Parsed<BTreeMap<String, String>> {
    cursor.expect_token(&Token::LParen)?;
    let mut options = BTreeMap::new();
    while !cursor.eat_token(&Token::RParen) {
        let key = option_key(cursor)?;
        cursor.eat_token(&Token::Eq);
        let value = option_value(cursor)?;
        if options.insert(key.clone(), value).is_some() {
            return Err(Error::invalid(format!("option \"{key}\" is given twice")).into());
        }
        // A comma may also follow the last option.
        if !cursor.eat_token(&Token::Comma) && !cursor.at_token(&Token::RParen) {
            return cursor.expected("\",\" or \")\" after an option");
        }
    }
    Ok(options)
}

fn option_key(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let mut key = word_or_string(cursor)?;
    while cursor.eat_token(&Token::Period) {
        key.push('.');
        key.push_str(&word_or_string(cursor)?);
    }
    Ok(key.to_lowercase())
}

fn option_value(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let start = cursor.mark();
    let signed = cursor.eat_token(&Token::Minus);
    match &cursor.parser.peek_token_ref().token {
        Token::Number(..) => {
            cursor.parser.advance_token();
            // Sizes such as 64MiB are a number and a word.
            if matches!(cursor.parser.peek_token_ref().token, Token::Word(_)) {
                cursor.parser.advance_token();
            }
            Ok(cursor.text_between(start).to_string())
        }
        _ if signed => cursor.expected("a number"),
        _ => word_or_string(cursor),
    }
}

/// A word as written, or a text literal's content.
pub(super) fn word_or_string(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let token = cursor.parser.peek_token_ref().token.clone();
    match token {
        Token::Word(word) => {
            cursor.parser.advance_token();
            Ok(word.value)
        }
        _ => match cursor.string() {
            Err(Fault::Syntax(_)) => cursor.expected("a word or a text in single quotes"),
            text => text,
        },
    }
}
