//! Lines for the user that are no results: they go to standard error, so that a result that is
//! redirected stays clean.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use nu_ansi_term::Color;

/// Writes a line to standard error; if nobody can read it, it is lost.
pub(crate) fn notice(text: impl Display) {
    writeln!(io::stderr().lock(), "{text}").ok();
}

/// Writes a line to standard output: what a server says of itself.
pub(crate) fn line(text: impl Display) {
    writeln!(io::stdout().lock(), "{text}").ok();
}

/// Writes an error to standard error.
pub(crate) fn error(text: impl Display) {
    marked("error:", Color::Red, text);
}

/// Writes a warning to standard error.
pub(crate) fn warning(text: impl Display) {
    marked("warning:", Color::Yellow, text);
}

fn marked(mark: &str, color: Color, text: impl Display) {
    if io::stderr().is_terminal() {
        notice(format_args!("{} {text}", color.bold().paint(mark)));
    } else {
        notice(format_args!("{mark} {text}"));
    }
}
