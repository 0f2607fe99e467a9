//! Puts the file's name on whatever goes wrong while it is read.

use std::error::Error as StdError;

use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use waterbuck_engine::sql::with_sql_types;
use waterbuck_engine::{Error, ErrorKind};

/// An error of a store, with the file or location it happened at.
pub(super) fn store_error(what: &str, error: object_store::Error) -> Error {
    use object_store::Error as E;
    let (kind, text) = match &error {
        E::NotFound { .. } => (ErrorKind::NotFound, "does not exist"),
        E::PermissionDenied { .. } => (ErrorKind::PermissionDenied, "may not be read"),
        E::Unauthenticated { .. } => (
            ErrorKind::PermissionDenied,
            "needs credentials; create a secret for it",
        ),
        _ => (ErrorKind::Unavailable, "cannot be read"),
    };
    let message = format!("{what} {text}");
    match kind {
        // The cause only repeats the path.
        ErrorKind::NotFound => Error::new(kind, message),
        _ => Error::new(kind, message).with_source(error),
    }
}

/// An input/output error of the local disk, with the file or location it happened at.
pub(super) fn disk_error(what: &str, error: std::io::Error) -> Error {
    let (kind, text) = match error.kind() {
        std::io::ErrorKind::NotFound => (ErrorKind::NotFound, "does not exist"),
        std::io::ErrorKind::PermissionDenied => (ErrorKind::PermissionDenied, "may not be read"),
        _ => (ErrorKind::Unavailable, "cannot be read"),
    };
    Error::new(kind, format!("{what} {text}")).with_source(error)
}

/// The error of a file that is not what it was when the query was planned.
pub(super) fn changed(file: &str) -> Error {
    Error::data(format!(
        "file \"{file}\" was changed or removed while the query was running; run the query again"
    ))
}

/// The error of a file whose content cannot be read; `detail` may name a row group or line.
pub(super) fn damaged(file: &str, format: &str, detail: &str, error: DataFusionError) -> Error {
    Error::data(format!(
        "file \"{file}\" cannot be read as {format}{detail}"
    ))
    .with_source(plain_cause(&error.strip_backtrace()))
}

/// The text of a foreign error without the names of the libraries it came through, which put
/// theirs in front one after another.
pub(super) fn plain_cause(text: &str) -> String {
    const PREFIXES: &[&str] = &[
        "Arrow error: ",
        "Arrow: ",
        "Avro error: ",
        "Csv error: ",
        "Execution error: ",
        "External error: ",
        "External: ",
        "IO error: ",
        "Io error: ",
        "Ipc error: ",
        "Json error: ",
        "Object Store error: ",
        "Parquet argument error: ",
        "Parquet error: ",
        "Parser error: ",
        "Schema error: ",
    ];
    let mut rest = text;
    while let Some(inner) = PREFIXES.iter().find_map(|prefix| rest.strip_prefix(prefix)) {
        rest = inner;
    }
    with_sql_types(rest)
}

/// Our own error inside a foreign one, if there is one.
pub(super) fn own_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(own) = current.downcast_ref::<Error>() {
            return Some(own);
        }
        next = match current.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::External(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::ObjectStore(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::Shared(inner)) => Some(inner.as_ref()),
            _ => match current.downcast_ref::<object_store::Error>() {
                Some(object_store::Error::Generic { source, .. }) => Some(source.as_ref()),
                _ => match current.downcast_ref::<parquet::errors::ParquetError>() {
                    Some(parquet::errors::ParquetError::External(inner)) => Some(inner.as_ref()),
                    _ => match current.downcast_ref::<ArrowError>() {
                        Some(ArrowError::ExternalError(inner)) => Some(inner.as_ref()),
                        _ => current.source(),
                    },
                },
            },
        };
    }
    None
}

/// Whether an error tells of a file's content rather than of the query or of memory.
pub(super) fn concerns_content(error: &DataFusionError) -> bool {
    match error {
        DataFusionError::ParquetError(_) | DataFusionError::IoError(_) => true,
        DataFusionError::ArrowError(error, _) => matches!(
            error.as_ref(),
            ArrowError::ParquetError(_)
                | ArrowError::CsvError(_)
                | ArrowError::JsonError(_)
                | ArrowError::AvroError(_)
                | ArrowError::IpcError(_)
                | ArrowError::IoError(..)
                | ArrowError::ParseError(_)
                | ArrowError::SchemaError(_)
                | ArrowError::InvalidArgumentError(_)
                | ArrowError::ExternalError(_)
        ),
        DataFusionError::External(inner) => inner
            .downcast_ref::<DataFusionError>()
            .map(concerns_content)
            .unwrap_or_else(|| inner.is::<parquet::errors::ParquetError>()),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            concerns_content(inner)
        }
        DataFusionError::Shared(inner) => concerns_content(inner),
        _ => false,
    }
}

/// Adds the file to an error met while reading it, unless it says already what is wrong.
pub(super) fn with_file(error: DataFusionError, file: &str, format: &str) -> DataFusionError {
    if own_error(&error).is_some() {
        return error;
    }
    match error {
        DataFusionError::ObjectStore(inner) => match *inner {
            object_store::Error::NotFound { .. } | object_store::Error::Precondition { .. } => {
                changed(file).into()
            }
            other => store_error(&format!("file \"{file}\""), other).into(),
        },
        error if concerns_content(&error) => damaged(file, format, "", error).into(),
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_is_told_of_without_the_names_of_libraries() {
        let inner = parquet::errors::ParquetError::General("bad page".to_owned());
        let outer = parquet::errors::ParquetError::General(inner.to_string());
        let arrow = ArrowError::ParquetError(outer.to_string());
        for error in [
            DataFusionError::ParquetError(Box::new(outer)),
            DataFusionError::from(arrow),
        ] {
            let error = damaged("/data/a.parquet", "PARQUET", "", error);
            assert_eq!(
                error.to_string(),
                "file \"/data/a.parquet\" cannot be read as PARQUET: bad page"
            );
        }
        assert_eq!(plain_cause("no prefix: here"), "no prefix: here");
    }
}
