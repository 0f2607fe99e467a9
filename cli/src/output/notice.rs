//! Lines for the user that are no results: they go to standard error, so that a result that is
//! redirected stays clean.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use nu_ansi_term::Color;

/// Writes a line to standard error; if nobody can read it, it is lost.
pub fn notice(text: impl Display) {
    writeln!(io::stderr().lock(), "{text}").ok();
}

/// Writes an error to standard error.
pub fn error(text: impl Display) {
    if io::stderr().is_terminal() {
        notice(format_args!("{} {text}", Color::Red.bold().paint("error:")));
    } else {
        notice(format_args!("error: {text}"));
    }
}
