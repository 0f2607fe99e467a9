//! Making a write visible.
//!
//! Order of an append: journal, moves, staging directory removed. A reader that lists the
//! directory in the middle sees some of the new files; the coordinator's own listings are kept
//! apart by the [`PublishGate`](super::PublishGate), which the caller holds while it publishes.
//!
//! Order of an overwrite: journal, moves, removal of the replaced files, staging directory removed.
//! Before the first step the files to be replaced are listed and compared with those the statement
//! was planned on, since what another program has put there meanwhile must not be removed unread.
//! At every moment the old rows or the new rows are complete on the store; between the moves and
//! the end of the removals a foreign reader can see both. If a move fails, the new files are taken
//! back and the old ones are untouched. If a removal fails, the journal stays and the error says
//! so; `recover` finishes the removals.
//!
//! Publishing is not cancel-safe: a caller that stops waiting leaves the rest to `recover`, so it
//! belongs into a task that the client's cancellation does not reach.
//!
//! Stores without a rename (S3, GCS, Azure) copy within the store and delete; S3 copies files of
//! up to 5 GiB in that way.

use std::collections::HashSet;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use waterbuck_engine::{Error, ErrorKind, Result};

use super::layout::Layout;
use super::publish_plan::PublishPlan;
use super::remove::remove_staging;
use super::replaced::{OverwriteScope, TableBase};
use super::target::WriteTarget;
use super::written::WrittenFile;

/// Moves `files` to their final places and returns these, as paths on the store. On failure
/// nothing of the write remains.
pub async fn publish_append(
    store: &Arc<dyn ObjectStore>,
    target: &WriteTarget,
    files: &[WrittenFile],
) -> Result<Vec<Path>> {
    publish(store, target, files, Vec::new()).await
}

/// Moves `files` to their final places, then removes what they replace; returns the final places.
/// When nothing could be moved, nothing of the write remains and the old files are as before.
///
/// # Errors
/// `Conflict` naming a file to be replaced that is not as it was in `base`, else what the store
/// says.
pub async fn publish_overwrite(
    store: &Arc<dyn ObjectStore>,
    target: &WriteTarget,
    files: &[WrittenFile],
    (scope, base): (&OverwriteScope, &TableBase),
) -> Result<Vec<Path>> {
    if !target.staging {
        return Err(Error::internal(
            "a write without staging is not published by moving files",
        ));
    }
    let replaced = match base.replaced(store, target, files, scope).await {
        Ok(replaced) => replaced,
        Err(error) => {
            discard(store, target).await;
            return Err(error);
        }
    };
    publish(store, target, files, replaced).await
}

async fn publish(
    store: &Arc<dyn ObjectStore>,
    target: &WriteTarget,
    files: &[WrittenFile],
    replaced: Vec<String>,
) -> Result<Vec<Path>> {
    let layout = Layout::of(target)?;
    let (plan, places) = plan(&layout, target, files, replaced)?;
    if !target.staging {
        return Ok(places);
    }
    let moved = match plan.store_journal(store, &layout).await {
        Ok(()) => plan.run_moves(store, &layout).await,
        Err(error) => Err(error),
    };
    if let Err(error) = moved {
        return Err(take_back(store, target, &layout, &plan, error).await);
    }
    plan.run_removals(store, &layout).await.map_err(|error| {
        let message = format!(
            "the new files are in \"{}\", but not all of the replaced ones could be removed; \
             the removal is completed by the next write or start",
            layout.display(layout.directory())
        );
        Error::new(error.kind(), message).with_source(error)
    })?;
    discard(store, target).await;
    Ok(places)
}

/// Where every file goes. The single file of a target takes the name that was asked for.
fn plan(
    layout: &Layout,
    target: &WriteTarget,
    files: &[WrittenFile],
    replaced: Vec<String>,
) -> Result<(PublishPlan, Vec<Path>)> {
    let mut moves = Vec::with_capacity(files.len());
    let mut places = Vec::with_capacity(files.len());
    for file in files {
        let from = layout.absolute(&file.path)?;
        let to = match &target.single_file {
            Some(name) if target.staging => layout.absolute(name)?,
            _ => layout.published(&from)?,
        };
        moves.push((from.to_string(), to.to_string()));
        places.push(to);
    }
    if target.single_file.is_some() && files.len() > 1 {
        return Err(Error::internal(format!(
            "{} files were written as one",
            files.len()
        )));
    }
    // A single file that is replaced by name must not be removed after it was put there.
    let new: HashSet<&str> = moves.iter().map(|(_, to)| to.as_str()).collect();
    let removals = replaced
        .into_iter()
        .filter(|path| !new.contains(path.as_str()))
        .collect();
    Ok((PublishPlan { moves, removals }, places))
}

/// Undoes a publication that failed while files were moved, and says so when even that fails.
async fn take_back(
    store: &Arc<dyn ObjectStore>,
    target: &WriteTarget,
    layout: &Layout,
    plan: &PublishPlan,
    cause: Error,
) -> Error {
    // The journal goes first: with it, a later recovery would publish what was reported as failed.
    let undone = match plan.remove_journal(store, layout).await {
        // A single file may have replaced one of its name, which removing it would not bring back.
        Ok(()) if target.single_file.is_some() => Ok(()),
        Ok(()) => plan.undo_moves(store, layout).await,
        Err(error) => Err(error),
    };
    if let Err(error) = undone {
        tracing::error!(%error, write_id = %target.write_id, "failed publication not undone");
        let message = format!(
            "the write to \"{}\" failed and could not be undone, some of its files may be visible: \
             they are named \"part-{}-…\"",
            layout.display(layout.directory()),
            target.write_id.simple()
        );
        return Error::new(ErrorKind::Unavailable, message).with_source(cause);
    }
    discard(store, target).await;
    cause
}

/// What remains aside is invisible, so failing to remove it is no failure of the write.
async fn discard(store: &Arc<dyn ObjectStore>, target: &WriteTarget) {
    if let Err(error) = remove_staging(store, target).await {
        tracing::warn!(%error, write_id = %target.write_id, "staging directory not removed");
    }
}
