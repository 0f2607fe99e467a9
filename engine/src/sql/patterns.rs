//! `LIKE`, `ILIKE` and `SIMILAR TO` as the planner understands them.
//!
//! The planner knows no escape but the backslash, and takes the pattern of `SIMILAR TO` for a regular
//! expression that may match anywhere. Here patterns are written anew: with backslashes, and as a
//! regular expression for the whole text. That takes a pattern which is a constant.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Value, ValueWithSpan, VisitMut, VisitorMut,
};

use super::pattern_texts::{escaped_with_backslash, regular_expression};
use crate::{Error, Result};

/// Writes the patterns inside `tree` anew.
///
/// # Errors
/// Escapes that are not one character, patterns that end with theirs, and patterns that are no
/// constants where they would have to be written anew.
pub(super) fn write_patterns<T: VisitMut>(tree: &mut T) -> Result<()> {
    match tree.visit(&mut WritePatterns) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct WritePatterns;

impl VisitorMut for WritePatterns {
    type Break = Box<Error>;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        match write_pattern(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

fn write_pattern(expr: &mut Expr) -> Result<()> {
    match expr {
        Expr::Like {
            pattern,
            escape_char,
            any: false,
            ..
        } => escape_with_backslash("LIKE", pattern, escape_char),
        Expr::ILike {
            pattern,
            escape_char,
            any: false,
            ..
        } => escape_with_backslash("ILIKE", pattern, escape_char),
        Expr::SimilarTo {
            negated,
            expr: text,
            pattern,
            escape_char,
        } => {
            let escape = match escape_char {
                Some(written) => escape_of("SIMILAR TO", written)?,
                None => Some('\\'),
            };
            if is_null(pattern) {
                return Ok(());
            }
            let Some(similar) = constant(pattern) else {
                return Err(not_constant("SIMILAR TO"));
            };
            let regular = regular_expression(&similar.text()?, escape)?;
            let right = similar.with_text(regular);
            let op = match negated {
                true => BinaryOperator::PGRegexNotMatch,
                false => BinaryOperator::PGRegexMatch,
            };
            let left = Box::new(Expr::Nested(std::mem::replace(text, Box::new(null()))));
            *expr = Expr::BinaryOp {
                left,
                op,
                right: Box::new(right),
            };
            Ok(())
        }
        _ => Ok(()),
    }
}

fn escape_with_backslash(
    what: &str,
    pattern: &mut Expr,
    escape_char: &mut Option<ValueWithSpan>,
) -> Result<()> {
    let Some(written) = escape_char else {
        return Ok(());
    };
    let escape = escape_of(what, written)?;
    if escape != Some('\\') && !is_null(pattern) {
        let Some(like) = constant(pattern) else {
            return Err(not_constant(&format!("{what} … ESCAPE")));
        };
        *pattern = like.with_text(escaped_with_backslash(&like.text()?, escape)?);
    }
    *escape_char = None;
    Ok(())
}

/// The escape character; `None` where ESCAPE '' says that there is none.
fn escape_of(what: &str, written: &ValueWithSpan) -> Result<Option<char>> {
    let text = written.value.clone().into_string().unwrap_or_default();
    let mut characters = text.chars();
    let is_text = matches!(written.value, Value::SingleQuotedString(_));
    match (is_text, characters.next(), characters.next()) {
        (true, escape, None) => Ok(escape),
        _ => Err(Error::invalid(format!(
            "{what} takes one character in single quotes after ESCAPE, not {written}"
        ))),
    }
}

fn not_constant(what: &str) -> Error {
    Error::unsupported(format!(
        "{what} is supported with a constant pattern only: write it as one text in single quotes"
    ))
}

/// A pattern written as a text.
struct Constant<'a>(&'a ValueWithSpan);

fn constant(pattern: &Expr) -> Option<Constant<'_>> {
    match pattern {
        Expr::Nested(inner) => constant(inner),
        Expr::Value(value) => matches!(
            value.value,
            Value::SingleQuotedString(_)
                | Value::DollarQuotedString(_)
                | Value::EscapedStringLiteral(_)
                | Value::UnicodeStringLiteral(_)
                | Value::NationalStringLiteral(_)
        )
        .then_some(Constant(value)),
        _ => None,
    }
}

impl Constant<'_> {
    fn text(&self) -> Result<String> {
        match &self.0.value {
            Value::SingleQuotedString(text)
            | Value::EscapedStringLiteral(text)
            | Value::UnicodeStringLiteral(text)
            | Value::NationalStringLiteral(text) => Ok(text.clone()),
            Value::DollarQuotedString(text) => Ok(text.value.clone()),
            other => Err(Error::invalid(format!("a pattern is a text, not {other}"))),
        }
    }

    fn with_text(&self, text: String) -> Expr {
        Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text),
            span: self.0.span,
        })
    }
}

fn is_null(pattern: &Expr) -> bool {
    matches!(pattern, Expr::Value(value) if value.value == Value::Null)
}

fn null() -> Expr {
    Expr::value(Value::Null)
}

#[cfg(test)]
mod tests {
    use crate::ErrorKind;
    use crate::sql::{ParseLimits, Statement, parse_one};

    fn written(condition: &str) -> String {
        let sql = format!("SELECT {condition}");
        match parse_one(&sql, &ParseLimits::default()).unwrap().statement {
            Statement::Query(query) => query.to_string().replacen("SELECT ", "", 1),
            other => other.kind_name().to_owned(),
        }
    }

    #[test]
    fn patterns_are_written_with_backslashes() {
        for (condition, expected) in [
            ("a LIKE 'x!%!!!_%' ESCAPE '!'", r"a LIKE 'x\%!\_%'"),
            (r"a LIKE 'c:\d#_' ESCAPE '#'", r"a LIKE 'c:\\d\_'"),
            (r"a LIKE 'c:\%' ESCAPE ''", r"a LIKE 'c:\\%'"),
            (r"a LIKE 'x\_y' ESCAPE '\'", r"a LIKE 'x\_y'"),
            (r"a LIKE b ESCAPE '\'", "a LIKE b"),
            ("a LIKE b", "a LIKE b"),
            ("a LIKE NULL ESCAPE '!'", "a LIKE NULL"),
            ("a SIMILAR TO 'x%|_'", "(a) ~ '^(?s:x.*|.)$'"),
            ("a || b NOT SIMILAR TO '1.5'", r"(a || b) !~ '^(?s:1\.5)$'"),
        ] {
            assert_eq!(written(condition), expected, "{condition}");
        }
    }

    #[test]
    fn what_cannot_be_written_anew_is_an_error() {
        for (condition, kind) in [
            ("a LIKE b ESCAPE '!'", ErrorKind::Unsupported),
            ("a SIMILAR TO b", ErrorKind::Unsupported),
            ("a LIKE 'x' ESCAPE '!!'", ErrorKind::InvalidQuery),
            ("a LIKE 'x' ESCAPE 1", ErrorKind::InvalidQuery),
            ("a LIKE 'x!' ESCAPE '!'", ErrorKind::InvalidQuery),
            (r"a SIMILAR TO 'x\'", ErrorKind::InvalidQuery),
            ("a SIMILAR TO '[x'", ErrorKind::InvalidQuery),
        ] {
            let sql = format!("SELECT {condition}");
            let error = parse_one(&sql, &ParseLimits::default()).expect_err(condition);
            assert_eq!(error.kind(), kind, "{condition}: {error}");
        }
    }
}
