//! What goes wrong below the store: our own errors, and SQLite's, which get their kind here.

use std::path::Path;

use waterbuck_engine::{Error, ErrorKind};

/// A failure inside the store; becomes an [`Error`] at its edge, where the file's name is known.
#[derive(Debug)]
pub(super) enum Fault {
    Ours(Error),
    Sql(sqlx::Error),
}

pub(super) type Outcome<T> = Result<T, Fault>;

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl Fault {
    /// The error to show for a catalog in the file `path`.
    pub(super) fn into_error(self, path: &Path) -> Error {
        let error = match self {
            Self::Ours(error) => return error,
            Self::Sql(error) => error,
        };
        let path = path.display();
        let (kind, message) = match (primary_code(&error), &error) {
            (Some(BUSY | LOCKED), _) | (_, sqlx::Error::PoolTimedOut) => (
                ErrorKind::Unavailable,
                format!("the catalog \"{path}\" is busy with other writers; try again"),
            ),
            (Some(FULL), _) => (
                ErrorKind::ResourceExhausted,
                format!("no space is left for the catalog \"{path}\"; free some and try again"),
            ),
            (Some(CORRUPT | NOT_A_DATABASE), _) => (
                ErrorKind::Data,
                format!("the catalog \"{path}\" is damaged or not a catalog"),
            ),
            (Some(READ_ONLY), _) => (
                ErrorKind::Unavailable,
                format!("the catalog \"{path}\" cannot be written: check its permissions"),
            ),
            (Some(IO | CANNOT_OPEN), _) | (_, sqlx::Error::Io(_)) => (
                ErrorKind::Unavailable,
                format!("the catalog \"{path}\" cannot be read or written"),
            ),
            _ => (
                ErrorKind::Internal,
                format!("the catalog \"{path}\" refused a statement"),
            ),
        };
        Error::new(kind, message).with_source(error)
    }

    /// Whether waiting a little may help.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Sql(error) if matches!(primary_code(error), Some(BUSY | LOCKED)))
    }
}

const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const READ_ONLY: u32 = 8;
const IO: u32 = 10;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const CANNOT_OPEN: u32 = 14;
const NOT_A_DATABASE: u32 = 26;

/// SQLite's result code without its extension.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?.parse::<u32>().ok()?;
    Some(code & 0xff)
}
