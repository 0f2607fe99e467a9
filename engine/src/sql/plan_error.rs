//! DataFusion's errors in plain words: a kind, a message that names the object, and the place.

use std::error::Error as StdError;

use datafusion::common::{DataFusionError, SchemaError, Span};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::caret::caret_numbered;
use super::error_words::{self, Words};
use super::source::absolute;
use super::statement::ParsedStatement;
use super::type_words::with_sql_types;
use crate::Error;

/// Deepest chain of causes that is followed.
const CAUSES_MAX: usize = 32;

/// Turns an error of planning or running `sql` into ours: one that was ours keeps its kind and
/// message, others are put in plain words. Where DataFusion knows the place in the text, the message
/// ends with the line and a caret.
pub fn describe_plan_error(sql: &str, error: DataFusionError) -> Error {
    describe(sql, Location { line: 1, column: 1 }, error)
}

impl ParsedStatement {
    /// As [`describe_plan_error`], with lines counted in the whole text the statement was part of.
    pub fn describe_plan_error(&self, error: DataFusionError) -> Error {
        let origin = Location {
            line: self.line,
            column: self.column,
        };
        describe(&self.text, origin, error)
    }
}

fn describe(sql: &str, origin: Location, error: DataFusionError) -> Error {
    let place = place_of(&error);
    let described = into_ours(error);
    let Some(place) = place.filter(|_| !described.message().contains('\n')) else {
        return described;
    };
    let shown = absolute(place, origin);
    let message = format!(
        "{} (line {}, column {})",
        described.message(),
        shown.line,
        shown.column
    );
    Error::new(
        described.kind(),
        caret_numbered(sql, place.line, place.column, shown.line, &message),
    )
}

fn into_ours(error: DataFusionError) -> Error {
    let error = match error {
        DataFusionError::External(error) => match error.downcast::<Error>() {
            Ok(ours) => return *ours,
            Err(error) => DataFusionError::External(error),
        },
        DataFusionError::Diagnostic(_, inner) | DataFusionError::Context(_, inner) => {
            return into_ours(*inner);
        }
        other => other,
    };
    if let Some(ours) = find_ours(&error) {
        return Error::new(ours.kind(), ours.to_string());
    }
    let Words { kind, message } = words_of(&error);
    Error::new(kind, with_sql_types(&message))
}

/// Our own error among the causes: operators and object stores wrap it in theirs.
fn find_ours(error: &DataFusionError) -> Option<&Error> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    for _ in 0..CAUSES_MAX {
        let current = cause?;
        if let Some(ours) = current.downcast_ref::<Error>() {
            return Some(ours);
        }
        cause = current.source();
    }
    None
}

fn words_of(error: &DataFusionError) -> Words {
    match error {
        DataFusionError::Diagnostic(_, inner) | DataFusionError::Context(_, inner) => {
            words_of(inner)
        }
        DataFusionError::Shared(inner) => words_of(inner),
        DataFusionError::Collection(errors) => match errors.first() {
            Some(first) => words_of(first),
            None => Words::internal("an error without a message"),
        },
        DataFusionError::External(inner) => match inner.downcast_ref::<DataFusionError>() {
            Some(inner) => words_of(inner),
            None => error_words::of_foreign(inner.as_ref()),
        },
        DataFusionError::ArrowError(inner, _) => match arrow_cause(inner) {
            Some(inner) => words_of(inner),
            None => error_words::of_arrow(inner),
        },
        other => error_words::of_plain(other),
    }
}

/// Arrow readers carry DataFusion's errors as foreign ones.
fn arrow_cause(error: &arrow::error::ArrowError) -> Option<&DataFusionError> {
    match error {
        arrow::error::ArrowError::ExternalError(inner) => inner.downcast_ref::<DataFusionError>(),
        _ => None,
    }
}

/// Where in the text the error is, when it says so.
fn place_of(error: &DataFusionError) -> Option<Location> {
    match error {
        DataFusionError::Diagnostic(diagnostic, inner) => diagnostic
            .span
            .and_then(start_of)
            .or_else(|| place_of(inner)),
        DataFusionError::Context(_, inner) => place_of(inner),
        DataFusionError::Shared(inner) => place_of(inner),
        DataFusionError::Collection(errors) => errors.first().and_then(place_of),
        DataFusionError::SchemaError(inner, _) => match inner.as_ref() {
            SchemaError::FieldNotFound { field, .. }
            | SchemaError::AmbiguousReference { field } => field.spans().first().and_then(start_of),
            _ => None,
        },
        _ => None,
    }
}

fn start_of(span: Span) -> Option<Location> {
    let Span { start, .. } = span;
    (start.line > 0).then_some(Location {
        line: start.line,
        column: start.column,
    })
}
