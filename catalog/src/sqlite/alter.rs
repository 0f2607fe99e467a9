//! The columns of an external table after they have been inferred again.

use waterbuck_engine::{Error, ErrorKind};

use super::columns::{OwnColumns, insert_own, read_own};
use super::commit::Commit;
use super::create::check_columns;
use super::fault::Outcome;
use crate::model::ColumnDef;
use crate::type_text::without_metadata;

/// Replaces the columns; where nothing differs there is no snapshot.
pub(super) async fn external_columns(
    mut commit: Commit,
    id: i64,
    mut columns: Vec<ColumnDef>,
) -> Outcome<()> {
    check_columns(&columns)?;
    for column in &mut columns {
        column.data_type = without_metadata(&column.data_type);
    }
    let live: Option<i64> = sqlx::query_scalar(
        "SELECT table_id FROM wb_external_table WHERE table_id = ? AND end_snapshot IS NULL",
    )
    .bind(id)
    .fetch_optional(commit.connection())
    .await?;
    if live.is_none() {
        let message = format!("external table {id} was dropped by another session");
        return Err(Error::new(ErrorKind::Conflict, message).into());
    }
    let present = read_own(commit.connection(), OwnColumns::External, Some(id)).await?;
    if present.get(&id) == Some(&columns) {
        return Ok(());
    }
    sqlx::query(
        "UPDATE wb_external_column SET end_snapshot = ? WHERE table_id = ? AND end_snapshot IS NULL",
    )
    .bind(commit.snapshot())
    .bind(id)
    .execute(commit.connection())
    .await?;
    insert_own(&mut commit, OwnColumns::External, id, &columns).await?;
    commit.changed_own(format!("altered_external:{id}"));
    commit.finish().await?;
    Ok(())
}
