//! What is known of one table: columns, files, partitions, statistics.

use std::collections::BTreeMap;

use arrow::datatypes::{FieldRef, Fields};
use datafusion::common::TableReference;
use waterbuck_catalog::{Securable, TableDef, TableKind};
use waterbuck_engine::sql::{Privilege, sql_type};
use waterbuck_engine::{Error, ErrorKind, Result};

use super::{StatementContext, permitted};
use crate::plan::{Binder, looks_like_path};
use crate::system;
use crate::tables::{self, FileFacts};
use crate::visible::Visible;

pub(super) const COLUMNS: &[&str] = &[
    "column_name",
    "data_type",
    "is_nullable",
    "column_default",
    "comment",
];
pub(super) const FORMATTED: &[&str] = &["property", "value", "detail"];
pub(super) const PARTITIONS: &[&str] = &["partition", "files", "bytes"];
pub(super) const FILES: &[&str] = &["path", "bytes", "last_modified", "partition"];
pub(super) const STATS: &[&str] = &[
    "column_name",
    "distinct_count",
    "null_fraction",
    "min",
    "max",
    "average_width",
    "row_count",
    "analyzed_at",
];

pub(super) type Rows = Vec<Vec<Option<String>>>;

/// A table or view that the user sees, with the columns that the user sees.
///
/// # Errors
/// When the user sees none, with the nearest name.
pub(super) async fn find(context: &StatementContext, table: &TableReference) -> Result<TableDef> {
    let name = context.table_name(table)?;
    if system::is_system(&name.schema) {
        // Those that do not exist are missing in words of their own.
        let tables = std::slice::from_ref(table);
        Binder::new(context).bind_tables(tables).await?;
        permitted::refuse_system(&name.schema, table)?;
    }
    let found = permitted::seen(context, "table", &name).await?;
    let rights = context.rights();
    Ok(Visible::new(&context.core().catalog, &rights).narrowed(found))
}

/// `DESCRIBE table`, of system tables too.
pub(super) async fn columns(context: &StatementContext, table: &TableReference) -> Result<Rows> {
    let name = context.table_name(table)?;
    if !system::is_system(&name.schema) && !is_path(context, table).await? {
        let table = find(context, table).await?;
        return Ok(table.columns.iter().map(column_row).collect());
    }
    let bound = Binder::new(context)
        .bind_tables(std::slice::from_ref(table))
        .await?;
    let missing = || Error::not_found(format!("table \"{table}\" does not exist"));
    let catalog = bound
        .tables
        .catalog(crate::plan::CATALOG_NAME)
        .ok_or_else(missing)?;
    let schema = catalog.schema(&name.schema).ok_or_else(missing)?;
    let provider = schema
        .table(&name.name)
        .await
        .map_err(|error| crate::plan::plan_error(&context.sql, error))?
        .ok_or_else(missing)?;
    Ok(field_rows(provider.schema().fields()))
}

/// Whether a name is that of files and of no table.
async fn is_path(context: &StatementContext, table: &TableReference) -> Result<bool> {
    if !looks_like_path(table.table()) {
        return Ok(false);
    }
    let name = context.table_name(table)?;
    match permitted::seen(context, "table", &name).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        seen => seen.map(|_table| false),
    }
}

/// Columns that no catalog declares, in the form of [`columns`].
pub(super) fn field_rows(fields: &Fields) -> Rows {
    let row = |field: &FieldRef| {
        vec![
            Some(field.name().clone()),
            Some(sql_type(field.data_type())),
            Some(yes_no(field.is_nullable())),
            None,
            None,
        ]
    };
    fields.iter().map(row).collect()
}

fn column_row(column: &waterbuck_catalog::ColumnDef) -> Vec<Option<String>> {
    vec![
        Some(column.name.clone()),
        Some(sql_type(&column.data_type)),
        Some(yes_no(column.nullable)),
        column.default.clone(),
        column.comment.clone(),
    ]
}

fn yes_no(yes: bool) -> String {
    if yes { "YES" } else { "NO" }.to_owned()
}

/// `DESCRIBE FORMATTED table`.
pub(super) async fn formatted(context: &StatementContext, table: &TableReference) -> Result<Rows> {
    let table = find(context, table).await?;
    let rights = context.rights();
    let object = Securable::of(&table);
    let knows_place = permitted::knows_place(&rights, &table);
    let mut rows: Rows = table
        .columns
        .iter()
        .map(|column| {
            vec![
                Some(column.name.clone()),
                Some(sql_type(&column.data_type)),
                column.comment.clone(),
            ]
        })
        .collect();
    let mut say =
        |name: &str, value: String| rows.push(vec![Some(name.to_owned()), Some(value), None]);
    say(
        "# table",
        format!("{}.{}", table.name.schema, table.name.name),
    );
    say("# id", table.uuid.to_string());
    say("# snapshot", table.begin_snapshot.to_string());
    if let Some(comment) = &table.comment {
        say("# comment", comment.clone());
    }
    match &table.kind {
        TableKind::View(view) if rights.owns(&object) => say("# view text", view.sql.clone()),
        TableKind::View(_) => {}
        TableKind::External(external) => {
            say("# kind", "external".to_owned());
            say("# format", external.format.clone());
            if knows_place {
                say("# location", external.location.clone());
            }
            say("# partition columns", external.partition_columns.join(", "));
            for (key, value) in &external.options {
                say(&format!("# option {key}"), value.clone());
            }
        }
        TableKind::Managed(managed) => {
            say("# kind", "managed".to_owned());
            if knows_place {
                say("# location", managed.path.clone());
            }
            say("# partition columns", managed.partition_columns.join(", "));
        }
    }
    // How much there is tells of rows that the user may not see.
    if !matches!(table.kind, TableKind::View(_)) && rights.reads_whole(&object) {
        let files = tables::files(context, &table).await?;
        say("# files", files.len().to_string());
        say(
            "# bytes",
            files.iter().map(|file| file.bytes).sum::<u64>().to_string(),
        );
        if let Some(statistics) = context.core().catalog.statistics(table.id).await? {
            say("# rows (analyzed)", statistics.row_count.to_string());
            say("# analyzed at", statistics.computed_at.to_rfc3339());
        }
    }
    Ok(rows)
}

/// `SHOW PARTITIONS table`.
pub(super) async fn partitions(context: &StatementContext, table: &TableReference) -> Result<Rows> {
    let table = permitted::with_files(context, table).await?;
    let mut sums: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for file in tables::files(context, &table).await? {
        let sum = sums.entry(partition_text(&file)).or_default();
        sum.0 += 1;
        sum.1 += file.bytes;
    }
    let row = |(partition, (files, bytes)): (String, (u64, u64))| {
        vec![
            Some(partition),
            Some(files.to_string()),
            Some(bytes.to_string()),
        ]
    };
    Ok(sums.into_iter().map(row).collect())
}

/// `SHOW FILES table`.
pub(super) async fn files(context: &StatementContext, table: &TableReference) -> Result<Rows> {
    let table = permitted::with_files(context, table).await?;
    let mut files = tables::files(context, &table).await?;
    if !permitted::knows_place(&context.rights(), &table) {
        for file in &mut files {
            file.path = below_place(&table, &file.path).to_owned();
        }
    }
    Ok(files.into_iter().map(file_row).collect())
}

/// The part of a file's path that is below where its table is kept; its name where that is unknown.
fn below_place<'a>(table: &TableDef, path: &'a str) -> &'a str {
    let place = match &table.kind {
        TableKind::External(external) => external.location.as_str(),
        TableKind::Managed(managed) => managed.path.as_str(),
        TableKind::View(_) => "",
    };
    // A pattern's own directories are told, the fixed ones above it are not.
    let fixed = place.split(['*', '?', '[', '{']).next().unwrap_or_default();
    let directory = match fixed == place {
        true => fixed.trim_end_matches('/'),
        false => fixed
            .rsplit_once('/')
            .map_or("", |(directory, _)| directory),
    };
    let name = path.rsplit('/').next().unwrap_or(path);
    if directory.is_empty() {
        return name;
    }
    let below = path.strip_prefix(directory);
    below
        .and_then(|below| below.strip_prefix('/'))
        .unwrap_or(name)
}

/// A file as `SHOW FILES` gives it.
pub(super) fn file_row(file: FileFacts) -> Vec<Option<String>> {
    let partition = partition_text(&file);
    vec![
        Some(file.path),
        Some(file.bytes.to_string()),
        file.last_modified,
        (!partition.is_empty()).then_some(partition),
    ]
}

fn partition_text(file: &FileFacts) -> String {
    let parts = file
        .partition
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("NULL")));
    parts.collect::<Vec<_>>().join("/")
}

/// `SHOW STATS table`: of columns that the user reads as they are. Where a row filter binds, figures of
/// all rows are none of the user's.
pub(super) async fn stats(context: &StatementContext, table: &TableReference) -> Result<Rows> {
    let table = find(context, table).await?;
    let rights = context.rights();
    let object = Securable::of(&table);
    let reads = |column: &str| {
        let granted = rights.may(Privilege::Select, &object, Some(column));
        granted && rights.mask(table.id, column).is_none()
    };
    let filtered = rights.row_filters(table.id).next().is_some();
    if filtered || !rights.may_in_part(Privilege::Select, &object) {
        return Ok(vec![]);
    }
    let Some(statistics) = context.core().catalog.statistics(table.id).await? else {
        return Ok(vec![]);
    };
    let mut rows: Rows = statistics
        .columns
        .iter()
        .filter(|(name, _)| reads(name))
        .map(|(name, column)| {
            vec![
                Some(name.clone()),
                column.distinct_count.map(|count| count.to_string()),
                Some(column.null_fraction.to_string()),
                column.min.clone(),
                column.max.clone(),
                Some(column.average_width.to_string()),
                None,
                None,
            ]
        })
        .collect();
    // A column that was left out of the last ANALYZE is older: only the row count has this time.
    let mut whole = vec![None; STATS.len() - 2];
    whole.push(Some(statistics.row_count.to_string()));
    whole.push(Some(statistics.computed_at.to_rfc3339()));
    rows.push(whole);
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use waterbuck_catalog::{ExternalTable, TableName};

    use super::*;

    #[test]
    fn of_a_file_no_more_is_told_than_what_is_below_its_tables_place() {
        for (location, path, told) in [
            ("/data/t/", "/data/t/year=1/a.csv", "year=1/a.csv"),
            ("/data/t", "/data/t/a.csv", "a.csv"),
            ("/data/t/*.csv", "/data/t/a.csv", "a.csv"),
            ("s3://b/*/x/*.csv", "s3://b/1/x/a.csv", "1/x/a.csv"),
            ("/data/t/a.csv", "/data/t/a.csv", "a.csv"),
            ("/data/t", "/data/table/a.csv", "a.csv"),
            ("relative", "/home/relative/a.csv", "a.csv"),
        ] {
            let table = TableDef {
                kind: TableKind::External(ExternalTable {
                    format: "csv".to_owned(),
                    location: location.to_owned(),
                    partition_columns: vec![],
                    options: BTreeMap::new(),
                    secret: None,
                    explicit_columns: false,
                }),
                id: 1,
                uuid: Uuid::nil(),
                name: TableName::new("s", "t"),
                begin_snapshot: 1,
                columns: vec![],
                comment: None,
                owner: None,
            };
            assert_eq!(below_place(&table, path), told, "{location}");
        }
    }
}
