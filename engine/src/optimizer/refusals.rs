//! What the base refuses, in words for the user.

use datafusion::common::DataFusionError;

use crate::error::Error;
use crate::sql::describe_plan_error;

/// The error the user should see in place of one that speaks of the engine's insides; `None` for
/// errors that are fit to be seen.
pub fn refusal(error: &DataFusionError) -> Option<Error> {
    match error.find_root() {
        DataFusionError::NotImplemented(text) if names_a_subquery(text) => {
            Some(Error::unsupported(
                "a subquery compares columns of the outer query in a way that is not supported \
                 (in the SELECT list only equality is); write it as a join",
            ))
        }
        DataFusionError::Plan(text) if text.contains("Internal error") => Some(signature(text)),
        _ => None,
    }
}

fn names_a_subquery(text: &str) -> bool {
    text.starts_with("Physical plan does not support logical expression")
        && [
            "ScalarSubquery",
            "InSubquery",
            "Exists",
            "SetComparison",
            "OuterReferenceColumn",
        ]
        .iter()
        .any(|expression| text.contains(expression))
}

/// DataFusion wraps a call whose argument types fit no signature in an internal error; the useful
/// part is what follows.
fn signature(text: &str) -> Error {
    const USEFUL: &str = "No function matches the given name and argument types ";
    match text.find(USEFUL) {
        Some(at) => describe_plan_error("", DataFusionError::Plan(text[at..].to_owned())),
        None => Error::invalid(text.replace("Internal error: ", "")),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::refusal;
    use crate::error::ErrorKind;

    #[tokio::test]
    async fn a_call_without_a_fitting_signature_is_the_users_error() {
        let error = SessionContext::new()
            .sql("SELECT sum(true)")
            .await
            .unwrap_err();
        let refused = refusal(&error).unwrap();
        assert_eq!(refused.kind(), ErrorKind::InvalidQuery);
        assert!(
            refused
                .message()
                .starts_with("function \"sum\" does not take (BOOLEAN); it takes ")
        );
        assert!(
            !refused.message().contains("nternal"),
            "{}",
            refused.message()
        );
    }

    #[tokio::test]
    async fn an_error_fit_to_be_seen_stays() {
        let error = SessionContext::new()
            .sql("SELECT abs(1, 2)")
            .await
            .unwrap_err();
        assert!(refusal(&error).is_none());
    }
}
