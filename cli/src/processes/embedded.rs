//! The engine inside the shell: a coordinator and an executor in this process, and no ports.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::physical_plan::common::collect;
use uuid::Uuid;
use waterbuck_coordinator::{
    Coordinator, Outcome as Ran, Session, SessionUser, describe_run_error,
};
use waterbuck_engine::{Error, Result};

use super::node::{Node, open_catalog};
use crate::config::Config;
use crate::shell::{Connection, Execution, NAMES_SQL, Outcome, Progress, text_column};

/// Opens an engine in this process. Without a data directory its catalog is gone when it ends.
///
/// # Errors
/// When the data directory cannot be used.
pub(crate) async fn open_embedded(config: &Config) -> Result<Arc<dyn Connection>> {
    let temporary = tempfile::tempdir()
        .map_err(|error| Error::unavailable("no temporary directory").with_source(error))?;
    let data_dir = config
        .data_dir
        .clone()
        .unwrap_or_else(|| temporary.path().to_owned());
    let catalog = open_catalog(&data_dir).await?;
    let spill = config
        .spill_dir
        .clone()
        .unwrap_or_else(|| temporary.path().join("spill"));
    let node = Node::new(config, &spill)?;
    let coordinator = node.coordinator(catalog, config, true)?;
    let user = SessionUser {
        name: "admin".to_owned(),
        admin: true,
    };
    let session = coordinator.open_session(user);
    let name = match &config.data_dir {
        Some(dir) => format!("an engine in this process, data in \"{}\"", dir.display()),
        None => "an engine in this process, nothing is kept".to_owned(),
    };
    Ok(Arc::new(Embedded {
        session,
        coordinator,
        name,
        _temporary: temporary,
    }))
}

struct Embedded {
    session: Arc<Session>,
    coordinator: Arc<Coordinator>,
    name: String,
    _temporary: tempfile::TempDir,
}

#[async_trait]
impl Connection for Embedded {
    async fn execute(&self, sql: &str) -> Result<Execution> {
        Ok(match self.session.execute(sql, vec![]).await? {
            Ran::Rows { query_id, stream } => Execution {
                query_id: Some(query_id.to_string()),
                outcome: Outcome::Rows(stream),
            },
            Ran::Parts { .. } => {
                return Err(Error::internal("nobody asked for the result in parts"));
            }
            Ran::Updated { query_id, rows } => Execution {
                query_id: Some(query_id.to_string()),
                outcome: Outcome::Updated(rows),
            },
        })
    }

    async fn progress(&self, query_id: &str) -> Option<Progress> {
        let progress = self.coordinator.progress(Uuid::parse_str(query_id).ok()?)?;
        Some(Progress {
            state: progress.state.name().to_owned(),
            stages_done: progress.stages_done(),
            stages_total: progress.stages.len() as u64,
            tasks_done: progress.tasks_done(),
            tasks_total: progress.tasks_total(),
            rows_read: progress.rows_read(),
            rows: progress.rows,
            bytes: progress.bytes,
            elapsed: progress.elapsed,
        })
    }

    async fn cancel(&self, query_id: &str) {
        if let Some(id) = Uuid::parse_str(query_id).ok()
            && let Some(query) = self.coordinator.queries().get(id)
        {
            query.cancel.cancel();
        }
    }

    async fn names(&self) -> Vec<String> {
        let names = self.session.execute(NAMES_SQL, vec![]).await;
        let Ok(Ran::Rows { stream, .. }) = names else {
            return vec![];
        };
        let batches = collect(stream)
            .await
            .map_err(describe_run_error)
            .unwrap_or_default();
        text_column(&batches)
    }

    fn describe(&self) -> String {
        self.name.clone()
    }
}
