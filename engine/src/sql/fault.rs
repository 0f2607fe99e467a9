//! What can go wrong inside the grammar, before it has a place in the text.

use datafusion::common::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

use crate::Error;

/// A failure while one statement is parsed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The text is not in the grammar; the parser's message ends with the place.
    Syntax(ParserError),
    /// Understood, and wrong or not served for a reason of our own.
    Ours(Error),
}

/// The result of a grammar rule.
pub(super) type Parsed<T> = Result<T, Fault>;

impl From<ParserError> for Fault {
    fn from(error: ParserError) -> Self {
        Self::Syntax(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<DataFusionError> for Fault {
    fn from(error: DataFusionError) -> Self {
        match error {
            DataFusionError::SQL(error, _) => Self::Syntax(*error),
            DataFusionError::Diagnostic(_, error) | DataFusionError::Context(_, error) => {
                Self::from(*error)
            }
            DataFusionError::NotImplemented(message) => Self::Ours(Error::unsupported(message)),
            DataFusionError::Plan(message) | DataFusionError::Configuration(message) => {
                Self::Ours(Error::invalid(message))
            }
            other => Self::Ours(Error::invalid(other.strip_backtrace())),
        }
    }
}
