//! `INSERT …`.

use datafusion::sql::sqlparser::tokenizer::Token;

use crate::Error;
use crate::sql::cursor::Cursor;
use crate::sql::fault::Parsed;
use crate::sql::statement::Statement;
use crate::sql::write::{Insert, PartitionValue};

pub(super) fn insert(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let overwrite = cursor.eat(&["OVERWRITE"]);
    if overwrite && (cursor.at(&["DIRECTORY"]) || cursor.at(&["LOCAL", "DIRECTORY"])) {
        return Err(Error::unsupported(
            "INSERT OVERWRITE DIRECTORY is not supported yet: write COPY (query) TO 'location'",
        )
        .into());
    }
    if !overwrite && cursor.at(&["OR"]) {
        return Err(
            Error::unsupported("INSERT OR … is not supported yet: tables have no keys").into(),
        );
    }
    if !cursor.eat(&["INTO"]) && !overwrite {
        return cursor.expected("INTO or OVERWRITE");
    }
    cursor.eat(&["TABLE"]);
    let table = cursor.new_table()?;
    let mut columns = column_list(cursor)?;
    let partition = if cursor.eat(&["PARTITION"]) {
        partition(cursor)?
    } else {
        Vec::new()
    };
    if columns.is_empty() {
        columns = column_list(cursor)?;
    }
    if cursor.at(&["DEFAULT", "VALUES"]) {
        return Err(Error::unsupported("INSERT … DEFAULT VALUES is not supported yet").into());
    }
    let source = cursor.query()?;
    if let Some(word) = ["ON", "RETURNING"]
        .into_iter()
        .find(|word| cursor.at(&[word]))
    {
        let what = if word == "ON" { "ON CONFLICT" } else { word };
        return Err(Error::unsupported(format!("INSERT … {what} is not supported yet")).into());
    }
    Ok(Statement::Insert(Box::new(Insert {
        table,
        columns,
        source,
        overwrite,
        partition,
    })))
}

/// `(a, b)`, unless the parenthesis opens the query.
fn column_list(cursor: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    let opens_query = match &cursor.parser.peek_nth_token_ref(1).token {
        Token::LParen => true,
        Token::Word(word) if word.quote_style.is_none() => {
            ["SELECT", "WITH", "VALUES", "FROM"]
                .iter()
                .any(|q| word.value.eq_ignore_ascii_case(q))
                && !matches!(
                    cursor.parser.peek_nth_token_ref(2).token,
                    Token::Comma | Token::RParen
                )
        }
        _ => false,
    };
    if !cursor.at_token(&Token::LParen) || opens_query {
        return Ok(Vec::new());
    }
    let columns = cursor.names()?;
    for (n, column) in columns.iter().enumerate() {
        if columns[..n].contains(column) {
            return Err(Error::invalid(format!("column \"{column}\" is named twice")).into());
        }
    }
    Ok(columns)
}

/// `(year = 2024, month)`.
fn partition(cursor: &mut Cursor<'_>) -> Parsed<Vec<PartitionValue>> {
    cursor.expect_token(&Token::LParen)?;
    let values = cursor.comma_separated(|cursor| {
        let column = cursor.name()?;
        let value = if cursor.eat_token(&Token::Eq) {
            Some(cursor.expr()?)
        } else {
            None
        };
        Ok(PartitionValue { column, value })
    })?;
    cursor.expect_token(&Token::RParen)?;
    for (n, value) in values.iter().enumerate() {
        if values[..n]
            .iter()
            .any(|earlier| earlier.column == value.column)
        {
            return Err(Error::invalid(format!(
                "partition column \"{}\" is named twice",
                value.column
            ))
            .into());
        }
    }
    Ok(values)
}
