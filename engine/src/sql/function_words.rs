//! Plain words for functions that do not exist or do not take what they are given.

use super::error_words::{Words, between, clean};
use crate::names::nearest;

/// Most ways to call a function that are shown.
const CANDIDATES_SHOWN: usize = 5;

/// Kinds of types in DataFusion's lists of candidates, with the name of one of each kind.
const KINDS: &[(&str, &str)] = &[
    ("Any", "ANY"),
    ("Binary", "BYTEA"),
    ("Date", "DATE"),
    ("Decimal", "DECIMAL"),
    ("Duration", "INTERVAL"),
    ("Float", "DOUBLE"),
    ("Integer", "BIGINT"),
    ("Interval", "INTERVAL"),
    ("Numeric", "DOUBLE"),
    ("String", "VARCHAR"),
    ("Time", "TIME"),
    ("Timestamp", "TIMESTAMP"),
];

/// The words for a message about a function, without prefixes, or none when it is about something else.
pub(super) fn of(message: &str) -> Option<Words> {
    unknown(message)
        .or_else(|| own_reason(message))
        .or_else(|| no_match(message))
        .or_else(|| no_signature(message))
}

/// `Invalid function 'x'.` with whichever function is nearest, however far.
fn unknown(message: &str) -> Option<Words> {
    if message.contains("No functions registered") {
        return Some(Words::invalid("the function does not exist"));
    }
    let name = between(message, "Invalid function '", "'")?;
    let proposed = between(message, "Did you mean '", "'");
    let hint = nearest(name, proposed)
        .map(|name| format!("; did you mean \"{name}\"?"))
        .unwrap_or_else(|| "; SHOW FUNCTIONS lists them".to_string());
    Some(Words::invalid(format!(
        "function \"{name}\" does not exist{hint}"
    )))
}

/// `Function 'f' user-defined coercion failed with: …`: why is said by the function.
fn own_reason(message: &str) -> Option<Words> {
    let (_, reason) = message.split_once("user-defined coercion failed with: ")?;
    let reason = reason.split(". No function matches").next()?;
    Some(Words::invalid(clean(reason)))
}

/// `No function matches the given name and argument types 'f(Utf8)'. … Candidate functions: …`
fn no_match(message: &str) -> Option<Words> {
    let call = between(
        message,
        "No function matches the given name and argument types '",
        "'.",
    )?;
    let (name, arguments) = call.split_once('(')?;
    let candidates = message
        .split_once("Candidate functions:")
        .map(|(_, list)| list);
    let mut candidates: Vec<String> = candidates
        .unwrap_or_default()
        .lines()
        .map(|line| plain_candidate(line.trim()))
        .filter(|candidate| !candidate.is_empty() && !candidate.ends_with("(UserDefined)"))
        .collect();
    candidates.dedup();
    let shown = candidates
        .iter()
        .take(CANDIDATES_SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let more = if candidates.len() > CANDIDATES_SHOWN {
        " and more"
    } else {
        ""
    };
    let hint = if shown.is_empty() {
        String::new()
    } else {
        format!("; it takes {shown}{more}")
    };
    let arguments = arguments.trim_end_matches(')');
    let given = if arguments.is_empty() {
        "no arguments".to_string()
    } else {
        format!("({arguments})")
    };
    Some(Words::invalid(format!(
        "function \"{name}\" does not take {given}{hint}"
    )))
}

/// A candidate with the kinds of types that it takes by the names of types.
fn plain_candidate(candidate: &str) -> String {
    let is_sign = |c: char| !c.is_alphanumeric();
    candidate
        .split_inclusive(is_sign)
        .map(|part| {
            let word = part.trim_end_matches(is_sign);
            match KINDS.iter().find(|(kind, _)| *kind == word) {
                Some((_, plain)) => format!("{plain}{}", &part[word.len()..]),
                None => part.to_owned(),
            }
        })
        .collect()
}

/// The other ways in which DataFusion says that arguments do not fit.
fn no_signature(message: &str) -> Option<Words> {
    if let Some(name) = between(
        message,
        "Failed to coerce arguments to satisfy a call to '",
        "'",
    ) {
        let given = between(message, "coercion from ", " to the signature");
        let given = given.map(|types| format!(" ({types})")).unwrap_or_default();
        return Some(Words::invalid(format!(
            "function \"{name}\" does not take{given}"
        )));
    }
    if message.starts_with("Substring without for/from") {
        return Some(Words::invalid(
            "function \"substr\" needs a text and a start",
        ));
    }
    if let Some(name) = between(message, "unction '", "' has signature")
        .or_else(|| between(message, "'", "' does not support zero arguments"))
    {
        return Some(Words::invalid(format!(
            "function \"{name}\" needs arguments"
        )));
    }
    if let Some(name) = between(message, "Function '", "' expects ") {
        let expects = message
            .split_once("' expects ")
            .map(|(_, rest)| rest)
            .unwrap_or_default();
        let expects = expects
            .lines()
            .next()
            .unwrap_or_default()
            .trim_end_matches('.');
        return Some(Words::invalid(format!(
            "function \"{name}\" expects {expects}"
        )));
    }
    message
        .contains("function signature")
        .then(|| Words::invalid("a function does not take arguments of these types"))
}
