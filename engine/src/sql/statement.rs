//! What a user can say: one variant per kind of statement.
//!
//! Names are resolved to [`TableReference`]s and [`SchemaReference`]s with unquoted parts in lower
//! case; whether they exist is not known here. Only what DataFusion plans itself stays an SQL tree.

use std::borrow::Cow;
use std::collections::BTreeMap;

use datafusion::common::{SchemaReference, TableReference};
use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast::{Query as SqlQuery, Statement as SqlStatement};

use super::ddl::{
    AlterSchemaRename, AlterTableRename, CommentOn, CreateExternalTable, CreateSchema, CreateTable,
    CreateView, Drop,
};
use super::explain::Explain;
use super::prepared::Prepared;
use super::rights::{Grantee, RightsStatement};
use super::security::{
    AlterLimit, AlterUser, CreateSecret, CreateToken, CreateUser, DropSecret, DropToken, DropUser,
};
use super::show::{Describe, Show};
use super::url_secrets::without_url_secrets;
use super::write::{CopyTo, Insert, Truncate};

/// One statement together with the text it came from.
#[derive(Debug, Clone)]
pub struct ParsedStatement {
    /// What it says.
    pub statement: Statement,
    /// Its own text: no `;`, no blanks or comments before or after.
    pub text: String,
    /// Where `text` starts in the whole SQL text, in bytes.
    pub offset: usize,
    /// The line of its first character in the whole SQL text, counted from 1.
    pub line: u64,
    /// The column of its first character, in characters, counted from 1.
    pub column: u64,
}

/// Any statement Waterbuck understands, including those it only understands well enough to refuse.
#[derive(Debug, Clone)]
pub enum Statement {
    /// `SELECT`, `VALUES`, `WITH`, `TABLE`: returns rows and is planned by DataFusion.
    Query(Box<DFStatement>),
    /// `EXPLAIN` of any statement that has a plan.
    Explain(Explain),
    /// `PREPARE`, `EXECUTE`, `DEALLOCATE`.
    Prepared(Prepared),

    /// `CREATE EXTERNAL TABLE`.
    CreateExternalTable(Box<CreateExternalTable>),
    /// `CREATE TABLE`, with or without `AS query`.
    CreateTable(Box<CreateTable>),
    /// `CREATE VIEW`.
    CreateView(Box<CreateView>),
    /// `CREATE SCHEMA`.
    CreateSchema(CreateSchema),
    /// `DROP TABLE`, `DROP VIEW`, `DROP SCHEMA`.
    Drop(Drop),
    /// `ALTER TABLE … RENAME TO`, `ALTER VIEW … RENAME TO`.
    AlterTableRename(AlterTableRename),
    /// `ALTER SCHEMA … RENAME TO`.
    AlterSchemaRename(AlterSchemaRename),
    /// `COMMENT ON …`.
    CommentOn(CommentOn),

    /// `INSERT INTO`, `INSERT OVERWRITE`.
    Insert(Box<Insert>),
    /// `COPY … TO`.
    Copy(Box<CopyTo>),
    /// `TRUNCATE`.
    Truncate(Truncate),

    /// `SHOW …`.
    Show(Show),
    /// `DESCRIBE [FORMATTED] table`.
    Describe(Describe),
    /// `DESCRIBE query`: the columns that it would return.
    DescribeQuery(Box<DFStatement>),
    /// `USE schema`.
    Use(SchemaReference),
    /// `SET name = value`; the value is checked by [`crate::settings::Settings`].
    Set {
        /// The setting's name, in lower case.
        name: String,
        /// The value as text, without quotes.
        value: String,
    },
    /// `RESET name`, or `RESET ALL` when there is no name.
    Reset(Option<String>),
    /// `ANALYZE`, `COMPUTE STATS`.
    Analyze(Analyze),
    /// `KILL QUERY id`.
    Kill {
        /// The id as written.
        query_id: String,
    },

    /// `CREATE SECRET`.
    CreateSecret(CreateSecret),
    /// `DROP SECRET`.
    DropSecret(DropSecret),
    /// `CREATE USER`.
    CreateUser(CreateUser),
    /// `ALTER USER`.
    AlterUser(AlterUser),
    /// `DROP USER`.
    DropUser(DropUser),
    /// `ALTER USER … SET LIMIT`, `ALTER ROLE … SET LIMIT`, and `RESET LIMIT` of both.
    AlterLimit(AlterLimit),
    /// `CREATE TOKEN`.
    CreateToken(CreateToken),
    /// `DROP TOKEN`.
    DropToken(DropToken),
    /// Roles, grants, owners and policies.
    Rights(Box<RightsStatement>),

    /// `BEGIN`, `START TRANSACTION`.
    Begin,
    /// `COMMIT`, `END`.
    Commit,
    /// `ROLLBACK`, `ABORT`.
    Rollback,

    /// A statement that is SQL but is not served: see [`Refused::error`](super::Refused::error).
    Refused(super::Refused),
}

/// `ANALYZE TABLE t COMPUTE STATISTICS [FOR COLUMNS …]` in any of its spellings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analyze {
    /// The table.
    pub table: TableReference,
    /// The columns to look at; all of them when absent.
    pub columns: Option<Vec<String>>,
}

impl Statement {
    /// A query as a statement.
    pub fn from_query(query: Box<SqlQuery>) -> Self {
        Self::Query(Box::new(query_statement(query)))
    }

    /// The words a user knows the statement by, for logs, lists and messages.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::Query(_) => "SELECT",
            Self::Explain(explain) if explain.analyze => "EXPLAIN ANALYZE",
            Self::Explain(_) => "EXPLAIN",
            Self::Prepared(Prepared::Prepare { .. }) => "PREPARE",
            Self::Prepared(Prepared::Execute { .. }) => "EXECUTE",
            Self::Prepared(Prepared::Deallocate { .. }) => "DEALLOCATE",
            Self::CreateExternalTable(_) => "CREATE EXTERNAL TABLE",
            Self::CreateTable(create) if create.query.is_some() => "CREATE TABLE AS",
            Self::CreateTable(_) => "CREATE TABLE",
            Self::CreateView(_) => "CREATE VIEW",
            Self::CreateSchema(_) => "CREATE SCHEMA",
            Self::Drop(drop) => drop.kind_name(),
            Self::AlterTableRename(_) => "ALTER TABLE",
            Self::AlterSchemaRename(_) => "ALTER SCHEMA",
            Self::CommentOn(_) => "COMMENT",
            Self::Insert(insert) if insert.overwrite => "INSERT OVERWRITE",
            Self::Insert(_) => "INSERT",
            Self::Copy(_) => "COPY",
            Self::Truncate(_) => "TRUNCATE",
            Self::Show(_) => "SHOW",
            Self::Describe(_) | Self::DescribeQuery(_) => "DESCRIBE",
            Self::Use(_) => "USE",
            Self::Set { .. } => "SET",
            Self::Reset(_) => "RESET",
            Self::Analyze(_) => "ANALYZE",
            Self::Kill { .. } => "KILL QUERY",
            Self::CreateSecret(_) => "CREATE SECRET",
            Self::DropSecret(_) => "DROP SECRET",
            Self::CreateUser(_) => "CREATE USER",
            Self::AlterLimit(AlterLimit {
                of: Grantee::Role(_),
                ..
            }) => "ALTER ROLE",
            Self::AlterUser(_) | Self::AlterLimit(_) => "ALTER USER",
            Self::DropUser(_) => "DROP USER",
            Self::CreateToken(_) => "CREATE TOKEN",
            Self::DropToken(_) => "DROP TOKEN",
            Self::Rights(statement) => statement.kind_name(),
            Self::Begin => "BEGIN",
            Self::Commit => "COMMIT",
            Self::Rollback => "ROLLBACK",
            Self::Refused(refused) => refused.what,
        }
    }

    /// Whether the text may hold a password or a key, and so must not be logged or listed: see
    /// [`ParsedStatement::public_text`].
    pub fn holds_secret(&self) -> bool {
        match self {
            Self::CreateSecret(_) | Self::CreateUser(_) | Self::AlterUser(_) => true,
            Self::CreateExternalTable(create) => options_hold_secret(&create.options),
            Self::CreateTable(create) => options_hold_secret(&create.options),
            Self::Copy(copy) => options_hold_secret(&copy.options),
            Self::Explain(explain) => explain.statement.holds_secret(),
            _ => false,
        }
    }

    /// The name of the user or secret a statement is about.
    fn secret_name(&self) -> Option<&str> {
        match self {
            Self::CreateSecret(create) => Some(&create.name),
            Self::CreateUser(create) => Some(&create.name),
            Self::AlterUser(alter) => Some(&alter.name),
            _ => None,
        }
    }
}

/// Options under such a name should be a secret of the catalog; until that is said to the user, they
/// must not be shown to others.
fn options_hold_secret(options: &BTreeMap<String, String>) -> bool {
    [
        "account",
        "client_id",
        "connection_string",
        "credential",
        "key",
        "passw",
        "pwd",
        "sas",
        "secret",
        "token",
    ]
    .iter()
    .any(|word| options.keys().any(|key| key.to_lowercase().contains(word)))
}

impl ParsedStatement {
    /// The text as it may be logged and listed: without passwords and keys.
    pub fn public_text(&self) -> Cow<'_, str> {
        if !self.statement.holds_secret() {
            return without_url_secrets(&self.text);
        }
        let kind = self.statement.kind_name();
        let name = self.statement.secret_name().map(str::to_string);
        let name = name.or_else(|| self.statement.written_table().map(ToString::to_string));
        Cow::Owned(match name {
            Some(name) => format!("{kind} {name} …"),
            None => format!("{kind} …"),
        })
    }
}

/// Wraps a query as the statement DataFusion plans.
pub(super) fn query_statement(query: Box<SqlQuery>) -> DFStatement {
    DFStatement::Statement(Box::new(SqlStatement::Query(query)))
}
