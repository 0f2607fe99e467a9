//! Tables Waterbuck fills itself: `system.*` and `information_schema.*`.

mod audit;
mod executors;
mod information_schema;
mod queries;
mod settings;

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::{MemTable, TableProvider};
use waterbuck_engine::{Error, Result};

pub(crate) use information_schema::InformationSchema;

use crate::names::did_you_mean;
use crate::statement::StatementContext;

/// The schema of Waterbuck's own tables.
pub(crate) const SCHEMA: &str = "system";

/// The schema of the SQL standard's tables.
pub(crate) const INFORMATION_SCHEMA: &str = "information_schema";

const TABLES: [&str; 5] = ["audit", "executors", "queries", "secrets", "settings"];

/// Whether a schema is filled by Waterbuck.
pub(crate) fn is_system(schema: &str) -> bool {
    schema == SCHEMA || schema == INFORMATION_SCHEMA
}

/// The tables of the schema `system`, with their columns.
pub(crate) async fn all(
    context: &StatementContext,
) -> Result<Vec<(&'static str, Arc<dyn TableProvider>)>> {
    let mut all = vec![];
    for name in TABLES {
        all.push((name, table(context, name).await?));
    }
    Ok(all)
}

/// A table of the schema `system`, as it is now.
///
/// # Errors
/// When there is no such table.
pub(crate) async fn table(
    context: &StatementContext,
    name: &str,
) -> Result<Arc<dyn TableProvider>> {
    let batch = match name {
        "audit" => audit::batch(context)?,
        "executors" => executors::batch(context)?,
        "queries" => queries::batch(context).await?,
        "secrets" => settings::secrets(context).await?,
        "settings" => settings::batch(context)?,
        _ => {
            let hint = did_you_mean(name, TABLES);
            let message = format!("table \"{name}\" does not exist in schema \"system\"{hint}");
            return Err(Error::not_found(message));
        }
    };
    in_memory(batch)
}

fn in_memory(batch: RecordBatch) -> Result<Arc<dyn TableProvider>> {
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]])
        .map_err(|error| Error::internal("a system table cannot be built").with_source(error))?;
    Ok(Arc::new(table))
}

fn build(columns: Vec<(&str, arrow::array::ArrayRef)>) -> Result<RecordBatch> {
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .map_err(|error| Error::internal("a system table cannot be built").with_source(error))
}
