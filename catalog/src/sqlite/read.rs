//! Reading definitions: the live objects of the catalog with their columns and comments.

use std::collections::{BTreeMap, HashMap};

use serde_json::from_str;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;
use waterbuck_engine::Error;
use waterbuck_engine::sql::ViewSecurity;

use super::columns::{ByTable, OwnColumns, read_lake, read_own};
use super::fault::Outcome;
use super::quote::unquoted_list;
use super::rights::attach_owners;
use crate::location::joined;
use crate::model::{ExternalTable, ManagedTable, TableDef, TableKind, TableName, ViewDef};

/// Which definitions to read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope<'a> {
    All,
    Schema(&'a str),
    Name(&'a TableName),
}

impl<'a> Scope<'a> {
    /// The condition that joins the schema `s` and the object's name column.
    fn condition(self, name_column: &str) -> String {
        match self {
            Self::All => String::new(),
            Self::Schema(_) => " AND s.schema_name = ?1".to_owned(),
            Self::Name(_) => format!(" AND s.schema_name = ?1 AND {name_column} = ?2"),
        }
    }

    fn schema(self) -> Option<&'a str> {
        match self {
            Self::All => None,
            Self::Schema(schema) => Some(schema),
            Self::Name(name) => Some(&name.schema),
        }
    }

    fn name(self) -> Option<&'a str> {
        match self {
            Self::Name(name) => Some(&name.name),
            _ => None,
        }
    }

    /// The only object of the scope, so that its columns alone are read.
    fn only(self, found: &[TableDef]) -> Option<i64> {
        match (self, found) {
            (Self::Name(_), [table]) => Some(table.id),
            _ => None,
        }
    }
}

/// The definition behind a name.
pub(super) async fn definition(
    connection: &mut SqliteConnection,
    data_path: &str,
    name: &TableName,
) -> Outcome<Option<TableDef>> {
    Ok(definitions(connection, data_path, Scope::Name(name))
        .await?
        .pop())
}

/// Definitions by schema and name, paths joined to `data_path`.
pub(super) async fn definitions(
    connection: &mut SqliteConnection,
    data_path: &str,
    scope: Scope<'_>,
) -> Outcome<Vec<TableDef>> {
    let mut all = managed(connection, data_path, scope).await?;
    if !all.is_empty() {
        let only = scope.only(&all);
        attach(&mut all, read_lake(connection, only).await?);
        attach_partitioning(connection, &mut all, only).await?;
    }
    let mut views = views(connection, scope).await?;
    if !views.is_empty() {
        let only = scope.only(&views);
        attach(
            &mut views,
            read_own(connection, OwnColumns::View, only).await?,
        );
    }
    all.append(&mut views);
    attach_comments(connection, &mut all, scope).await?;
    let mut external = external(connection, scope).await?;
    if !external.is_empty() {
        let only = scope.only(&external);
        attach(
            &mut external,
            read_own(connection, OwnColumns::External, only).await?,
        );
    }
    all.append(&mut external);
    attach_owners(connection, &mut all, scope.name().is_some()).await?;
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

fn attach(tables: &mut [TableDef], mut columns: ByTable) {
    for table in tables {
        table.columns = columns.remove(&table.id).unwrap_or_default();
    }
}

/// Managed tables without columns.
async fn managed(
    connection: &mut SqliteConnection,
    data_path: &str,
    scope: Scope<'_>,
) -> Outcome<Vec<TableDef>> {
    type Row = (i64, String, i64, String, String, String, bool, String, bool);
    let sql = format!(
        "SELECT t.table_id, t.table_uuid, t.begin_snapshot, s.schema_name, t.table_name,
           t.path, t.path_is_relative, s.path, s.path_is_relative
         FROM ducklake_schema s JOIN ducklake_table t
           ON t.schema_id = s.schema_id AND t.end_snapshot IS NULL
         WHERE s.end_snapshot IS NULL{}",
        scope.condition("t.table_name")
    );
    let rows = sqlx::query_as::<_, Row>(AssertSqlSafe(sql))
        .bind(scope.schema())
        .bind(scope.name())
        .fetch_all(connection)
        .await?;
    let mut tables = Vec::with_capacity(rows.len());
    for (id, uuid, begin_snapshot, schema, name, path, relative, schema_path, in_data) in rows {
        let schema_path = joined(&schema_path, in_data, data_path);
        let path = joined(&path, relative, &schema_path);
        let managed = ManagedTable {
            path,
            partition_columns: Vec::new(),
        };
        tables.push(TableDef {
            id,
            uuid: parse_uuid(&uuid)?,
            name: TableName { schema, name },
            kind: TableKind::Managed(managed),
            columns: Vec::new(),
            comment: None,
            begin_snapshot,
            owner: None,
        });
    }
    Ok(tables)
}

async fn attach_partitioning(
    connection: &mut SqliteConnection,
    tables: &mut [TableDef],
    only: Option<i64>,
) -> Outcome<()> {
    let filter = if only.is_some() {
        " AND i.table_id = ?1"
    } else {
        ""
    };
    let sql = format!(
        "SELECT i.table_id, c.column_name
         FROM ducklake_partition_info i
         JOIN ducklake_partition_column p ON p.partition_id = i.partition_id
         JOIN ducklake_column c ON c.table_id = i.table_id AND c.column_id = p.column_id
           AND c.end_snapshot IS NULL
         WHERE i.end_snapshot IS NULL{filter}
         ORDER BY i.table_id, p.partition_key_index"
    );
    let rows = sqlx::query_as::<_, (i64, String)>(AssertSqlSafe(sql))
        .bind(only)
        .fetch_all(connection)
        .await?;
    let mut by_table: HashMap<i64, Vec<String>> = HashMap::new();
    for (table_id, column) in rows {
        by_table.entry(table_id).or_default().push(column);
    }
    for table in tables {
        if let TableKind::Managed(managed) = &mut table.kind {
            managed.partition_columns = by_table.remove(&table.id).unwrap_or_default();
        }
    }
    Ok(())
}

/// Views without columns.
async fn views(connection: &mut SqliteConnection, scope: Scope<'_>) -> Outcome<Vec<TableDef>> {
    type Row = (i64, String, i64, String, String, String, String, bool);
    let sql = format!(
        "SELECT v.view_id, v.view_uuid, v.begin_snapshot, s.schema_name, v.view_name, v.\"sql\",
           coalesce(v.column_aliases, ''), w.view_id IS NOT NULL
         FROM ducklake_schema s JOIN ducklake_view v
           ON v.schema_id = s.schema_id AND v.end_snapshot IS NULL
           LEFT JOIN wb_invoker_view w ON w.view_id = v.view_id
         WHERE s.end_snapshot IS NULL{}",
        scope.condition("v.view_name")
    );
    let rows = sqlx::query_as::<_, Row>(AssertSqlSafe(sql))
        .bind(scope.schema())
        .bind(scope.name())
        .fetch_all(connection)
        .await?;
    let mut views = Vec::with_capacity(rows.len());
    for (id, uuid, begin_snapshot, schema, name, sql, aliases, invoker) in rows {
        let security = if invoker {
            ViewSecurity::Invoker
        } else {
            ViewSecurity::Definer
        };
        views.push(TableDef {
            id,
            uuid: parse_uuid(&uuid)?,
            name: TableName { schema, name },
            kind: TableKind::View(ViewDef {
                sql,
                column_aliases: unquoted_list(&aliases),
                security,
            }),
            columns: Vec::new(),
            comment: None,
            begin_snapshot,
            owner: None,
        });
    }
    Ok(views)
}

/// Comments of managed tables and views; those of external tables are in their rows.
async fn attach_comments(
    connection: &mut SqliteConnection,
    tables: &mut [TableDef],
    scope: Scope<'_>,
) -> Outcome<()> {
    if tables.is_empty() {
        return Ok(());
    }
    let only = scope.only(tables);
    let mut comments = read_comments(connection, only).await?;
    for table in tables {
        table.comment = comments.remove(&table.id);
    }
    Ok(())
}

/// Comments by the id of their schema, managed table or view; of one object when an id is given.
pub(super) async fn read_comments(
    connection: &mut SqliteConnection,
    only: Option<i64>,
) -> Outcome<HashMap<i64, String>> {
    let filter = if only.is_some() {
        " AND object_id = ?1"
    } else {
        ""
    };
    let sql = format!(
        "SELECT object_id, \"value\" FROM ducklake_tag
         WHERE end_snapshot IS NULL AND \"key\" = 'comment'{filter}"
    );
    let rows = sqlx::query_as::<_, (i64, String)>(AssertSqlSafe(sql)).bind(only);
    Ok(rows.fetch_all(connection).await?.into_iter().collect())
}

/// External tables without columns.
async fn external(connection: &mut SqliteConnection, scope: Scope<'_>) -> Outcome<Vec<TableDef>> {
    type Row = (
        i64,
        String,
        i64,
        String,
        String,
        Option<String>,
        String,
        String,
        String,
        String,
        Option<String>,
        bool,
    );
    let sql = format!(
        "SELECT t.table_id, t.table_uuid, t.begin_snapshot, s.schema_name, t.table_name, t.comment,
           t.format, t.location, t.partition_columns, t.options, t.secret, t.explicit_columns
         FROM ducklake_schema s JOIN wb_external_table t
           ON t.schema_id = s.schema_id AND t.end_snapshot IS NULL
         WHERE s.end_snapshot IS NULL{}",
        scope.condition("t.table_name")
    );
    let rows = sqlx::query_as::<_, Row>(AssertSqlSafe(sql))
        .bind(scope.schema())
        .bind(scope.name())
        .fetch_all(connection)
        .await?;
    let mut tables = Vec::with_capacity(rows.len());
    for row in rows {
        let (id, uuid, begin_snapshot, schema, name, comment, ..) = row;
        let (.., format, location, partition_columns, options, secret, explicit_columns) = row;
        let damaged = |e| {
            Error::data(format!(
                "the catalog holds a damaged definition of \"{schema}.{name}\""
            ))
            .with_source(e)
        };
        let partition_columns: Vec<String> = from_str(&partition_columns).map_err(damaged)?;
        let options: BTreeMap<String, String> = from_str(&options).map_err(damaged)?;
        let external = ExternalTable {
            format,
            location,
            partition_columns,
            options,
            secret,
            explicit_columns,
        };
        tables.push(TableDef {
            id,
            uuid: parse_uuid(&uuid)?,
            name: TableName { schema, name },
            kind: TableKind::External(external),
            columns: Vec::new(),
            comment,
            begin_snapshot,
            owner: None,
        });
    }
    Ok(tables)
}

/// The uuid of an object or schema as stored.
pub(super) fn parse_uuid(text: &str) -> Outcome<Uuid> {
    let parsed = Uuid::parse_str(text);
    Ok(parsed.map_err(|e| {
        Error::data(format!("the catalog holds a damaged uuid \"{text}\"")).with_source(e)
    })?)
}
