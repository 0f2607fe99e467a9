//! Column declarations.

use datafusion::sql::sqlparser::tokenizer::Token;

use crate::Error;
use crate::sql::cursor::Cursor;
use crate::sql::ddl::{ColumnSpec, PartitionColumn};
use crate::sql::fault::Parsed;

/// `(name type …, …)`, or nothing when no parenthesis follows.
pub(super) fn declarations(cursor: &mut Cursor<'_>) -> Parsed<Vec<ColumnSpec>> {
    if !cursor.eat_token(&Token::LParen) {
        return Ok(Vec::new());
    }
    if cursor.eat_token(&Token::RParen) {
        return Ok(Vec::new());
    }
    let columns = cursor.comma_separated(declaration)?;
    cursor.expect_token(&Token::RParen)?;
    check_distinct(columns.iter().map(|column| column.name.as_str()))?;
    Ok(columns)
}

/// `PARTITIONED BY` has been read: `(name, …)` or `(name type …, …)`, or both mixed.
pub(super) fn partition_columns(cursor: &mut Cursor<'_>) -> Parsed<Vec<PartitionColumn>> {
    cursor.expect_token(&Token::LParen)?;
    let columns = cursor.comma_separated(partition_column)?;
    cursor.expect_token(&Token::RParen)?;
    check_distinct(columns.iter().map(PartitionColumn::name))?;
    Ok(columns)
}

fn partition_column(cursor: &mut Cursor<'_>) -> Parsed<PartitionColumn> {
    let after = &cursor.parser.peek_nth_token_ref(1).token;
    if matches!(after, Token::Comma | Token::RParen) {
        return Ok(PartitionColumn::Name(cursor.name()?));
    }
    Ok(PartitionColumn::Spec(Box::new(declaration(cursor)?)))
}

fn declaration(cursor: &mut Cursor<'_>) -> Parsed<ColumnSpec> {
    for constraint in ["CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK"] {
        let named = matches!(cursor.parser.peek_nth_token_ref(1).token, Token::LParen)
            || cursor.at(&[constraint, "KEY"])
            || constraint == "CONSTRAINT";
        if cursor.at(&[constraint]) && named {
            return Err(unsupported_constraint(constraint).into());
        }
    }
    let name = cursor.name()?;
    let data_type = cursor.data_type()?;
    let mut column = ColumnSpec {
        name,
        data_type,
        nullable: true,
        default: None,
        comment: None,
    };
    loop {
        if cursor.eat(&["NOT", "NULL"]) {
            column.nullable = false;
        } else if cursor.eat(&["NULL"]) {
            column.nullable = true;
        } else if cursor.eat(&["DEFAULT"]) {
            column.default = Some(cursor.expr()?);
        } else if cursor.eat(&["COMMENT"]) {
            column.comment = Some(cursor.string()?);
        } else if let Some(word) = ["PRIMARY", "UNIQUE", "REFERENCES", "CHECK", "GENERATED"]
            .into_iter()
            .find(|word| cursor.at(&[word]))
        {
            return Err(unsupported_constraint(word).into());
        } else {
            return Ok(column);
        }
    }
}

fn unsupported_constraint(word: &str) -> Error {
    let what = match word {
        "PRIMARY" => "PRIMARY KEY",
        "FOREIGN" => "FOREIGN KEY",
        other => other,
    };
    Error::unsupported(format!(
        "{what} of a column or table is not supported yet: leave it out, NOT NULL may stay"
    ))
}

fn check_distinct<'n>(names: impl Iterator<Item = &'n str>) -> Result<(), Error> {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Error::invalid(format!(
                "column \"{name}\" is declared twice"
            )));
        }
    }
    Ok(())
}
