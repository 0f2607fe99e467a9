//! DataFusion's errors in plain words.

use crate::optimizer::refusal;
use crate::sql::describe_plan_error;
use crate::{Error, ErrorKind};
use datafusion::common::DataFusionError;

/// An error found while planning `sql`, with its place where that is known.
pub fn plan_error(sql: &str, error: DataFusionError) -> Error {
    if let Some(refused) = refusal(&error) {
        return refused;
    }
    if let Some(ours) = find_ours(error.find_root()) {
        return Error::new(ours.kind(), ours.to_string());
    }
    describe_plan_error(sql, error)
}

/// What is said of a file that is not what was pinned, wherever it is read.
const CHANGED_FILE: &str = "was changed or removed while";

/// An error found while a plan was run.
pub fn run_error(error: DataFusionError) -> Error {
    if let Some(ours) = find_ours(&error) {
        return Error::new(ours.kind(), ours.to_string());
    }
    let text = error.to_string();
    if text.contains("used disk space during the spilling process has exceeded") {
        return Error::new(
            ErrorKind::ResourceExhausted,
            "the query would spill more than it may; raise the setting \"spill_limit\" or the \
             executors' --spill-limit",
        );
    }
    let described = describe_plan_error("", error);
    // An executor's own error crosses the wire as text only.
    if described.kind() == ErrorKind::Internal && text.contains(CHANGED_FILE) {
        return Error::data(described.message().to_owned());
    }
    described
}

/// Whether a file was not any more what was to be read.
pub fn is_changed_file(error: &DataFusionError) -> bool {
    error.to_string().contains(CHANGED_FILE)
}

/// Our own error inside DataFusion's wrappings.
fn find_ours(error: &DataFusionError) -> Option<&Error> {
    match error {
        DataFusionError::External(inner) => inner
            .downcast_ref::<Error>()
            .or_else(|| inner.downcast_ref::<DataFusionError>().and_then(find_ours)),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            find_ours(inner)
        }
        DataFusionError::Shared(inner) => find_ours(inner),
        DataFusionError::ArrowError(inner, _) => match inner.as_ref() {
            arrow::error::ArrowError::ExternalError(inner) => inner
                .downcast_ref::<Error>()
                .or_else(|| inner.downcast_ref::<DataFusionError>().and_then(find_ours)),
            _ => None,
        },
        _ => None,
    }
}
