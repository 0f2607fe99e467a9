//! How deep a statement is nested, counted on its tokens before anything recurses over them.
//!
//! Two numbers bound the tree a parser can make: the depth of brackets, and the longest run of
//! tokens without a comma inside one bracket, since every operator that makes a tree deeper
//! (`a || b || c`, `NOT NOT x`, `x::int::text`, `UNION`, `JOIN`) is a token of such a run.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::limits::{ParseLimits, exhausted};
use crate::Error;

/// Longest run: ten thousand terms of a condition fit several times.
const RUN_MAX: usize = 200_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    Bracket,
    /// `ARRAY<`, `STRUCT<`.
    Angle,
    Case,
}

#[derive(Default)]
struct Nesting {
    open: Vec<(Opening, usize)>,
    run: usize,
    depth_max: usize,
    run_max: usize,
    prefixes: usize,
    empty_brackets: usize,
}

/// Checks the nesting of a statement and returns its longest run.
pub(super) fn check(tokens: &[TokenWithSpan], limits: &ParseLimits) -> Result<usize, Error> {
    let mut nesting = Nesting::default();
    let mut previous = &Token::EOF;
    for TokenWithSpan { token, .. } in tokens {
        if matches!(token, Token::Whitespace(_)) {
            continue;
        }
        nesting.take(token, previous);
        previous = token;
        if nesting
            .depth_max
            .max(nesting.prefixes)
            .max(nesting.empty_brackets)
            > limits.depth
        {
            return Err(limits.too_deep());
        }
    }
    let run = nesting.run_max;
    if run > RUN_MAX {
        return Err(exhausted(format!(
            "the statement has an expression of {run} words and signs and the limit is {RUN_MAX}"
        )));
    }
    Ok(run)
}

impl Nesting {
    fn take(&mut self, token: &Token, previous: &Token) {
        self.run += 1;
        self.run_max = self.run_max.max(self.run);
        self.prefixes = if is_prefix(token) {
            self.prefixes + 1
        } else {
            0
        };
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => self.push(Opening::Bracket),
            Token::RBracket if *previous == Token::LBracket => {
                self.empty_brackets += 1;
                self.pop(Opening::Bracket);
            }
            Token::RParen | Token::RBracket | Token::RBrace => self.pop(Opening::Bracket),
            Token::Lt if opens_type(previous) => self.push(Opening::Angle),
            Token::Gt => self.pop_angle(),
            Token::ShiftRight => {
                self.pop_angle();
                self.pop_angle();
            }
            Token::Comma => {
                self.run = 0;
                self.empty_brackets = 0;
            }
            Token::Word(word) if word.keyword == Keyword::CASE => self.push(Opening::Case),
            Token::Word(word) if word.keyword == Keyword::END && self.inside(Opening::Case) => {
                self.pop(Opening::Case);
            }
            _ => {}
        }
        if !matches!(token, Token::LBracket | Token::RBracket) {
            self.empty_brackets = 0;
        }
    }

    fn push(&mut self, opening: Opening) {
        self.open.push((opening, self.run));
        self.run = 0;
        self.depth_max = self.depth_max.max(self.open.len());
    }

    /// Closes the innermost opening of this kind and whatever was left open inside it.
    fn pop(&mut self, opening: Opening) {
        if let Some(at) = self.open.iter().rposition(|(open, _)| *open == opening) {
            self.run = self.open[at].1 + 1;
            self.open.truncate(at);
        }
    }

    fn inside(&self, opening: Opening) -> bool {
        self.open.last().is_some_and(|(open, _)| *open == opening)
    }

    fn pop_angle(&mut self) {
        if self.inside(Opening::Angle) {
            self.pop(Opening::Angle);
        }
    }
}

/// Whether `<` after this token opens a type's parameters.
fn opens_type(token: &Token) -> bool {
    matches!(token, Token::Word(word)
        if matches!(word.keyword, Keyword::ARRAY | Keyword::STRUCT | Keyword::MAP))
}

/// Tokens that stand before an operand, and that a parser may recurse for one by one.
fn is_prefix(token: &Token) -> bool {
    match token {
        Token::Plus | Token::Minus | Token::Tilde | Token::ExclamationMark | Token::AtSign => true,
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::NOT | Keyword::INTERVAL | Keyword::PRIOR | Keyword::EXPLAIN | Keyword::PREPARE
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::sql::source::tokenize;

    fn run(sql: &str) -> Result<usize, Error> {
        check(
            &tokenize(sql).unwrap(),
            &ParseLimits {
                depth: 50,
                ..ParseLimits::default()
            },
        )
    }

    #[test]
    fn every_way_of_nesting_counts() {
        for (open, close) in [
            ("(", ")"),
            ("[", "]"),
            ("CASE WHEN ", " THEN 1 END"),
            ("NOT ", ""),
            ("- ", ""),
            ("INTERVAL ", ""),
            ("f(", ")"),
            ("CAST(NULL AS ARRAY<ARRAY<", ">>)"),
            ("(SELECT ", ")"),
        ] {
            let nested = |n: usize| format!("SELECT {}1{}", open.repeat(n), close.repeat(n));
            assert!(run(&nested(15)).is_ok(), "{open}");
            let error = run(&nested(60)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
            assert!(error.message().contains("max_expression_depth"), "{error}");
        }
        assert!(run(&format!("SELECT CAST(NULL AS INT{})", "[]".repeat(60))).is_err());
    }

    #[test]
    fn neighbours_do_not_add_up() {
        assert!(run(&"SELECT (1), [2], CASE WHEN 1 THEN 2 END, a[1], -1;".repeat(500)).is_ok());
        assert!(run(&format!("SELECT {}1", "(1) + -".repeat(500))).is_ok());
        assert_eq!(run("SELECT a, b + 1, f(x, y) FROM t").unwrap(), 5);
    }

    #[test]
    fn endless_runs_end() {
        let error = run(&format!("SELECT 1{}", " + 1".repeat(RUN_MAX))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
        assert!(run(&format!("SELECT 1{}", ", 1".repeat(RUN_MAX))).is_ok());
    }
}
