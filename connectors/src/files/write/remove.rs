//! Removing what failed, cancelled and abandoned writes have left.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use uuid::Uuid;
use waterbuck_engine::Result;

use super::failure::storage_failure;
use super::layout::{Layout, file_name_prefix};
use super::local;
use super::publish_plan::PublishPlan;
use super::target::WriteTarget;

/// Removes everything a write has left, finished or not. May be called at any time before the
/// write is published or, without staging, committed; and again.
pub async fn abort(store: &Arc<dyn ObjectStore>, target: &WriteTarget) -> Result<()> {
    if target.staging {
        return remove_staging(store, target).await;
    }
    let layout = Layout::of(target)?;
    let directory = layout.directory();
    // A store may put something before the name of a file that is not complete.
    let prefix = file_name_prefix(target.write_id);
    if let Some(place) = layout.local_path(directory) {
        return local::remove_named(&place, &prefix)
            .await
            .map_err(|e| storage_failure("remove", &layout.display(directory), e));
    }
    remove_matching(store, &layout, directory, |path| {
        path.filename().is_some_and(|name| name.contains(&prefix))
    })
    .await
}

/// Removes the write's staging directory with all in it.
pub(super) async fn remove_staging(
    store: &Arc<dyn ObjectStore>,
    target: &WriteTarget,
) -> Result<()> {
    let layout = Layout::of(target)?;
    remove_directory(store, &layout, layout.staging()).await
}

/// Which writes count as abandoned. Somebody else may be writing to the same directory, and whose
/// a write is cannot be seen: only its age tells.
#[derive(Debug, Clone, Copy)]
pub struct Abandoned {
    /// A publication whose journal is older than this is carried to its end.
    pub published_before: SystemTime,
    /// A write without a journal that began before this is removed.
    pub began_before: SystemTime,
}

/// Cleans a table's directory of writes whose coordinator died: those that were being published
/// are carried to their end, the others are removed, when they are as old as `abandoned` says or
/// `given_up` knows them. Returns how many were cleaned up.
pub async fn recover(
    store: &Arc<dyn ObjectStore>,
    location: &str,
    abandoned: Abandoned,
    given_up: impl Fn(Uuid) -> bool,
) -> Result<usize> {
    let layout = Layout::of_directory(location)?;
    let listing = match store.list_with_delimiter(Some(layout.staging())).await {
        Err(object_store::Error::NotFound { .. }) => return Ok(0),
        listing => {
            listing.map_err(|e| storage_failure("list", &layout.display(layout.staging()), e))?
        }
    };
    let mut cleaned = 0;
    for staging in listing.common_prefixes {
        let write_id = staging
            .filename()
            .and_then(|name| Uuid::parse_str(name).ok());
        let Some(write_id) = write_id else { continue };
        let journal = PublishPlan::load_journal(store, &staging, &layout).await?;
        let old = match &journal {
            Some((_, written)) => *written < abandoned.published_before,
            None => began(write_id).is_some_and(|time| time < abandoned.began_before),
        };
        if !old && !given_up(write_id) {
            continue;
        }
        if let Some((plan, _)) = journal {
            plan.run_moves(store, &layout).await?;
            plan.run_removals(store, &layout).await?;
            tracing::info!(%write_id, location, "interrupted publication completed");
        }
        remove_directory(store, &layout, &staging).await?;
        cleaned += 1;
    }
    Ok(cleaned)
}

/// When a write began; its id is a version 7 one, which tells the time.
fn began(write_id: Uuid) -> Option<SystemTime> {
    let (seconds, nanos) = write_id.get_timestamp()?.to_unix();
    Some(SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos))
}

async fn remove_directory(
    store: &Arc<dyn ObjectStore>,
    layout: &Layout,
    directory: &Path,
) -> Result<()> {
    let Some(place) = layout.local_path(directory) else {
        return remove_matching(store, layout, directory, |_| true).await;
    };
    // The file system also shows the unfinished uploads, which the store's listing hides.
    local::remove_tree(&place)
        .await
        .map_err(|e| storage_failure("remove", &layout.display(directory), e))?;
    layout
        .remove_empty_directories(store.as_ref(), directory)
        .await;
    Ok(())
}

async fn remove_matching(
    store: &Arc<dyn ObjectStore>,
    layout: &Layout,
    directory: &Path,
    matches: impl Fn(&Path) -> bool + Send + Sync,
) -> Result<()> {
    let failed = |e| storage_failure("remove", &layout.display(directory), e);
    let listed: Vec<Path> = match store
        .list(Some(directory))
        .map_ok(|m| m.location)
        .try_collect()
        .await
    {
        Err(object_store::Error::NotFound { .. }) => Vec::new(),
        listed => listed.map_err(failed)?,
    };
    let paths: Vec<_> = listed.into_iter().filter(matches).map(Ok).collect();
    let mut removed = store.delete_stream(futures::stream::iter(paths).boxed());
    while let Some(outcome) = removed.next().await {
        match outcome {
            Ok(path) => layout.remove_empty_directories(store.as_ref(), &path).await,
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}
