//! Completes the publications that a crash or a failing store interrupted.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use object_store::ObjectStore;
use parking_lot::Mutex;
use uuid::Uuid;
use waterbuck_catalog::TableKind;
use waterbuck_connectors::files::write::recover;
use waterbuck_engine::Result;

use crate::coordinator::Core;

/// Which writes are nobody's any more: those from before this process, and those it gave up.
#[derive(Debug)]
pub(crate) struct Recovery {
    started: SystemTime,
    failed: Mutex<HashSet<Uuid>>,
}

impl Recovery {
    /// Of a process that starts now.
    pub(crate) fn new() -> Self {
        Self {
            started: SystemTime::now(),
            failed: Mutex::default(),
        }
    }

    /// Says that a publication of this process has failed and may have left its journal.
    pub(crate) fn failed(&self, write: Uuid) {
        self.failed.lock().insert(write);
    }

    /// Cleans up the directory `location`; the caller holds its publications back.
    ///
    /// # Errors
    /// When the store does not let it.
    pub(crate) async fn run(&self, store: &Arc<dyn ObjectStore>, location: &str) -> Result<()> {
        let failed = self.failed.lock().clone();
        let running = |write: Uuid| !failed.contains(&write) && self.began_here(write);
        recover(store, location, SystemTime::now(), running).await?;
        Ok(())
    }

    /// Another process may share the directory: a write that began after this process did is left
    /// to whoever began it.
    fn began_here(&self, write: Uuid) -> bool {
        let Some(time) = write.get_timestamp() else {
            return true;
        };
        let (seconds, nanos) = time.to_unix();
        SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos) >= self.started
    }
}

/// Cleans up the directories of all file tables, once, when a coordinator starts.
pub(crate) async fn recover_file_tables(core: Arc<Core>) {
    let tables = match core.catalog.tables(None).await {
        Ok(tables) => tables,
        Err(error) => {
            tracing::warn!(%error, "interrupted writes are not looked for");
            return;
        }
    };
    for table in tables {
        let TableKind::External(external) = &table.kind else {
            continue;
        };
        let recovered = async {
            let location = crate::tables::parse_location(&external.location)?;
            if !location.is_directory_like() {
                return Ok(());
            }
            let store = crate::tables::store(&core, &external.location).await?;
            let _others_wait = core.gate.publishing(&location).await;
            core.recovery.run(&store, &location.to_string()).await
        };
        if let Err(error) = recovered.await {
            tracing::warn!(table = %table.name, %error, "interrupted writes are not completed");
        }
    }
}
