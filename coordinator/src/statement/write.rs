//! What INSERT, CREATE TABLE AS and COPY share: run a plan that writes files aside, and clean up
//! when anything goes wrong before they are published.

use std::sync::Arc;
use std::time::Duration;

use datafusion::physical_plan::common::collect;
use object_store::ObjectStore;
use uuid::Uuid;
use waterbuck_connectors::files::write::{
    NewDirectories, OverwriteScope, TableBase, WriteTarget, WrittenFile, abort, publish_append,
    publish_overwrite, written_files,
};
use waterbuck_engine::Result;

use super::StatementContext;
use super::parameters::bind_parameters;
use super::query::{LogicalQuery, optimise_bound};
use crate::coordinator::Core;
use crate::plan::{WriteIds, plan_error, run_error, write_plan};
use crate::query::run_query;

/// An executor that had just finished a file may still put it there after its task was stopped.
const LATE_FILES: Duration = Duration::from_secs(3);

/// Files that are written and not published: dropping this removes them.
pub(super) struct Aside {
    core: Arc<Core>,
    store: Arc<dyn ObjectStore>,
    target: WriteTarget,
    ids: WriteIds,
    kept: Option<Uuid>,
    /// What the write makes besides its files, until it has succeeded.
    directories: NewDirectories,
}

/// Runs `query` and writes its rows to `target`, which nobody sees yet.
pub(super) async fn write_aside(
    context: &StatementContext,
    mut query: LogicalQuery,
    target: WriteTarget,
) -> Result<(Aside, Vec<WrittenFile>)> {
    target.validate()?;
    let store = crate::tables::store(context.core(), &target.location).await?;
    let ids = WriteIds::default();
    let aside = Aside {
        core: Arc::clone(context.core()),
        store,
        target: target.clone(),
        ids: Arc::clone(&ids),
        kept: None,
        directories: NewDirectories::of(&target).await?,
    };
    // Here and not later: rows of parameters join what is read, not the writing.
    query.logical = bind_parameters(&context.sql, query.logical, &context.parameters)?;
    query.logical =
        write_plan(query.logical, target, ids).map_err(|error| plan_error(&context.sql, error))?;
    let mut planned = optimise_bound(context, query)?;
    planned.ends_query = false;
    let (stream, _plan) = run_query(Arc::clone(context.core()), planned).await?;
    let batches = collect(stream).await.map_err(run_error)?;
    let files = written_files(&batches)?;
    Ok((aside, files))
}

impl Aside {
    /// Makes the files visible, in the place of what `replaced` says, if that is still what it was;
    /// goes on to the end even when the client goes away in the middle.
    pub(super) async fn publish(
        mut self,
        files: Vec<WrittenFile>,
        replaced: Option<(OverwriteScope, TableBase)>,
    ) -> Result<()> {
        let core = Arc::clone(&self.core);
        let publication = async move {
            // A publication that fails cleans up itself, or leaves the journal by which it is
            // completed later: nothing of it may be removed here.
            self.keep();
            self.publish_now(&files, replaced).await?;
            self.keep_directories();
            Ok(())
        };
        core.to_the_end(publication).await
    }

    /// Runs `commit`, which puts the files into the catalog and says whether it did; goes on to the
    /// end even when the client goes away in the middle, since the files of a transaction that was
    /// committed unseen must not be removed.
    pub(super) async fn commit(
        mut self,
        commit: impl Future<Output = Result<bool>> + Send + 'static,
    ) -> Result<()> {
        let core = Arc::clone(&self.core);
        let commitment = async move {
            if commit.await? {
                self.keep();
                self.keep_directories();
            }
            Ok(())
        };
        core.to_the_end(commitment).await
    }

    /// Lets the directories stay that the write has made.
    fn keep_directories(&mut self) {
        self.directories = NewDirectories::default();
    }

    async fn publish_now(
        &self,
        files: &[WrittenFile],
        replaced: Option<(OverwriteScope, TableBase)>,
    ) -> Result<()> {
        let target = self.target_of(self.ids.lock().last().copied());
        let location = crate::tables::parse_location(&target.location)?;
        let _others_wait = self.core.gate.publishing(&location).await;
        self.core
            .recovery
            .run(&self.store, &target.location)
            .await?;
        let published = match &replaced {
            None => publish_append(&self.store, &target, files).await,
            Some((scope, base)) => {
                publish_overwrite(&self.store, &target, files, (scope, base)).await
            }
        };
        self.core.files.forget(&location);
        if published.is_err() {
            self.core.recovery.failed(target.write_id);
        }
        published.map(drop)
    }

    fn target_of(&self, id: Option<Uuid>) -> WriteTarget {
        let mut target = self.target.clone();
        target.write_id = id.unwrap_or(target.write_id);
        target
    }

    /// Says that the files are published: only what failed attempts left is removed.
    fn keep(&mut self) {
        self.kept = self.ids.lock().last().copied();
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        let ids = std::mem::take(&mut *self.ids.lock());
        let rest = ids.into_iter().filter(|id| Some(*id) != self.kept);
        let targets: Vec<_> = rest.map(|id| self.target_of(Some(id))).collect();
        let directories = std::mem::take(&mut self.directories);
        if targets.is_empty() && directories.is_empty() {
            return;
        }
        let store = Arc::clone(&self.store);
        self.core.finishing(async move {
            for pause in [Duration::ZERO, LATE_FILES] {
                tokio::time::sleep(pause).await;
                for target in &targets {
                    if let Err(error) = abort(&store, target).await {
                        tracing::warn!(location = target.location, %error, "files were left behind");
                    }
                }
                directories.remove_empty().await;
                if targets.is_empty() {
                    return;
                }
            }
        });
    }
}
