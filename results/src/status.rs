//! Errors as clients see them: the one place where gRPC codes and SQLSTATEs are chosen.
//!
//! The codes are those which drivers pass on unharmed. ADBC turns FAILED_PRECONDITION,
//! OUT_OF_RANGE and ABORTED into "unknown", so damaged data, overflows and bad casts are
//! INVALID_ARGUMENT, and a lost race between two writers is UNAVAILABLE: both mean "nothing was
//! changed, try again", and SQLSTATE 40001 tells them apart.

use std::fmt::Write as _;

use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};
use tracing::error;
use uuid::Uuid;
use waterbuck_engine::{Error, ErrorKind};

use crate::error_details::{details, place};

/// The trailer that carries the SQLSTATE.
pub const SQLSTATE: &str = "x-sqlstate";
/// The trailer that carries the id of the failed query.
pub const QUERY_ID: &str = "x-query-id";
/// The trailers that carry the place of the error in the statement.
const LINE: &str = "x-error-line";
const COLUMN: &str = "x-error-column";

/// Java clients refuse more than 8 KiB of trailers, and the text is percent-encoded in them.
const ENCODED_BYTES_MAX: usize = 6 * 1024;

/// The status of an error that belongs to no running query.
pub fn status(error: &Error) -> Status {
    build(error, None)
}

/// The status of an error in the query `query_id`.
pub fn query_status(error: &Error, query_id: Uuid) -> Status {
    build(error, Some(query_id))
}

/// A message of the client's that cannot be understood.
pub fn malformed(what: impl Into<String>) -> Status {
    status(&Error::invalid(what))
}

/// Something the protocol has and this server has not.
pub fn unsupported(what: impl Into<String>) -> Status {
    status(&Error::unsupported(what))
}

fn build(error: &Error, query_id: Option<Uuid>) -> Status {
    let (code, mut sqlstate) = codes(error.kind());
    let text = error.to_string();
    if error.kind() == ErrorKind::InvalidQuery && text.starts_with("syntax error") {
        sqlstate = SYNTAX_ERROR;
    }
    if error.kind() == ErrorKind::Internal {
        error!(query_id = query_id.map(tracing::field::display), error = %text, "internal error");
    }
    let mut facts = vec![];
    if let Some(id) = query_id {
        facts.push(("query_id", QUERY_ID, id.to_string()));
    }
    if let Some((line, column)) = place(&text) {
        facts.push(("line", LINE, line.to_string()));
        facts.push(("column", COLUMN, column.to_string()));
    }
    let mut trailers = MetadataMap::new();
    trailers.insert(SQLSTATE, MetadataValue::from_static(sqlstate));
    for (_, trailer, value) in &facts {
        if let Ok(value) = value.parse() {
            trailers.insert(*trailer, value);
        }
    }
    let text = shorten(&text);
    let facts: Vec<_> = facts
        .into_iter()
        .map(|(name, _, value)| (name, value))
        .collect();
    let mut details = details((code, &text), sqlstate, &facts);
    // They repeat the text: where both would be too long, the trailers must do.
    if encoded_bytes(&text) + details.len().div_ceil(3) * 4 > ENCODED_BYTES_MAX {
        details.clear();
    }
    Status::with_details_and_metadata(code, text, details, trailers)
}

const SYNTAX_ERROR: &str = "42601";

fn codes(kind: ErrorKind) -> (Code, &'static str) {
    match kind {
        ErrorKind::InvalidQuery => (Code::InvalidArgument, "42000"),
        ErrorKind::NotFound => (Code::NotFound, "42704"),
        ErrorKind::AlreadyExists => (Code::AlreadyExists, "42710"),
        ErrorKind::Conflict => (Code::Unavailable, "40001"),
        ErrorKind::PermissionDenied => (Code::PermissionDenied, "42501"),
        ErrorKind::Unauthenticated => (Code::Unauthenticated, "28000"),
        ErrorKind::ResourceExhausted => (Code::ResourceExhausted, "53000"),
        ErrorKind::Unavailable => (Code::Unavailable, "08006"),
        ErrorKind::Cancelled => (Code::Cancelled, "57014"),
        ErrorKind::Data => (Code::InvalidArgument, "22000"),
        ErrorKind::Unsupported => (Code::Unimplemented, "0A000"),
        ErrorKind::Internal => (Code::Internal, "XX000"),
    }
}

fn encoded_bytes(text: &str) -> usize {
    text.chars().map(encoded_char).sum()
}

/// The bytes that percent-encoding makes of a character.
fn encoded_char(c: char) -> usize {
    if (c.is_ascii_graphic() && c != '%') || c == ' ' {
        1
    } else {
        3 * c.len_utf8()
    }
}

/// Cuts a text that would not fit into the trailers, and says so.
fn shorten(text: &str) -> String {
    let mut encoded = 0;
    for (at, c) in text.char_indices() {
        encoded += encoded_char(c);
        if encoded > ENCODED_BYTES_MAX {
            let mut short = text[..at].to_owned();
            let _ = write!(short, "... ({} bytes more)", text.len() - at);
            return short;
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_carries_sqlstate_and_query_id() {
        let id = Uuid::from_u128(7);
        let status = query_status(&Error::not_found("table \"t\" does not exist"), id);
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(status.message(), "table \"t\" does not exist");
        assert_eq!(status.metadata().get(SQLSTATE).unwrap(), "42704");
        assert_eq!(status.metadata().get(QUERY_ID).unwrap(), &id.to_string());
    }

    #[test]
    fn a_status_tells_programs_where_the_error_is() {
        let error = Error::invalid("syntax error at line 2, column 7: expected FROM");
        let status = status(&error);
        assert_eq!(status.metadata().get(SQLSTATE).unwrap(), SYNTAX_ERROR);
        assert_eq!(status.metadata().get(LINE).unwrap(), "2");
        assert_eq!(status.metadata().get(COLUMN).unwrap(), "7");
        assert!(!status.details().is_empty());
    }

    #[test]
    fn the_trailers_stay_within_what_clients_take() {
        for length in [1000, 2000, 4000, 10_000] {
            let status = status(&Error::invalid("é".repeat(length)));
            let bytes = encoded_bytes(status.message()) + status.details().len() * 4 / 3;
            assert!(bytes < 7 * 1024, "{bytes} bytes of {length} characters");
            assert!(status.metadata().contains_key(SQLSTATE));
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let short = shorten(&"é".repeat(10_000));
        assert!(short.len() < 3 * 1024, "{}", short.len());
        assert!(short.ends_with("bytes more)"));
        assert_eq!(shorten("short"), "short");
    }
}
