//! What INSERT, CREATE TABLE AS and COPY share: run a plan that writes files aside, and clean up
//! when anything goes wrong before they are published.

use std::sync::Arc;

use datafusion::physical_plan::common::collect;
use object_store::ObjectStore;
use uuid::Uuid;
use waterbuck_connectors::files::write::{WriteTarget, WrittenFile, abort, written_files};
use waterbuck_engine::Result;

use super::StatementContext;
use super::query::{LogicalQuery, optimise};
use crate::coordinator::Core;
use crate::plan::{WriteIds, plan_error, run_error, write_plan};
use crate::query::run_query;

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
    query.logical = write_plan(query.logical, target, ids)
        .map_err(|error| plan_error(&context.sql, error))?;
    let mut planned = optimise(context, query)?;
    planned.ends_query = false;
    let (stream, _plan) = run_query(Arc::clone(context.core()), planned).await?;
    let batches = collect(stream).await.map_err(run_error)?;
    let files = written_files(&batches)?;
    Ok((aside, files))
}

impl Aside {
    /// Where the files are kept.
    pub(super) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The target under the id of the attempt that succeeded.
    pub(super) fn target(&self) -> WriteTarget {
        self.target_of(self.ids.lock().last().copied())
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
            for target in targets {
                if let Err(error) = abort(&store, &target).await {
                    tracing::warn!(location = target.location, %error, "files were left behind");
                }
            }
        });
    }
}
