//! Statements that list and describe.

use datafusion::common::{SchemaReference, TableReference};

use super::rights::{GrantObject, Grantee};

/// `SHOW …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    /// `SHOW TABLES [FROM schema] [LIKE 'pattern']`.
    Tables {
        /// The schema; the current one when absent.
        schema: Option<SchemaReference>,
        /// An SQL `LIKE` pattern on the name.
        like: Option<String>,
    },
    /// `SHOW VIEWS [FROM schema] [LIKE 'pattern']`.
    Views {
        /// The schema; the current one when absent.
        schema: Option<SchemaReference>,
        /// An SQL `LIKE` pattern on the name.
        like: Option<String>,
    },
    /// `SHOW SCHEMAS [LIKE 'pattern']`.
    Schemas {
        /// An SQL `LIKE` pattern on the name.
        like: Option<String>,
    },
    /// `SHOW COLUMNS FROM table [LIKE 'pattern']`.
    Columns {
        /// The table.
        table: TableReference,
        /// An SQL `LIKE` pattern on the column's name.
        like: Option<String>,
    },
    /// `SHOW PARTITIONS table`.
    Partitions {
        /// The table.
        table: TableReference,
    },
    /// `SHOW FILES table`.
    Files {
        /// The table.
        table: TableReference,
    },
    /// `SHOW FILES 'location'`: what lies there, whether or not a table is over it.
    FilesAt {
        /// A path, a URL or a pattern.
        location: String,
    },
    /// `SHOW CREATE TABLE table`, `SHOW CREATE VIEW view`.
    CreateTable {
        /// The table or view.
        table: TableReference,
    },
    /// `SHOW FUNCTIONS [LIKE 'pattern']`.
    Functions {
        /// An SQL `LIKE` pattern on the name.
        like: Option<String>,
    },
    /// `SHOW STATS table`.
    Stats {
        /// The table.
        table: TableReference,
    },
    /// `SHOW QUERIES`.
    Queries,
    /// `SHOW EXECUTORS`.
    Executors,
    /// `SHOW SETTINGS [LIKE 'pattern']`, `SHOW ALL`.
    Settings {
        /// An SQL `LIKE` pattern on the name.
        like: Option<String>,
    },
    /// `SHOW name`: one setting.
    Setting(
        /// The setting's name, in lower case.
        String,
    ),
    /// `SHOW SECRETS`: names and kinds, never keys.
    Secrets,
    /// `SHOW USERS`.
    Users,
    /// `SHOW ROLES`.
    Roles,
    /// `SHOW GRANTS [FOR grantee | ON object]`.
    Grants {
        /// Whose grants; everybody's when absent.
        grantee: Option<Grantee>,
        /// The grants on what; on everything when absent.
        object: Option<GrantObject>,
    },
    /// `SHOW LIMITS`.
    Limits,
    /// `SHOW TOKENS`: names and users, never the tokens.
    Tokens,
}

/// `DESCRIBE [FORMATTED] table`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Describe {
    /// The table or view.
    pub table: TableReference,
    /// Everything known about it, not the columns alone.
    pub formatted: bool,
}
