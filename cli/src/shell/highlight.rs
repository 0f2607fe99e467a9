//! Colours of the line being typed.

use nu_ansi_term::{Color, Style};
use reedline::{Highlighter, StyledText};

use super::keywords::is_keyword;
use super::scan::{PieceKind, pieces};

/// Lines longer than this stay plain: they are pasted data, and each key press colours anew.
const COLOURED_BYTES_MAX: usize = 100_000;

pub(super) struct SqlHighlighter;

impl Highlighter for SqlHighlighter {
    fn highlight(&self, line: &str, _cursor: usize) -> StyledText {
        let mut styled = StyledText::new();
        if line.len() > COLOURED_BYTES_MAX {
            styled.push((Style::new(), line.to_owned()));
        } else if line.trim_start().starts_with('\\') {
            styled.push((Style::new().fg(Color::Purple), line.to_owned()));
        } else {
            for piece in pieces(line, 0) {
                let text = &line[piece.start..piece.end];
                styled.push((style(piece.kind, text), text.to_owned()));
            }
        }
        styled
    }
}

fn style(kind: PieceKind, text: &str) -> Style {
    let plain = Style::new();
    match kind {
        PieceKind::Word if is_keyword(text) => plain.fg(Color::Blue).bold(),
        PieceKind::Number => plain.fg(Color::Cyan),
        PieceKind::Text => plain.fg(Color::Green),
        PieceKind::QuotedName => plain.fg(Color::Yellow),
        PieceKind::Comment => plain.dimmed(),
        PieceKind::Space | PieceKind::Word | PieceKind::Terminator | PieceKind::Symbol => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_lost() {
        for line in ["select 'é' -- x", "\\d t", "", "$$ open", "/* *"] {
            let styled = SqlHighlighter.highlight(line, 0);
            let text: String = styled
                .buffer
                .iter()
                .map(|(_, text)| text.as_str())
                .collect();
            assert_eq!(text, line);
        }
    }
}
