//! `SHOW FILES 'location'`: what lies somewhere, whether or not a table is over it.

use waterbuck_connectors::files::{FoundFile, find_files, readable};
use waterbuck_engine::Result;

use super::StatementContext;
use super::table_details::{Rows, file_row};
use crate::tables::{FileFacts, check_found, parse_location, store_of};

/// The files of a path, URL or pattern.
///
/// # Errors
/// For everybody but administrators, whose paths these are; when there is no such location.
pub(super) async fn rows(context: &StatementContext, location: &str) -> Result<Rows> {
    context.admin_only("list the files of a path that is not a table")?;
    let core = context.core();
    let location = parse_location(location)?;
    let store = store_of(core, &location).await?;
    let _whole = core.gate.listing(&location).await;
    check_found(core, &store, &location).await?;
    let files = find_files(&store, &location).await?;
    let row = |file: FoundFile| {
        file_row(FileFacts {
            path: readable(location.store_url(), &file.meta.location),
            bytes: file.meta.size,
            last_modified: Some(file.meta.last_modified.to_rfc3339()),
            partition: file.partition,
        })
    };
    Ok(files.into_iter().map(row).collect())
}
