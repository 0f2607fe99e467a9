//! `TRUNCATE`: takes all rows out of a table, at once.

use waterbuck_catalog::{FileChange, TableKind};
use waterbuck_engine::sql::{Privilege, Truncate};
use waterbuck_engine::{Error, Result};

use super::ddl::refuse_system;
use super::{StatementContext, permitted};
use crate::session::Outcome;

/// Runs a `TRUNCATE`: the table's files end in one transaction, as with an `INSERT OVERWRITE` of no
/// rows.
///
/// # Errors
/// As `INSERT OVERWRITE`; `Unsupported` for tables over files that belong to others.
pub(super) async fn execute(context: &StatementContext, truncate: &Truncate) -> Result<Outcome> {
    let name = context.table_name(&truncate.table)?;
    refuse_system(&name.schema)?;
    let catalog = &context.core().catalog;
    // What others commit after that is not taken away unseen: it is a conflict.
    let snapshot = catalog.current_snapshot().await?;
    let needed = (Privilege::Delete, truncate.if_exists);
    let found = permitted::relation_if_exists(context, "table", &name, needed).await?;
    let Some(table) = found else {
        return Ok(context.done());
    };
    match &table.kind {
        TableKind::Managed(_) => {
            catalog
                .commit_files(table.id, snapshot, FileChange::Overwrite, vec![])
                .await?;
            Ok(context.done())
        }
        TableKind::External(_) => Err(Error::unsupported(format!(
            "TRUNCATE is not supported for \"{}\": its files have a LOCATION of their own; remove \
             them there, or write INSERT OVERWRITE with a query that gives no rows",
            table.name
        ))),
        TableKind::View(_) => Err(Error::invalid(format!(
            "\"{}\" is a view: tables have rows that can be taken away",
            table.name
        ))),
    }
}
