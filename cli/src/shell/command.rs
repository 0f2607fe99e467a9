//! The commands of the shell itself, which begin with a backslash.

use waterbuck_engine::{Error, Result};

use crate::output::Format;

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Quit,
    Help,
    /// Show times, or stop showing them; `None` turns it over.
    Timing(Option<bool>),
    /// Set the format, or, without one, tell which it is.
    Format(Option<Format>),
    /// A statement under a shorter name.
    Statement(String),
}

/// Every command with its argument, and what it does.
pub(super) const COMMANDS: &[(&str, &str)] = &[
    ("?", "show this help"),
    ("d", "list the tables"),
    ("d NAME", "describe a table"),
    ("format [NAME]", "set how results are written"),
    ("q", "leave"),
    ("timing [on|off]", "show times, or stop showing them"),
];

impl Command {
    /// Reads a command without its backslash.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (name, argument) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let argument = argument.trim();
        match (name, argument) {
            ("q" | "quit" | "exit", "") => Ok(Self::Quit),
            ("?" | "h" | "help", "") => Ok(Self::Help),
            ("timing", "") => Ok(Self::Timing(None)),
            ("timing", "on") => Ok(Self::Timing(Some(true))),
            ("timing", "off") => Ok(Self::Timing(Some(false))),
            ("timing", _) => Err(Error::invalid("\"\\timing\" takes \"on\" or \"off\"")),
            ("format", "") => Ok(Self::Format(None)),
            ("format", name) => Format::named(name)
                .map(|format| Self::Format(Some(format)))
                .ok_or_else(|| {
                    let names = Format::names().join(", ");
                    Error::not_found(format!(
                        "format \"{name}\" does not exist, there are {names}"
                    ))
                }),
            ("d", "") => Ok(Self::Statement("SHOW TABLES".to_owned())),
            ("d", table) => Ok(Self::Statement(format!("DESCRIBE {table}"))),
            ("q" | "quit" | "exit" | "?" | "h" | "help", _) => {
                Err(Error::invalid(format!("\"\\{name}\" takes no argument")))
            }
            _ => Err(Error::not_found(format!(
                "command \"\\{name}\" does not exist, \"\\?\" lists the commands"
            ))),
        }
    }

    /// The commands that people type without a backslash, alone on a line.
    pub(super) fn plain(line: &str) -> Option<Self> {
        let word = line.trim().trim_end_matches(';').trim_end();
        match word.to_ascii_lowercase().as_str() {
            "quit" | "exit" => Some(Self::Quit),
            "help" => Some(Self::Help),
            _ => None,
        }
    }
}

/// The text of the help.
pub(super) fn help() -> String {
    let mut text = "A statement ends with a semicolon and may take several lines.\n".to_owned();
    for (command, meaning) in COMMANDS {
        text.push_str(&format!("  \\{command:<16} {meaning}\n"));
    }
    text.push_str(
        "  Tab completes, Ctrl-R searches the history, Ctrl-C stops a query, Ctrl-D leaves\n",
    );
    text.push_str(&format!("Formats: {}", Format::names().join(", ")));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        assert_eq!(Command::parse("q").unwrap(), Command::Quit);
        assert_eq!(
            Command::parse("format csv").unwrap(),
            Command::Format(Some(Format::Csv))
        );
        assert_eq!(
            Command::parse("timing  off").unwrap(),
            Command::Timing(Some(false))
        );
        assert_eq!(
            Command::parse("d").unwrap(),
            Command::Statement("SHOW TABLES".to_owned())
        );
        let describe = Command::Statement("DESCRIBE \"a b\".c".to_owned());
        assert_eq!(Command::parse("d \"a b\".c").unwrap(), describe);
    }

    #[test]
    fn what_is_no_command_says_what_there_is() {
        assert!(Command::parse("x").unwrap_err().to_string().contains("\\?"));
        assert!(
            Command::parse("format xml")
                .unwrap_err()
                .to_string()
                .contains("ndjson")
        );
        assert!(Command::parse("q now").is_err());
    }

    #[test]
    fn people_leave_in_plain_words() {
        assert_eq!(Command::plain(" EXIT; "), Some(Command::Quit));
        assert_eq!(Command::plain("select 1"), None);
    }
}
