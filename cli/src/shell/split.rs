//! Splits input into statements, as it arrives: each ends with a semicolon outside of quotes and
//! comments. A backslash where a statement could begin starts a command of the shell, which ends
//! with its line.

use super::scan::{PieceKind, pieces};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    Statement {
        /// The text without the semicolon, comments included.
        text: String,
        /// The line of the whole input, from 1, on which the text begins.
        line: usize,
    },
    /// A command of the shell, without its backslash.
    Command(String),
}

/// Takes input line by line and gives back what is complete.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    buffer: String,
    /// Where in `buffer` the statement under way begins.
    start: usize,
    /// Up to where its pieces are known.
    scanned: usize,
    /// Whether it has anything but spaces and comments so far.
    has_content: bool,
    /// Where an open quote or comment begins, and up to where its end has been looked for.
    open: Option<(usize, usize)>,
    /// Lines before `start`.
    lines: usize,
}

impl Splitter {
    /// Adds input: whole lines, or all of it.
    pub(super) fn push(&mut self, lines: &str) {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.open = self
            .open
            .map(|(at, sought)| (at - self.start, sought - self.start));
        self.start = 0;
        self.buffer.push_str(lines);
    }

    /// The next complete statement or command, if there is one.
    pub(super) fn take_next(&mut self) -> Option<Input> {
        loop {
            if !self.has_content && self.buffer[self.scanned..].starts_with('\\') {
                let end = self.scanned + self.buffer[self.scanned..].find('\n')?;
                return Some(self.command(end));
            }
            if self.is_still_open() {
                return None;
            }
            let piece = pieces(&self.buffer, self.scanned).next()?;
            if !piece.closed {
                self.open = Some((piece.start, self.buffer.len()));
                return None;
            }
            self.scanned = piece.end;
            match piece.kind {
                PieceKind::Space | PieceKind::Comment => {}
                PieceKind::Terminator if !self.has_content => self.skip_to(piece.end),
                PieceKind::Terminator => return Some(self.statement(piece.start, piece.end)),
                _ => self.has_content = true,
            }
        }
    }

    /// What is left at the end of the input: a last statement may lack its semicolon. Call it when
    /// [`Self::take_next`] has nothing more.
    pub(super) fn finish(&mut self) -> Option<Input> {
        let end = self.buffer.len();
        if !self.has_content && self.buffer[self.scanned..].starts_with('\\') {
            return Some(self.command(end));
        }
        let is_statement = self.has_content || self.open_quote();
        let last = is_statement.then(|| self.statement(end, end));
        *self = Self::default();
        last
    }

    /// An unclosed quote is something to report; an unclosed comment is only a comment.
    fn open_quote(&self) -> bool {
        self.open
            .is_some_and(|(at, _)| !self.buffer[at..].starts_with("/*"))
    }

    /// Whether what has arrived since the last look cannot close the open quote or comment; saves
    /// reading a long literal again for each of its lines.
    fn is_still_open(&mut self) -> bool {
        let Some((at, sought)) = self.open else {
            return false;
        };
        let mark = match self.buffer[at..].chars().next() {
            Some('/') => '/',
            Some('e' | 'E') => '\'',
            Some(quote) => quote,
            None => return false,
        };
        // A mark of several characters may have been cut by the end of the input so far.
        if self.buffer.as_bytes()[sought..].contains(&(mark as u8)) {
            self.open = None;
            return false;
        }
        self.open = Some((at, self.buffer.len()));
        true
    }

    fn statement(&mut self, text_end: usize, end: usize) -> Input {
        let text = &self.buffer[self.start..text_end];
        let trimmed = text.trim_start();
        let blank_lines = count_lines(&text[..text.len() - trimmed.len()]);
        let line = self.lines + blank_lines + 1;
        let text = trimmed.trim_end().to_owned();
        self.skip_to(end);
        Input::Statement { text, line }
    }

    fn command(&mut self, end: usize) -> Input {
        let text = self.buffer[self.scanned + 1..end]
            .trim()
            .trim_end_matches(';')
            .trim_end();
        let command = Input::Command(text.to_owned());
        self.skip_to(end);
        command
    }

    fn skip_to(&mut self, end: usize) {
        self.lines += count_lines(&self.buffer[self.start..end]);
        self.start = end;
        self.scanned = end;
        self.has_content = false;
        self.open = None;
    }
}

fn count_lines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// Whether `text` ends with a complete statement or command, so that the shell may run it.
pub(super) fn is_complete(text: &str) -> bool {
    let mut splitter = Splitter::default();
    splitter.push(text);
    splitter.push("\n");
    while splitter.take_next().is_some() {}
    splitter.open.is_none() && !splitter.has_content
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        let mut splitter = Splitter::default();
        splitter.push(text);
        all(&mut splitter)
    }

    fn split_by_lines(text: &str) -> Vec<String> {
        let mut splitter = Splitter::default();
        let mut found = vec![];
        for line in text.split_inclusive('\n') {
            splitter.push(line);
            while let Some(input) = splitter.take_next() {
                found.push(show(input));
            }
        }
        found.extend(splitter.finish().map(show));
        found
    }

    fn all(splitter: &mut Splitter) -> Vec<String> {
        let mut found = vec![];
        while let Some(input) = splitter.take_next() {
            found.push(show(input));
        }
        found.extend(splitter.finish().map(show));
        found
    }

    fn show(input: Input) -> String {
        match input {
            Input::Statement { text, line } => format!("{line}: {text}"),
            Input::Command(text) => format!("\\{text}"),
        }
    }

    #[test]
    fn semicolons_end_statements() {
        assert_eq!(
            split("select 1; select 2 ;;\n;"),
            ["1: select 1", "1: select 2"]
        );
        assert_eq!(
            split("select 1;\n\nselect\n2"),
            ["1: select 1", "3: select\n2"]
        );
        assert!(split(" \n-- nothing\n ; /* here */ ").is_empty());
    }

    #[test]
    fn quotes_and_comments_hide_semicolons() {
        for text in [
            "select ';', \";\", $$;$$, $a$ ; $a$",
            "select 1 -- a;b\n + 2",
            "select /* ; /* ; */ ; */ 1",
            "select 'it''s;', E'\\';'",
        ] {
            assert_eq!(split(&format!("{text};")), [format!("1: {text}")]);
            assert_eq!(split_by_lines(&format!("{text};")), [format!("1: {text}")]);
        }
    }

    #[test]
    fn lines_may_arrive_one_by_one() {
        let text =
            "-- head\nselect 'a\nb;\nc', $q$\n;$\n$q$;\n/* x\n; */ select 2;\n\\d t\nselect\n3";
        let expected = [
            "1: -- head\nselect 'a\nb;\nc', $q$\n;$\n$q$",
            "7: /* x\n; */ select 2",
            "\\d t",
            "10: select\n3",
        ];
        assert_eq!(split_by_lines(text), expected);
        assert_eq!(split(text), expected);
    }

    #[test]
    fn commands_end_with_their_line() {
        assert_eq!(
            split("\\timing\n \\d a.b;\nselect 1;\\q"),
            ["\\timing", "\\d a.b", "3: select 1", "\\q"]
        );
        assert_eq!(split("select 1 \\ 2;"), ["1: select 1 \\ 2"]);
    }

    #[test]
    fn an_open_quote_is_passed_on_to_be_reported() {
        assert_eq!(split("select 'a; b"), ["1: select 'a; b"]);
        assert_eq!(split("'a"), ["1: 'a"]);
        assert!(split("select 1; /* a").len() == 1);
    }

    #[test]
    fn completeness_is_a_closing_semicolon() {
        for text in [
            "",
            "  ",
            "select 1;",
            "select 1; -- done",
            "\\d",
            "select ';';",
            "-- only",
        ] {
            assert!(is_complete(text), "{text:?}");
        }
        for text in [
            "select 1",
            "select ';",
            "select 1; select",
            "/* a",
            "select $$;",
        ] {
            assert!(!is_complete(text), "{text:?}");
        }
    }
}
