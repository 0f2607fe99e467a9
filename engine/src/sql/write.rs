//! Statements that write rows.

use std::collections::BTreeMap;

use datafusion::common::TableReference;
use datafusion::sql::sqlparser::ast::{Expr, Query as SqlQuery};

/// `INSERT INTO`, `INSERT OVERWRITE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insert {
    /// The table.
    pub table: TableReference,
    /// The columns the query gives, in its order; all of the table's when empty.
    pub columns: Vec<String>,
    /// The rows.
    pub source: Box<SqlQuery>,
    /// Take the place of what is there, within the partitions named or written.
    pub overwrite: bool,
    /// `PARTITION (…)` in the order written.
    pub partition: Vec<PartitionValue>,
}

/// One column of `PARTITION (year = 2024, month)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionValue {
    /// The partition column.
    pub column: String,
    /// Its constant value; when absent the query's last columns give it.
    pub value: Option<Expr>,
}

/// Where a [`CopyTo`] takes its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopySource {
    /// A whole table or view.
    Table(TableReference),
    /// A query in parentheses.
    Query(Box<SqlQuery>),
}

/// `COPY … TO`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyTo {
    /// The rows.
    pub source: CopySource,
    /// Where the files go.
    pub target: String,
    /// `STORED AS`, in upper case; chosen from the target's extension when absent.
    pub format: Option<String>,
    /// The columns that become directories.
    pub partitioned_by: Vec<String>,
    /// `OPTIONS (…)` with keys in lower case.
    pub options: BTreeMap<String, String>,
}

/// `TRUNCATE [TABLE] table`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truncate {
    /// The table that is emptied.
    pub table: TableReference,
    /// A table that is missing is no error.
    pub if_exists: bool,
}
