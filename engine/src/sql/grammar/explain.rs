//! `EXPLAIN …`.

use std::str::FromStr;

use datafusion::common::format::{ExplainFormat, ExplainStatementOptions};
use datafusion::sql::sqlparser::ast::{Expr, UtilityOption, Value};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::clauses::word_or_string;
use super::statement::statement;
use crate::Error;
use crate::sql::cursor::Cursor;
use crate::sql::explain::{Explain, ExplainKind};
use crate::sql::fault::Parsed;
use crate::sql::statement::Statement;

pub(super) fn explain(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let (kind, options) = if at_option_list(cursor) {
        listed(cursor)?
    } else {
        words(cursor)?
    };
    // EXPLAIN EXPLAIN … would recurse as deep as the text is long.
    if cursor.at(&["EXPLAIN"]) {
        return cursor.expected("a statement that can be explained");
    }
    let explained = statement(cursor)?;
    if !matches!(
        explained,
        Statement::Query(_) | Statement::Insert(_) | Statement::Copy(_) | Statement::Refused(_)
    ) && !matches!(&explained, Statement::CreateTable(create) if create.query.is_some())
    {
        return Err(Error::invalid(format!(
            "{} has no plan: EXPLAIN shows queries, INSERT, COPY and CREATE TABLE AS",
            explained.kind_name()
        ))
        .into());
    }
    if matches!(explained, Statement::Refused(_)) {
        return Ok(explained);
    }
    Ok(Statement::Explain(Explain {
        analyze: options.analyze,
        verbose: options.verbose,
        kind,
        format: options.format,
        analyze_level: options.analyze_level,
        analyze_categories: options.analyze_categories,
        show_statistics: options.show_statistics,
        statement: Box::new(explained),
    }))
}

/// `EXPLAIN (ANALYZE, …)` as against `EXPLAIN (SELECT …)`.
fn at_option_list(cursor: &Cursor<'_>) -> bool {
    let query_word = |token: &Token| match token {
        Token::LParen => true,
        Token::Word(word) => ["SELECT", "WITH", "VALUES", "TABLE", "FROM"]
            .iter()
            .any(|query| word.value.eq_ignore_ascii_case(query)),
        _ => false,
    };
    cursor.at_token(&Token::LParen) && !query_word(&cursor.parser.peek_nth_token_ref(1).token)
}

fn words(cursor: &mut Cursor<'_>) -> Parsed<(ExplainKind, ExplainStatementOptions)> {
    let mut kind = ExplainKind::default();
    let mut options = ExplainStatementOptions::default();
    loop {
        // `ANALYZE` may also begin the statement that is explained, which has no plan.
        if cursor.eat(&["ANALYZE"]) {
            options.analyze = true;
        } else if cursor.eat(&["VERBOSE"]) {
            options.verbose = true;
        } else if let Some(word) = KINDS.iter().find(|(word, _)| cursor.at(&[word])) {
            cursor.eat(&[word.0]);
            kind = word.1;
        } else if cursor.eat(&["FORMAT"]) {
            let format = word_or_string(cursor)?;
            match kind_named(&format) {
                Some(named) => kind = named,
                None => options.format = Some(parse_format(&format)?),
            }
        } else {
            return Ok((kind, options));
        }
    }
}

const KINDS: &[(&str, ExplainKind)] = &[
    ("LOGICAL", ExplainKind::Logical),
    ("PHYSICAL", ExplainKind::Physical),
    ("DISTRIBUTED", ExplainKind::Distributed),
];

fn kind_named(name: &str) -> Option<ExplainKind> {
    KINDS
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(name))
        .map(|(_, kind)| *kind)
}

fn parse_format(name: &str) -> Result<ExplainFormat, Error> {
    ExplainFormat::from_str(name).map_err(|_| {
        Error::invalid(format!(
            "\"{name}\" is not a format of EXPLAIN: write one of indent, tree, pgjson, graphviz"
        ))
    })
}

fn listed(cursor: &mut Cursor<'_>) -> Parsed<(ExplainKind, ExplainStatementOptions)> {
    let mut kind = ExplainKind::default();
    let mut rest = Vec::new();
    for option in cursor.parser.parse_utility_options()? {
        let name = option.name.value.to_ascii_lowercase();
        let argument = argument_text(&option);
        if let Some(named) = kind_named(&name) {
            kind = named;
        } else if name == "type" || name == "format" && argument.and_then(kind_named).is_some() {
            let argument = argument.unwrap_or_default();
            kind = kind_named(argument).ok_or_else(|| {
                Error::invalid(format!(
                    "\"{argument}\" is not a type of plan: write one of LOGICAL, PHYSICAL, \
                     DISTRIBUTED"
                ))
            })?;
        } else {
            rest.push(option);
        }
    }
    Ok((kind, ExplainStatementOptions::from_utility_options(&rest)?))
}

fn argument_text(option: &UtilityOption) -> Option<&str> {
    match option.arg.as_ref()? {
        Expr::Identifier(ident) => Some(&ident.value),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}
