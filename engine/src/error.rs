//! The error every Waterbuck crate returns outside operators.
//!
//! An error has a *kind*, which says what the caller should do, and a message, which names the
//! object at fault. gRPC statuses and SQLSTATE codes are chosen from the kind in one place, the
//! coordinator's `flight_sql/status.rs`.

use std::fmt;

use datafusion::common::DataFusionError;

/// What the caller should do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The statement is wrong: correct it and send it again.
    InvalidQuery,
    /// A named object does not exist: correct the name or create the object.
    NotFound,
    /// An object of this name already exists: choose another name or drop it first.
    AlreadyExists,
    /// Another session changed the same object: read again and retry.
    Conflict,
    /// The user may not do this: ask for the right.
    PermissionDenied,
    /// The credentials are missing or wrong: log in again.
    Unauthenticated,
    /// A limit was reached: raise the setting the message names, or ask for less.
    ResourceExhausted,
    /// Part of the cluster or of the storage cannot be reached: retry later.
    Unavailable,
    /// The user, a deadline or a shutdown stopped the work.
    Cancelled,
    /// Data is damaged or does not fit its declaration: repair the named file.
    Data,
    /// The statement is understood but this version does not serve it.
    Unsupported,
    /// A fault of Waterbuck's own: report it.
    Internal,
}

/// An error with a kind, a message and, where there is one, its cause.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of everything fallible outside operators.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` whose message names the object at fault: lower case, no full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// The same error with its cause attached; the cause's text is not repeated in the message.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message without its causes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// An [`ErrorKind::InvalidQuery`] error.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidQuery, message)
    }

    /// An [`ErrorKind::NotFound`] error.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// An [`ErrorKind::AlreadyExists`] error.
    pub fn already_exists(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::AlreadyExists, message)
    }

    /// An [`ErrorKind::Data`] error.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, message)
    }

    /// An [`ErrorKind::Unsupported`] error.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// An [`ErrorKind::Unavailable`] error.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// An [`ErrorKind::Internal`] error.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut cause = self.source.as_deref().map(|s| s as &dyn std::error::Error);
        while let Some(error) = cause {
            let text = error.to_string();
            if !text.is_empty() && !self.message.contains(&text) {
                write!(f, ": {text}")?;
                return Ok(());
            }
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|s| s as &(dyn std::error::Error + 'static))
    }
}

/// Lets operators and table providers carry our errors through DataFusion and back unharmed.
impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}
