//! The SQL text as tokens, cut at `;` into statements that know where they came from.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{
    Location, Span, Token, TokenWithSpan, Tokenizer, TokenizerError,
};

use super::number_tokens::join_digit_groups;

/// The one dialect of Waterbuck: DataFusion's own.
pub(super) const DIALECT: GenericDialect = GenericDialect {};

/// One statement before it is parsed.
#[derive(Debug)]
pub(super) struct SourceStatement {
    /// Its tokens, whose places count from its own first character.
    pub(super) tokens: Vec<TokenWithSpan>,
    /// Byte offset of its first character in the whole text.
    pub(super) start: usize,
    /// Byte offset of its end in the whole text.
    pub(super) end: usize,
    /// Where its first character is in the whole text.
    pub(super) origin: Location,
}

/// Reads tokens; on failure says where, in the whole text.
pub(super) fn tokenize(sql: &str) -> Result<Vec<TokenWithSpan>, TokenizerError> {
    let tokens = Tokenizer::new(&DIALECT, sql).tokenize_with_location()?;
    Ok(join_digit_groups(tokens))
}

/// About how many tokens a text has, without making them: what stands in quotes counts as one, and
/// what stands in comments is counted too.
pub(super) fn estimate_tokens(sql: &str) -> usize {
    let mut quote = None;
    let mut in_word = false;
    let mut tokens = 0;
    for byte in sql.bytes() {
        let word = byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.' || byte >= 0x80;
        match quote {
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None if byte == b'\'' || byte == b'"' => {
                quote = Some(byte);
                tokens += 1;
            }
            None if word => tokens += usize::from(!in_word),
            None if byte.is_ascii_whitespace() => {}
            None => tokens += 1,
        }
        in_word = word && quote.is_none();
    }
    tokens
}

/// Cuts tokens at semicolons. Blanks and comments around statements are dropped, and statements
/// that hold nothing else are left out. Stops after `limit + 1` statements.
pub(super) fn split(sql: &str, tokens: Vec<TokenWithSpan>, limit: usize) -> Vec<SourceStatement> {
    let mut statements = Vec::new();
    let mut places = Places::new(sql);
    let mut current = Vec::new();
    for token in tokens {
        match token.token {
            Token::SemiColon | Token::EOF => {
                statements.extend(finish(std::mem::take(&mut current), &mut places));
                if statements.len() > limit {
                    return statements;
                }
            }
            Token::Whitespace(_) if current.is_empty() => {}
            _ => current.push(token),
        }
    }
    statements.extend(finish(current, &mut places));
    statements
}

fn finish(mut tokens: Vec<TokenWithSpan>, places: &mut Places<'_>) -> Option<SourceStatement> {
    while matches!(tokens.last()?.token, Token::Whitespace(_)) {
        tokens.pop();
    }
    let origin = tokens.first()?.span.start;
    let start = places.offset(origin);
    let end = places.offset(tokens.last()?.span.end);
    for token in &mut tokens {
        token.span = Span::new(
            relative(token.span.start, origin),
            relative(token.span.end, origin),
        );
    }
    Some(SourceStatement {
        tokens,
        start,
        end,
        origin,
    })
}

fn relative(place: Location, origin: Location) -> Location {
    let column = if place.line == origin.line {
        place.column + 1 - origin.column
    } else {
        place.column
    };
    Location {
        line: place.line + 1 - origin.line,
        column,
    }
}

/// The place in the whole text of a place in a statement that starts at `origin`.
pub(super) fn absolute(place: Location, origin: Location) -> Location {
    let column = if place.line == 1 {
        place.column + origin.column - 1
    } else {
        place.column
    };
    Location {
        line: place.line + origin.line - 1,
        column,
    }
}

/// Turns places into byte offsets. Places must be asked for in ascending order, so that the text is
/// walked only once however many there are.
pub(super) struct Places<'a> {
    text: &'a str,
    offset: usize,
    at: Location,
}

impl<'a> Places<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            offset: 0,
            at: Location { line: 1, column: 1 },
        }
    }

    /// The byte offset of a place, or the end of the text when it is behind it.
    pub(super) fn offset(&mut self, place: Location) -> usize {
        let mut rest = self.text[self.offset..].chars();
        while self.at < place {
            let Some(c) = rest.next() else { break };
            self.offset += c.len_utf8();
            if c == '\n' {
                self.at = Location {
                    line: self.at.line + 1,
                    column: 1,
                };
            } else {
                self.at.column += 1;
            }
        }
        self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        split(sql, tokenize(sql).unwrap(), 100)
            .iter()
            .map(|s| &sql[s.start..s.end])
            .collect()
    }

    #[test]
    fn statements_are_cut_at_semicolons_outside_strings_and_comments() {
        assert_eq!(
            texts("SELECT ';' -- one; two\n, 2 ; /* ; */ ;;\n SELECT \"a;b\" /* end */ ; -- end"),
            ["SELECT ';' -- one; two\n, 2", "SELECT \"a;b\""]
        );
        assert!(texts(" ; -- nothing\n ; ").is_empty());
    }

    #[test]
    fn places_survive_wide_characters_and_several_lines() {
        let sql = "SELECT 'é漢'; \n  SELECT 'ü',\n 2";
        let statements = split(sql, tokenize(sql).unwrap(), 100);
        let second = &statements[1];
        assert_eq!(&sql[second.start..second.end], "SELECT 'ü',\n 2");
        assert_eq!(second.origin, Location { line: 2, column: 3 });
        assert_eq!(second.tokens[0].span.start, Location { line: 1, column: 1 });
        let last = second.tokens.last().unwrap().span.start;
        assert_eq!(last, Location { line: 2, column: 2 });
        assert_eq!(
            absolute(last, second.origin),
            Location { line: 3, column: 2 }
        );
        assert_eq!(
            absolute(Location { line: 1, column: 8 }, second.origin),
            Location {
                line: 2,
                column: 10
            }
        );
    }
}
