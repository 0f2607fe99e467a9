//! Bulk ingestion: the rows of an upload become rows of a table, all of them or none.
//!
//! ```text
//! upload ─► read once, as it comes ─► columns found by name ─► WriteFiles ─► one publication
//! ```
//! The rows are in this process, so the plan runs here; its partitions encode files side by side. A
//! full partition stops the reading, and with it, through the connection's window, the client.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::compute::can_cast_types;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::stream;
use parking_lot::Mutex;
use waterbuck_catalog::{
    ColumnDef, FileChange, ManagedTable, NewTable, OnExisting, TableDef, TableKind, TableName,
};
use waterbuck_engine::sql::{Privilege, sql_type};
use waterbuck_engine::{Error, ErrorKind, Result};

use super::StatementContext;
use super::columns::plain_columns;
use super::ddl::refuse_system;
use super::insert::{create_with_rows, fit, managed_target, new_table_path};
use super::permitted;
use super::query::{LogicalQuery, plan_table};
use super::write::write_aside;
use crate::ingest::{IfExists, Ingest};
use crate::names::did_you_mean;
use crate::plan::{CATALOG_NAME, plan_error};
use crate::session::Outcome;
use crate::tables;

/// Writes the rows of an upload into a table.
pub(crate) async fn execute(
    context: &StatementContext,
    ingest: &Ingest,
    rows: SendableRecordBatchStream,
) -> Result<Outcome> {
    let name = table_name(context, ingest)?;
    refuse_system(&name.schema)?;
    check_names(&rows.schema())?;
    let snapshot = context.core().catalog.current_snapshot().await?;
    let found = match permitted::seen(context, "table", &name).await {
        Ok(table) => Some(table),
        Err(error) if error.kind() == ErrorKind::NotFound && ingest.create => None,
        Err(error) => return Err(error),
    };
    match (found, ingest.if_exists) {
        (None, _) => {
            permitted::making(context, &name, false).await?;
            create(context, name, OnExisting::Fail, rows).await
        }
        (Some(table), IfExists::Fail) => Err(Error::already_exists(format!(
            "{} \"{name}\" already exists",
            table.kind.noun()
        ))),
        (Some(_), IfExists::Replace) => {
            let checked = permitted::making(context, &name, true).await?;
            create(context, name, OnExisting::ReplaceOnly(checked), rows).await
        }
        (Some(_), IfExists::Append) => {
            let table = permitted::relation(context, "table", &name, Privilege::Insert).await?;
            append(context, table, snapshot, rows).await
        }
    }
}

fn table_name(context: &StatementContext, ingest: &Ingest) -> Result<TableName> {
    if let Some(catalog) = &ingest.catalog
        && catalog != CATALOG_NAME
    {
        return Err(Error::not_found(format!(
            "catalog \"{catalog}\" does not exist"
        )));
    }
    let schema = ingest.schema.clone();
    Ok(TableName {
        schema: schema.unwrap_or_else(|| context.settings.values().schema.clone()),
        name: ingest.table.clone(),
    })
}

/// Columns are found by their names, so each has one of its own.
fn check_names(upload: &Schema) -> Result<()> {
    let mut known = HashSet::new();
    for (position, field) in upload.fields().iter().enumerate() {
        let name = field.name();
        if name.is_empty() {
            let position = position + 1;
            return Err(Error::invalid(format!(
                "column {position} of the upload has no name"
            )));
        }
        if !known.insert(name) {
            return Err(Error::invalid(format!(
                "the upload has two columns \"{name}\""
            )));
        }
    }
    Ok(())
}

async fn create(
    context: &StatementContext,
    name: TableName,
    mode: OnExisting,
    rows: SendableRecordBatchStream,
) -> Result<Outcome> {
    let columns = plain_columns(&rows.schema());
    let managed = ManagedTable {
        path: new_table_path(context),
        partition_columns: vec![],
    };
    let table = NewTable {
        name,
        kind: TableKind::Managed(managed.clone()),
        columns,
        comment: None,
        owner: Some(context.owner()),
    };
    let source = upload_plan(context, rows).await?;
    create_with_rows(context, (table, &managed), mode, source).await
}

async fn append(
    context: &StatementContext,
    table: TableDef,
    snapshot: i64,
    rows: SendableRecordBatchStream,
) -> Result<Outcome> {
    let given = given_columns(&table, &rows.schema())?;
    let source = upload_plan(context, rows).await?;
    let source = fit(context, source, &table.columns, &given, &[])?;
    match &table.kind {
        TableKind::Managed(managed) => {
            let target = managed_target(managed, &table.columns)?;
            let (aside, files) = write_aside(context, source, target).await?;
            let rows = files.iter().map(|file| file.rows).sum();
            let files = tables::new_data_files(files);
            let catalog = Arc::clone(&context.core().catalog);
            let commit = async move {
                catalog
                    .commit_files(table.id, snapshot, FileChange::Append, files)
                    .await?;
                Ok(true)
            };
            aside.commit(commit).await?;
            Ok(context.wrote(rows))
        }
        TableKind::External(external) => {
            let target = tables::external_target(context, external, &table.columns)?;
            let (aside, files) = write_aside(context, source, target).await?;
            let rows = files.iter().map(|file| file.rows).sum();
            aside.publish(files, None).await?;
            Ok(context.wrote(rows))
        }
        TableKind::View(_) => Err(Error::invalid(format!(
            "\"{}\" is a view: rows go into tables",
            table.name
        ))),
    }
}

/// The table's columns that the columns of the upload are for, in the order of the upload.
fn given_columns<'a>(table: &'a TableDef, upload: &Schema) -> Result<Vec<&'a ColumnDef>> {
    let find = |name: &String| table.columns.iter().find(|column| column.name == *name);
    upload
        .fields()
        .iter()
        .map(|field| {
            let Some(column) = find(field.name()) else {
                let names = table.columns.iter().map(|column| column.name.as_str());
                let hint = did_you_mean(field.name(), names);
                return Err(Error::not_found(format!(
                    "table \"{}\" has no column \"{}\" of the upload{hint}",
                    table.name,
                    field.name()
                )));
            };
            if takes(&column.data_type, field.data_type()) {
                return Ok(column);
            }
            Err(Error::invalid(format!(
                "column \"{}\" of table \"{}\" is {}, in the upload it is {}: cast it before",
                column.name,
                table.name,
                sql_type(&column.data_type),
                sql_type(field.data_type())
            )))
        })
        .collect()
}

/// Whether a column takes values of another type. What an INSERT would make of them by guessing, a
/// number of a text or a whole number of a fraction, is a mistake in an upload.
fn takes(column: &DataType, upload: &DataType) -> bool {
    let kind = |data_type: &DataType| match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => Kind::Bytes,
        DataType::Date32 | DataType::Date64 => Kind::Date,
        DataType::Timestamp(_, _) => Kind::Timestamp,
        other if other.is_integer() => Kind::Integer,
        other if other.is_numeric() => Kind::Fraction,
        _ => Kind::Other,
    };
    match (upload, column) {
        (DataType::Null, _) => true,
        (upload, column) if upload == column => true,
        (DataType::Dictionary(_, values), _) => takes(column, values),
        (DataType::RunEndEncoded(_, values), _) => takes(column, values.data_type()),
        (upload, column) => match (kind(upload), kind(column)) {
            (Kind::Integer, Kind::Fraction) | (Kind::Date, Kind::Timestamp) => true,
            // Times, intervals and nested values are told apart by more than their kind.
            (Kind::Other, Kind::Other) => {
                upload.is_nested() == column.is_nested() && can_cast_types(upload, column)
            }
            (from, to) => from == to,
        },
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Bytes,
    Date,
    Timestamp,
    Integer,
    Fraction,
    Other,
}

async fn upload_plan(
    context: &StatementContext,
    rows: SendableRecordBatchStream,
) -> Result<LogicalQuery> {
    let schema = rows.schema();
    let upload = Upload {
        schema: Arc::clone(&schema),
        rows: Mutex::new(Some(rows)),
    };
    let table = StreamingTable::try_new(schema, vec![Arc::new(upload)])
        .map_err(|error| plan_error(&context.sql, error))?;
    plan_table(context, "upload", Arc::new(table)).await
}

/// The rows of an upload as the one partition of a table.
struct Upload {
    schema: SchemaRef,
    rows: Mutex<Option<SendableRecordBatchStream>>,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").finish_non_exhaustive()
    }
}

impl PartitionStream for Upload {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self.rows.lock().take();
        // On the coordinator alone, only what ran out of memory is tried again.
        rows.unwrap_or_else(|| {
            let error = Error::new(
                ErrorKind::ResourceExhausted,
                "the upload ran out of memory, and its rows come once: raise the setting \
                 \"memory_limit\" or send smaller batches",
            );
            let failed = stream::iter([Err(DataFusionError::from(error))]);
            Box::pin(RecordBatchStreamAdapter::new(
                Arc::clone(&self.schema),
                failed,
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, TimeUnit};

    use super::*;

    #[test]
    fn a_column_takes_what_keeps_its_meaning() {
        let timestamp = |unit| DataType::Timestamp(unit, None);
        let list = |item| DataType::List(Arc::new(Field::new("item", item, true)));
        for (column, upload, taken) in [
            (DataType::Int32, DataType::Int64, true),
            (DataType::Float64, DataType::Int16, true),
            (DataType::Decimal128(10, 2), DataType::Float64, true),
            (DataType::Utf8, DataType::Utf8View, true),
            (DataType::Utf8, DataType::Null, true),
            (
                timestamp(TimeUnit::Nanosecond),
                timestamp(TimeUnit::Second),
                true,
            ),
            (timestamp(TimeUnit::Nanosecond), DataType::Date32, true),
            (list(DataType::Int32), list(DataType::Int64), true),
            (DataType::Int32, DataType::Utf8, false),
            (DataType::Utf8, DataType::Int32, false),
            (DataType::Int32, DataType::Float64, false),
            (DataType::Boolean, DataType::Int8, false),
            (DataType::Date32, timestamp(TimeUnit::Second), false),
            (list(DataType::Int32), DataType::Utf8, false),
        ] {
            assert_eq!(takes(&column, &upload), taken, "{upload} into {column}");
        }
    }

    #[test]
    fn columns_without_a_name_of_their_own_are_refused() {
        let schema = |names: &[&str]| {
            let field = |name: &&str| Field::new(*name, DataType::Int32, true);
            Schema::new(names.iter().map(field).collect::<Vec<_>>())
        };
        assert!(check_names(&schema(&["a", "A"])).is_ok());
        let twice = check_names(&schema(&["a", "b", "a"])).unwrap_err();
        assert!(twice.to_string().contains("\"a\""), "{twice}");
        let unnamed = check_names(&schema(&["a", ""])).unwrap_err();
        assert!(unnamed.to_string().contains("column 2"), "{unnamed}");
    }
}
