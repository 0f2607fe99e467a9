//! The texts of patterns: `LIKE` with backslashes, and `SIMILAR TO` as a regular expression.

use std::iter::Peekable;
use std::str::Chars;

use crate::{Error, Result};

/// A `LIKE` pattern with the backslash in place of `escape`; backslashes that escaped nothing stay
/// what they were.
///
/// # Errors
/// When the pattern ends with its escape.
pub(super) fn escaped_with_backslash(pattern: &str, escape: Option<char>) -> Result<String> {
    let mut written = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            character if Some(character) == escape => after_escape(pattern, characters.next())?,
            '\\' => '\\',
            character => {
                written.push(character);
                continue;
            }
        };
        if matches!(literal, '%' | '_' | '\\') {
            written.push('\\');
        }
        written.push(literal);
    }
    Ok(written)
}

/// The regular expression that matches what a `SIMILAR TO` pattern does, from start to end.
///
/// # Errors
/// When the pattern ends with its escape or inside brackets.
pub(super) fn regular_expression(pattern: &str, escape: Option<char>) -> Result<String> {
    let mut written = String::with_capacity(pattern.len() + 8);
    written.push_str("^(?s:");
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            character if Some(character) == escape => {
                push_literal(&mut written, after_escape(pattern, characters.next())?);
            }
            '%' => written.push_str(".*"),
            '_' => written.push('.'),
            '(' => written.push_str("(?:"),
            ')' | '|' | '*' | '+' | '?' | '{' | '}' => written.push(character),
            '[' => push_bracket(&mut written, pattern, &mut characters, escape)?,
            literal => push_literal(&mut written, literal),
        }
    }
    written.push_str(")$");
    Ok(written)
}

/// One of a set of characters: ranges, `^` and classes such as `[:alpha:]` mean the same in both.
fn push_bracket(
    written: &mut String,
    pattern: &str,
    characters: &mut Peekable<Chars<'_>>,
    escape: Option<char>,
) -> Result<()> {
    written.push('[');
    if characters.next_if_eq(&'^').is_some() {
        written.push('^');
    }
    let mut first = true;
    while let Some(character) = characters.next() {
        match character {
            ']' if !first => {
                written.push(']');
                return Ok(());
            }
            character if Some(character) == escape => {
                push_literal(written, after_escape(pattern, characters.next())?);
            }
            '[' if characters.peek() == Some(&':') => push_class(written, characters),
            // Two of them would be a difference of sets.
            '-' if characters.peek() != Some(&'-') => written.push('-'),
            literal => push_literal(written, literal),
        }
        first = false;
    }
    Err(Error::invalid(format!(
        "the pattern '{pattern}' has a \"[\" without its \"]\""
    )))
}

fn push_class(written: &mut String, characters: &mut Peekable<Chars<'_>>) {
    written.push('[');
    for character in characters.by_ref() {
        written.push(character);
        if character == ']' {
            return;
        }
    }
}

fn push_literal(written: &mut String, literal: char) {
    if literal.is_ascii_punctuation() && !matches!(literal, '<' | '>') {
        written.push('\\');
    }
    written.push(literal);
}

fn after_escape(pattern: &str, next: Option<char>) -> Result<char> {
    next.ok_or_else(|| {
        Error::invalid(format!(
            "the pattern '{pattern}' ends with its escape character"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_patterns_are_regular_expressions_of_the_whole_text() {
        for (pattern, escape, expected) in [
            ("%(b|d)%", None, "^(?s:.*(?:b|d).*)$"),
            ("a_c{2}", None, "^(?s:a.c{2})$"),
            ("^$.", None, r"^(?s:\^\$\.)$"),
            ("50!%", Some('!'), r"^(?s:50\%)$"),
            (r"a\d", None, r"^(?s:a\\d)$"),
            ("[^a-z_%]+", None, r"^(?s:[^a-z\_\%]+)$"),
            ("[]x][[:digit:]&&]", None, r"^(?s:[\]x][[:digit:]\&\&])$"),
        ] {
            let written = regular_expression(pattern, escape);
            assert_eq!(written.as_deref().ok(), Some(expected), "{pattern}");
        }
        assert!(regular_expression("[abc", None).is_err());
    }
}
