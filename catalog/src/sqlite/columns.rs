//! Columns of managed tables, external tables and views: writing and reading their rows.

use std::collections::{HashMap, HashSet};

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::bulk::insert_rows;
use super::commit::Commit;
use super::fault::Outcome;
use crate::model::ColumnDef;
use crate::type_text;
use crate::types::{LakeColumn, LakeColumns, assemble};

/// Columns by the id of their table.
pub(super) type ByTable = HashMap<i64, Vec<ColumnDef>>;

/// The columns of a managed table in the specification's tables, with what these cannot say in ours.
pub(super) async fn insert_lake(
    commit: &mut Commit,
    table_id: i64,
    columns: &[ColumnDef],
) -> Outcome<LakeColumns> {
    let lake = LakeColumns::new(columns)?;
    let snapshot = commit.snapshot();
    let nested: HashSet<i64> = lake.rows.iter().filter_map(|row| row.parent).collect();
    insert_rows(
        commit.connection(),
        "ducklake_column",
        &lake.rows,
        |mut values, row| {
            let default_type = if nested.contains(&row.id) {
                "''"
            } else {
                "'literal'"
            };
            values
                .push_bind(row.id)
                .push_bind(snapshot)
                .push("NULL")
                .push_bind(table_id);
            values
                .push_bind(row.id)
                .push_bind(&row.name)
                .push_bind(&row.type_name);
            values
                .push("NULL, 'NULL'")
                .push_bind(row.nullable)
                .push_bind(row.parent);
            values.push(default_type).push("'duckdb'");
        },
    )
    .await?;
    let read_back = assemble(&lake.rows)?;
    for (column, (id, field)) in columns.iter().zip(&read_back) {
        let exact = type_text::without_metadata(&column.data_type) == *field.data_type();
        let data_type = (!exact).then(|| type_text::write(&column.data_type));
        if data_type.is_some() || column.default.is_some() {
            sqlx::query("INSERT INTO wb_column_detail VALUES (?, ?, ?, ?)")
                .bind(table_id)
                .bind(id)
                .bind(data_type)
                .bind(&column.default)
                .execute(commit.connection())
                .await?;
        }
        if let Some(comment) = &column.comment {
            insert_lake_comment(commit, table_id, *id, comment).await?;
        }
    }
    Ok(lake)
}

/// The comment on a column of a managed table.
pub(super) async fn insert_lake_comment(
    commit: &mut Commit,
    table_id: i64,
    column_id: i64,
    comment: &str,
) -> Outcome<()> {
    sqlx::query("INSERT INTO ducklake_column_tag VALUES (?, ?, ?, NULL, 'comment', ?)")
        .bind(table_id)
        .bind(column_id)
        .bind(commit.snapshot())
        .bind(comment)
        .execute(commit.connection())
        .await?;
    Ok(())
}

/// Which of our own tables holds an object's columns.
#[derive(Debug, Clone, Copy)]
pub(super) enum OwnColumns {
    External,
    View,
}

impl OwnColumns {
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::External => "wb_external_column",
            Self::View => "wb_view_column",
        }
    }
}

/// The columns of an external table or a view.
pub(super) async fn insert_own(
    commit: &mut Commit,
    kind: OwnColumns,
    table_id: i64,
    columns: &[ColumnDef],
) -> Outcome<()> {
    let snapshot = commit.snapshot();
    let numbered: Vec<(i64, &ColumnDef)> = (1..).zip(columns).collect();
    insert_rows(
        commit.connection(),
        kind.table(),
        &numbered,
        |mut row, (order, column)| {
            row.push_bind(table_id)
                .push_bind(snapshot)
                .push("NULL")
                .push_bind(*order);
            row.push_bind(&column.name)
                .push_bind(type_text::write(&column.data_type));
            row.push_bind(column.nullable)
                .push_bind(&column.default)
                .push_bind(&column.comment);
        },
    )
    .await
}

/// Live columns of one external table or view, or of all when no id is given.
pub(super) async fn read_own(
    connection: &mut SqliteConnection,
    kind: OwnColumns,
    table_id: Option<i64>,
) -> Outcome<ByTable> {
    type Row = (i64, String, String, bool, Option<String>, Option<String>);
    let sql = format!(
        "SELECT table_id, column_name, column_type, nulls_allowed, default_value, comment
         FROM {} WHERE end_snapshot IS NULL{} ORDER BY table_id, column_order",
        kind.table(),
        only(table_id)
    );
    let rows = sqlx::query_as::<_, Row>(AssertSqlSafe(sql)).bind(table_id);
    let mut columns = ByTable::new();
    for (id, name, data_type, nullable, default, comment) in rows.fetch_all(connection).await? {
        let data_type = type_text::parse(&data_type)?;
        columns.entry(id).or_default().push(ColumnDef {
            name,
            data_type,
            nullable,
            default,
            comment,
        });
    }
    Ok(columns)
}

/// Live columns of one managed table, or of all when no id is given.
pub(super) async fn read_lake(
    connection: &mut SqliteConnection,
    table_id: Option<i64>,
) -> Outcome<ByTable> {
    let mut details = read_details(connection, table_id).await?;
    let mut comments = read_comments(connection, table_id).await?;
    let mut columns = ByTable::new();
    for (table_id, rows) in read_rows(connection, table_id).await? {
        let fields = assemble(&rows)?;
        let mut of_table = Vec::with_capacity(fields.len());
        for (id, field) in fields {
            let (exact, default) = details.remove(&(table_id, id)).unwrap_or_default();
            let data_type = match exact {
                Some(text) => type_text::parse(&text)?,
                None => field.data_type().clone(),
            };
            of_table.push(ColumnDef {
                name: field.name().clone(),
                data_type,
                nullable: field.is_nullable(),
                default,
                comment: comments.remove(&(table_id, id)),
            });
        }
        columns.insert(table_id, of_table);
    }
    Ok(columns)
}

/// Live rows of `ducklake_column` by table, in order.
pub(super) async fn read_rows(
    connection: &mut SqliteConnection,
    table_id: Option<i64>,
) -> Outcome<HashMap<i64, Vec<LakeColumn>>> {
    type Row = (i64, i64, Option<i64>, String, String, bool);
    let sql = format!(
        "SELECT table_id, column_id, parent_column, column_name, column_type, nulls_allowed
         FROM ducklake_column WHERE end_snapshot IS NULL{} ORDER BY table_id, column_order",
        only(table_id)
    );
    let rows = sqlx::query_as::<_, Row>(AssertSqlSafe(sql)).bind(table_id);
    let mut by_table: HashMap<i64, Vec<LakeColumn>> = HashMap::new();
    for (table_id, id, parent, name, type_name, nullable) in rows.fetch_all(connection).await? {
        let row = LakeColumn {
            id,
            parent,
            name,
            type_name,
            nullable,
        };
        by_table.entry(table_id).or_default().push(row);
    }
    Ok(by_table)
}

type ByColumn<T> = HashMap<(i64, i64), T>;

async fn read_details(
    connection: &mut SqliteConnection,
    table_id: Option<i64>,
) -> Outcome<ByColumn<(Option<String>, Option<String>)>> {
    let filter = if table_id.is_some() {
        " WHERE table_id = ?1"
    } else {
        ""
    };
    let sql = format!(
        "SELECT table_id, column_id, column_type, default_value FROM wb_column_detail{filter}"
    );
    let rows = sqlx::query_as::<_, (i64, i64, Option<String>, Option<String>)>(AssertSqlSafe(sql))
        .bind(table_id)
        .fetch_all(connection)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(table, id, exact, default)| ((table, id), (exact, default)))
        .collect())
}

async fn read_comments(
    connection: &mut SqliteConnection,
    table_id: Option<i64>,
) -> Outcome<ByColumn<String>> {
    let sql = format!(
        "SELECT table_id, column_id, \"value\" FROM ducklake_column_tag
         WHERE end_snapshot IS NULL AND \"key\" = 'comment'{}",
        only(table_id)
    );
    let rows = sqlx::query_as::<_, (i64, i64, String)>(AssertSqlSafe(sql))
        .bind(table_id)
        .fetch_all(connection)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(table, id, comment)| ((table, id), comment))
        .collect())
}

fn only(table_id: Option<i64>) -> &'static str {
    if table_id.is_some() {
        " AND table_id = ?1"
    } else {
        ""
    }
}
