//! `?` as a parameter: drivers write nothing else, the planner knows `$1`, `$2`, … only.

use std::borrow::Cow;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// The same text with every `?` that is a parameter numbered in order: `$1`, `$2`, ….
///
/// A text that cannot be cut into tokens is left as it is, for the parser to complain about.
pub fn number_placeholders(sql: &str) -> Cow<'_, str> {
    if !sql.contains('?') {
        return Cow::Borrowed(sql);
    }
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location() else {
        return Cow::Borrowed(sql);
    };
    let starts: Vec<usize> = line_starts(sql);
    let mut numbered = String::with_capacity(sql.len() + 16);
    let mut copied = 0;
    let mut number = 0;
    for token in tokens {
        if token.token != Token::Placeholder("?".to_owned()) {
            continue;
        }
        let (line, column) = (token.span.start.line, token.span.start.column);
        let Some(at) = offset(sql, &starts, line, column) else {
            return Cow::Borrowed(sql);
        };
        number += 1;
        numbered.push_str(&sql[copied..at]);
        numbered.push_str(&format!("${number}"));
        copied = at + 1;
    }
    numbered.push_str(&sql[copied..]);
    Cow::Owned(numbered)
}

fn line_starts(sql: &str) -> Vec<usize> {
    let after = sql
        .bytes()
        .enumerate()
        .filter(|(_, byte)| *byte == b'\n')
        .map(|(at, _)| at + 1);
    std::iter::once(0).chain(after).collect()
}

/// Lines and columns count characters from 1.
fn offset(sql: &str, starts: &[usize], line: u64, column: u64) -> Option<usize> {
    let start = *starts.get(usize::try_from(line).ok()?.checked_sub(1)?)?;
    let before = usize::try_from(column).ok()?.checked_sub(1)?;
    let (at, mark) = sql[start..].char_indices().nth(before)?;
    (mark == '?').then_some(start + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_and_question_marks_in_text_are_not() {
        let sql = "SELECT '?', \"a?\" -- ?\n, ü, ? FROM t\nWHERE a = ? AND b = '?'";
        let numbered = "SELECT '?', \"a?\" -- ?\n, ü, $1 FROM t\nWHERE a = $2 AND b = '?'";
        assert_eq!(number_placeholders(sql), numbered);
    }

    #[test]
    fn broken_text_is_left_alone() {
        assert_eq!(number_placeholders("SELECT '? "), "SELECT '? ");
    }
}
