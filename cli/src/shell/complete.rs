//! Completion of keywords, names and commands under the Tab key.

use std::sync::Arc;

use parking_lot::RwLock;
use reedline::{Completer, CompletionResult, Span, Suggestion};

use super::command::COMMANDS;
use super::keywords::KEYWORDS;
use super::scan::{PieceKind, is_word_part, pieces};
use crate::output::Format;

const SUGGESTIONS_MAX: usize = 200;

/// The names to offer, replaced whole whenever they have been asked for again.
pub(super) type Names = Arc<RwLock<Vec<String>>>;

pub(super) struct SqlCompleter {
    names: Names,
}

impl SqlCompleter {
    pub(super) fn new(names: Names) -> Self {
        Self { names }
    }

    fn suggestions(&self, typed: &str) -> Vec<Suggestion> {
        if let Some(command) = typed.trim_start().strip_prefix('\\') {
            return self.of_command(command, typed.len());
        }
        // Inside quotes and comments there is nothing to complete.
        let last = pieces(typed, 0).last();
        if last.is_some_and(|piece| !piece.closed || piece.kind == PieceKind::Comment) {
            return vec![];
        }
        let prefix = last_word(typed, |c| is_word_part(c) || c == '.');
        if prefix.is_empty() {
            return vec![];
        }
        let mut found = self.names_from(prefix);
        if !prefix.contains('.') {
            let upper = prefix.to_ascii_uppercase();
            let is_lower = prefix.chars().next().is_some_and(char::is_lowercase);
            let keywords = KEYWORDS
                .iter()
                .filter(|keyword| keyword.starts_with(&upper));
            found.extend(keywords.map(|keyword| {
                if is_lower {
                    keyword.to_ascii_lowercase()
                } else {
                    (*keyword).to_owned()
                }
            }));
        }
        suggest(found, typed.len() - prefix.len(), typed.len())
    }

    fn of_command(&self, command: &str, end: usize) -> Vec<Suggestion> {
        let Some((name, argument)) = command.split_once(char::is_whitespace) else {
            let names = COMMANDS
                .iter()
                .map(|(name, _)| name.split(' ').next().unwrap_or(name));
            let matching = names
                .filter(|name| name.starts_with(command))
                .map(str::to_owned);
            return suggest(matching.collect(), end - command.len(), end);
        };
        let prefix = argument.trim_start();
        let matching = match name {
            "d" => self.names_from(prefix),
            "format" => Format::names()
                .into_iter()
                .filter(|name| name.starts_with(prefix))
                .collect(),
            _ => vec![],
        };
        suggest(matching, end - prefix.len(), end)
    }

    /// Names that begin with what was typed, in any case; of `table.column` also the columns.
    fn names_from(&self, prefix: &str) -> Vec<String> {
        let lower = prefix.to_lowercase();
        let names = self.names.read();
        let mut found: Vec<_> = matching(&names, &lower).map(str::to_owned).collect();
        if let Some((qualifier, last)) = lower.rsplit_once('.').filter(|_| found.is_empty()) {
            let qualifier = &prefix[..qualifier.len().min(prefix.len())];
            let unqualified = matching(&names, last).filter(|name| !name.contains('.'));
            found = unqualified
                .map(|name| format!("{qualifier}.{name}"))
                .collect();
        }
        found
    }
}

fn matching<'a>(names: &'a [String], lower: &'a str) -> impl Iterator<Item = &'a str> {
    names
        .iter()
        .filter(move |name| {
            let start: String = name.chars().take(lower.chars().count()).collect();
            start.to_lowercase() == lower
        })
        .map(String::as_str)
        .take(SUGGESTIONS_MAX)
}

fn last_word(text: &str, is_part: impl Fn(char) -> bool) -> &str {
    let parts = text.char_indices().rev().take_while(|(_, c)| is_part(*c));
    &text[parts.last().map_or(text.len(), |(at, _)| at)..]
}

fn suggest(mut values: Vec<String>, start: usize, end: usize) -> Vec<Suggestion> {
    values.dedup();
    let suggestion = |value| Suggestion {
        value,
        span: Span::new(start, end),
        append_whitespace: true,
        ..Suggestion::default()
    };
    values
        .into_iter()
        .take(SUGGESTIONS_MAX)
        .map(suggestion)
        .collect()
}

impl Completer for SqlCompleter {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        CompletionResult::fresh(self.suggestions(line.get(..pos).unwrap_or(line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(typed: &str) -> Vec<String> {
        let names = ["orders", "sales.orders", "o_orderkey", "Größe"]
            .map(str::to_owned)
            .to_vec();
        let completer = SqlCompleter::new(Arc::new(RwLock::new(names)));
        let end = typed.len();
        let mut whole = vec![];
        for suggestion in completer.suggestions(typed) {
            assert_eq!(suggestion.span.end, end);
            whole.push(format!(
                "{}{}",
                &typed[..suggestion.span.start],
                suggestion.value
            ));
        }
        whole
    }

    #[test]
    fn keywords_follow_the_case_typed() {
        assert_eq!(complete("sel"), ["select"]);
        assert_eq!(complete("SEL"), ["SELECT"]);
    }

    #[test]
    fn names_come_first() {
        let found = complete("select * from or");
        assert_eq!(found[0], "select * from orders");
        assert!(found.contains(&"select * from order".to_owned()));
    }

    #[test]
    fn qualified_names_are_completed() {
        assert_eq!(complete("sales.o"), ["sales.orders"]);
        assert_eq!(complete("select o.o_o"), ["select o.o_orderkey"]);
        assert_eq!(complete("gRÖ"), ["Größe"]);
    }

    #[test]
    fn quotes_and_comments_are_left_alone() {
        for typed in ["'sel", "-- sel", "/* sel", "", "select "] {
            assert!(complete(typed).is_empty(), "{typed}");
        }
    }

    #[test]
    fn commands_and_their_arguments_are_completed() {
        assert_eq!(complete("\\ti"), ["\\timing"]);
        assert_eq!(complete("\\format nd"), ["\\format ndjson"]);
        assert_eq!(complete("\\d sales"), ["\\d sales.orders"]);
    }
}
