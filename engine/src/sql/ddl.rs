//! Statements that make, change and remove tables, views and schemas.

use std::collections::BTreeMap;

use datafusion::common::{SchemaReference, TableReference};
use datafusion::sql::sqlparser::ast::{DataType, Expr, Query as SqlQuery};

use super::rights::ViewSecurity;

/// A column as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Its name.
    pub name: String,
    /// Its SQL type; turn it into an Arrow type with DataFusion's `SqlToRel`.
    pub data_type: DataType,
    /// False after `NOT NULL` and `PRIMARY KEY`.
    pub nullable: bool,
    /// The value a row gets that does not name this column.
    pub default: Option<Expr>,
    /// What a person wrote about it.
    pub comment: Option<String>,
}

/// One column of `PARTITIONED BY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionColumn {
    /// Named only: declared among the table's columns, or its type is found from the paths.
    Name(String),
    /// Declared here, in addition to the table's columns.
    Spec(Box<ColumnSpec>),
}

impl PartitionColumn {
    /// The column's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Spec(spec) => &spec.name,
        }
    }
}

/// `CREATE EXTERNAL TABLE`: files that belong to somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateExternalTable {
    /// The table's name.
    pub name: TableReference,
    /// Do nothing when it exists.
    pub if_not_exists: bool,
    /// Take the place of the table that has this name.
    pub or_replace: bool,
    /// Declared columns; inferred from the files when empty.
    pub columns: Vec<ColumnSpec>,
    /// `STORED AS`, in upper case: `PARQUET`, `CSV`, `JSON`, `AVRO`, `ARROW`.
    pub format: String,
    /// The columns whose values are in the paths.
    pub partitioned_by: Vec<PartitionColumn>,
    /// Where the files are; never empty.
    pub location: Vec<String>,
    /// `OPTIONS (…)` with keys in lower case.
    pub options: BTreeMap<String, String>,
    /// What a person wrote about it.
    pub comment: Option<String>,
    /// The named secret to read the location with.
    pub secret: Option<String>,
    /// `WITH ORDER (…)`: the source text of each ordering's expressions.
    pub order: Vec<Vec<SortColumn>>,
}

/// One column of `WITH ORDER`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortColumn {
    /// The column.
    pub column: String,
    /// Descending when true.
    pub descending: bool,
    /// Where NULL sorts; by default last when ascending and first when descending.
    pub nulls_first: bool,
}

/// `CREATE TABLE`: files that belong to Waterbuck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTable {
    /// The table's name.
    pub name: TableReference,
    /// Do nothing when it exists.
    pub if_not_exists: bool,
    /// Take the place of the table that has this name.
    pub or_replace: bool,
    /// Declared columns; empty only when there is a query.
    pub columns: Vec<ColumnSpec>,
    /// The columns that become directories.
    pub partitioned_by: Vec<PartitionColumn>,
    /// The rows to begin with.
    pub query: Option<Box<SqlQuery>>,
    /// `OPTIONS (…)` with keys in lower case.
    pub options: BTreeMap<String, String>,
    /// What a person wrote about it.
    pub comment: Option<String>,
}

/// `CREATE VIEW`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateView {
    /// The view's name.
    pub name: TableReference,
    /// Take the place of the view that has this name.
    pub or_replace: bool,
    /// Do nothing when it exists.
    pub if_not_exists: bool,
    /// Names for the query's columns; its own names when empty.
    pub columns: Vec<String>,
    /// Whose rights it runs with.
    pub security: ViewSecurity,
    /// The query exactly as written.
    pub query_sql: String,
    /// The query.
    pub query: Box<SqlQuery>,
    /// What a person wrote about it.
    pub comment: Option<String>,
}

/// What a [`Drop`] removes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DropTarget {
    /// A table.
    Table(TableReference),
    /// A view.
    View(TableReference),
    /// A schema.
    Schema(SchemaReference),
}

/// `DROP TABLE`, `DROP VIEW`, `DROP SCHEMA`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drop {
    /// What to remove; never empty, and all of one kind.
    pub targets: Vec<DropTarget>,
    /// Do nothing about those that do not exist.
    pub if_exists: bool,
    /// Remove what depends on it too.
    pub cascade: bool,
}

impl Drop {
    /// The statement's words.
    pub fn kind_name(&self) -> &'static str {
        match self.targets.first() {
            Some(DropTarget::View(_)) => "DROP VIEW",
            Some(DropTarget::Schema(_)) => "DROP SCHEMA",
            Some(DropTarget::Table(_)) | None => "DROP TABLE",
        }
    }
}

/// `CREATE SCHEMA`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateSchema {
    /// The schema's name.
    pub name: SchemaReference,
    /// Do nothing when it exists.
    pub if_not_exists: bool,
    /// What a person wrote about it.
    pub comment: Option<String>,
}

/// `ALTER TABLE … RENAME TO`, `ALTER VIEW … RENAME TO`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterTableRename {
    /// The present name.
    pub name: TableReference,
    /// The name to come; without a schema it stays in the present one.
    pub to: TableReference,
    /// Do nothing when it does not exist.
    pub if_exists: bool,
    /// Said of a view.
    pub view: bool,
}

/// `ALTER SCHEMA … RENAME TO`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterSchemaRename {
    /// The present name.
    pub name: SchemaReference,
    /// The name to come.
    pub to: String,
}

/// What a comment is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommentTarget {
    /// A table.
    Table(TableReference),
    /// A view.
    View(TableReference),
    /// A schema.
    Schema(SchemaReference),
    /// A column of a table or view.
    Column {
        /// The table or view.
        table: TableReference,
        /// The column.
        column: String,
    },
}

/// `COMMENT ON … IS …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentOn {
    /// What it is about.
    pub target: CommentTarget,
    /// The text; `NULL` takes the comment away.
    pub comment: Option<String>,
}
