//! Storage failures in the user's words: the file, the cause and who has to act.

use std::error::Error as StdError;
use std::io;

use waterbuck_engine::{Error, ErrorKind};

/// An error for `path` that failed in `action` ("write", "move", "remove").
pub(super) fn storage_failure(
    action: &str,
    path: &str,
    source: impl Into<Box<dyn StdError + Send + Sync>>,
) -> Error {
    let source = source.into();
    let (kind, advice) = judge(source.as_ref());
    Error::new(kind, format!("cannot {action} \"{path}\"{advice}")).with_source(source)
}

/// The kind of the deepest cause that has one, and what the message adds to it.
fn judge(error: &(dyn StdError + 'static)) -> (ErrorKind, &'static str) {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    let mut found = None;
    while let Some(current) = cause {
        if let Some(io) = current.downcast_ref::<io::Error>() {
            found = by_io(io.kind()).or(found);
        } else if let Some(store) = current.downcast_ref::<object_store::Error>() {
            found = by_store(store).or(found);
        }
        cause = current.source();
    }
    found.unwrap_or((ErrorKind::Unavailable, ""))
}

fn by_io(kind: io::ErrorKind) -> Option<(ErrorKind, &'static str)> {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some((ErrorKind::ResourceExhausted, ", the disk is full"))
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Some((
            ErrorKind::PermissionDenied,
            ", the location cannot be written",
        )),
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => Some((
            ErrorKind::InvalidQuery,
            ", a file and a directory are in each other's place",
        )),
        io::ErrorKind::InvalidFilename => Some((
            ErrorKind::InvalidQuery,
            ", the name does not suit the file system",
        )),
        io::ErrorKind::NotFound => Some((ErrorKind::NotFound, "")),
        _ => None,
    }
}

fn by_store(error: &object_store::Error) -> Option<(ErrorKind, &'static str)> {
    match error {
        object_store::Error::NotFound { .. } => Some((ErrorKind::NotFound, "")),
        object_store::Error::PermissionDenied { .. } => {
            Some((ErrorKind::PermissionDenied, ", the store refuses access"))
        }
        object_store::Error::Unauthenticated { .. } => Some((
            ErrorKind::PermissionDenied,
            ", the store refuses the credentials",
        )),
        object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. } => {
            Some((ErrorKind::Unsupported, ", the store is read-only"))
        }
        _ => None,
    }
}
