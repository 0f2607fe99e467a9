//! Cuts SQL text into pieces: enough of the lexical rules to find where a statement ends, what to
//! colour and what to complete. What the words mean is the engine's affair.
//!
//! The pieces cover the text without gaps, in order, whatever the text is.

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PieceKind {
    Space,
    /// `-- …` up to the line's end, or `/* … */`, which nests.
    Comment,
    /// A keyword or a name without quotes.
    Word,
    Number,
    /// `'…'`, `E'…'` or `$tag$…$tag$`.
    Text,
    /// A name in quotes: `"…"` or `` `…` ``.
    QuotedName,
    /// The semicolon after a statement.
    Terminator,
    /// Any other character.
    Symbol,
}

/// A piece of SQL text, as byte offsets into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) kind: PieceKind,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether a quote or comment has its closing mark; always true of the other kinds.
    pub(super) closed: bool,
}

/// The pieces of `sql` from byte `start`, which must be where a piece begins.
pub(super) fn pieces(sql: &str, start: usize) -> impl Iterator<Item = Piece> + '_ {
    let mut at = start;
    std::iter::from_fn(move || {
        let piece = piece_at(sql, at)?;
        at = piece.end;
        Some(piece)
    })
}

fn piece_at(sql: &str, start: usize) -> Option<Piece> {
    let rest = sql.get(start..)?;
    let first = rest.chars().next()?;
    let (kind, length) = match first {
        c if c.is_whitespace() => (PieceKind::Space, Some(run(rest, char::is_whitespace))),
        '-' if rest.starts_with("--") => (
            PieceKind::Comment,
            Some(rest.find('\n').unwrap_or(rest.len())),
        ),
        '/' if rest.starts_with("/*") => (PieceKind::Comment, block_comment(rest)),
        '\'' => (PieceKind::Text, quoted(rest, 1, '\'', false)),
        'e' | 'E' if rest[1..].starts_with('\'') => (PieceKind::Text, quoted(rest, 2, '\'', true)),
        '"' | '`' => (PieceKind::QuotedName, quoted(rest, 1, first, false)),
        '$' => match dollar_tag(rest) {
            Some(tag) => (PieceKind::Text, dollar_quoted(rest, tag)),
            None => (PieceKind::Symbol, Some(1)),
        },
        ';' => (PieceKind::Terminator, Some(1)),
        c if c.is_ascii_digit() => (PieceKind::Number, Some(number(rest))),
        c if c.is_alphabetic() || matches!(c, '_' | '@' | '#') => {
            (PieceKind::Word, Some(run(rest, is_word_part)))
        }
        c => (PieceKind::Symbol, Some(c.len_utf8())),
    };
    let end = start + length.unwrap_or(rest.len());
    Some(Piece {
        kind,
        start,
        end,
        closed: length.is_some(),
    })
}

/// Whether `c` may stand inside a name without quotes.
pub(super) fn is_word_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '@' | '$' | '#')
}

fn run(text: &str, accepts: impl Fn(char) -> bool) -> usize {
    text.find(|c| !accepts(c)).unwrap_or(text.len())
}

fn number(text: &str) -> usize {
    let mut previous = '0';
    let end = text.find(|c: char| {
        let exponent_sign = matches!(c, '+' | '-') && matches!(previous, 'e' | 'E');
        previous = c;
        !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_') || exponent_sign)
    });
    end.unwrap_or(text.len())
}

/// The length up to the closing `quote`; a doubled one stands for itself. `None` if it is missing.
fn quoted(text: &str, opening: usize, quote: char, backslash_escapes: bool) -> Option<usize> {
    let mut chars = text
        .char_indices()
        .skip_while(|(at, _)| *at < opening)
        .peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && backslash_escapes {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + 1);
        }
    }
    None
}

fn block_comment(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// `$$` or `$name$` at the start of `text`.
fn dollar_tag(text: &str) -> Option<&str> {
    let name_end = 1 + run(&text[1..], |c| c.is_alphanumeric() || c == '_');
    let name = &text[1..name_end];
    let is_tag = text[name_end..].starts_with('$') && !name.starts_with(|c: char| c.is_numeric());
    is_tag.then(|| &text[..=name_end])
}

fn dollar_quoted(text: &str, tag: &str) -> Option<usize> {
    text[tag.len()..].find(tag).map(|at| at + 2 * tag.len())
}

#[cfg(test)]
mod tests {
    use super::PieceKind::*;
    use super::*;

    fn cut(sql: &str) -> Vec<(PieceKind, &str)> {
        let visible = pieces(sql, 0).filter(|piece| piece.kind != Space);
        visible
            .map(|piece| (piece.kind, &sql[piece.start..piece.end]))
            .collect()
    }

    fn is_open(sql: &str) -> bool {
        pieces(sql, 0).any(|piece| !piece.closed)
    }

    #[test]
    fn a_query_has_its_pieces() {
        assert_eq!(
            cut("select \"A b\".x, 1.5e-3 FROM größe;"),
            [
                (Word, "select"),
                (QuotedName, "\"A b\""),
                (Symbol, "."),
                (Word, "x"),
                (Symbol, ","),
                (Number, "1.5e-3"),
                (Word, "FROM"),
                (Word, "größe"),
                (Terminator, ";"),
            ]
        );
    }

    #[test]
    fn quotes_hide_what_they_hold() {
        for text in [
            "'a;''b--'",
            r"E'it\';s'",
            "$$;'$$",
            "$f_1$ $$ ; $f_1$",
            "\"a\"\";\"",
            "`;`",
        ] {
            assert_eq!(cut(text).len(), 1, "{text}");
            assert!(!is_open(text), "{text}");
        }
        assert_eq!(cut(r"'a\' b"), [(Text, r"'a\'"), (Word, "b")]);
    }

    #[test]
    fn comments_end_where_they_should() {
        assert_eq!(cut("-- a;\nb"), [(Comment, "-- a;"), (Word, "b")]);
        assert_eq!(
            cut("/* a /* b */ ; */c"),
            [(Comment, "/* a /* b */ ; */"), (Word, "c")]
        );
        assert_eq!(cut("a-b")[1], (Symbol, "-"));
        assert!(!is_open("/*/ */"));
    }

    #[test]
    fn dollars_are_not_always_quotes() {
        assert_eq!(cut("$1"), [(Symbol, "$"), (Number, "1")]);
        assert_eq!(cut("a$b$"), [(Word, "a$b$")]);
        assert_eq!(cut("$1$2")[0], (Symbol, "$"));
    }

    #[test]
    fn what_is_not_closed_is_open() {
        for text in ["'a", "\"a", "/* /* */", "$$ $", "E'a\\'", "`", "''''''' "] {
            assert!(is_open(text), "{text}");
        }
    }

    #[test]
    fn pieces_cover_any_text() {
        for text in [
            "",
            "☃☃;é'ü",
            "\u{a0}\\x\u{0}",
            "$é$ $é$",
            "1e+",
            "E",
            "e",
            "/*",
            "--",
        ] {
            let mut at = 0;
            for piece in pieces(text, 0) {
                assert_eq!(piece.start, at, "{text:?}");
                assert!(piece.end > at);
                at = piece.end;
            }
            assert_eq!(at, text.len());
        }
    }
}
