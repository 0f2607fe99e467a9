//! What went wrong on the wire, as errors of ours.

use arrow_flight::error::FlightError;
use tonic::{Code, Status};
use waterbuck_engine::{Error, ErrorKind};

use super::url::ServerUrl;

/// The error of a call over Flight.
pub(super) fn from_flight(error: FlightError) -> Error {
    match error {
        FlightError::Tonic(status) => from_status(&status),
        other => Error::internal("the server's answer cannot be read").with_source(other),
    }
}

/// The error that a server sent, or that took the place of its answer: only the second has a
/// cause.
pub(super) fn from_status(status: &Status) -> Error {
    if std::error::Error::source(status).is_some() {
        return Error::unavailable("the connection to the server is lost")
            .with_source(deepest(status));
    }
    let kind = kind(status.code());
    match status.message() {
        "" => Error::new(kind, format!("the server answers \"{}\"", status.code())),
        message => Error::new(kind, message),
    }
}

/// The error of opening a connection.
pub(super) fn from_transport(url: &ServerUrl, error: &tonic::transport::Error) -> Error {
    Error::unavailable(format!("cannot connect to \"{url}\"")).with_source(deepest(error))
}

fn kind(code: Code) -> ErrorKind {
    match code {
        Code::InvalidArgument | Code::OutOfRange => ErrorKind::InvalidQuery,
        Code::NotFound => ErrorKind::NotFound,
        Code::AlreadyExists => ErrorKind::AlreadyExists,
        Code::Aborted | Code::FailedPrecondition => ErrorKind::Conflict,
        Code::PermissionDenied => ErrorKind::PermissionDenied,
        Code::Unauthenticated => ErrorKind::Unauthenticated,
        Code::ResourceExhausted => ErrorKind::ResourceExhausted,
        Code::Unavailable => ErrorKind::Unavailable,
        Code::Cancelled | Code::DeadlineExceeded => ErrorKind::Cancelled,
        Code::DataLoss => ErrorKind::Data,
        Code::Unimplemented => ErrorKind::Unsupported,
        Code::Ok | Code::Unknown | Code::Internal => ErrorKind::Internal,
    }
}

/// The text of the cause that has no cause: the ones before it only say that something failed.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error.source();
    let mut text = String::new();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_the_server_is_the_error() {
        let error = from_status(&Status::not_found("table \"t\" does not exist"));
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.to_string(), "table \"t\" does not exist");
    }

    #[test]
    fn a_lost_connection_says_so() {
        let broken = std::io::Error::other("broken pipe");
        let error = from_status(&Status::from_error(Box::new(broken)));
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(
            error.to_string(),
            "the connection to the server is lost: broken pipe"
        );
    }
}
