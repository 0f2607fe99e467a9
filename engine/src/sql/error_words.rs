//! Plain words for each kind of error DataFusion, Arrow and the object stores know.

use std::error::Error as StdError;
use std::io;

use arrow::error::ArrowError;
use datafusion::common::{Column, DataFusionError, SchemaError};

use super::function_words;
use super::storage_words::{of_io, of_object_store};
use crate::ErrorKind;
use crate::names::nearest;

/// Most columns listed when none is near the one that is missing.
const COLUMNS_LISTED: usize = 12;
/// Longest message passed on, in characters: some print a whole expression.
const MESSAGE_MAX: usize = 1000;

/// A kind and a message.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) kind: ErrorKind,
    pub(super) message: String,
}

impl Words {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidQuery, message)
    }

    pub(super) fn internal(message: &str) -> Self {
        Self::new(
            ErrorKind::Internal,
            format!("internal error: {}", clean(message)),
        )
    }
}

/// Errors that wrap no other of DataFusion's.
pub(super) fn of_plain(error: &DataFusionError) -> Words {
    match error {
        DataFusionError::SchemaError(error, _) => of_schema(error),
        DataFusionError::Plan(message) => of_plan(message),
        DataFusionError::SQL(error, _) => {
            Words::invalid(clean(&error.to_string()).replace("sql parser error: ", ""))
        }
        DataFusionError::Configuration(message) => Words::invalid(clean(message)),
        DataFusionError::Execution(message) => of_execution(message),
        DataFusionError::NotImplemented(message) => of_missing(message),
        DataFusionError::Internal(message) => {
            function_words::of(message).unwrap_or_else(|| of_internal(message))
        }
        DataFusionError::ResourcesExhausted(message) => of_resources(message),
        DataFusionError::IoError(error) => of_io(error),
        DataFusionError::ObjectStore(error) => of_object_store(error),
        DataFusionError::ParquetError(error) => {
            Words::new(ErrorKind::Data, clean(&error.to_string()))
        }
        DataFusionError::ExecutionJoin(error) if error.is_cancelled() => {
            Words::new(ErrorKind::Cancelled, "the query was cancelled")
        }
        other => Words::internal(&other.strip_backtrace()),
    }
}

fn of_schema(error: &SchemaError) -> Words {
    match error {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => of_column(field, valid_fields),
        SchemaError::AmbiguousReference { field } => Words::invalid(format!(
            "column \"{0}\" is ambiguous: more than one table has it; write table.{0}",
            field.name
        )),
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => Words::invalid(format!(
            "column \"{name}\" appears more than once; name one of them otherwise with AS"
        )),
    }
}

/// An unknown column, with the nearest name or, where there are few, all of them.
fn of_column(field: &Column, valid: &[Column]) -> Words {
    if let Some(relation) = &field.relation {
        let tables: Vec<&str> = valid
            .iter()
            .filter_map(|c| c.relation.as_ref())
            .map(|r| r.table())
            .collect();
        if !tables.contains(&relation.table()) {
            let hint = did_you_mean(nearest(relation.table(), tables));
            let message = format!("table \"{relation}\" is not part of this query{hint}");
            return Words::invalid(message);
        }
    }
    let here = |c: &&Column| field.relation.is_none() || c.relation == field.relation;
    let names: Vec<&str> = valid.iter().filter(here).map(|c| c.name.as_str()).collect();
    let shown = match &field.relation {
        Some(relation) => format!("column \"{}\" does not exist in \"{relation}\"", field.name),
        None => format!("column \"{}\" does not exist", field.name),
    };
    let hint = match names
        .iter()
        .find(|name| name.eq_ignore_ascii_case(&field.name))
    {
        Some(name) => {
            format!("; did you mean \"{name}\"? names with capitals must be written in quotes")
        }
        None => match nearest(&field.name, names.iter().copied()) {
            Some(name) => did_you_mean(Some(name)),
            None => list_of(&names),
        },
    };
    Words::invalid(format!("{shown}{hint}"))
}

fn did_you_mean(name: Option<&str>) -> String {
    name.map(|name| format!("; did you mean \"{name}\"?"))
        .unwrap_or_default()
}

fn list_of(names: &[&str]) -> String {
    let mut distinct: Vec<&str> = Vec::new();
    for name in names {
        if !distinct.contains(name) {
            distinct.push(name);
        }
    }
    if distinct.is_empty() || distinct.len() > COLUMNS_LISTED {
        return String::new();
    }
    let quoted: Vec<String> = distinct.iter().map(|name| format!("\"{name}\"")).collect();
    format!("; there are {}", quoted.join(", "))
}

fn of_plan(message: &str) -> Words {
    let message = strip_prefixes(message);
    if let Some(words) = function_words::of(message) {
        return words;
    }
    if let Some(name) = between(message, "table '", "' not found") {
        return Words::new(
            ErrorKind::NotFound,
            format!("table \"{}\" does not exist", without_catalog(name)),
        );
    }
    if let Some(name) = between(message, "table function '", "' not found") {
        return Words::invalid(format!("table function \"{name}\" does not exist"));
    }
    if message.contains("have the same name") && message.contains("unique expression names") {
        let same = between(message, "the expression ", " have the same name").unwrap_or_default();
        return Words::invalid(format!(
            "two columns have the same name: {same}; name one of them otherwise with AS"
        ));
    }
    Words::invalid(clean(message))
}

/// `catalog.schema.table` as `schema.table`.
fn without_catalog(name: &str) -> &str {
    match name.split_once('.') {
        Some((_, rest)) if rest.contains('.') => rest,
        _ => name,
    }
}

fn of_execution(message: &str) -> Words {
    if let Some(words) = of_decimal(message) {
        return words;
    }
    let text = clean(message);
    if text.to_lowercase().contains("divide by zero") {
        return Words::invalid("division by zero");
    }
    Words::invalid(text)
}

/// `1000.00 is too large to store in a Decimal128 of precision 5. Max is 999.99`
fn of_decimal(message: &str) -> Option<Words> {
    let (value, rest) = message
        .split_once(" is too large to store in a Decimal")
        .or_else(|| message.split_once(" is too small to store in a Decimal"))?;
    let value = value.rsplit(' ').next()?;
    let digits = between(rest, "of precision ", ". M")?;
    Some(Words::invalid(format!(
        "{value} does not fit a decimal of {digits} digits; TRY_CAST gives NULL where a value does not \
         fit"
    )))
}

fn of_missing(message: &str) -> Words {
    let text = clean(message);
    let subquery = [
        "ScalarSubquery",
        "Exists",
        "InSubquery",
        "OuterReferenceColumn",
        "SetComparison",
    ]
    .iter()
    .any(|word| text.contains(word));
    if let Some(node) = between(message, "nsupported ast node in sqltorel: ", " ") {
        let node = node.split(['(', '{']).next().unwrap_or_default();
        return Words::new(
            ErrorKind::Unsupported,
            format!("not supported yet: an expression of the kind \"{node}\""),
        );
    }
    let message = if subquery {
        "a subquery that refers to the outer query in this way is not supported yet; \
         write it as a join"
            .to_string()
    } else {
        format!("not supported yet: {text}")
    };
    Words::new(ErrorKind::Unsupported, message)
}

fn of_internal(message: &str) -> Words {
    // DataFusion's way to say that types do not fit together.
    if message.contains("Failed to coerce") {
        return Words::invalid(clean(message));
    }
    if message.contains("OuterReferenceColumn") || message.contains("correlated") {
        return of_missing("OuterReferenceColumn");
    }
    Words::internal(message)
}

/// Names the operator, what it asked for and the setting.
fn of_resources(message: &str) -> Words {
    let text = clean(message);
    let advice = "raise the setting \"memory_limit\" or give the executors more memory";
    let asked = between(message, "Failed to allocate additional ", " for ")
        .zip(between(message, " for ", " with "))
        .zip(between(message, " with ", " already allocated"));
    let message = match asked {
        Some(((asked, operator), held)) => {
            format!("out of memory: {operator} asked for {asked} more and holds {held}; {advice}")
        }
        None if text.contains("\"memory_limit\"") || text.contains("disk") => text,
        None => format!("{text}; {advice}"),
    };
    Words::new(ErrorKind::ResourceExhausted, message)
}

pub(super) fn of_arrow(error: &ArrowError) -> Words {
    match error {
        ArrowError::DivideByZero => Words::invalid("division by zero"),
        ArrowError::ArithmeticOverflow(message) => {
            Words::invalid(format!("a number is out of range: {}", clean(message)))
        }
        ArrowError::CastError(message) | ArrowError::ParseError(message) => {
            Words::invalid(format!(
                "{}; TRY_CAST gives NULL where a value does not fit",
                clean(message)
            ))
        }
        ArrowError::ComputeError(message)
        | ArrowError::InvalidArgumentError(message)
        | ArrowError::SchemaError(message) => of_execution(message),
        ArrowError::NotYetImplemented(message) => of_missing(message),
        ArrowError::CsvError(message)
        | ArrowError::JsonError(message)
        | ArrowError::AvroError(message)
        | ArrowError::IpcError(message)
        | ArrowError::ParquetError(message) => Words::new(ErrorKind::Data, clean(message)),
        ArrowError::IoError(_, error) => of_io(error),
        ArrowError::MemoryError(message) => of_resources(message),
        ArrowError::OffsetOverflowError(_) | ArrowError::DictionaryKeyOverflowError => Words::new(
            ErrorKind::ResourceExhausted,
            "the texts of one batch exceed 2 GiB; lower the setting \"batch_size\"",
        ),
        ArrowError::ExternalError(error) => of_foreign(error.as_ref()),
        other => Words::internal(&other.to_string()),
    }
}

/// Errors of other crates, by the first cause that is known.
pub(super) fn of_foreign(error: &(dyn StdError + 'static)) -> Words {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(error) = current.downcast_ref::<io::Error>() {
            return of_io(error);
        }
        if let Some(error) = current.downcast_ref::<object_store::Error>() {
            return of_object_store(error);
        }
        if let Some(error) = current.downcast_ref::<ArrowError>() {
            return of_arrow(error);
        }
        cause = current.source();
    }
    Words::new(ErrorKind::Internal, clean(&error.to_string()))
}

/// The first paragraph in our style: no prefixes of DataFusion's, no plea to report a bug, no dump
/// of a syntax tree.
pub(super) fn clean(message: &str) -> String {
    let message = message.split("\n\nbacktrace: ").next().unwrap_or_default();
    let message = message
        .split("This issue was likely caused by a bug")
        .next()
        .unwrap_or_default();
    let text = without_dump(strip_prefixes(message.trim()));
    let text = text
        .trim_end_matches(['.', ':', '\n', ' '])
        .replace(['\n', '\t'], " ");
    let shown: String = text.chars().take(MESSAGE_MAX).collect();
    let text = if shown.len() < text.len() {
        format!("{shown}…")
    } else {
        text
    };
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() && second != '(' => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text,
    }
}

/// Cuts a message where it begins to print a syntax tree, which is told by the places in it.
fn without_dump(message: &str) -> &str {
    let Some(at) = message.find("Span(Location(") else {
        return message;
    };
    let Some(brace) = message[..at].find(['{', '(']) else {
        return message;
    };
    let head = message[..brace].trim_end();
    // The word before the brace is the name of a type.
    head.rsplit_once(' ').map_or(head, |(head, _)| head)
}

fn strip_prefixes(mut message: &str) -> &str {
    const PREFIXES: &[&str] = &[
        "Error during planning: ",
        "Internal error: ",
        "This feature is not implemented: ",
        "Execution error: ",
        "External error: ",
        "Arrow error: ",
        "Schema error: ",
        "Parquet error: ",
        "Object Store error: ",
        "Resources exhausted: ",
        "Invalid or Unsupported Configuration: ",
        "type_coercion\ncaused by\n",
    ];
    while let Some(rest) = PREFIXES
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix))
    {
        message = rest;
    }
    message
}

/// What stands between two marks; the second is looked for behind the first.
pub(super) fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}
