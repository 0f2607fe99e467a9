//! The moves and removals that publish a write, and the journal that outlives a crash.
//!
//! The plan is stored in the write's staging directory before its first step. A coordinator that
//! dies half-way leaves the journal behind, and `recover` carries the plan to its end: every step
//! can be repeated.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use futures::{StreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use waterbuck_engine::{Error, ErrorKind, Result};

use super::failure::storage_failure;
use super::layout::{Layout, child};
use super::local;

const JOURNAL: &str = "publish.json";
/// Requests to the store at once.
const CONCURRENT_REQUESTS: usize = 16;

/// What publishing does, in paths on the store. All moves come before the first removal.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct PublishPlan {
    /// From the staging directory to the final place.
    pub(super) moves: Vec<(String, String)>,
    /// Files that are replaced.
    pub(super) removals: Vec<String>,
}

impl PublishPlan {
    /// One move alone needs no journal: it happens or it does not.
    fn needs_journal(&self) -> bool {
        self.moves.len() > 1 || !self.removals.is_empty()
    }

    pub(super) async fn store_journal(
        &self,
        store: &Arc<dyn ObjectStore>,
        layout: &Layout,
    ) -> Result<()> {
        if !self.needs_journal() {
            return Ok(());
        }
        let path = child(layout.staging(), JOURNAL)?;
        let failed = |e| storage_failure("write", &layout.display(&path), e);
        let json = serde_json::to_vec(self)
            .map_err(|e| Error::internal("a publication does not fit JSON").with_source(e))?;
        store.put(&path, json.into()).await.map_err(failed)?;
        if let Some(local) = layout.local_path(&path) {
            local::sync_file(&local)
                .await
                .map_err(|e| storage_failure("write", &layout.display(&path), e))?;
        }
        Ok(())
    }

    /// The plan a dead coordinator left in the staging directory `staging`, and when.
    pub(super) async fn load_journal(
        store: &Arc<dyn ObjectStore>,
        staging: &Path,
        layout: &Layout,
    ) -> Result<Option<(Self, SystemTime)>> {
        let path = child(staging, JOURNAL)?;
        let failed = |e| storage_failure("read", &layout.display(&path), e);
        let found = match store.get(&path).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(failed)?,
        };
        let written = SystemTime::from(found.meta.last_modified);
        let bytes = found.bytes().await.map_err(failed)?;
        let plan = serde_json::from_slice(&bytes).map_err(|e| {
            Error::data(format!("\"{}\" is damaged", layout.display(&path))).with_source(e)
        })?;
        Ok(Some((plan, written)))
    }

    pub(super) async fn remove_journal(
        &self,
        store: &Arc<dyn ObjectStore>,
        layout: &Layout,
    ) -> Result<()> {
        match self.needs_journal() {
            true => remove(store, layout, &child(layout.staging(), JOURNAL)?).await,
            false => Ok(()),
        }
    }

    /// Moves every file. All moves are tried, so that none is under way when this returns.
    pub(super) async fn run_moves(
        &self,
        store: &Arc<dyn ObjectStore>,
        layout: &Layout,
    ) -> Result<()> {
        // Collected first: a future that holds the closure is not `Send` for every lifetime.
        let moves: Vec<_> = self
            .moves
            .iter()
            .map(|(from, to)| rename(store, layout, from, to))
            .collect();
        let moves = stream::iter(moves);
        let outcomes: Vec<Result<()>> = moves.buffer_unordered(CONCURRENT_REQUESTS).collect().await;
        outcomes.into_iter().collect::<Result<()>>()?;
        self.sync_directories(layout).await
    }

    /// Takes back what `run_moves` did, after it failed.
    pub(super) async fn undo_moves(
        &self,
        store: &Arc<dyn ObjectStore>,
        layout: &Layout,
    ) -> Result<()> {
        let targets: Vec<String> = self.moves.iter().map(|(_, to)| to.clone()).collect();
        remove_all(store, layout, &targets).await
    }

    /// Removes the replaced files.
    pub(super) async fn run_removals(
        &self,
        store: &Arc<dyn ObjectStore>,
        layout: &Layout,
    ) -> Result<()> {
        remove_all(store, layout, &self.removals).await
    }

    /// Makes the moves durable, so that no removal can outlast them in a crash.
    async fn sync_directories(&self, layout: &Layout) -> Result<()> {
        let mut directories = BTreeSet::new();
        for (_, to) in &self.moves {
            if let Some(place) = layout.local_path(&parse(to)?)
                && let Some(directory) = place.parent()
            {
                directories.insert(directory.to_owned());
            }
        }
        for directory in directories {
            local::sync_directory(&directory)
                .await
                .map_err(|e| storage_failure("write", &directory.display().to_string(), e))?;
        }
        Ok(())
    }
}

async fn rename(store: &Arc<dyn ObjectStore>, layout: &Layout, from: &str, to: &str) -> Result<()> {
    let (from, to) = (parse(from)?, parse(to)?);
    let Err(error) = store.rename(&from, &to).await else {
        return Ok(());
    };
    let missing = matches!(error, object_store::Error::NotFound { .. });
    if missing && store.head(&to).await.is_ok() {
        return Ok(());
    }
    if missing && layout.local_path(&from).is_some() {
        let message = format!(
            "cannot find \"{}\", which an executor wrote: a local location must be on storage \
             that the coordinator and all executors share",
            layout.display(&from)
        );
        return Err(Error::new(ErrorKind::NotFound, message));
    }
    Err(storage_failure("write", &layout.display(&to), error))
}

async fn remove_all(store: &Arc<dyn ObjectStore>, layout: &Layout, paths: &[String]) -> Result<()> {
    let removals: Vec<_> = paths
        .iter()
        .map(|path| async move { remove(store, layout, &parse(path)?).await })
        .collect();
    let outcomes: Vec<Result<()>> = stream::iter(removals)
        .buffer_unordered(CONCURRENT_REQUESTS)
        .collect()
        .await;
    outcomes.into_iter().collect()
}

/// Removes a file, and locally the directories it leaves empty below the target's directory.
async fn remove(store: &Arc<dyn ObjectStore>, layout: &Layout, path: &Path) -> Result<()> {
    match store.delete(path).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
        Err(error) => return Err(storage_failure("remove", &layout.display(path), error)),
    }
    layout.remove_empty_directories(store.as_ref(), path).await;
    Ok(())
}

fn parse(path: &str) -> Result<Path> {
    Path::parse(path)
        .map_err(|e| Error::internal(format!("\"{path}\" is not a path on a store")).with_source(e))
}
