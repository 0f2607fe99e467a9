//! A connection with the settings of the shell, and what one input does to them.

use std::sync::Arc;

use super::command::{Command, help};
use super::connection::Connection;
use super::split::Input;
use super::statement::{self, Failure, View};
use crate::output;

pub(super) struct Session {
    pub(super) connection: Arc<dyn Connection>,
    pub(super) view: View,
}

/// How an input ended; what there was to say has been said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Done,
    Failed,
    Cancelled,
    /// The user asked to leave, or nobody reads the results any more.
    Leave,
}

impl Session {
    /// Runs a statement or a command. `origin` names where it comes from, for errors; it is empty
    /// where the user sees it.
    pub(super) async fn run(&mut self, input: Input, origin: &str) -> Step {
        match input {
            Input::Statement { text, line } => self.statement(&text, origin, line).await,
            Input::Command(text) => match Command::parse(&text) {
                Ok(command) => self.command(command).await,
                Err(error) => {
                    output::error(error);
                    Step::Failed
                }
            },
        }
    }

    pub(super) async fn command(&mut self, command: Command) -> Step {
        match command {
            Command::Quit => return Step::Leave,
            Command::Help => output::notice(help()),
            Command::Timing(choice) => {
                self.view.has_times = choice.unwrap_or(!self.view.has_times);
                self.tell(format_args!(
                    "timing {}",
                    if self.view.has_times { "on" } else { "off" }
                ));
            }
            Command::Format(Some(format)) => {
                self.view.format = format;
                self.tell(format_args!("format {}", format.name()));
            }
            Command::Format(None) => {
                output::notice(format_args!("format {}", self.view.format.name()));
            }
            Command::Statement(text) => return self.statement(&text, "", 1).await,
        }
        Step::Done
    }

    async fn statement(&mut self, text: &str, origin: &str, line: usize) -> Step {
        match statement::run(self.connection.as_ref(), text, self.view).await {
            Ok(()) => Step::Done,
            Err(Failure::NoReader) => Step::Leave,
            Err(Failure::Cancelled) => {
                output::notice("cancelled");
                Step::Cancelled
            }
            Err(Failure::Failed(error)) => {
                output::error(error);
                if !origin.is_empty() {
                    output::notice(format_args!("in {origin}, the statement at line {line}"));
                }
                Step::Failed
            }
        }
    }

    fn tell(&self, text: impl std::fmt::Display) {
        if self.view.is_interactive {
            output::notice(text);
        }
    }
}
