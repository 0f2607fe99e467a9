//! Plain words for what disks and object stores refuse.

use std::error::Error as StdError;
use std::io;

use super::error_words::{Words, clean};
use crate::ErrorKind;

/// A file that cannot be read or written.
pub(super) fn of_io(error: &io::Error) -> Words {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            return Words::new(
                ErrorKind::ResourceExhausted,
                format!("the disk is full: {error}"),
            );
        }
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => ErrorKind::Data,
        _ => ErrorKind::Unavailable,
    };
    Words::new(kind, clean(&error.to_string()))
}

/// An object that cannot be read or written, by its path.
pub(super) fn of_object_store(error: &object_store::Error) -> Words {
    use object_store::Error as StoreError;
    let (kind, message) = match error {
        StoreError::NotFound { path, .. } => {
            (ErrorKind::NotFound, format!("\"{path}\" does not exist"))
        }
        StoreError::PermissionDenied { path, .. } | StoreError::Unauthenticated { path, .. } => (
            ErrorKind::PermissionDenied,
            format!("\"{path}\" may not be read or written"),
        ),
        StoreError::Precondition { path, .. } | StoreError::NotModified { path, .. } => (
            ErrorKind::Data,
            format!("\"{path}\" was changed while it was read"),
        ),
        StoreError::AlreadyExists { path, .. } => (
            ErrorKind::AlreadyExists,
            format!("\"{path}\" already exists"),
        ),
        other => return of_store_cause(other),
    };
    Words::new(kind, message)
}

/// The local store hides a full disk behind a generic error.
fn of_store_cause(error: &object_store::Error) -> Words {
    let mut cause = error.source();
    while let Some(current) = cause {
        if let Some(io) = current.downcast_ref::<io::Error>()
            && matches!(
                io.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            )
        {
            return of_io(io);
        }
        cause = current.source();
    }
    Words::new(ErrorKind::Unavailable, clean(&error.to_string()))
}
