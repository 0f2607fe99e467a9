//! How the shell ends.

use std::process::ExitCode;

/// The end of a run of the shell; [`ExitCode`] has its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Success,
    /// A statement failed.
    Failed,
    /// The command line asks for something that cannot be: a file that does not exist.
    Usage,
    NoConnection,
    /// The user pressed Ctrl-C.
    Cancelled,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NoConnection => 3,
            Exit::Cancelled => 130,
        })
    }
}
