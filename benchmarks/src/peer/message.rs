//! The lines that are exchanged with a peer: one request, one reply.

use serde::{Deserialize, Serialize};

use crate::answer::Answer;

/// Run a query.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) sql: String,
    /// Whether the reply is to hold the answer and not only the time.
    pub(super) answer: bool,
}

/// How it went: either `error` or `seconds` is there.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Reply {
    pub(super) error: Option<String>,
    /// From the SQL text to the last row, in seconds.
    pub(super) seconds: Option<f64>,
    pub(super) answer: Option<Answer>,
}
