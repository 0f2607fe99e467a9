//! Plain words for functions that do not exist or do not take what they are given.

use super::error_words::{Words, between};
use crate::names::nearest;

/// Most ways to call a function that are shown.
const CANDIDATES_SHOWN: usize = 5;

/// The words for a message about a function, without prefixes, or none when it is about something else.
pub(super) fn of(message: &str) -> Option<Words> {
    unknown(message)
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
    let candidates: Vec<&str> = candidates
        .unwrap_or_default()
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    let shown = candidates
        .iter()
        .take(CANDIDATES_SHOWN)
        .copied()
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
