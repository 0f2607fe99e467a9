//! What an `INSERT OVERWRITE` takes the place of, and what it must find unchanged in the end.

use waterbuck_catalog::{FileChange, TableDef, TableKind};
use waterbuck_connectors::files::write::{
    OverwriteScope, PartitionValues, TableBase, WriteTarget, WrittenFile,
};
use waterbuck_engine::Result;
use waterbuck_engine::sql::Insert;

use super::StatementContext;
use crate::tables;

/// The files of a file table that `insert` overwrites; `None` for any other statement or table.
///
/// Called before the source is bound: what the source then reads of the table is at least as new,
/// and whatever others do to the table from here on is noticed before anything is replaced.
pub(super) async fn table_base(
    context: &StatementContext,
    insert: &Insert,
    table: &TableDef,
) -> Result<Option<TableBase>> {
    let TableKind::External(external) = &table.kind else {
        return Ok(None);
    };
    if !insert.overwrite {
        return Ok(None);
    }
    let target = tables::external_target(context, external, &table.columns)?;
    current_files(context, &target).await.map(Some)
}

/// The files that are where `target` will write, once interrupted publications are completed.
pub(super) async fn current_files(
    context: &StatementContext,
    target: &WriteTarget,
) -> Result<TableBase> {
    let core = context.core();
    let store = tables::store(core, &target.location).await?;
    let location = tables::parse_location(&target.location)?;
    // Nobody lists the files meanwhile, so nobody can bring an older listing back afterwards.
    let _others_wait = core.gate.publishing(&location).await;
    core.recovery.run(&store, &target.location).await?;
    let base = TableBase::list(&store, target).await?;
    core.files.forget(&location);
    Ok(base)
}

/// What an `INSERT` changes of a managed table.
pub(super) fn managed_change(
    insert: &Insert,
    partition_columns: &[String],
    files: &[WrittenFile],
    named: Option<PartitionValues>,
) -> FileChange {
    if !insert.overwrite {
        return FileChange::Append;
    }
    if partition_columns.is_empty() || insert.partition.is_empty() {
        return FileChange::Overwrite;
    }
    FileChange::OverwritePartitions(overwritten(files, named))
}

/// What an `INSERT OVERWRITE` into files takes the place of.
pub(super) fn overwrite_scope(
    insert: &Insert,
    partition_columns: &[String],
    files: &[WrittenFile],
    named: Option<PartitionValues>,
) -> OverwriteScope {
    if partition_columns.is_empty() || insert.partition.is_empty() {
        return OverwriteScope::All;
    }
    OverwriteScope::Partitions(overwritten(files, named))
}

/// The partitions an `INSERT OVERWRITE` takes the place of: those written, and the one that is
/// named in full even when no row was written to it.
fn overwritten(files: &[WrittenFile], named: Option<PartitionValues>) -> Vec<PartitionValues> {
    let written = files.iter().map(|file| file.partition_values.clone());
    let mut partitions: Vec<PartitionValues> = vec![];
    for partition in written.chain(named) {
        if !partitions.contains(&partition) {
            partitions.push(partition);
        }
    }
    partitions
}
