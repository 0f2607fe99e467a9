//! How much SQL is too much.

use crate::settings::Values;
use crate::{Error, ErrorKind};

/// Bounds on one SQL text; beyond them parsing ends with an error that names the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseLimits {
    /// Longest text, in bytes: setting `max_sql_length`.
    pub sql_length: usize,
    /// Deepest nesting: setting `max_expression_depth`.
    pub depth: usize,
    /// Most elements of one `IN (…)` list: setting `max_in_list`.
    pub in_list: usize,
    /// Most statements in one text.
    pub statements: usize,
    /// Most words, signs and literals in one text: each takes some 500 bytes of memory.
    pub tokens: usize,
}

impl Default for ParseLimits {
    fn default() -> Self {
        Self::from(&Values::default())
    }
}

impl From<&Values> for ParseLimits {
    fn from(values: &Values) -> Self {
        Self {
            sql_length: usize::try_from(values.max_sql_length).unwrap_or(usize::MAX),
            depth: values.max_expression_depth,
            in_list: values.max_in_list,
            statements: 10_000,
            tokens: 1_000_000,
        }
    }
}

impl ParseLimits {
    pub(super) fn too_deep(&self) -> Error {
        exhausted(format!(
            "the statement is nested more than {} levels deep; \
             simplify it or raise the setting \"max_expression_depth\"",
            self.depth
        ))
    }

    pub(super) fn chain_too_long(&self, operators: usize) -> Error {
        exhausted(format!(
            "an expression is more than {operators} operators deep; \
             simplify it or raise the setting \"max_expression_depth\""
        ))
    }

    pub(super) fn too_long(&self, length: usize) -> Error {
        exhausted(format!(
            "the SQL text is {length} bytes long and the setting \"max_sql_length\" allows {}",
            self.sql_length
        ))
    }

    pub(super) fn too_many_tokens(&self) -> Error {
        exhausted(format!(
            "the SQL text has more than {} words, signs and literals; \
             put the data into a file or table",
            self.tokens
        ))
    }

    pub(super) fn list_too_long(&self, length: usize) -> Error {
        exhausted(format!(
            "an IN list has {length} elements and the setting \"max_in_list\" allows {}; \
             put the values into a table and join with it",
            self.in_list
        ))
    }

    pub(super) fn too_many_statements(&self) -> Error {
        exhausted(format!(
            "the SQL text has more than {} statements",
            self.statements
        ))
    }
}

pub(super) fn exhausted(message: String) -> Error {
    Error::new(ErrorKind::ResourceExhausted, message)
}
