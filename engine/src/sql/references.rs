//! Which tables, files and functions a statement reads.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::common::TableReference;
use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast::{ObjectName, Query as SqlQuery, TableFactor, Visit, Visitor};

use super::cte_scopes::{CteScopes, single};
use super::cursor::table_reference;
use super::ddl::CommentTarget;
use super::prepared::Prepared;
use super::show::Show;
use super::statement::Statement;
use super::write::CopySource;
use crate::{Error, Result};

/// What stands where tables stand, each named once and in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableReferences {
    /// Tables and views, as written; names of common table expressions are not among them where
    /// those are in scope.
    pub tables: BTreeSet<TableReference>,
    /// Paths and URLs in single quotes: `SELECT * FROM 'data/**/*.parquet'`.
    pub files: BTreeSet<String>,
    /// Table functions: `FROM generate_series(1, 3)`.
    pub functions: BTreeSet<String>,
}

impl Statement {
    /// What the statement reads. A table that is only written to is told by
    /// [`written_table`](Self::written_table).
    ///
    /// # Errors
    /// When a name has more parts than catalog, schema and table.
    pub fn table_references(&self) -> Result<TableReferences> {
        let mut collector = Collector::default();
        match self {
            Self::Query(statement) | Self::DescribeQuery(statement) => {
                collector.take_statement(statement)?;
            }
            Self::Prepared(Prepared::Prepare { query, .. }) => {
                collector.take_statement(query.statement())?;
            }
            Self::Explain(explain) => return explain.statement.table_references(),
            Self::CreateTable(create) => {
                if let Some(query) = &create.query {
                    collector.take(query.as_ref())?;
                }
            }
            Self::CreateView(create) => collector.take(create.query.as_ref())?,
            Self::Insert(insert) => {
                collector.take(insert.source.as_ref())?;
                for value in insert
                    .partition
                    .iter()
                    .filter_map(|part| part.value.as_ref())
                {
                    collector.take(value)?;
                }
            }
            Self::Copy(copy) => match &copy.source {
                CopySource::Query(query) => collector.take(query.as_ref())?,
                CopySource::Table(table) => collector.found.insert_table(table),
            },
            Self::Describe(describe) => collector.found.insert_table(&describe.table),
            Self::Analyze(analyze) => collector.found.insert_table(&analyze.table),
            Self::Show(
                Show::Columns { table, .. }
                | Show::Partitions { table }
                | Show::Files { table }
                | Show::CreateTable { table }
                | Show::Stats { table },
            ) => collector.found.insert_table(table),
            Self::Show(Show::FilesAt { location }) => {
                collector.found.files.insert(location.clone());
            }
            _ => {}
        }
        Ok(collector.found)
    }

    /// The table or view the statement makes, fills or changes.
    pub fn written_table(&self) -> Option<&TableReference> {
        match self {
            Self::CreateExternalTable(create) => Some(&create.name),
            Self::CreateTable(create) => Some(&create.name),
            Self::CreateView(create) => Some(&create.name),
            Self::AlterTableRename(rename) => Some(&rename.name),
            Self::Insert(insert) => Some(&insert.table),
            Self::Truncate(truncate) => Some(&truncate.table),
            Self::CommentOn(comment) => match &comment.target {
                CommentTarget::Table(table)
                | CommentTarget::View(table)
                | CommentTarget::Column { table, .. } => Some(table),
                CommentTarget::Schema(_) => None,
            },
            Self::Explain(explain) => explain.statement.written_table(),
            _ => None,
        }
    }
}

impl TableReferences {
    /// A name that looks like a path was written in single quotes: catalogs have no such names.
    fn insert_table(&mut self, table: &TableReference) {
        match table {
            TableReference::Bare { table } if table.contains(['/', '*', '\\']) => {
                self.files.insert(table.to_string());
            }
            _ => {
                self.tables.insert(table.clone());
            }
        }
    }
}

#[derive(Default)]
struct Collector {
    scopes: CteScopes,
    found: TableReferences,
    /// The next relation is the name of a table function.
    at_function: bool,
}

impl Collector {
    fn take<T: Visit>(&mut self, tree: &T) -> Result<()> {
        match tree.visit(self) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(*error),
        }
    }

    fn take_statement(&mut self, statement: &DFStatement) -> Result<()> {
        match statement {
            DFStatement::Statement(statement) => self.take(statement.as_ref()),
            _ => Ok(()),
        }
    }
}

type Flow = ControlFlow<Box<Error>>;

impl Visitor for Collector {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &SqlQuery) -> Flow {
        self.scopes.enter(query);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &SqlQuery) -> Flow {
        self.scopes.leave();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Flow {
        self.at_function = matches!(
            factor,
            TableFactor::Table { args: Some(_), .. } | TableFactor::Function { .. }
        );
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> Flow {
        if std::mem::take(&mut self.at_function) {
            self.found.functions.insert(name.to_string().to_lowercase());
            return ControlFlow::Continue(());
        }
        if self.scopes.refer(name) {
            return ControlFlow::Continue(());
        }
        match single(name) {
            Some(ident) if ident.quote_style == Some('\'') => {
                self.found.files.insert(ident.value.clone());
            }
            _ => match table_reference(name.clone()) {
                Ok(table) => {
                    self.found.tables.insert(table);
                }
                Err(error) => return ControlFlow::Break(Box::new(error)),
            },
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{ParseLimits, parse_one};

    fn references(sql: &str) -> TableReferences {
        parse_one(sql, &ParseLimits::default())
            .unwrap()
            .statement
            .table_references()
            .unwrap()
    }

    fn tables(sql: &str) -> Vec<String> {
        references(sql)
            .tables
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn tables_are_found_wherever_a_query_can_stand() {
        assert_eq!(
            tables(
                "SELECT (SELECT max(x) FROM a) FROM b JOIN s.c USING (k), LATERAL (SELECT 1 FROM d) \
                 WHERE EXISTS (SELECT 1 FROM \"E\") AND k IN (SELECT k FROM cat.s.f) \
                 UNION SELECT * FROM g ORDER BY (SELECT 1 FROM h)"
            ),
            ["E", "a", "b", "d", "g", "h", "s.c", "cat.s.f"]
        );
        assert_eq!(tables("INSERT INTO t SELECT * FROM u"), ["u"]);
        assert_eq!(tables("CREATE TABLE t AS SELECT * FROM u"), ["u"]);
        assert_eq!(tables("EXPLAIN ANALYZE SELECT * FROM u"), ["u"]);
        assert_eq!(tables("COPY u TO '/tmp/x'"), ["u"]);
        assert_eq!(tables("DESCRIBE SELECT * FROM u"), ["u"]);
    }

    #[test]
    fn a_cte_shadows_a_table_only_where_it_is_in_scope() {
        assert_eq!(tables("WITH t AS (SELECT * FROM t) SELECT * FROM t"), ["t"]);
        assert!(tables("WITH T AS (SELECT 1) SELECT * FROM t").is_empty());
        assert!(tables("WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b").is_empty());
        assert_eq!(
            tables("WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a, b"),
            ["b"]
        );
        assert!(
            tables(
                "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 9) \
                 SELECT * FROM n"
            )
            .is_empty()
        );
        assert_eq!(
            tables("(WITH t AS (SELECT 1) SELECT * FROM t) UNION SELECT * FROM t"),
            ["t"]
        );
        assert!(
            tables("WITH t AS (SELECT 1) SELECT (SELECT * FROM (SELECT * FROM t) x)").is_empty()
        );
        assert_eq!(tables("WITH t AS (SELECT 1) SELECT * FROM s.t"), ["s.t"]);
        assert_eq!(tables("WITH t AS (SELECT 1) SELECT * FROM \"T\""), ["T"]);
    }

    #[test]
    fn nested_ctes_take_linear_time() {
        let mut sql = "SELECT * FROM base".to_string();
        for level in 0..30 {
            sql = format!("WITH c{level} AS ({sql}) SELECT * FROM c{level}");
        }
        assert_eq!(tables(&sql), ["base"]);
    }

    #[test]
    fn files_and_functions_are_no_tables() {
        let found = references(
            "SELECT * FROM 'data/**/*.parquet' f, generate_series(1, 3) g, \"odd/name\" o",
        );
        assert_eq!(
            found.files,
            BTreeSet::from(["data/**/*.parquet".to_string()])
        );
        assert_eq!(
            found.functions,
            BTreeSet::from(["generate_series".to_string()])
        );
        assert_eq!(
            found.tables,
            BTreeSet::from([TableReference::bare("odd/name")])
        );
    }
}
