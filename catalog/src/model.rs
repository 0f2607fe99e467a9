//! The plain values that go in and out of the catalog.
//!
//! Names are exact strings: whoever parses SQL decides about case. Types are Arrow's.

use std::collections::BTreeMap;
use std::fmt;

use arrow::datatypes::DataType;
use chrono::{DateTime, Utc};
use uuid::Uuid;
use waterbuck_engine::sql::{Grantee, ViewSecurity};

/// A name of a table, view or external table: unique per schema over all three.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    pub schema: String,
    pub name: String,
}

impl TableName {
    /// The name `name` in `schema`, both taken as they are.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// A schema and what its owner wrote about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaDef {
    pub name: String,
    pub comment: Option<String>,
    /// Who may do everything with it and what is in it; without one, administrators.
    pub owner: Option<Grantee>,
}

/// A column of any kind of table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDef {
    pub name: String,
    pub data_type: DataType,
    pub nullable: bool,
    /// The SQL text of the default expression.
    pub default: Option<String>,
    pub comment: Option<String>,
}

impl ColumnDef {
    /// A column without default and comment.
    pub fn new(name: impl Into<String>, data_type: DataType, nullable: bool) -> Self {
        Self {
            name: name.into(),
            data_type,
            nullable,
            default: None,
            comment: None,
        }
    }
}

/// A table over files that somebody else owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalTable {
    /// As the statement said it: `PARQUET`, `CSV`, …
    pub format: String,
    pub location: String,
    /// In the order of the directories.
    pub partition_columns: Vec<String>,
    pub options: BTreeMap<String, String>,
    /// The name of the secret to read with; none means the environment's credentials.
    pub secret: Option<String>,
    /// Whether the user wrote the columns down; otherwise they were inferred from the files.
    pub explicit_columns: bool,
}

/// A table whose files the catalog owns and lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedTable {
    /// The absolute directory or URL of its data, ending in a slash. A local directory is a plain
    /// path, never a `file:` URL: other readers of the catalog join it with file names as text.
    pub path: String,
    /// Partitioned by the plain values of these columns, in the order of the directories. They are
    /// in the directory names (`key=value`) and not in the Parquet files.
    pub partition_columns: Vec<String>,
}

/// A view: the text that is planned in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewDef {
    pub sql: String,
    /// Names given to the columns by `CREATE VIEW v (a, b)`; empty when none were.
    pub column_aliases: Vec<String>,
    /// Whose rights it runs with.
    pub security: ViewSecurity,
}

/// What stands behind a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableKind {
    External(ExternalTable),
    Managed(ManagedTable),
    View(ViewDef),
}

impl TableKind {
    /// The word for messages: views are dropped with `DROP VIEW`, the rest with `DROP TABLE`.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::External(_) | Self::Managed(_) => "table",
            Self::View(_) => "view",
        }
    }
}

/// The whole definition of a table, view or external table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDef {
    /// Unique in the catalog over all kinds and never used again; kept by a rename.
    pub id: i64,
    pub uuid: Uuid,
    pub name: TableName,
    pub kind: TableKind,
    pub columns: Vec<ColumnDef>,
    pub comment: Option<String>,
    /// The snapshot in which this definition became the valid one.
    pub begin_snapshot: i64,
    /// Who may do everything with it; without one, administrators.
    pub owner: Option<Grantee>,
}

/// A table, view or external table to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTable {
    pub name: TableName,
    pub kind: TableKind,
    pub columns: Vec<ColumnDef>,
    pub comment: Option<String>,
    /// Who will own it; administrators when absent or not in the catalog.
    pub owner: Option<Grantee>,
}

/// What to do when the name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExisting {
    Fail,
    /// `IF NOT EXISTS`
    Skip,
    /// `OR REPLACE`: a view takes the place of a view, a table of a table.
    Replace,
    /// As `Replace`, of the table or view that has this id or, without one, of nothing: of what the
    /// caller has checked. `Conflict` when something else is there.
    ReplaceOnly(Option<i64>),
}

/// Which statement drops: `DROP TABLE` (managed and external) or `DROP VIEW`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropKind {
    Table,
    View,
}

/// Partition column and value as text; `None` is NULL.
pub type PartitionValues = Vec<(String, Option<String>)>;

/// What is known of one column in one file.
///
/// `column` is a top-level column's name, or for a part of a nested column the Parquet path of the
/// leaf (`tags.list.item`) or its catalog path (`tags.element`). What is read back has the latter.
#[derive(Debug, Clone, PartialEq)]
pub struct FileColumnStats {
    pub column: String,
    /// Values that are not NULL.
    pub value_count: u64,
    pub null_count: u64,
    /// Bounds as SQL text (`2024-05-01 10:00:00`, `1.50`, `abc`); `None` means unknown. The store
    /// keeps a bound only if it is a literal of the column's type: an unknown bound prunes nothing,
    /// a misread one loses rows.
    pub min: Option<String>,
    pub max: Option<String>,
    /// Whether a float column has NaN, which bounds never cover; `None` means unknown.
    pub contains_nan: Option<bool>,
    /// Compressed size in the file.
    pub bytes: u64,
}

/// A Parquet file to add to a managed table.
///
/// Columns are found in it by name. Other engines read maps only under the names of Parquet's
/// specification (`key_value`, `key`, `value`), which `WriterProperties::set_coerce_types` gives.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDataFile {
    /// Absolute path or URL, or relative to the table's directory.
    pub path: String,
    pub row_count: u64,
    pub bytes: u64,
    /// Length of the Parquet footer's metadata, without the eight bytes that follow it.
    pub footer_bytes: u64,
    /// One value for every partition column of the table.
    pub partition_values: PartitionValues,
    /// Columns without an entry count as unknown.
    pub column_stats: Vec<FileColumnStats>,
}

/// A file of a managed table.
#[derive(Debug, Clone, PartialEq)]
pub struct DataFile {
    pub id: i64,
    /// Absolute path or URL.
    pub path: String,
    pub row_count: u64,
    pub bytes: u64,
    pub footer_bytes: u64,
    pub partition_values: PartitionValues,
    pub column_stats: Vec<FileColumnStats>,
    pub begin_snapshot: i64,
}

/// What a commit does to the files that are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileChange {
    Append,
    /// All live files end.
    Overwrite,
    /// The files of these partitions end; a partition may name only some of the partition columns
    /// and then stands for all that agree with it.
    OverwritePartitions(Vec<PartitionValues>),
}

/// What `ANALYZE TABLE` found.
#[derive(Debug, Clone, PartialEq)]
pub struct TableStatistics {
    pub row_count: u64,
    pub computed_at: DateTime<Utc>,
    /// By column name.
    pub columns: BTreeMap<String, ColumnStatistics>,
}

/// What `ANALYZE TABLE` found of one column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnStatistics {
    pub distinct_count: Option<u64>,
    /// Between 0 and 1.
    pub null_fraction: f64,
    pub min: Option<String>,
    pub max: Option<String>,
    /// Bytes per value.
    pub average_width: f64,
    /// The distinct values' HyperLogLog, compressed with zstd: it can be merged with that of rows
    /// which came later.
    pub sketch: Option<Vec<u8>>,
}

/// Credentials under a name.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    pub name: String,
    /// `s3`, `gcs`, `azure`, `http` or `hdfs`.
    pub kind: String,
    /// The URL prefix the secret is for; none means every location of its kind.
    pub scope: Option<String>,
    pub options: BTreeMap<String, String>,
}

/// Option values stay out of logs.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("scope", &self.scope)
            .field("options", &self.options.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// Somebody who may log in.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    pub name: String,
    /// In PHC form; the catalog never sees a password.
    pub password_hash: String,
    /// Has the role `admin`, given directly or with another role.
    pub admin: bool,
    /// The name in a client's certificate, after its kind, that is the user's and nobody else's.
    pub certificate: Option<String>,
}

/// The hash stays out of logs.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .field("admin", &self.admin)
            .field("certificate", &self.certificate)
            .finish()
    }
}

/// A long-lived token with which programs log in as a user.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Unique among the tokens of its user.
    pub name: String,
    /// Whom it speaks for.
    pub user: String,
    /// The SHA-256 of the token in hexadecimal; the catalog never sees the token.
    pub hash: String,
    /// When it was made, in seconds since 1970.
    pub created_at: i64,
    /// When it ends, in seconds since 1970; `None` means never.
    pub expires_at: Option<i64>,
}

/// The hash stays out of logs.
impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiToken")
            .field("name", &self.name)
            .field("user", &self.user)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
