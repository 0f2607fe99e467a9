//! What INSERT, CREATE TABLE AS and COPY share: run a plan that writes files aside, and clean up
//! when anything goes wrong before they are published.

use std::sync::Arc;
use std::time::Duration;

use datafusion::physical_plan::common::collect;
use object_store::ObjectStore;
use uuid::Uuid;
use waterbuck_connectors::files::write::{
    OverwriteScope, WriteTarget, WrittenFile, abort, publish_append, publish_overwrite,
    written_files,
};
use waterbuck_engine::{Error, ErrorKind, Result};

use super::StatementContext;
use super::query::{LogicalQuery, optimise};
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
    };
    query.logical =
        write_plan(query.logical, target, ids).map_err(|error| plan_error(&context.sql, error))?;
    let mut planned = optimise(context, query)?;
    planned.ends_query = false;
    let (stream, _plan) = run_query(Arc::clone(context.core()), planned).await?;
    let batches = collect(stream).await.map_err(run_error)?;
    let files = written_files(&batches)?;
    Ok((aside, files))
}

impl Aside {
    /// Makes the files visible, in the place of what `scope` says; goes on to the end even when
    /// the client goes away in the middle.
    pub(super) async fn publish(
        mut self,
        files: Vec<WrittenFile>,
        scope: Option<OverwriteScope>,
    ) -> Result<()> {
        let core = Arc::clone(&self.core);
        let (tell, told) = tokio::sync::oneshot::channel();
        core.in_background(async move {
            let published = self.publish_now(&files, scope).await;
            if published.is_ok() {
                self.keep();
            }
            // Whoever asked may be gone.
            let _gone = tell.send(published);
        });
        told.await
            .map_err(|_| Error::new(ErrorKind::Cancelled, "the server is stopping"))?
    }

    async fn publish_now(
        &self,
        files: &[WrittenFile],
        scope: Option<OverwriteScope>,
    ) -> Result<()> {
        let target = self.target_of(self.ids.lock().last().copied());
        let location = crate::tables::parse_location(&target.location)?;
        let _others_wait = self.core.gate.publishing(&location).await;
        match scope {
            None => publish_append(&self.store, &target, files).await?,
            Some(scope) => publish_overwrite(&self.store, &target, files, scope).await?,
        };
        self.core.files.forget(&location);
        Ok(())
    }

    fn target_of(&self, id: Option<Uuid>) -> WriteTarget {
        let mut target = self.target.clone();
        target.write_id = id.unwrap_or(target.write_id);
        target
    }

    /// Says that the files are published: only what failed attempts left is removed.
    pub(super) fn keep(&mut self) {
        self.kept = self.ids.lock().last().copied();
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        let ids = std::mem::take(&mut *self.ids.lock());
        let rest = ids.into_iter().filter(|id| Some(*id) != self.kept);
        let targets: Vec<_> = rest.map(|id| self.target_of(Some(id))).collect();
        if targets.is_empty() {
            return;
        }
        let store = Arc::clone(&self.store);
        self.core.in_background(async move {
            for pause in [Duration::ZERO, LATE_FILES] {
                tokio::time::sleep(pause).await;
                for target in &targets {
                    if let Err(error) = abort(&store, target).await {
                        tracing::warn!(location = target.location, %error, "files were left behind");
                    }
                }
            }
        });
    }
}
